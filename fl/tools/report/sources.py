"""The page of a federation: from what a simulation wrote, or from the chain and a store."""

from __future__ import annotations

import json
import shlex
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from fl.agents.record.history import History
from fl.errors import AuditError, ManifestError, StoreError, TaskError, TreatyError
from fl.learning.data.partition import Split, split
from fl.learning.research import baselines
from fl.learning.research.comparison import Baselines
from fl.learning.task import SHIPPED, Task, load_task
from fl.learning.trainer import Evaluator
from fl.network.ape_accounts import FederationClient
from fl.network.events import Event
from fl.network.stores.base import LocalStore, Store, write_durably
from fl.network.stores.several import federation_store
from fl.protocol.artifact import Kind, parse_model
from fl.protocol.manifest import DEFAULT_GATE, Manifest
from fl.protocol.phases import phase_and_end
from fl.tools.audit.auditor import Auditor, audit_summary
from fl.tools.audit.export import read_events
from fl.tools.audit.measured import GasUse
from fl.tools.audit.summary import Summary
from fl.tools.audit.verdict import Verdict
from fl.tools.report.facts import Facts, Known, functions_of, gather
from fl.tools.report.render import Prices, page, picture
from fl.tools.simulation.plan import Plan


def report_summary(
    path: Path, out: Path | None = None, prices: Prices | None = None, *, audited: bool = False
) -> tuple[Path, Facts]:
    """Writes the page of a simulation to `out`, or beside its summary. Raises TreatyError if the summary is none.

    audited: the summary's verdict was found just now; else it is anybody's word, and the audit is made anew."""
    facts = facts_of_summary(path)
    if not audited:
        try:
            verdict = audit_summary(path)
        except AuditError as error:
            verdict = Verdict.failed(error)
        facts = replace(facts, known=replace(facts.known, audit=verdict))
    return _write(out or path.parent / "report.html", page(facts, prices)), facts


def report_federation(
    address: str, stores: Sequence[str | Path], out: Path, prices: Prices | None = None, task: str | None = None
) -> tuple[Path, Facts]:
    """Writes the page of a federation of the connected chain, audited and measured as far as the stores go."""
    source = Source(address, stores, task)
    source.look()
    facts = source.facts(audit=True, compare=True)
    return _write(out, page(facts, prices)), facts


def draw(facts: Facts, path: Path) -> None:
    """Writes the learning curve alone. Raises TreatyError if no model was measured."""
    _write(path, picture(facts))


def told(path: Path, facts: Facts, as_json: bool) -> str:
    """What was written, for a person or a program."""
    audit = facts.known.audit
    if as_json:
        rounds = sum(r.log.finalized for r in facts.rounds)
        found = None if audit is None else asdict(audit)
        return json.dumps({"written": str(path), "rounds": rounds, "model": facts.model, "audit": found})
    verdict = "not audited" if audit is None else "audit passed" if audit.passed else f"audit FAILED: {audit.difference}"
    return f"written: {path} ({verdict})"


# ---- a simulation


def facts_of_summary(path: Path) -> Facts:
    """A simulation's facts: events first, then what only the simulation knows."""
    try:
        summary = Summary.read(path)
        chain_id, federation, terms, events = read_events(path.parent / "events.jsonl")
    except AuditError as error:
        raise TreatyError(str(error)) from error
    history = History(terms.committee)
    try:
        history.apply(events)
        known, times = _known(summary, path), summary.times
        return gather(chain_id, federation, terms, history, times, known, denomination=summary.denomination)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise TreatyError(f"{path} is of another simulation than its events, or one of them is damaged: {error!r}") from error


def _known(summary: Summary, path: Path) -> Known:
    manifest = None
    if (folder := path.parent / "store").is_dir():
        with suppress(StoreError, ManifestError, ValueError):
            manifest = LocalStore(folder).get_manifest(bytes.fromhex(summary.deployment.manifest))
    rounds, seats = summary.rounds, summary.seats
    return Known(
        names={s.seat: s.name for s in seats},
        kinds={s.seat: s.kind for s in seats},
        metric=summary.metric,
        higher_is_better=summary.higher_is_better,
        metrics={0: summary.start, **{r.number: r.metric for r in rounds}},
        baselines=summary.baselines,
        gas=summary.gas,
        gas_of_round={r.number: r.gas for r in rounds},
        gas_of_seat={s.seat: s.gas for s in seats},
        manifest=manifest,
        audit=summary.audit,
        privacy={s.name: s.privacy for s in seats if s.privacy},
        task=summary.plan.task,
        commands=(f"ape run audit --summary {shlex.quote(path.name)}", _again(summary.plan)),
    )


def _again(plan: Plan) -> str:
    """The command that makes the same roots anew."""
    if plan.names:
        return shlex.join(["ape", "run", "demo", "--rounds", str(plan.rounds), "--seed", str(plan.seed)])
    words = ["ape", "run", "simulate"]
    for name in ("task", "seats", "rounds", "seed", "alpha", "trim"):
        if (value := getattr(plan, name)) not in (None, 0) or name == "seed":
            words += [f"--{name}", str(value)]
    for kind, count in plan.adversaries:
        words += ["--adversary", f"{kind}:{count}"]
    if plan.gate != DEFAULT_GATE:
        words += ["--gate", plan.gate]
    if private := plan.privacy:
        words += ["--private", private.mechanism]
        for name in ("epsilon", "delta", "clip", "noise"):
            words += [] if getattr(private, name) is None else [f"--{name}", str(getattr(private, name))]
    return shlex.join([*words, "--out", "again"])


# ---- a federation of the connected chain


