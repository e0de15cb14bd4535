"""A whole federation on a local chain: deploy, seat, train, commit, reveal, score, settle, aggregate, pay, audit, report."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from statistics import fmean
from typing import Any

from fl.agents import adversaries
from fl.agents.record.history import RoundLog
from fl.agents.record.public_record import Record
from fl.agents.record.view import View
from fl.agents.roles.casting import whole_seat
from fl.agents.roles.collector import Collector
from fl.agents.roles.keeper import Keeper
from fl.agents.roles.partners import Partners
from fl.agents.roles.privacy_guard import PrivacyGuard, statement_name
from fl.agents.roles.publisher import Publisher
from fl.agents.roles.training import CohortTrainer, TrainingOptions
from fl.agents.roles.validator import seat_metric
from fl.agents.runtime.agent import Agent
from fl.agents.runtime.lockstep import Done, Lockstep
from fl.errors import AuditError, TaskError, UserCodeError
from fl.learning.batched import Cohort
from fl.learning.data.partition import Shard, Split, held_out_of, split
from fl.learning.evaluator import Evaluator
from fl.learning.privacy.budget import Privacy
from fl.learning.privacy.mechanisms import Seeded
from fl.learning.research import baselines
from fl.learning.research.comparison import Baselines
from fl.learning.task import Task
from fl.learning.task_check import check_split, check_task, table_of
from fl.learning.task_loading import load_task
from fl.network import ape_accounts
from fl.network.abi import federation_abi
from fl.network.federation import FederationReader
from fl.network.rpc import Rpc
from fl.network.stores.local import LocalStore
from fl.protocol.artifact import Kind, parse_model
from fl.protocol.manifest import gate_rule
from fl.protocol.seat_metric import SeatMetric, told_seats
from fl.tools.audit.auditor import audit_summary
from fl.tools.audit.export import round_facts, seat_facts, terms_to_json, write_events
from fl.tools.audit.measured import GasUse, PrivacySpent
from fl.tools.audit.summary import (
    RoundSummary,
    SeatSummary,
    Summary,
    Token,
    Totals,
)
from fl.tools.audit.verdict import Verdict
from fl.tools.federation.deploy import deploy
from fl.tools.federation.deployment import Deployment
from fl.tools.federation.stopping import Stop
from fl.tools.report.sources import report_summary
from fl.tools.research.parallel import in_parallel
from fl.tools.simulation import checkpoint
from fl.tools.simulation.plan import Plan

SPONSOR, FIRST_SEAT = 0, 1  # local accounts: who funds, who sits
DEPTH = 1  # confirmations that everybody waits for: the next block of a local chain is certain
DEPOSITS = 1000  # demands that each seat can pay for


@dataclass
class Watcher:
    """Callbacks for the progress of a simulation; all are optional."""

    say: Callable[[str], None] = lambda text: None
    view: Callable[[View], None] = lambda view: None
    done: Callable[[Done], None] = lambda done: None
    measured: Callable[[int, float], None] = lambda number, metric: None


def parse_adversaries(given: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    """Parses KIND:COUNT words. Raises TaskError, which names the kinds."""
    pairs = []
    for word in given:
        kind, _, count = word.partition(":")
        if kind not in adversaries.KINDS or not (count or "1").isdecimal() or int(count or "1") < 1:
            raise TaskError(
                f"adversary {word!r}: give KIND:COUNT, such as sign_flip:2; kinds are {', '.join(adversaries.KINDS)}"
            )
        pairs.append((kind, int(count or "1")))
    return tuple(pairs)


def simulate(plan: Plan, out: Path, watcher: Watcher | None = None, ray: str | None = None) -> Summary:
    """Runs the plan on the connected local chain; writes summary.json, events.jsonl and the store to `out`.

    An interrupted run continues when called again with the same plan and `out`. ray: a cluster for training, which does not
    influence the result.
    """
    watcher = watcher or Watcher()
    kinds = [kind for kind, count in plan.adversaries for _ in range(count)]
    honest = plan.seats - len(kinds)
    if not 3 <= plan.seats <= 128:
        raise TaskError(f"{plan.seats} seats: give 3 (the smallest committee) to 128")
    if honest < 1:
        raise TaskError(f"{len(kinds)} adversaries on {plan.seats} seats: leave at least one honest participant")
    if plan.rounds < 1:
        raise TaskError(f"{plan.rounds} rounds: give at least one")
    gate_rule(plan.gate)
    if plan.masked and (plan.adversaries or plan.privacy or plan.trim):
        raise TaskError("a masked sum goes without --adversary, --private and --trim: no single update is seen, to be judged")
    Stop(plan.until, plan.patience)
    if plan.seed < 0:
        raise TaskError(f"seed {plan.seed}: give a number of at least 0")
    task = load_task(plan.task)
    table = table_of(task)
    check_task(task, table, private=plan.privacy is not None)
    data = split(table, honest, plan.alpha, plan.seed)
    check_split(task, data)
    for seat, shard in enumerate(data.shards if plan.privacy else ()):  # whatever no budget holds is told before a deployment
        PrivacyGuard(plan.privacy, task, shard.train, out / "participants" / str(seat))  # type: ignore[arg-type]
    if kept := checkpoint.begin(plan, plan.task, out):
        watcher.say(f"continuing an interrupted simulation: {kept} updates are already there")
    return _Simulation(plan, out, watcher, task, data, kinds, ray).run()


class _Simulation:
    def __init__(self, plan: Plan, out: Path, watcher: Watcher, task: Task, data: Split, kinds: list[str], ray: str | None):
        self.plan, self.out, self.watcher, self.task, self.data, self.ray = plan, out, watcher, task, data, ray
        self.kinds = ["honest"] * len(data.shards) + kinds
        self.evaluator = Evaluator(task)
        self.store = LocalStore(out / "store")
        self.gas: dict[str, list[int]] = defaultdict(list)
        self.bytes: Counter[str] = Counter()  # of calldata
        self.gas_of_round: dict[int, Counter[str]] = defaultdict(Counter)
        self.gas_of_seat: Counter[int] = Counter()
        self.metrics: dict[int, float] = {}
        self.seat_metrics: dict[int, dict[int, SeatMetric]] = defaultdict(dict)  # by round, of honest seats
        self.guards: dict[int, PrivacyGuard] = {}
        self.stop = Stop(plan.until, plan.patience)
        self.limited: list[object] = []  # roles that know after how many rounds it ends
        self.held_out: dict[int, float] = {}  # metrics on the rows that participants keep back, if they decide when it ends

    def run(self) -> Summary:
        plan, say = self.plan, self.watcher.say
        accounts = ape_accounts.local_accounts(FIRST_SEAT + plan.seats)
        sponsor, seats = accounts[SPONSOR], accounts[FIRST_SEAT:]
        say("compiling, where anything is new, and deploying the contracts")
        deployment = deploy(self.task, plan.given_terms(), sponsor, self.store, seed=plan.seed, gate=plan.gate, mode=plan.mode)
        node = FederationReader(Rpc([ape_accounts.node_url()]), federation_abi(), deployment.federation, depth=DEPTH)
        say(f"seating {plan.seats} participants")
        self._seat(node, deployment, sponsor, seats)
        self.metrics[0] = self._metric(node.terms.genesis, node.terms.depth)
        self.watcher.measured(0, self.metrics[0])
        view = self._play(node, seats)
        place = node.chain_id, node.address, node.terms
        write_events(self.out / "events.jsonl", *place, view.history.events, node)
        summary = self._summary(node, deployment, view)
        say("auditing from events and store alone")
        path = self.out / "summary.json"
        summary.write(path)
        try:
            verdict = audit_summary(path)
        except AuditError as error:
            verdict = Verdict.failed(error)
        summary = replace(summary, audit=verdict)
        summary.write(path)
        report_summary(path, audited=True)
        return summary

    # ---- before

    def _seat(self, node: FederationReader, deployment: Deployment, sponsor: Any, seats: list[Any]) -> None:
        token = ape_accounts.contract("TestToken").at(deployment.token)
        federation, terms = ape_accounts.contract("Federation").at(node.address), node.terms
        stake = terms.min_stake + 2 * terms.fraud_slash  # enough for two frauds without falling below the minimum
        budget = self.plan.rounds * terms.round_cost(self.plan.seats)
        deposits = DEPOSITS * terms.demand_deposit  # which each daemon lets the federation take when it needs to
        for account, amount, more in [(sponsor, budget, 0), *((account, stake, deposits) for account in seats)]:
            ape_accounts.transact(token.mint, account, amount + more, sender=account)
            ape_accounts.transact(token.approve, node.address, amount, sender=account)
        funded = ape_accounts.transact(federation.fund, budget, sender=sponsor)
        self._note("fund", int(funded.gas_used), len(funded.transaction.data))
        for account in seats:
            joined = ape_accounts.transact(federation.join, account.address, account.address, stake, b"", sender=account)
            self._note("join", int(joined.gas_used), len(joined.transaction.data))
        for name, gas in deployment.gas.items():
            self._note(f"deploy {name}", gas)

    def _play(self, node: FederationReader, seats: list[Any]) -> View:
        """Runs all rounds, to the last claim; returns the last moment."""
        manifest = self.store.get_manifest(node.terms.manifest)
        with (self.out / "agents.log").open("a") as log:
            lockstep = Lockstep(
                node,
                lambda: Record(node.terms, manifest, self.store),
                self._agents(seats),
                log,
                watch=self._watch,
                done=self._done,
            )
            try:
                return lockstep.run()
            finally:
                lockstep.clock.let_go()

    def _agents(self, seats: list[Any]) -> list[Agent]:
        agents = []
        parts = {seat: self._shard(seat).train for seat in range(self.plan.seats)}
        far = partial(in_parallel, ray=self.ray) if self.ray else None
        partners = Partners.of([account.address for account in seats]) if self.plan.masked else None
        cohort = Cohort(self.task, parts, self.plan.seed, far, self.plan.task)
        for seat, (kind, account) in enumerate(zip(self.kinds, seats, strict=True)):
            shard, signer = self._shard(seat), ape_accounts.AccountSigner(account)
            journal = self.out / "participants" / str(seat)
            guard = None
            if self.plan.privacy and kind not in adversaries.PARTICIPANTS:
                guard = self.guards[seat] = self._guard(self.plan.privacy, seat, shard, journal)
            cast, trainer = adversaries.cast(kind, self._seats_of(kind)), CohortTrainer(cohort, seat)
            options = TrainingOptions(trainer, guard, partners=partners)
            trio = cast(seat, self.evaluator, shard, self.plan.seed, journal, options)
            roles = whole_seat(trio, seat, signer.address, journal, self.plan.rounds, checks=kind == "honest")
            if self.plan.publish_metrics and kind == "honest":
                roles = (*roles, Publisher(seat, self.evaluator, shard, journal, signer.sign_typed))
            self.limited += roles
            agents.append(Agent(self.name(seat), signer, roles, journal, self.store, seat, kind))
        return sorted(agents, key=lambda agent: agent.kind == "honest")  # cheats move first

    def _guard(self, privacy: Privacy, seat: int, shard: Shard, journal: Path) -> PrivacyGuard:
        seed = self.plan.seed
        return PrivacyGuard(privacy, self.task, shard.train, journal, lambda number: Seeded(seed, number, seat), seat)

    def _seats_of(self, kind: str) -> list[int]:
        return [seat for seat, other in enumerate(self.kinds) if other == kind]

    def _shard(self, seat: int) -> Shard:
        return self.data.shards[seat % len(self.data.shards)]

    def name(self, seat: int) -> str:
        honest = len(self.data.shards)
        if seat < honest:
            return self.data.shards[seat].name
        names = self.plan.names
        return names[seat - honest] if seat - honest < len(names) else f"{self.kinds[seat]} {seat}"

    # ---- during

    def _watch(self, view: View) -> None:
        for log in view.history.rounds:
            if log.finalized and log.number not in self.metrics:
                self.metrics[log.number] = self._metric(log.model, view.terms.depth)
                self.watcher.measured(log.number, self.metrics[log.number])
                self._measure_seats(log, view)
                self._stop_early(log, view)
        self.watcher.view(view)

    def _measure_seats(self, log: RoundLog, view: View) -> None:
        """What each honest seat measures, with its own layers where some stay at home."""
        if not self.task.local and not self.plan.publish_metrics:
            return
        vector = parse_model(self.store.get(log.model, Kind.MODEL, view.terms.depth), view.terms.depth)
        for seat, shard in enumerate(self.data.shards):
            found = seat_metric(self.evaluator, vector, shard, self.out / "participants" / str(seat), log.number)
            if found is not None:
                self.seat_metrics[log.number][seat] = found
        if told := told_seats(self.seat_metrics[log.number]):
            self.watcher.say(f"round {log.number}, {self.task.metric} on seats' own held-out rows: {told}")

    def _stop_early(self, log: RoundLog, view: View) -> None:
        """Ends after this round if the plan says so: nobody opens another, and everybody claims."""
        if self.stop == Stop():
            return
        for number, root in {0: view.terms.genesis, log.number: log.model}.items():
            if number not in self.held_out and (seats := self.seat_metrics[number]):
                self.held_out[number] = fmean(m.value for m in seats.values())
            elif number not in self.held_out:
                vector = parse_model(self.store.get(root, Kind.MODEL, view.terms.depth), view.terms.depth)
                self.held_out[number] = self.evaluator.metric(vector, held_out_of(self.data.shards))
        measured = [value for _, value in sorted(self.held_out.items())]
        if log.number < self.plan.rounds and (why := self.stop.reason(measured, higher=self.task.higher_is_better)):
            self.watcher.say(f"ends after round {log.number}: {self.task.metric} on held-out rows {why}")
            for role in self.limited:
                if isinstance(role, Keeper):
                    role.rounds = log.number
                elif isinstance(role, Collector):
                    role.last = log.number

    def _done(self, done: Done) -> None:
        self._note(done.function, done.gas, done.size)
        self.gas_of_round[done.round][done.function] += done.gas
        if done.agent.seat is not None:
            self.gas_of_seat[done.agent.seat] += done.gas
        self.watcher.done(done)

    def _note(self, what: str, gas: int, size: int = 0) -> None:
        self.gas[what].append(gas)
        self.bytes[what] += size

    def _metric(self, root: bytes, depth: int) -> float:
        return self.evaluator.metric(parse_model(self.store.get(root, Kind.MODEL, depth), depth), self.data.test)

    # ---- after

    def _summary(self, node: FederationReader, deployment: Deployment, view: View) -> Summary:
        paid = Counter[int]()
        for event in view.history.events:
            if event.name == "Claimed":
                paid[event.fields["seat"]] += event.fields["amount"]
        rounds = tuple(self._round(log) for log in view.history.rounds)
        seats = tuple(self._seat_facts(seat, view, paid[seat]) for seat in sorted(view.history.seats))
        size = self.store.get(node.terms.genesis, Kind.MODEL, node.terms.depth)
        return Summary(
            plan=self.plan,
            metric=self.task.metric,
            higher_is_better=self.task.higher_is_better,
            chain_id=node.chain_id,
            federation=node.address,
            deployment=deployment,
            token=Token(deployment.token, node.denomination.decimals, node.denomination.symbol),
            terms=terms_to_json(node.terms),
            start=self.metrics[0],
            rounds=rounds,
            seats=seats,
            adversaries={kind: tuple(self._seats_of(kind)) for kind, _ in self.plan.adversaries},
            totals=Totals(
                final=self.metrics[max(self.metrics)],
                model_root=view.history.rounds[-1].model.hex(),
                parameters=self.store.get_manifest(node.terms.manifest).parameters,
                model_bytes=len(size),
                paid=sum(s.pay for s in seats),
                slashed=sum(sum(s.slashes.values()) for s in seats),
                gas=sum(map(sum, self.gas.values())),
            ),
            gas={what: GasUse.of(gas, self.bytes[what]) for what, gas in sorted(self.gas.items())},
            times=node.times(view.history.events),
            baselines=self._baselines() if self.plan.compare else None,
            accounting=node.accounting(),
        )

    def _round(self, log: RoundLog) -> RoundSummary:
        metric, gas, seats = self.metrics[log.number], dict(self.gas_of_round[log.number]), self.seat_metrics[log.number]
        return RoundSummary(**round_facts(log), metric=metric, gas=gas, seat_metrics=seats)

    def _seat_facts(self, seat: int, view: View, paid: int) -> SeatSummary:
        return SeatSummary(
            **seat_facts(seat, view.history, view.denomination),
            seat=seat,
            name=self.name(seat),
            kind=self.kinds[seat],
            pay=view.denomination.tokens(paid),
            gas=self.gas_of_seat[seat],
            privacy=self._privacy(seat, view),
        )

    def _privacy(self, seat: int, view: View) -> PrivacySpent | None:
        """What the seat spent of its budget, the rounds that it sat out, and its statements in the store, by round."""
        if seat not in self.guards:
            return None
        spent = self.guards[seat].spent()
        journal = self.out / "participants" / str(seat)
        files = {n: journal / statement_name(n) for n in spent["rounds"]}
        return PrivacySpent(
            mechanism=spent["mechanism"],
            noise=spent["noise"],
            spent=spent["spent"],
            epsilon=spent["epsilon"],
            delta=spent["delta"],
            rounds=tuple(spent["rounds"]),
            series=self.guards[seat].series(view),
            sat_out=tuple(log.number for log in view.history.rounds if log.number not in spent["rounds"]),
            statements={n: sha256(path.read_bytes()).hexdigest() for n, path in files.items() if path.is_file()},
        )

    def _baselines(self) -> Baselines | None:
        self.watcher.say("measuring local-only and centralised training for comparison")
        try:
            return baselines.measure(self.task, self.data, self.plan.rounds, self.plan.seed)
        except UserCodeError as error:  # such as a metric that a poor model does not have: the federation's result stands
            self.watcher.say(f"the comparison is left out: {error}")
            return None
