"""A whole federation on a local chain: deploy, seat, train, commit, reveal, score, settle, aggregate, pay, audit, tell."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from fl.agents import adversaries
from fl.agents.record.history import RoundLog
from fl.agents.record.public_record import Record
from fl.agents.record.view import View
from fl.agents.roles.answerer import Answerer
from fl.agents.roles.challenger import Challenger
from fl.agents.roles.keeper import Keeper
from fl.agents.roles.privacy_guard import PrivacyGuard, statement_name
from fl.agents.runtime.agent import Agent
from fl.agents.runtime.lockstep import Done, Loop
from fl.errors import AuditError, TaskError, UserCodeError
from fl.learning.batched import Cohort
from fl.learning.data.partition import Shard, Split, split
from fl.learning.privacy.budget import Privacy
from fl.learning.privacy.mechanisms import Seeded
from fl.learning.research import baselines
from fl.learning.research.comparison import Baselines
from fl.learning.task import Task, load_task
from fl.learning.task_check import check_split, check_task, table_of
from fl.learning.trainer import Evaluator
from fl.network import ape_accounts
from fl.network.ape_accounts import FederationClient
from fl.network.stores.base import LocalStore
from fl.protocol.artifact import Kind, parse_model
from fl.protocol.manifest import gate_rule
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
from fl.tools.federation.deploy import Deployment, deploy
from fl.tools.report.sources import report_summary
from fl.tools.research.parallel import spread
from fl.tools.simulation import checkpoint
from fl.tools.simulation.plan import Plan

SPONSOR, CHECKER, FIRST_SEAT = (
    0,
    1,
    2,
)  # local accounts: the sponsor, the checker (which also does the housekeeping), the first seat


@dataclass
class Watcher:
    """What a simulation tells while it runs; all of it optional."""

    say: Callable[[str], None] = lambda text: None
    view: Callable[[View], None] = lambda view: None
    done: Callable[[Done], None] = lambda done: None
    measured: Callable[[int, float], None] = lambda number, metric: None


def parse_adversaries(given: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    """KIND:COUNT words to pairs. Raises TaskError that names the kinds."""
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

    A run that was interrupted goes on when called again with the same plan and `out`. ray: a cluster that trains; it has no
    say in what comes out.
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
    if plan.seed < 0:
        raise TaskError(f"seed {plan.seed}: give a number of at least 0")
    task = load_task(plan.task)
    table = table_of(task)
    check_task(task, table, private=plan.privacy is not None)
    data = split(table, honest, plan.alpha, plan.seed)
    check_split(task, data)
    if kept := checkpoint.begin(plan, plan.task, out):
        watcher.say(f"going on with an interrupted simulation: {kept} updates are at hand")
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
        self.guards: dict[int, PrivacyGuard] = {}

    def run(self) -> Summary:
        plan, say = self.plan, self.watcher.say
        accounts = ape_accounts.local_accounts(FIRST_SEAT + plan.seats)
        sponsor, checker, seats = accounts[SPONSOR], accounts[CHECKER], accounts[FIRST_SEAT:]
        say("compiling, where anything is new, and deploying the contracts")
        deployment = deploy(self.task, {"trim": plan.trim, **plan.terms}, sponsor, self.store, seed=plan.seed, gate=plan.gate)
        client = FederationClient(deployment.federation)
        say(f"seating {plan.seats} participants")
        self._seat(client, deployment, sponsor, checker, seats)
        manifest = self.store.get_manifest(client.terms.manifest)
        record = Record(client.terms, manifest, self.store)
        loop = Loop(client, record, self._agents(seats, checker), watch=self._watch, done=self._done)
        self.metrics[0] = self._metric(client.terms.genesis, client.terms.depth)
        self.watcher.measured(0, self.metrics[0])
        view = loop.run()
        say("paying out")
        owed = self._claim(client, view, seats)
        loop.look()
        write_events(self.out / "events.jsonl", client.chain_id, client.address, client.terms, loop.history.events)
        summary = self._summary(client, deployment, view, owed)
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

    def _seat(self, client: FederationClient, deployment: Deployment, sponsor: Any, checker: Any, seats: list[Any]) -> None:
        token = ape_accounts.contract("TestToken").at(deployment.token)
        stake = client.terms.min_stake + 2 * client.terms.fraud_slash  # a fraud or two, and still whole
        budget = self.plan.rounds * client.terms.round_cost(self.plan.seats)
        for account, amount in [(sponsor, budget), (checker, 1000 * client.terms.demand_deposit), *((a, stake) for a in seats)]:
            ape_accounts.transact(token.mint, account, amount, sender=account)
            ape_accounts.transact(token.approve, client.address, amount, sender=account)
        funded = client.send(sponsor, "fund", budget)
        self._note("fund", funded.gas, funded.size)
        for account in seats:
            joined = client.send(account, "join", account.address, account.address, stake, b"")
            self._note("join", joined.gas, joined.size)
        for name, gas in deployment.gas.items():
            self._note(f"deploy {name}", gas)

    def _agents(self, seats: list[Any], checker: Any) -> list[Agent]:
        agents = []
        parts = {seat: self._shard(seat).train for seat in range(self.plan.seats)}
        cohort = Cohort(self.task, parts, self.plan.seed, partial(spread, ray=self.ray) if self.ray else None, self.plan.task)
        for seat, (kind, account) in enumerate(zip(self.kinds, seats, strict=True)):
            shard = self._shard(seat)
            journal = self.out / "participants" / str(seat)
            roles = adversaries.cast(kind, seat, self.evaluator, shard, self.plan.seed, journal, self._seats_of(kind))
            roles[0].cohort = cohort
            if self.plan.privacy and kind not in adversaries.PARTICIPANTS:
                roles[0].guard = self.guards[seat] = self._guard(self.plan.privacy, seat, shard, journal)
            agents.append(Agent(self.name(seat), account, roles, journal, self.store, seat, kind))
        # Cheats move first; the checker also answers demands and does the housekeeping, as everybody's daemon would.
        agents.sort(key=lambda agent: agent.kind == "honest")
        housekeeping = Agent(
            "checker", checker, (Challenger(), Answerer(), Keeper(self.plan.rounds)), self.out / "checker", self.store
        )
        return [*agents, housekeeping]

    def _guard(self, privacy: Privacy, seat: int, shard: Shard, journal: Path) -> PrivacyGuard:
        seed = self.plan.seed
        return PrivacyGuard(privacy, self.task, shard.train, journal, lambda number: Seeded(seed, number, seat))

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
        self.watcher.view(view)

    def _done(self, done: Done) -> None:
        self._note(done.action.function, done.receipt.gas, done.receipt.size)
        self.gas_of_round[done.round][done.action.function] += done.receipt.gas
        if done.agent.seat is not None:
            self.gas_of_seat[done.agent.seat] += done.receipt.gas
        self.watcher.done(done)

    def _note(self, what: str, gas: int, size: int = 0) -> None:
        self.gas[what].append(gas)
        self.bytes[what] += size

    def _metric(self, root: bytes, depth: int) -> float:
        return self.evaluator.metric(parse_model(self.store.get(root, Kind.MODEL, depth), depth), self.data.test)

    # ---- after

    def _claim(self, client: FederationClient, view: View, seats: list[Any]) -> dict[int, int]:
        owed = {seat: client.earned(seat) for seat in sorted(view.history.seats)}
        for seat, amount in owed.items():
            if amount:
                receipt = client.send(seats[seat], "claim", seat, seats[seat].address)
                self._note("claim", receipt.gas, receipt.size)
                self.gas_of_seat[seat] += receipt.gas
        return owed

    def _summary(self, client: FederationClient, deployment: Deployment, view: View, owed: dict[int, int]) -> Summary:
        rounds = tuple(self._round(log) for log in view.history.rounds)
        seats = tuple(self._seat_facts(seat, view, owed[seat]) for seat in sorted(view.history.seats))
        size = self.store.get(client.terms.genesis, Kind.MODEL, client.terms.depth)
        return Summary(
            plan=self.plan,
            metric=self.task.metric,
            higher_is_better=self.task.higher_is_better,
            chain_id=client.chain_id,
            federation=client.address,
            deployment=deployment,
            token=Token(deployment.token, client.denomination.decimals, client.denomination.symbol),
            terms=terms_to_json(client.terms),
            start=self.metrics[0],
            rounds=rounds,
            seats=seats,
            adversaries={kind: tuple(self._seats_of(kind)) for kind, _ in self.plan.adversaries},
            totals=Totals(
                final=self.metrics[max(self.metrics)],
                model_root=view.history.rounds[-1].model.hex(),
                parameters=self.store.get_manifest(client.terms.manifest).parameters,
                model_bytes=len(size),
                paid=sum(s.pay for s in seats),
                slashed=sum(sum(s.slashes.values()) for s in seats),
                gas=sum(map(sum, self.gas.values())),
            ),
            gas={what: GasUse.of(gas, self.bytes[what]) for what, gas in sorted(self.gas.items())},
            times=client.times(view.history.events),
            baselines=self._baselines() if self.plan.compare else None,
            accounting=client.accounting(),
        )

    def _round(self, log: RoundLog) -> RoundSummary:
        return RoundSummary(**round_facts(log), metric=self.metrics[log.number], gas=dict(self.gas_of_round[log.number]))

    def _seat_facts(self, seat: int, view: View, owed: int) -> SeatSummary:
        return SeatSummary(
            **seat_facts(seat, view.history, view.denomination),
            seat=seat,
            name=self.name(seat),
            kind=self.kinds[seat],
            pay=view.denomination.tokens(owed),
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
