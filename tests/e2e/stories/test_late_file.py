"""A file that is put into the store only when its round is settled: the committee found nothing and left it out. Whoever reads
the past later finds it there, and must remember the round as those do who were there."""

from dataclasses import replace
from pathlib import Path

import pytest
from support.in_process import InProcessFederation

from fl.agents.record.public_record import Record
from fl.agents.record.view import View
from fl.agents.roles.participant import Participant
from fl.agents.runtime.actions import Action
from fl.errors import AuditError
from fl.protocol.phases import Phase

LATE = 0


class Late(Participant):
    """Honest, but for when it publishes."""

    def decide(self, view: View) -> list[Action]:
        if view.phase is Phase.IDLE and view.history.rounds:
            return []
        if view.phase is Phase.PROPOSE and not view.record.store.has(view.round.reveals[self.seat].root, self.kind):
            return [replace(self.held[view.round.number], function="")]
        actions = super().decide(view)
        for action in actions:
            if action.function == "reveal":
                self.held[view.round.number], self.kind = action, action.publish[0].kind
        return [replace(action, publish=()) for action in actions]


def test_file_that_comes_after_the_scores__changes_nobody_s_memory_of_the_round(tmp_path: Path):
    federation = InProcessFederation(tmp_path, "heart", honest=5, rounds=1)
    agent = next(agent for agent in federation.agents if agent.seat == LATE)
    participant = agent.roles[0]
    participant.__class__, participant.held = Late, {}
    federation.run()
    history = federation.loop.history
    log = history.rounds[0]
    assert LATE not in log.accepted and federation.store.has(log.reveals[LATE].root, participant.kind)
    anew = Record(federation.record.terms, federation.record.manifest, federation.store)
    assert LATE in anew.judged(history, log).inside
    assert anew.state(history, 2) == federation.record.state(history, 2)
    with pytest.raises(AuditError, match="seats that the gate lets in, and the committee"):  # which cannot know when it came
        federation.audit()
