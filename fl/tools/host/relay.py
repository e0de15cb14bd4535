"""Relays: collects signed acts, and sends each kind of a round in few transactions, within a budget for gas.

An act is checked before it is kept, so that nobody can fill the queue: it is of the present round and phase, of a seat that may
do it and has not, and signed by its operator, or opens what the seat committed to. Each batch is simulated before it is sent.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection
from typing import Any

from fl.agents.record.history import RoundLog
from fl.agents.runtime.journal import KEEP_ROUNDS
from fl.errors import ChainError, TreatyError
from fl.log import Log
from fl.network.federation import Snapshot
from fl.network.gas import relayed
from fl.network.sender import MAX_GAS, Fees, Sender, Signer
from fl.network.transactions import SignedTransaction, TransactionJournal
from fl.network.typed_data import signer_of
from fl.protocol.phases import Phase, phase_and_end
from fl.protocol.relayed import FORMS, Act
from fl.protocol.terms import Terms
from fl.tools.host.ledger import Ledger
from fl.tools.host.metrics import Metrics
from fl.tools.host.purse import Payment, Purse
from fl.tools.host.rounds import Rounds

PARTS = 8  # a batch waits for others at most this part of its window, and not at all in its last quarter
GAS_OF_WALLET = 105_000  # of asking a contract wallet whether it signed

TAKEN, ALREADY = 202, 200


def _of_wallet(kind: str) -> int:
    """Gas that an act may take beyond the recorded gas, since its operator may be a contract."""
    return 0 if FORMS[kind].signs is None else GAS_OF_WALLET


def most_together(kind: str) -> int:
    """So many acts of a kind fit one transaction, however large they are and whatever their operators become."""
    first, second = (relayed(FORMS[kind].batch, acts) for acts in (1, 2))
    return 1 + (MAX_GAS - first - _of_wallet(kind)) // (second - first + _of_wallet(kind))


def reserved(kind: str, acts: int) -> int:
    """Gas that a budget must have for so many acts of a kind."""
    whole, rest = divmod(acts, most_together(kind))
    return whole * relayed(FORMS[kind].batch, most_together(kind)) + relayed(FORMS[kind].batch, rest)


class Relay:
    """One host's relay, and whatever else its key sends: `rounds`, if set, moves rounds on. block: the last one that was acted
    on."""

    def __init__(
        self, ledger: Ledger, signer: Signer, transactions: TransactionJournal, purse: Purse, metrics: Metrics, log: Log
    ):
        self.ledger, self.metrics, self.log, self.purse = ledger, metrics, log, purse
        self.address = signer.address
        reader = ledger.reader
        self.sender = Sender(reader.rpc, signer, reader.chain_id, transactions, Fees(), log, reader.refusal, self._mined)
        self.rounds: Rounds | None = None
        self.block = 0
        self._lock = threading.Lock()
        self._pending: dict[tuple[str, int], tuple[Act, int]] = {}  # (kind, seat) to the act and the chain's time of its offer
        self._batches = 0
        self._show()

    def facts(self) -> dict[str, Any]:
        return {"sender": self.address, "block": self.block, **self.purse.facts()}

    # ---- taking

    def offer(self, given: Any) -> tuple[int, str]:
        """(HTTP status, one line) for an act that somebody offers."""
        try:
            act = Act.parse(given)
            status, text = self._offer(act)
        except ValueError as error:
            return 400, str(error)
        self.metrics.acts.labels(act.kind, "taken" if status == TAKEN else "known" if status == ALREADY else "refused").inc()
        return status, text

    def _offer(self, act: Act) -> tuple[int, str]:
        known, reader = self.ledger.known, self.ledger.reader
        log = known.history.round if known.history else None
        if known.snapshot is None or log is None or not known.snapshot.facts.live or log.number != act.round:
            return 409, f"round {act.round} is not open here"
        phase, _ = _phase(known.snapshot, reader.terms)
        if phase is not act.form.phase:
            return 409, f"the phase is {phase.name.lower()}: {act.kind} belongs to {act.form.phase.name.lower()}"
        if act.seat in _done(log, act.kind):
            return ALREADY, "the chain has it already"
        if act.seat not in _expected(log, act.kind):
            return 403, f"seat {act.seat} has no {act.kind} to send in this round"
        statement = act.statement(reader.chain_id, reader.address)
        if statement is not None:
            act.entry  # noqa: B018  raises ValueError for a signature that the contract could not take
            signer = signer_of(statement, act.parts[1])
            if signer is None or signer.lower() != known.operators.get(act.seat, "").lower():
                return 401, f"this is not signed by the operator of seat {act.seat}"
        else:
            commitments = log.commitments if act.kind == "reveal" else log.score_commitments
            if not act.opens(reader.chain_id, reader.address, commitments[act.seat]):
                return 403, "this does not open what the seat committed to"
        kept_kinds = Counter([act.kind, *(kind for kind, _ in list(self._pending))])
        if self.purse.left < self._price(sum(reserved(kind, acts) for kind, acts in kept_kinds.items())):
            return 503, "the budget for gas is spent: send the transaction yourself"
        with self._lock:
            kept = self._pending.get((act.kind, act.seat))
            if kept is not None and kept[0].round == act.round:
                same = kept[0].parts[0] == act.parts[0]
                return (ALREADY, "this is under way") if same else (409, "another act of this kind is under way for the seat")
            self._pending[act.kind, act.seat] = act, known.snapshot.head.time
        return TAKEN, "taken"

    def _price(self, gas: int) -> int:
        """What so much gas costs at the present fee, in wei."""
        snapshot = self.ledger.known.snapshot
        fee = 2 * snapshot.head.base_fee + self.sender.fees.tip if snapshot else 0
        return gas * min(fee, self.sender.fees.cap)

    def _spare(self, kind: str, acts: int) -> int:
        """Gas for each of so many signed acts, whose operators may all become contract wallets before it is mined. With less,
        a batch would fail as a whole, and one owner could keep everybody's acts from the chain. No more than the budget has."""
        left = self.purse.left // self._price(1) - reserved(kind, acts)
        return max(0, min(_of_wallet(kind), left // acts))

    # ---- sending

    def run(self, stop: threading.Event) -> None:
        """Sends what is due after each reading of the chain, until stopped."""
        while not stop.is_set():
            try:
                self.step()
            except TreatyError as error:
                self.log.warn(f"relaying: {error}; trying again")
            except Exception as error:  # a relay that serves many goes on after any error, and reports it
                self.log.error(f"relaying: unexpected {type(error).__name__}: {error}; going on")
            with self.ledger.fresh:
                self.ledger.fresh.wait(1.0)

    def step(self) -> None:
        """Tends what was sent; sends the batches that are due; moves the round on."""
        known = self.ledger.known
        if known.snapshot is None or known.history is None:
            return
        snapshot, log = known.snapshot, known.history.round
        self.sender.tend(snapshot.head, snapshot.confirmed, snapshot.facts.number, snapshot.facts.attempts)
        self.sender.transactions.forget(snapshot.facts.number - KEEP_ROUNDS)
        phase, end = _phase(snapshot, self.ledger.reader.terms)
        for kind, form in FORMS.items():
            due = self._due(kind, log, phase, end, snapshot) if log is not None else []
            if due and not self._under_way(form.batch):
                self._send_all(kind, due, snapshot)
        if self.rounds is not None and self.purse.left >= self._price(self.rounds.dearest(len(known.operators))):
            self.rounds.step(known)
        self.block = snapshot.head.number
        self.metrics.block.set(self.block)

    def _due(self, kind: str, log: RoundLog, phase: Phase, end: int, snapshot: Snapshot) -> list[Act]:
        """The acts of one kind to send now: all that may come are here, or one has waited for long enough."""
        with self._lock:
            done = _done(log, kind)
            for key, (act, _) in list(self._pending.items()):
                if act.kind == kind and (act.round != log.number or act.seat in done or FORMS[kind].phase is not phase):
                    del self._pending[key]
            waiting = [(act, since) for act, since in self._pending.values() if act.kind == kind]
        if not waiting:
            return []
        oldest = min(since for _, since in waiting)
        whole = {act.seat for act, _ in waiting} >= _expected(log, kind) - done
        window, now = _window(self.ledger.reader.terms, kind), snapshot.head.time
        patient = now - oldest < window // PARTS and end - now > window // 4
        return [] if patient and not whole else [act for act, _ in sorted(waiting, key=lambda pair: pair[0].seat)]

    def _send_all(self, kind: str, acts: list[Act], snapshot: Snapshot) -> None:
        if self.purse.left < self._price(reserved(kind, len(acts))):
            self.log.warn("the budget for gas is spent: nothing more is relayed")
            return
        spare, most = self._spare(kind, len(acts)), most_together(kind)
        for start in range(0, len(acts), most):
            self._send(kind, acts[start : start + most], spare, snapshot)

    def _send(self, kind: str, acts: list[Act], spare: int, snapshot: Snapshot) -> None:
        """spare: gas for each act beside what it takes now."""
        reader, form = self.ledger.reader, FORMS[kind]
        named = (snapshot.facts.number,) if form.signs is not None else ()
        try:
            done = int(reader.read(form.batch, *named, [act.entry for act in acts]))
        except ChainError as error:
            self.log.warn(f"{form.batch} would be rejected: {error}")
            return
        good = [act for i, act in enumerate(acts) if done >> i & 1]
        with self._lock:  # the others wait no longer: their daemons send them
            for act in set(acts) - set(good):
                self._pending.pop((kind, act.seat), None)
        if not good:
            return
        data = reader.interface.call(form.batch, *named, [act.entry for act in good])
        self._batches += 1
        name = f"{snapshot.facts.number:06}-{form.batch}-{self._batches}-{snapshot.head.number}"
        whole = spare * len(good)
        self.sender.send(name, snapshot.facts.number, form.batch, reader.address, data, snapshot.head, shared=True, spare=whole)
        self.metrics.batches.labels(kind).inc()

    def _under_way(self, batch: str) -> bool:
        opened = self.sender.transactions.open(self.address)
        return any(transaction.function == batch and transaction.mined_at is None for transaction in opened)

    def _mined(self, transaction: SignedTransaction, receipt: dict[str, Any]) -> None:
        payment = Payment.of(transaction, receipt, self.ledger.reader.interface)
        if self.purse.pay(payment):
            self.metrics.gas.labels(payment.kind).inc(payment.gas)
            if payment.seats:
                self.metrics.relayed.labels(payment.kind).inc(len(payment.seats))
        self._show()

    def _show(self) -> None:
        gas, rounds = self.purse.of_participants()
        self.metrics.budget.set(self.purse.left / 1e18)
        self.metrics.participant_rounds.set(rounds)
        self.metrics.each.set(gas / rounds if rounds else 0)


def _phase(snapshot: Snapshot, terms: Terms) -> tuple[Phase, int]:
    return phase_and_end(snapshot.facts, terms, snapshot.head.time)


def _done(log: RoundLog, kind: str) -> set[int]:
    """The seats whose act of this kind the chain has."""
    done: dict[str, Collection[int]]
    done = {
        "announce": log.keys,
        "commit": log.commitments,
        "reveal": log.reveals,
        "commitScores": log.score_commitments,
        "revealScores": log.scores,
        "reportMissing": log.reports,
    }
    return set(done[kind])


def _expected(log: RoundLog, kind: str) -> set[int]:
    """The seats that may do an act of this kind in this round."""
    may = {
        "announce": log.active,
        "commit": log.keys or log.active,
        "reveal": log.commitments,
        "commitScores": log.committee,
        "revealScores": log.score_commitments,
        "reportMissing": log.revealed or [],
    }
    return set(may[kind])


def _window(terms: Terms, kind: str) -> int:
    windows = {
        "announce": terms.commit_window // 2,
        "commit": terms.commit_window,
        "reveal": terms.reveal_window,
        "commitScores": terms.score_commit_window,
        "revealScores": terms.score_reveal_window,
        "reportMissing": terms.show_window,
    }
    return windows[kind]
