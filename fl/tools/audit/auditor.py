"""The audit: recomputes every round from events and store with the protocol's own arithmetic, stops at the first difference
and names it. It trusts no summary, least of all the simulator's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from fl.agents.record.history import History, RoundLog
from fl.agents.record.public_record import Record
from fl.errors import AuditError, ChainError, ManifestError, StoreError
from fl.network.events import Event
from fl.network.federation import Accounting, FederationReader
from fl.network.rpc import NodeError
from fl.network.stores.base import Store
from fl.network.stores.local import LocalStore
from fl.network.stores.several import federation_store
from fl.protocol import committee, scores
from fl.protocol.artifact import Data, Kind, size_of
from fl.protocol.commitment import score_commitment, update_commitment
from fl.protocol.enums import Offence
from fl.protocol.leaves import root_of
from fl.protocol.seats import from_bitmap
from fl.protocol.stream import aggregate_files
from fl.protocol.terms import ZERO_ADDRESS, Terms, check
from fl.tools.audit.export import read_events, round_facts, seat_facts, terms_to_json
from fl.tools.audit.summary import Summary
from fl.tools.audit.verdict import Verdict

# the parts of the contract's balance, by its own accounting
POTS = tuple(f.name for f in fields(Accounting) if f.name != "held")


def audit_summary(path: Path) -> Verdict:
    """Audits what `simulate` wrote: events and store first, then the summary. Raises AuditError."""
    summary = Summary.read(path)
    chain_id, federation, terms, events = read_events(path.parent / "events.jsonl")
    auditor = Auditor(chain_id, federation, terms, LocalStore(path.parent / "store"))
    auditor.run(events)
    auditor.compare_accounting(summary.accounting)
    auditor.compare_model(bytes.fromhex(summary.totals.model_root))
    auditor.compare_summary(summary)
    return auditor.verdict()


def audit_federation(reader: FederationReader, stores: Sequence[str | Path]) -> Verdict:
    """Audits a federation against stores, tried in order. Raises AuditError, or NodeError if the node does not answer."""
    try:
        reader.check_identity()
    except NodeError:
        raise
    except ChainError as error:
        raise AuditError(str(error)) from error
    try:
        store, _ = federation_store(reader.terms, stores)
    except StoreError as error:
        raise AuditError(f"the store lacks a file that the chain names: {error}") from error
    auditor = Auditor(reader.chain_id, reader.address, reader.terms, store)
    auditor.run(reader.new_events())
    auditor.compare_accounting(reader.accounting())
    auditor.compare_model(reader.model())
    return auditor.verdict()


class Auditor:
    """Replays a federation event by event."""

    def __init__(self, chain_id: int, federation: str, terms: Terms, store: Store):
        self.chain_id, self.federation, self.terms, self.store = chain_id, federation, terms, store
        self.history = History(terms.committee)
        self.checks: Counter[str] = Counter()
        self.not_shown: list[str] = []
        self.accounting = dict.fromkeys(POTS, 0)
        self.model = terms.genesis
        self.slashed_now: dict[Offence, set[int]] = {}
        self.fell_by = ZERO_ADDRESS
        if broken := check(terms):
            raise AuditError(f"the terms break rule {broken[0][0]}: {broken[0][1]}")
        self.manifest = self._stored(lambda: store.get_manifest(terms.manifest))
        self._stored(lambda: store.get(terms.genesis, Kind.MODEL, terms.depth))
        self.record = Record(terms, self.manifest, store)

    def run(self, events: Iterable[Event]) -> Verdict:
        """Checks every event in order. Raises AuditError at the first difference."""
        last = -1, -1
        for event in events:
            if (event.block, event.index) <= last:
                raise AuditError(f"block {event.block}, event {event.name}: not in the chain's order, or recorded twice")
            last = event.block, event.index
            self.record.note([event])
            try:
                self._replay(event)
            except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
                fields = {k: v.hex() if isinstance(v, bytes) else v for k, v in event.fields.items()}
                where = f"block {event.block}, event {event.name} {fields}"
                raise AuditError(f"{where}: does not follow from the events before it ({error!r})") from error
            self.checks["events"] += 1
        return self.verdict()

    def verdict(self) -> Verdict:
        """What has agreed so far."""
        rounds = sum(r.finalized for r in self.history.rounds)
        return Verdict(True, rounds, self.model.hex(), dict(self.checks), tuple(self.not_shown))

    def compare_accounting(self, reported: Accounting) -> None:
        """Compares the money recomputed from events with the contract's accounting and its balance."""
        for name in POTS:
            self._same(f"the accounting's {name}", self.accounting[name], getattr(reported, name))
        self._same("the tokens held", sum(self.accounting.values()), reported.held)
        self.checks["accounting"] += len(POTS)

    def compare_model(self, reported: bytes) -> None:
        """Compares the recomputed model with the contract's."""
        self._same("the final model", self.model.hex(), reported.hex())

    def compare_summary(self, summary: Summary) -> None:
        """Compares everything in a simulation's summary that follows from events: all but measured values and names.

        Events count in token units, and no event says how many units make a token. The summary's amounts are therefore
        compared with the decimals that it states itself: they are right in units, and right in tokens if its decimals are."""
        denomination = summary.denomination
        logs = self.history.rounds
        self._same("summary: rounds", len(logs), len(summary.rounds))
        for log, recorded in zip(logs, summary.rounds, strict=True):
            self._all_same(f"summary, round {log.number}", round_facts(log), recorded)
        pay = {seat: denomination.tokens(amount) for seat, amount in sorted(self._pay().items())}
        self._same("summary: seats", list(pay), [recorded.seat for recorded in summary.seats])
        seats = {seat: {"pay": pay[seat], **seat_facts(seat, self.history, denomination)} for seat in pay}
        for one in summary.seats:
            self._all_same(f"summary, seat {one.seat}", seats[one.seat], one)
        slashed = sum(sum(seat["slashes"].values()) for seat in seats.values())
        size, parameters = size_of(Kind.MODEL, self.terms.depth), self.manifest.parameters
        totals = {"paid": sum(pay.values()), "slashed": slashed, "parameters": parameters, "model_bytes": size}
        self._all_same("summary, totals", totals, summary.totals)
        place = {"chain_id": self.chain_id, "federation": self.federation}
        files = {"manifest": self.terms.manifest.hex(), "genesis": self.terms.genesis.hex()}
        self._all_same("summary", place, summary)
        self._all_same("summary, deployment", {**place, "token": self.terms.token, **files}, summary.deployment)
        for name, value in terms_to_json(self.terms).items():
            self._same(f"summary, terms: {name.replace('_', ' ')}", value, summary.terms.get(name))
        self.checks["seats"] += len(seats)

    def _pay(self) -> dict[int, int]:
        """What every seat earned over all rounds, in token units."""
        pay = dict.fromkeys(self.history.seats, 0)
        for log in self.history.rounds:
            for seat, amount in (log.settled_pay(self.terms) + log.proposer_pay(self.terms)).items():
                pay[seat] += amount
        return pay

    def _replay(self, event: Event) -> None:
        # A deposit may be reclaimed in any later round.
        if "round" in event.fields and event.name not in ("RoundOpened", "DepositReclaimed"):
            self._same(f"block {event.block}, event {event.name}: round", self._round.number, event.fields["round"])
        before = getattr(self, f"_before_{event.name}", None)
        if before:
            before(**event.fields)
        self.history.apply([event])
        after = getattr(self, f"_after_{event.name}", None)
        if after:
            after(**event.fields)

    # ---- rounds

    def _before_RoundOpened(self, round: int, active: int, base: bytes, pot: int, openedAt: int) -> None:
        whole = [i for i, s in sorted(self.history.seats.items()) if not s.leaving and s.stake >= self.terms.min_stake]
        self._same(f"round {round}: number", len(self.history.rounds) + 1, round)
        self._same(f"round {round}: active seats", whole, from_bitmap(active))
        self._same(f"round {round}: base model", self.model.hex(), base.hex())
        self._same(f"round {round}: pot", self.terms.round_cost(len(whole)), pot)
        from_kept = min(self.accounting["kept"], pot)
        self.accounting["kept"] -= from_kept
        self.accounting["pool"] -= pot - from_kept
        self.accounting["pot"] += pot
        self.slashed_now = {offence: set() for offence in Offence}

    def _after_Revealed(self, round: int, seat: int, root: bytes, salt: bytes, locator: bytes) -> None:
        expected = update_commitment(self.chain_id, self.federation, round, seat, root, salt, locator)
        committed = self._round.commitments.get(seat, b"")
        self._same(f"round {round}, seat {seat}: commitment to its update", expected.hex(), committed.hex())
        self.checks["commitments"] += 1

    def _after_Closed(self, round: int, **_: Any) -> None:
        log = self._round
        self._same(f"round {round}: revealed seats", sorted(log.reveals), log.revealed)
        silent = set(log.commitments) - set(log.reveals)
        self._same(f"round {round}: seats slashed for not revealing", silent, self.slashed_now[Offence.NO_REVEAL])

    def _after_Drawn(self, round: int, prevRandao: bytes, seed: bytes, **rest: Any) -> None:
        log = self._round
        mix = committee.mix(round, log.commitments, {seat: reveal.root for seat, reveal in log.reveals.items()})
        right = committee.seed(prevRandao, mix, self.chain_id, self.federation, round)
        self._same(f"round {round}: seed of the draw", right.hex(), seed.hex())
        expected = committee.draw(seed, log.revealed or [], self.terms.committee)
        self._same(f"round {round}: committee", expected, self._round.committee)
        self._same(f"round {round}: committee, packed", committee.pack(expected), rest["committee"])
        self.checks["draws"] += 1

    def _after_ScoresRevealed(self, round: int, seat: int, scores: bytes, salt: bytes) -> None:
        expected = score_commitment(self.chain_id, self.federation, round, seat, scores, salt)
        committed = self._round.score_commitments.get(seat, b"")
        self._same(f"round {round}, seat {seat}: commitment to its scores", expected.hex(), committed.hex())
        self.checks["commitments"] += 1

    def _after_Settled(self, round: int, paid: int, **_: Any) -> None:
        log = self._round
        revealed = log.revealed or []
        vectors = {seat: log.scores[seat] for seat in log.validators}
        medians = scores.medians(revealed, vectors)
        self._same(f"round {round}: median scores", medians.hex(), log.medians.hex())
        self._same(f"round {round}: accepted seats", scores.accepted(revealed, medians), log.accepted)
        rates = self.terms.validator_rate, self.terms.strictness
        far = scores.distances(revealed, vectors)
        pay = [scores.validator_pay(*rates, far[seat], len(revealed) - 1) for seat in log.validators]
        self._same(f"round {round}: validators' pay", pay, log.validator_pay)
        total = sum(pay) + sum(scores.trainer_pay(self.terms.trainer_rate, m) for m in medians)
        self._same(f"round {round}: pay in all", total, paid)
        silent = set(log.committee) - set(log.validators)
        self._same(f"round {round}: validators slashed for silence", silent, self.slashed_now[Offence.NO_SCORES])
        self.accounting["pot"] -= paid
        self.accounting["earned"] += paid
        self.checks["updates"] += len(self._updates(log))
        judged = self.record.judged(self.history, log)
        self._same(f"round {round}: seats that the gate lets in, and the committee", sorted(judged.inside), log.accepted)
        self._note_hidden(log, judged.seen)
        self.checks["medians"] += len(medians)

    def _note_hidden(self, log: RoundLog, seen: Collection[int]) -> None:
        """Records a hidden update. Leaving it out is not wrong, but nobody can tell whether the gate would have let it in."""
        for seat in log.revealed or []:
            try:
                if seat not in seen:
                    self.store.get(log.reveals[seat].root, Kind.UPDATE, self.terms.depth)
            except StoreError as error:
                self.not_shown.append(f"round {log.number}, seat {seat}: {error}")

    def _after_Proposed(self, round: int, attempt: int, **_: Any) -> None:
        self._same(f"round {round}: attempt", len(self._round.proposals), attempt)

    def _after_ProposalFell(self, round: int, by: str, **_: Any) -> None:
        self.fell_by = by

    def _before_Finalized(self, round: int, model: bytes, adopted: bool) -> None:
        log = self._round
        proposal = log.proposal
        self._same(f"round {round}: a proposal stands", proposal is not None, adopted)
        if proposal is not None:
            right = self._aggregate(log)
            self._same(f"round {round}: model", right.hex(), proposal.root.hex())
            self.model = right
            self.accounting["pot"] -= self.terms.proposer_fee
            self.accounting["earned"] += self.terms.proposer_fee
            self._stored(lambda: self.store.get(right, Kind.MODEL, self.terms.depth))
        self._same(f"round {round}: model in force", self.model.hex(), model.hex())
        self.accounting["kept" if log.revealed else "pool"] += self.accounting["pot"]
        self.accounting["pot"] = 0
        self.checks["models"] += 1

    def _aggregate(self, log: RoundLog) -> bytes:
        base = self._stored(lambda: self.store.get(log.base, Kind.MODEL, self.terms.depth))
        return root_of(aggregate_files(base, self._updates(log), self.terms.trim, self.terms.max_exponent), Kind.MODEL)

    def _updates(self, log: RoundLog) -> list[Data]:
        """The files of a round's accepted updates."""
        roots, depth = [log.reveals[seat].root for seat in log.accepted], self.terms.depth
        held = self.record.updates(roots)
        return [held.get(r) or self._stored(lambda r=r: self.store.get(r, Kind.UPDATE, depth)) for r in roots]

    # ---- money

    def _after_Joined(self, stake: int, **_: Any) -> None:
        self.accounting["stakes"] += stake

    def _after_ToppedUp(self, amount: int, **_: Any) -> None:
        self.accounting["stakes"] += amount

    def _after_Withdrawn(self, stake: int, earned: int, **_: Any) -> None:
        self.accounting["stakes"] -= stake
        self.accounting["earned"] -= earned

    def _before_Slashed(self, seat: int, offence: int, amount: int, stake: int) -> None:
        due = {
            Offence.NO_REVEAL: self.terms.no_reveal_slash,
            Offence.NO_SCORES: self.terms.no_scores_slash,
            Offence.FRAUD: self.terms.fraud_slash,
        }[Offence(offence)]
        had = self.history.seats[seat].stake
        self._same(f"seat {seat}: what it was slashed", min(due, had), amount)
        self._same(f"seat {seat}: stake after the slash", had - amount, stake)
        self.slashed_now[Offence(offence)].add(seat)
        fee = min(self.terms.challenge_fee, amount) if offence == Offence.FRAUD and self.fell_by != ZERO_ADDRESS else 0
        self.accounting["stakes"] -= amount
        self.accounting["slashed"] += amount - fee
        self.checks["slashes"] += 1

    def _after_Credited(self, amount: int, **_: Any) -> None:
        self.accounting["credit"] += amount

    def _after_CreditClaimed(self, amount: int, **_: Any) -> None:
        self.accounting["credit"] -= amount

    def _after_CreditUsed(self, amount: int, **_: Any) -> None:
        self.accounting["credit"] -= amount

    def _after_Claimed(self, amount: int, **_: Any) -> None:
        self.accounting["earned"] -= amount

    def _after_Swept(self, amount: int, **_: Any) -> None:
        self.accounting["slashed"] -= amount

    def _after_Funded(self, amount: int, pool: int, **_: Any) -> None:
        self.accounting["pool"] += amount
        self._same("the pool after funding", self.accounting["pool"], pool)

    def _after_Refunded(self, amount: int, burnt: int, **_: Any) -> None:
        self.accounting["pool"] -= amount
        self.accounting["kept"] -= burnt
        self.accounting["slashed"] += burnt

    def _after_Demanded(self, **_: Any) -> None:
        self.accounting["deposits"] += self.terms.demand_deposit

    def _after_Answered(self, **_: Any) -> None:
        self.accounting["deposits"] -= self.terms.demand_deposit

    def _after_DepositReclaimed(self, **_: Any) -> None:
        self.accounting["deposits"] -= self.terms.demand_deposit

    # ---- helpers

    @property
    def _round(self) -> RoundLog:
        return self.history.rounds[-1]

    def _same(self, what: str, recomputed: object, recorded: object) -> None:
        if recomputed != recorded:
            raise AuditError(f"{what}: recomputed {recomputed}, recorded {recorded}")

    def _all_same(self, where: str, recomputed: Mapping[str, object], recorded: object) -> None:
        """Compares facts by name with an object's fields of those names."""
        for name, value in recomputed.items():
            self._same(f"{where}: {name.replace('_', ' ')}", value, getattr(recorded, name))

    def _stored(self, read: Any) -> Any:
        try:
            return read()
        except StoreError as error:
            raise AuditError(f"the store lacks a file that the chain names: {error}") from error
        except ManifestError as error:
            raise AuditError(str(error)) from error