@dataclass
class Gas:
    """What transactions cost, by what they did; grows as they are seen."""

    by_function: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    by_round: dict[int, dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))
    round: int = 0

    def add(self, client: FederationClient, events: Iterable[Event]) -> None:
        """The transactions of these events, in order; whole transactions only."""
        together: dict[str, list[Event]] = defaultdict(list)
        for event in events:
            together[event.transaction].append(event)
        costs = {transaction: client.cost(transaction) for transaction in together}
        for transaction, left in together.items():
            self.round = next((e.fields["round"] for e in left if "round" in e.fields), self.round)
            what, (gas, size) = functions_of(left), costs[transaction]
            self.by_function[what].append((gas, size))
            self.by_round[self.round][what] += gas

    def table(self) -> dict[str, GasUse]:
        """By function."""
        return {
            what: GasUse.of([gas for gas, _ in calls], sum(size for _, size in calls))
            for what, calls in sorted(self.by_function.items())
        }


class Source:
    """A federation as the connected chain tells it, and as its stores (if given) let it be measured. Reads, never sends.

    Raises ChainError if there is no such federation, StoreError if no store shows its manifest."""

    def __init__(self, address: str, stores: Sequence[str | Path], task: str | None = None):
        self.client = FederationClient(address)
        self.terms = self.client.terms
        self.history = History(self.terms.committee)
        self.store: Store | None = None
        self.manifest: Manifest | None = None
        if stores:
            self.store, self.manifest = federation_store(self.terms, stores)
        self.gas = Gas()
        self._given = task
        self._task: Task | None = None
        self._evaluator: Evaluator | None = None
        self._split: Split | None = None
        self._metrics: dict[int, float] = {}
        self._pending: list[Event] = []
        self._audited: tuple[int, Verdict | None] = (-1, None)

    def look(self) -> bool:
        """Reads on; whether anything was new."""
        self._pending += self.client.new_events()
        events = self._pending
        self.gas.add(self.client, events)  # all of it or, if the chain stops answering meanwhile, nothing
        self.history.apply(events)
        self._pending = []
        return bool(events)

    def facts(self, audit: bool = True, compare: bool = False) -> Facts:
        """The page's facts at this moment. Raises ChainError."""
        client = self.client
        self._measure()
        time, _ = client.moment()
        phase, end = phase_and_end(client.facts(), self.terms, time)
        task = self._task
        known = Known(
            metric=task.metric if task else self.manifest.metric if self.manifest else "",
            higher_is_better=task.higher_is_better if task else True,
            metrics=dict(self._metrics),
            measured_on=f"{len(self._split.test):,} test rows set aside from the task's own table" if self._split else "",
            baselines=self._baselines() if compare else None,
            gas=self.gas.table(),
            gas_of_round={n: dict(g) for n, g in self.gas.by_round.items()},
            manifest=self.manifest,
            audit=self._audit() if audit else None,
            commands=(f"ape run audit --federation {client.address} --store STORE",),
        )
        times = client.times(self.history.events)
        moment = {"time": time, "phase": phase, "phase_end": end, "concluded": client.concluded(), "pool": client.pool()}
        return gather(
            client.chain_id, client.address, self.terms, self.history, times, known, denomination=client.denomination, **moment
        )

    def _audit(self) -> Verdict | None:
        """The verdict over the rounds that are final; made anew when one more is."""
        if self.store is None:
            return None
        final = sum(r.finalized for r in self.history.rounds)
        if self._audited[0] != final:
            try:
                auditor = Auditor(self.client.chain_id, self.client.address, self.terms, self.store)
                self._audited = final, auditor.run(self._until_final())
            except AuditError as error:
                self._audited = final, Verdict.failed(error)
        return self._audited[1]

    def _until_final(self) -> list[Event]:
        events = self.history.events
        last = max((i for i, e in enumerate(events) if e.name == "Finalized"), default=-1)
        return events[: last + 1]

    def _measure(self) -> None:
        """The models that the store shows, by the task's own table. What cannot be measured is left out."""
        if self.store is None or not self._prepare():
            return
        assert self._evaluator is not None and self._split is not None
        models = {0: self.terms.genesis, **{r.number: r.model for r in self.history.rounds if r.finalized}}
        for number, root in models.items():
            if number not in self._metrics:
                with suppress(StoreError):
                    vector = parse_model(self.store.get(root, Kind.MODEL, self.terms.depth), self.terms.depth)
                    self._metrics[number] = self._evaluator.metric(vector, self._split.test)

    def _prepare(self) -> bool:
        if self._evaluator is None and self.history.seats:
            stated = self.manifest.task if self.manifest else ""
            name = self._given or stated
            # A manifest is a stranger's file: it may name a shipped task, and never a file to run.
            if self._given is None and name not in SHIPPED:
                return False
            self._task = load_task(name)
            seats = len(self.history.rounds[0].active) if self.history.rounds else len(self.history.seats)
            for count in (seats, 4):  # a table that owners divide refuses fewer seats than owners
                with suppress(TaskError):
                    self._split = split(self._task.data(), count, None, self._seed)
                    self._evaluator = Evaluator(self._task)
                    break
        return self._evaluator is not None

    @property
    def _seed(self) -> int:
        return self.manifest.genesis_seed if self.manifest else 0

    def _baselines(self) -> Baselines | None:
        rounds = sum(r.finalized for r in self.history.rounds)
        if self._task is None or self._split is None or not rounds:
            return None
        return baselines.measure(self._task, self._split, rounds, self._seed, most=16)


def _write(path: Path, text: str) -> Path:
    if path.is_dir():
        raise TreatyError(f"{path} is a folder: give --out a file, such as report.html")
    try:
        write_durably(path, text.encode())
    except OSError as error:
        raise TreatyError(f"{path} cannot be written: {error.strerror or error}; give a place that you may write") from error
    return path
