"""An answerer shows the leaves that a data-availability challenge asks for, from files that its store holds."""

from __future__ import annotations

from itertools import groupby, islice

from fl.agents.record.history import Demanded
from fl.agents.record.view import View
from fl.agents.roles.challenger import MAX_DEMANDS
from fl.agents.runtime.actions import Action
from fl.protocol.artifact import Data, Kind
from fl.protocol.enums import Artifact
from fl.protocol.fraud import Opened
from fl.protocol.phases import Phase


class Answerer:
    """Answers demands from files that its store holds: for the deposits, and so that a right model stands.

    All that are due, the soonest first: whoever demands everything at once counts on an answer that comes too late."""

    def decide(self, view: View) -> list[Action]:
        if view.phase is not Phase.CHALLENGE:
            return []
        due = {d: end for d, end in view.round.demands.items() if view.time < end and d.attempt == view.facts.attempts}
        answers: dict[Demanded, Action] = {}
        for what, demands in groupby(sorted(due, key=lambda d: (_file(d), due[d])), key=_file):  # a file's tree at a time
            soonest = list(islice(demands, MAX_DEMANDS))
            if (opened := self._opened(view, soonest[0])) is not None:
                for demanded in soonest:
                    leaf = demanded.leaf
                    content = opened.show(leaf)[: opened.kind.value]
                    args = (*what, leaf, content, b"".join(opened.tree.path(leaf)))
                    answers[demanded] = Action("answer", args, shared=True)
        return [answers[demanded] for demanded in sorted(answers, key=lambda d: due[d])[:MAX_DEMANDS]]

    def _opened(self, view: View, demanded: Demanded) -> Opened | None:
        data: Data | None
        log, record = view.round, view.record
        if demanded.artifact == Artifact.UPDATE:
            data, kind = record.update(log.reveals[demanded.seat].root), Kind.UPDATE
        elif demanded.artifact == Artifact.PREVIOUS:
            data, kind = record.model_file(log.base), Kind.MODEL
        else:
            data, kind = record.model_file(log.proposals[-1].root), Kind.MODEL
        return Opened.of(data, kind) if data is not None else None


def _file(demanded: Demanded) -> tuple[int, int]:
    return demanded.artifact, demanded.seat
