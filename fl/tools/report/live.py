"""The page's facts of a federation on a chain: read continuously, measured and audited as far as its stores allow."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from fl.agents.record.history import History
from fl.agents.record.public_record import Record
from fl.agents.record.seat_metrics import published
from fl.errors import AuditError, ManifestError, StoreError, TaskError
from fl.learning.data.given_table import read_given
from fl.learning.data.partition import Part, held_out_of, split
from fl.learning.evaluator import Evaluator
from fl.learning.shipped import SHIPPED
from fl.learning.task import Task
from fl.learning.task_loading import federation_task, load_task
from fl.network.events import Event
from fl.network.federation import FederationReader
from fl.network.stores.base import Store
from fl.network.stores.several import federation_store
from fl.protocol.artifact import Kind, parse_model
from fl.protocol.manifest import Manifest
from fl.protocol.phases import phase_and_end
from fl.protocol.relayed import BATCHES
from fl.protocol.seat_metric import SeatMetric
from fl.tools.audit.auditor import Auditor
from fl.tools.audit.measured import GasUse, Relayed
from fl.tools.audit.verdict import Verdict
from fl.tools.cli.prices import Prices
from fl.tools.report.facts import Facts, Known, functions_of, gather
from fl.tools.report.render import page
from fl.tools.report.sources import write

AGAIN = 20.0  # seconds after which seats' own metrics are looked for again


def report_federation(
    reader: FederationReader,
    stores: Sequence[str | Path],
    out: Path,
    prices: Prices | None = None,
    task: str | None = None,
    data: Path | None = None,
) -> tuple[Path, Facts]:
    """Writes the page of a federation from its chain, audited and measured as far as the stores allow. Raises TaskError for a
    table that the task cannot read."""
    source = Source(reader, stores, task, data)
    source.look()
    facts = source.facts()
    return write(out, page(facts, prices)), facts


def left_out(reader: FederationReader, stores: Sequence[str | Path]) -> dict[int, dict[int, str]]:
    """By round and seat, why updates were left out, as far as these stores tell; empty if none has the manifest."""
    history = History(reader.terms.committee)
    with suppress(StoreError, ManifestError):
        store, manifest = federation_store(reader.terms, stores)
        record = Record(reader.terms, manifest, store)
        history.apply(events := reader.new_events())
        record.note(events)
        return {log.number: record.reasons(history, log) for log in history.rounds[-1:]}
    return {}


@dataclass
class Gas:
    """What transactions cost, by what they did; grows as they are seen."""

    by_function: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    by_round: dict[int, dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))
    round: int = 0
    relayed: int = 0
    participants: set[tuple[int, int]] = field(default_factory=set)  # rounds and seats that had an act relayed

    def add(self, reader: FederationReader, events: Iterable[Event]) -> None:
        """The transactions of these events, in order; whole transactions only."""
        together: dict[str, list[Event]] = defaultdict(list)
        for event in events:
            together[event.transaction].append(event)
        costs = {transaction: reader.cost(transaction) for transaction in together}
        for transaction, left in together.items():
            self.round = next((e.fields["round"] for e in left if "round" in e.fields), self.round)
            what, (gas, size, function) = functions_of(left), costs[transaction]
            self.by_function[what].append((gas, size))
            self.by_round[self.round][what] += gas
            if function in BATCHES:
                self.relayed += gas
                self.participants |= {(self.round, e.fields["seat"]) for e in left if "seat" in e.fields}

    def of_relays(self) -> Relayed | None:
        """What relays paid, if any did."""
        return Relayed(self.relayed, len(self.participants)) if self.participants else None

    def table(self) -> dict[str, GasUse]:
        """By function."""
        return {
            what: GasUse.of([gas for gas, _ in calls], sum(size for _, size in calls))
            for what, calls in sorted(self.by_function.items())
        }


class Source:
    """A federation read from its chain and, if given, measured from its stores. Reads, never sends.

    data: a table of the reader's own to measure on, which stays here. held_out: of a shipped task, measure on the rows that
    participants keep back, since test rows must have no say in what is done. Raises StoreError if no store has its manifest."""

    def __init__(
        self,
        reader: FederationReader,
        stores: Sequence[str | Path],
        task: str | None = None,
        data: Path | None = None,
        held_out: bool = False,
    ):
        self.reader = reader
        self.terms = reader.terms
        self.history = History(self.terms.committee)
        self.store: Store | None = None
        self.manifest: Manifest | None = None
        if stores:
            self.store, self.manifest = federation_store(self.terms, stores)
            self._record = Record(self.terms, self.manifest, self.store)
        self._reasons: dict[int, dict[int, str]] = {}
        self.gas = Gas()
        self._given, self._data, self._held_out = task, data, held_out
        self._task: Task | None = None
        self._evaluator: Evaluator | None = None
        self._rows: Part | None = None
        self._measured_on = ""
        self._metrics: dict[int, float] = {}
        self._pending: list[Event] = []
        self._audited: tuple[int, Verdict | None] = (-1, None)
        self._own_metrics: dict[int, dict[int, SeatMetric]] = {}
        self._asked = (0, 0.0)  # for which round seats' metrics were read, and when they are read again

    def look(self) -> bool:
        """Reads new events; returns whether there were any."""
        self._pending += self.reader.new_events()
        events = self._pending
        self.gas.add(self.reader, events)  # all of it or, if the chain stops answering meanwhile, nothing
        self.history.apply(events)
        if self.store is not None:
            self._record.note(events)
        self._pending = []
        return bool(events)

    def facts(self, audit: bool = True) -> Facts:
        """The page's facts at this moment. Raises ChainError."""
        reader = self.reader
        self._measure()
        head = reader.head()
        phase, end = phase_and_end(reader.round_facts(head), self.terms, head.time)
        task = self._task
        known = Known(
            metric=task.metric if task else self.manifest.metric if self.manifest else "",
            higher_is_better=task.higher_is_better if task else True,
            metrics=dict(self._metrics),
            measured_on=self._measured_on,
            seat_metrics=self._seat_metrics(),
            gas=self.gas.table(),
            gas_of_round={n: dict(g) for n, g in self.gas.by_round.items()},
            relayed=self.gas.of_relays(),
            manifest=self.manifest,
            reasons=self.reasons(),
            audit=self._audit() if audit else None,
            commands=(f"ape run audit --federation {reader.address} --store STORE",),
        )
        times = reader.times(self.history.events)
        return gather(
            reader.chain_id,
            reader.address,
            self.terms,
            self.history,
            times,
            known,
            time=head.time,
            phase=phase,
            phase_end=end,
            concluded=reader.concluded(head),
            pool=reader.accounting(head).available,
            denomination=reader.denomination,
        )

    def _seat_metrics(self) -> dict[int, dict[int, SeatMetric]]:
        """What seats published of the last final round, asked for again after a while: others may still be measuring."""
        log = next((log for log in reversed(self.history.rounds) if log.finalized), None)
        if self.store is None or log is None:
            return {}
        if self._asked[0] != log.number or time.monotonic() > self._asked[1]:
            place, operators = (
                (self.reader.chain_id, self.reader.address),
                {s: h.operator for s, h in self.history.seats.items()},
            )
            self._own_metrics = {log.number: published(self.store, *place, log.number, log.model, operators)}
            self._asked = log.number, time.monotonic() + AGAIN
        return {number: seats for number, seats in self._own_metrics.items() if seats}

    def measured(self) -> dict[int, float]:
        """The metric of each final model so far, by round, 0 for the first; of those whose files the stores have."""
        self._measure()
        return dict(sorted(self._metrics.items()))

    @property
    def measured_on(self) -> str:
        return self._measured_on

    @property
    def higher_is_better(self) -> bool:
        return self._task is None or self._task.higher_is_better

    def reasons(self) -> dict[int, dict[int, str]]:
        """Why updates were left out, by round and seat, as far as the stores tell."""
        for log in self.history.rounds if self.store is not None else ():
            if log.settled and log.number not in self._reasons:
                self._reasons[log.number] = self._record.reasons(self.history, log)
        return dict(self._reasons)

    def _audit(self) -> Verdict | None:
        """The verdict over the rounds that are final; made again when another one is."""
        if self.store is None:
            return None
        final = sum(r.finalized for r in self.history.rounds)
        if self._audited[0] != final:
            try:
                self._audited = final, Auditor.of(self.reader, self.store).run(self._until_final())
            except AuditError as error:
                self._audited = final, Verdict.failed(error)
        return self._audited[1]

    def _until_final(self) -> list[Event]:
        events = self.history.events
        last = max((i for i, e in enumerate(events) if e.name == "Finalized"), default=-1)
        return events[: last + 1]

    def _measure(self) -> None:
        """Measures the models in the store on the task's own table. Models that cannot be measured are left out."""
        if self.store is None or not self._prepare():
            return
        assert self._evaluator is not None and self._rows is not None
        models = {0: self.terms.genesis, **{r.number: r.model for r in self.history.rounds if r.finalized}}
        for number, root in models.items():
            if number not in self._metrics:
                with suppress(StoreError):
                    vector = parse_model(self.store.get(root, Kind.MODEL, self.terms.depth), self.terms.depth)
                    self._metrics[number] = self._evaluator.metric(vector, self._rows)

    def _prepare(self) -> bool:
        if self._evaluator is None and self._data is not None and self.manifest is not None:
            self._task = federation_task(self.manifest, self._given)
            given = read_given(self._task, self._data, None, targets=True)
            assert given.y is not None
            self._rows = Part(given.x, given.y)
            self._measured_on = f"the {len(given.x):,} rows of the reader's own table, on which participants may have trained"
            self._evaluator = Evaluator(self._task)
        if self._evaluator is None and self.history.seats:
            stated = self.manifest.task if self.manifest else ""
            name = self._given or stated
            # A manifest is untrusted: it may name a shipped task, but never a file to run.
            if self._given is None and name not in SHIPPED:
                return False
            self._task = load_task(name)
            if self._task.data().elsewhere:
                return False  # every participant's rows are its own: there are none here
            self._rows, self._measured_on = self._measured_rows(self._task, name)
            self._evaluator = Evaluator(self._task)
        return self._evaluator is not None

    def _measured_rows(self, task: Task, name: str) -> tuple[Part, str]:
        """The rows that models are measured on, and whose they are. Nobody trains on the test rows of a shipped task's table.
        Who trained on the rows of a reader's own table is not known here: all of them are measured."""
        data = task.data()
        if name not in SHIPPED:
            return Part(
                data.x, data.y
            ), f"the {len(data.x):,} rows of the reader's own task, on which participants may have trained"
        seats = len(self.history.rounds[0].active) if self.history.rounds else len(self.history.seats)
        for count in (seats, 4):  # a table with owners cannot be split among fewer seats than owners
            with suppress(TaskError):
                dealt = split(data, count, None, self._seed)
                if self._held_out:
                    kept = held_out_of(dealt.shards)
                    return kept, f"the {len(kept):,} rows of the task {name} that participants keep back to score others"
                return dealt.test, f"the {len(dealt.test):,} rows that the shipped task {name} sets aside for tests"
        return Part(data.x, data.y), f"the {len(data.x):,} rows of the shipped task {name}"

    @property
    def _seed(self) -> int:
        return self.manifest.genesis_seed if self.manifest else 0
