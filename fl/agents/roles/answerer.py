"""An answerer shows the leaves that a data-availability challenge asks for, from files in its store."""

from __future__ import annotations

from hashlib import sha256
from itertools import groupby, islice

from fl.agents.record.history import Demanded
from fl.agents.record.view import View
from fl.agents.roles.challenger import MAX_DEMANDS
from fl.agents.runtime.actions import Action, Call, Turn
from fl.protocol.artifact import Data, Kind
from fl.protocol.enums import Artifact
from fl.protocol.fraud import Opened
from fl.protocol.phases import Phase


class Answerer:
    """Answers demands from files in its store, to earn the deposits and to keep a correct model standing.

    It answers all that are due, the soonest first, because an attacker who demands everything at once hopes for one late
    answer. Deciding reads the demanded files from the store."""

    def decide(self, view: View) -> list[Action]:
        if view.phase is not Phase.CHALLENGE:
            return []
        due = {d: end for d, end in view.round.demands.items() if view.time < end and d.attempt == view.facts.attempts}
        answers: dict[Demanded, Call] = {}
        for what, demands in groupby(sorted(due, key=lambda d: (_file(d), due[d])), key=_file):  # one file's tree at a time
            soonest = list(islice(demands, MAX_DEMANDS))
            if (opened := self._opened(view, soonest[0])) is not None:
                for demanded in soonest:
                    leaf = demanded.leaf
                    content = opened.show(leaf)[: opened.kind.value]
                    args = (*what, leaf, content, b"".join(opened.tree.path(leaf)))
                    answers[demanded] = self._call(view, demanded, args)
        return [answers[demanded] for demanded in sorted(answers, key=lambda d: due[d])[:MAX_DEMANDS]]

    def _call(self, view: View, demanded: Demanded, args: tuple[object, ...]) -> Call:
        """If many can answer, only one should pay the gas. The proposer, whose stake is at risk, answers at once; the others
        take turns, and wait while an answer is pending. After a third of the window nobody waits any more, because the
        demander might have sent an answer that never arrives."""
        attempt, deadline, proposal = view.facts.attempts, view.round.demands[demanded], view.round.proposal
        wanted = {"artifact": demanded.artifact, "seat": demanded.seat, "leaf": demanded.leaf}
        wanted |= {"round": view.facts.number, "attempt": attempt}
        times = sum(e.name == "Answered" and wanted.items() <= e.fields.items() for e in view.history.events)
        turn = None
        if proposal is not None:
            key = f"{view.facts.number} answer {demanded} {deadline}"
            others = [seat for seat in sorted(view.history.seats) if seat != proposal.seat]
            first = int.from_bytes(sha256(key.encode()).digest()[:8], "big") % max(1, len(others))
            third = deadline - view.terms.answer_window + view.terms.answer_window // 3
            turn = Turn(key, (proposal.seat, *others[first:], *others[:first]), opens=third, demand=demanded)
        return Call("answer", args, shared=True, number=attempt, attempt=attempt, times=times, turn=turn)

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
