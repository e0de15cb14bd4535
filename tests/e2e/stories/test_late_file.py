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
from fl.protocol.artifact import Kind
from fl.protocol.phases import Phase

LATE = 0


class Late(Participant):
    """Honest, but for when it publishes."""

    def reveals(self, view: View) -> list[Action]:
        return [replace(action, publish=()) for action in super().reveals(view)]

    def serves(self, view: View) -> list[Action]:
        return super().serves(view) if view.phase >= Phase.PROPOSE else []


def test_file_that_comes_after_the_scores__changes_nobody_s_memory_of_the_round(tmp_path: Path):
    federation = InProcessFederation(tmp_path, "heart", honest=5, rounds=1)
    index = next(i for i, agent in enumerate(federation.agents) if agent.seat == LATE)
    agent = federation.agents[index]
    old, *others = agent.roles
    late = Late(LATE, old.task, old.shard, old.seed, old.journal)
    federation.agents[index] = replace(agent, roles=(late, *others))
    federation.play(federation.agents)
    federation.run()
    history = federation.loop.history
    log = history.rounds[0]
    assert LATE not in log.accepted and federation.store.has(log.reveals[LATE].root, Kind.UPDATE)
    anew = Record(federation.record.terms, federation.record.manifest, federation.store)
    assert LATE in anew.judged(history, log).inside
    assert anew.state(history, 2) == federation.record.state(history, 2)
    with pytest.raises(AuditError, match="seats that the gate lets in, and the committee"):  # which cannot know when it came
        federation.audit()
