"""An answerer shows the leaves that a data-availability challenge asks for, from files in its store."""

from __future__ import annotations

from hashlib import sha256
from itertools import groupby, islice

from fl.agents.record.history import Demanded
from fl.agents.record.view import View
from fl.agents.roles.challenger import MAX_DEMANDS
from fl.agents.runtime.actions import Action, Call, Turn
from fl.protocol.artifact import Kind
from fl.protocol.enums import Artifact
from fl.protocol.fraud import Opened
from fl.protocol.phases import Phase

TOGETHER = 8  # answers in one transaction, far below a block's gas
TREES_KEPT = 2  # a demanded file's tree is built once, and not at every look


class Answerer:
    """Answers demands from files in its store, to earn the deposits and to keep a correct model standing.

    It answers all that are due, the soonest first, because an attacker who demands everything at once hopes for one late
    answer. The proposer, whose stake is at risk, sends its answers a few to a transaction. Deciding reads the demanded files
    from the store.

    seat: this agent's, if it has one."""

    def __init__(self, seat: int | None = None):
        self.seat = seat
        self._trees: dict[bytes, Opened] = {}  # of the files demanded last

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
        calls = [answers[demanded] for demanded in sorted(answers, key=lambda d: due[d])[:MAX_DEMANDS]]
        if view.round.proposal is None or view.round.proposal.seat != self.seat:
            return [*calls]
        return [self._together(calls[i : i + TOGETHER]) for i in range(0, len(calls), TOGETHER)]

    def _together(self, calls: list[Call]) -> Call:
        if len(calls) == 1:
            return calls[0]
        attempt, times = calls[0].attempt, sum(call.times for call in calls)
        return Call("multicall", shared=True, number=calls[0].number, attempt=attempt, times=times, calls=tuple(calls))

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
        log, record = view.round, view.record
        if demanded.artifact == Artifact.UPDATE:
            root, kind = log.reveals[demanded.seat].root, record.mode.kind
        elif demanded.artifact == Artifact.PREVIOUS:
            root, kind = log.base, Kind.MODEL
        else:
            root, kind = log.proposals[-1].root, Kind.MODEL
        if (known := self._trees.pop(root, None)) is None:
            data = record.model_file(root) if kind is Kind.MODEL else record.update(root)
            known = None if data is None else Opened.of(data, kind)
        if known is not None:
            self._trees = dict([*self._trees.items()][1 - TREES_KEPT :]) | {root: known}
        return known


def _file(demanded: Demanded) -> tuple[int, int]:
    return demanded.artifact, demanded.seat
