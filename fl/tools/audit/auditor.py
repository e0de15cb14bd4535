"""The audit: recomputes every round from events and store with the protocol's own arithmetic. It trusts no summary, least of
all the simulator's.

Order and rights, money, models and the committee's conduct are judged apart (fl.tools.audit.verdict): a difference in one ends
none of the others, and a file that nobody shows leaves open only what depends on it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from fl.agents.record.history import History, RoundLog, told_excluded
from fl.agents.record.public_record import Record
from fl.errors import AlteredError, AuditError, ChainError, ManifestError, StoreError
from fl.network.abi import federation_abi
from fl.network.events import Event
from fl.network.federation import Accounting, FederationReader, SeatFacts
from fl.network.rpc import NodeError
from fl.network.stores.base import Store
from fl.network.stores.local import LocalStore
from fl.network.stores.several import federation_store
from fl.protocol.artifact import Data, Kind, depth_for, parse_model, size_of
from fl.protocol.header import HeaderError
from fl.protocol.leaves import root_of
from fl.protocol.mode import Mode
from fl.protocol.terms import Terms, check
from fl.tools.audit.export import read_events, round_facts, seat_facts, terms_to_json
from fl.tools.audit.money import Money
from fl.tools.audit.rules import Blocks, Moment, Rules
from fl.tools.audit.summary import Summary
from fl.tools.audit.verdict import PARTS, Findings, Verdict

EVENTS = frozenset(entry["name"] for entry in federation_abi() if entry["type"] == "event")


def audit_summary(path: Path) -> Verdict:
    """Audits what `simulate` wrote: events and store first, then the summary. Raises AuditError if it cannot be read."""
    summary = Summary.read(path)
    record = read_events(path.parent / "events.jsonl")
    auditor = Auditor(record.chain_id, record.federation, record.terms, LocalStore(path.parent / "store"), record)
    auditor.run(record.events)
    auditor.compare_accounting(summary.accounting)
    auditor.compare_model(bytes.fromhex(summary.totals.model_root))
    auditor.compare_summary(summary)
    return auditor.verdict()


def audit_federation(reader: FederationReader, stores: Sequence[str | Path]) -> Verdict:
    """Audits a federation against stores, tried in order. Raises AuditError if it cannot begin, or NodeError if the node does
    not answer."""
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
    auditor = Auditor.of(reader, store)
    head = reader.head()  # at which everything is read
    auditor.run(reader.events_until(head))
    auditor.compare_accounting(reader.accounting(head))
    auditor.compare_model(reader.model(head))
    accounts = sorted(auditor.money.credits)
    credits = reader.read_all([("credits", (account,)) for account in accounts], head) if accounts else []
    seats = reader.seats(reader.seat_sets(head).taken, head)
    auditor.compare_purses(seats, dict(zip(accounts, map(int, credits), strict=True)))
    return auditor.verdict()


class Auditor:
    """Replays a federation event by event. Raises AuditError if terms or manifest are no such thing.

    blocks: the facts of blocks, at least of those that hold an event or seeded a draw.
    """

    def __init__(self, chain_id: int, federation: str, terms: Terms, store: Store, blocks: Blocks):
        self.chain_id, self.federation, self.terms, self.store = chain_id, federation, terms, store
        self.findings = Findings()
        self.history = History(terms.committee)
        self._time: Callable[[int], int] = cache(lambda number: blocks.block(number).time)
        self.parts = tuple(part for part in PARTS if part != "summary")
        self._doubt = ""  # why the gate's verdicts can no longer be told for certain
        self._settled: RoundLog | None = None  # whose committee is judged once nobody can be left out any more
        self._right: dict[int, bytes | None] = {}  # by round, the root of the model that it must lead to
        self._last = Moment("", -1, 0, "")
        self._stopped = False
        if broken := check(terms):
            raise AuditError(f"the terms break rule {broken[0][0]}: {broken[0][1]}")
        try:
            self.manifest = store.get_manifest(terms.manifest)
        except StoreError as error:
            raise AuditError(f"the store lacks a file that the chain names: {error}") from error
        except ManifestError as error:
            raise AuditError(str(error)) from error
        self.record, mode = Record(terms, self.manifest, store), self.manifest.mode
        self.rules = Rules(chain_id, federation, terms, self.history, blocks, self.findings, mode)
        self.money = Money(terms, self.history, self.rules.falls, self.findings, mode)
        self._check_manifest()

    @classmethod
    def of(cls, reader: FederationReader, store: Store) -> Auditor:
        """An auditor of the federation that this reads."""
        return cls(reader.chain_id, reader.address, reader.terms, store, reader)

    def run(self, events: Iterable[Event]) -> Verdict:
        """Checks every event in order, up to one that cannot follow from those before it."""
        for event in self._in_order(list(events)):
            self.record.note([event])
            try:
                self._replay(event)
            except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError, HeaderError) as error:
                facts = {k: v.hex() if isinstance(v, bytes) else v for k, v in event.fields.items()}
                where = f"block {event.block}, event {event.name} {facts}"
                self._stop(f"{where}: does not follow from the events before it ({error!r})")
                return self.verdict()
            self.findings.checks["events"] += 1
        self._end_of_transaction()
        self._judge_committee()
        return self.verdict()

    def _in_order(self, events: list[Event]) -> list[Event]:
        """The events, if each has a name that a federation's events have, and stands behind the one before it."""
        last = -1, -1
        for event in events:
            where, place = f"block {event.block}, event {event.name}", (event.block, event.index)
            if event.name not in EVENTS:
                self._stop(f"{where}: no event of a federation has this name")
            elif place <= last:
                self._stop(f"{where}: not in the chain's order, or recorded twice")
            last = place
        return [] if self._stopped else events

    def verdict(self) -> Verdict:
        """What was found so far."""
        rounds = sum(r.finalized for r in self.history.rounds)
        return self.findings.verdict(rounds, self.rules.model.hex(), self.parts)

    def compare_accounting(self, reported: Accounting) -> None:
        """Compares the money recomputed from events with the contract's accounting and its balance."""
        if not self._stopped:
            self.money.compare_accounting(reported)

    def compare_purses(self, seats: Mapping[int, SeatFacts], credits: Mapping[str, int]) -> None:
        """Compares what every seat and every account has with the contract's own figures."""
        if not self._stopped:
            self.money.compare_purses(seats, credits)

    def compare_model(self, reported: bytes) -> None:
        """Compares the model in force with the contract's."""
        if not self._stopped:
            self._same("models", "the final model", self.rules.model.hex(), reported.hex())

    def compare_summary(self, summary: Summary) -> None:
        """Compares everything in a simulation's summary that follows from events: all but measured values and names."""
        self.parts = tuple(PARTS)
        if self._stopped:
            self.findings.unknown("summary", "whether it is right: the events do not follow from each other")
            return
        try:
            self._compare_summary(summary)
        except (LookupError, TypeError, ValueError) as error:
            self.findings.wrong("summary", f"summary: it is of another simulation than its events ({error!r})")

    def _compare_summary(self, summary: Summary) -> None:
        denomination, logs = summary.denomination, self.history.rounds
        self._same("summary", "summary: rounds", len(logs), len(summary.rounds))
        for log, recorded in zip(logs, summary.rounds, strict=False):
            self._all_same(f"summary, round {log.number}", round_facts(log), recorded)
        pay = {seat: denomination.tokens(amount) for seat, amount in sorted(self.money.paid.items())}
        self._same("summary", "summary: seats", list(pay), [recorded.seat for recorded in summary.seats])
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
            self._same("summary", f"summary, terms: {name.replace('_', ' ')}", value, summary.terms.get(name))
        self.findings.checks["seats"] += len(seats)

    # ---- event by event

    def _replay(self, event: Event) -> None:
        moment = Moment(event.name, event.block, self._time(event.block), event.transaction)
        if event.transaction != self._last.transaction:
            self._end_of_transaction()
        if moment.time < self._last.time:
            self.findings.wrong("events", f"block {event.block}: it is earlier than block {self._last.block}")
        self._last = moment
        # A deposit may be reclaimed in any later round.
        if "round" in event.fields and event.name not in ("RoundOpened", "DepositReclaimed"):
            where = f"block {event.block}, event {event.name}: round"
            self._same("events", where, self._round.number, event.fields["round"])
        for book in (self.rules, self.money, self):
            if before := getattr(book, f"before_{event.name}", None):
                before(moment, **event.fields)
        self.history.apply([event])
        for book in (self.money, self):
            if after := getattr(book, f"after_{event.name}", None):
                after(moment, **event.fields)

    def _end_of_transaction(self) -> None:
        self.rules.end_of_transaction(self._last.block)
        self.money.end_of_transaction(self._last.block)

    def before_ProposalFell(self, at: Moment, round: int, seat: int, **_: Any) -> None:
        """Whoever was disproved must have proposed something else than what the round leads to."""
        fall = self.rules.falls[-1]
        if not fall.proved:
            return
        right = self._right_model(self._round)
        if right == fall.root:
            self.findings.wrong("money", f"round {round}: seat {seat} was slashed for a wrong model, and its model was right")
        elif right is None:
            self.findings.unknown("money", f"round {round}: whether the model was wrong for which seat {seat} was slashed")

    def after_Settled(self, at: Moment, **_: Any) -> None:
        self._settled = self._round

    def before_Proposed(self, at: Moment, **_: Any) -> None:
        self._judge_committee()

    def _judge_committee(self) -> None:
        """Compares what the committee accepted with the gate, as far as the files are there. An update that was excluded later
        is missing in this round alone: the gate remembers it as left out."""
        log, self._settled = self._settled, None
        if log is None:
            return
        number, accepted = log.number, log.accepted_first
        held = self.record.updates(log.reveals[seat].root for seat in accepted)
        there = [seat for seat in accepted if log.reveals[seat].root in held]
        self.findings.checks["updates"] += len(there)
        for seat in log.accepted:
            if seat not in there:
                self._missing("committee", f"round {number}, seat {seat}: its update was accepted", log.reveals[seat].root)
                self._doubt = self._doubt or f"the update of seat {seat} in round {number} is not there"
        self._note_excluded(log, there)
        if self.manifest.mode is Mode.MASKED:  # votes follow from rows that nobody shows: there is nothing to compare them with
            return
        hidden = [f"the update of seat {seat} was excluded and is not there" for seat in log.excluded if seat not in there]
        judged = self.record.judged(self.history, log)
        if sorted(judged.inside) != accepted and (doubts := [*([self._doubt] if self._doubt else []), *hidden]):
            self.findings.unknown("committee", f"round {number}: which updates the gate lets in ({doubts[0]})")
        else:
            what = f"round {number}: seats that the gate lets in, and the committee"
            self._same("committee", what, sorted(judged.inside), accepted)
            self._note_votes(log, judged.inside)
        self._note_hidden(log, judged.seen)

    def _note_excluded(self, log: RoundLog, there: Collection[int]) -> None:
        """Notes who was left out by the reports of a majority, and whether its file is there after all."""
        for seat in log.excluded:
            late = "; it is there now: it came late, their stores were down, or they lied" if seat in there else ""
            self.findings.note(f"round {log.number}: {told_excluded(log, seat)}{late}")
        for seat in log.accepted:
            if by := log.reporters(seat):
                who = ", ".join(map(str, by))
                self.findings.note(f"round {log.number}: the file of seat {seat} was reported missing by too few, seats {who}")

    def _note_votes(self, log: RoundLog, inside: Collection[int]) -> None:
        """Notes validators that voted against the gate: a lie, or a file that came too late or too early."""
        for validator in log.validators:
            votes = zip(log.revealed or [], log.scores[validator], strict=True)
            against = [seat for seat, vote in votes if seat != validator and (vote > 0) != (seat in inside)]
            if against:
                whom = ", ".join(map(str, against))
                self.findings.note(f"round {log.number}: validator {validator} voted against the gate on seats {whom}")

    def _note_hidden(self, log: RoundLog, seen: Collection[int]) -> None:
        """Notes a hidden update that was left out. That is not wrong, but nobody can tell whether the gate would have let it
        in."""
        for seat in log.revealed or []:
            if seat in seen or seat in log.accepted_first:
                continue
            try:
                self.store.get(log.reveals[seat].root, Kind.UPDATE, self.terms.depth)
            except StoreError as error:
                self.findings.note(f"round {log.number}, seat {seat}: an update that was left out is not shown: {error}")

    def before_Finalized(self, at: Moment, round: int, model: bytes, adopted: bool) -> None:
        self._judge_committee()
        proposal = self._round.proposal
        if not adopted or proposal is None:
            self.findings.checks["models"] += 1
            return
        right = self._right_model(self._round, "models")
        if right is not None and self._same("models", f"round {round}: model", right.hex(), proposal.root.hex()):
            self.findings.checks["models"] += 1
        if self.record.model_file(model) is None:
            self._missing("models", f"round {round}: the model", model, Kind.MODEL)

    def _right_model(self, log: RoundLog, part: str = "") -> bytes | None:
        """The root of the model that a settled round must lead to; None, noted in `part`, if a file is not there."""
        if log.number not in self._right:
            roots = [log.reveals[seat].root for seat in log.accepted]
            files, base = self.record.updates(roots), self.record.model_file(log.base)
            self._right[log.number] = None
            if base is not None and all(root in files for root in roots):
                held: list[Data] = [files[root] for root in roots]
                right = self.manifest.mode.next_file(base, held, self.terms)
                self._right[log.number] = root_of(right, Kind.MODEL)
        if self._right[log.number] is None and part:
            self.findings.unknown(part, f"round {log.number}: the model, because a file that it is made of is not there")
        return self._right[log.number]

    # ---- before any event

    def _check_manifest(self) -> None:
        manifest, terms = self.manifest, self.terms
        self._same("models", "the manifest's max_exponent, and the terms'", manifest.max_exponent, terms.max_exponent)
        self._same(
            "models", "the depth for the manifest's parameters, and the terms'", depth_for(manifest.parameters), terms.depth
        )
        if manifest.mode is Mode.MASKED:
            self.findings.note("masked updates: validators vote by rows of their own, so that no vote can be recomputed")
        if (file := self.record.model_file(terms.genesis)) is None:
            self._missing("models", "the first model", terms.genesis, Kind.MODEL)
        elif np.any(parse_model(file, terms.depth)[manifest.parameters :]):
            self.findings.note("the first model has values behind its last parameter: no encoder writes such a file")

    # ---- helpers

    @property
    def _round(self) -> RoundLog:
        return self.history.rounds[-1]

    def _missing(self, part: str, what: str, root: bytes, kind: Kind | None = None) -> None:
        """A file that the chain names and the stores do not show: unknown, or a difference if a store shows something else
        under its name."""
        try:
            self.store.get(root, kind or self.manifest.mode.kind, self.terms.depth)
        except AlteredError as error:
            self.findings.wrong(part, f"the store lacks a file that the chain names: {error}")
        except StoreError as error:
            self.findings.unknown(part, f"{what}, and the store lacks its file: {error}")

    def _stop(self, difference: str) -> None:
        """Nothing can be said of what comes after an event that cannot be."""
        self.findings.wrong("events", difference)
        self._stopped = True
        for part in ("money", "models", "committee"):
            self.findings.unknown(part, f"everything from there on: {difference}")

    def _same(self, part: str, what: str, recomputed: object, recorded: object) -> bool:
        return self.findings.same(part, what, recomputed, recorded)

    def _all_same(self, where: str, recomputed: Mapping[str, object], recorded: object) -> None:
        """Compares facts by name with an object's fields of those names."""
        for name, value in recomputed.items():
            self._same("summary", f"{where}: {name.replace('_', ' ')}", value, getattr(recorded, name))
