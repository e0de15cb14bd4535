"""A whole federation on this machine in one command: a chain, a store, and one daemon process for each participant.

The daemons are those of `ape run participate`, each with its own key, journal and rows; they share only the chain and the
store's folder. Only the chain's clock differs (local_chain.py). A folder that holds a federation is continued.
"""

from __future__ import annotations

import json
import multiprocessing
import re
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from fl.agents.record.history import History
from fl.errors import AuditError, ChainError, TaskError, TreatyError
from fl.learning.data.local_rows import local_shard
from fl.learning.data.partition import split
from fl.learning.data.reading import identifies, read_table
from fl.learning.data.table import table_address
from fl.learning.task import Task
from fl.learning.task_check import table_of
from fl.learning.task_loading import load_task
from fl.network import ape_accounts
from fl.network.abi import federation_abi
from fl.network.federation import FederationReader
from fl.network.rpc import LOOPBACK, Rpc
from fl.network.stores.local import LocalStore
from fl.protocol.mode import mode_of
from fl.tools.audit.auditor import Auditor
from fl.tools.audit.export import write_events
from fl.tools.cli.prices import Prices
from fl.tools.federation.deploy import deploy, tried_task
from fl.tools.federation.deployment import Deployment
from fl.tools.federation.participate import Settings
from fl.tools.federation.stopping import Stop
from fl.tools.federation.terms_file import LAPTOP, everybody
from fl.tools.model.export import export
from fl.tools.model.source import from_chain
from fl.tools.report.live import Source
from fl.tools.report.watch import Screen, Server, serve
from fl.tools.simulation.chaos import play
from fl.tools.simulation.local_chain import BLOCK_SECONDS, Clock, carry_on, start_chain
from fl.tools.simulation.meter import Meter

OWNERS, OPERATORS = 20, 2  # the first local account of each
MAX_SEATS = 16  # each is a process; `simulate` has room for 128 in one
FUNDED_ROUNDS = 1000
PAGE_SECONDS = 1.0  # between two looks of the live page
IDLE_SECONDS = 300.0  # without any event: something is wrong
STATE, FEDERATION = "chain.json", "federation.json"  # of a run, so that another can continue it


@dataclass(frozen=True)
class Plan:
    """The settings of a local federation: tables with a target column, or a task and a number of seats.

    drop: columns of the tables that nobody learns from, such as a patient's number.
    rounds: it ends after so many final models; 0 runs until it is stopped.
    stop: it ends earlier when the models have become good enough, or no better, on rows that nobody trains on.
    port: of the live page on loopback, 0 for any free one; None: no page. masked: nobody sees one update, only their sum."""

    out: Path
    tables: tuple[Path, ...] = ()
    target: str | None = None
    drop: tuple[str, ...] = ()
    task: str | None = None
    seats: int = 3
    rounds: int = 0
    seed: int = 0
    port: int | None = None
    stop: Stop = field(default_factory=Stop)
    masked: bool = False

    def __post_init__(self) -> None:
        if self.continues and not (self.tables or self.task or self.target or self.drop):
            return  # the folder knows
        if bool(self.tables) == bool(self.task):
            raise TaskError(
                "say what to learn: --data A.csv --data B.csv --data C.csv --target COLUMN, or --task NAME --seats N"
            )
        if self.tables and self.target is None:
            raise TaskError("say which column of the tables to predict: --target COLUMN")
        if self.drop and not self.tables:
            raise TaskError("--drop names columns of the tables given with --data; a task says itself what it reads")
        if not 3 <= self.participants <= MAX_SEATS:
            raise TaskError(
                f"{self.participants} participants: a committee of three needs at least 3, and one machine runs at most "
                f"{MAX_SEATS} daemons; `ape run simulate` takes up to 128 in one process"
            )

    @property
    def continues(self) -> bool:
        """Whether the folder holds a federation to go on with."""
        return (self.out / FEDERATION).is_file()

    @property
    def facts(self) -> dict[str, Any]:
        """What must stay the same from one run of a federation to the next."""
        tables = [str(path.resolve()) for path in self.tables]
        facts = {"tables": tables, "target": self.target, "drop": list(self.drop)}
        return facts | {"task": self.task, "seats": self.seats, "seed": self.seed, "masked": self.masked}

    @property
    def participants(self) -> int:
        return len(self.tables) or self.seats


class Progress:
    """Reports what a local federation does, and ends it in order on Ctrl-C or SIGTERM."""

    def __init__(self, say: Callable[[str], None] = print):
        self.say, self.stop = say, threading.Event()
        self.models: list[bytes] = []  # roots, round by round
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Progress:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, lambda *_: self.stop.set())
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


@dataclass(frozen=True)
class Outcome:
    """The result of a local federation. model: the folder of the last final model; None if no round was completed."""

    deployment: Deployment
    rounds: int
    model: Path | None
    verified: tuple[str, ...]
    slashed: int  # seats that lost stake
    measured: str  # the metric of each model in order, and whose rows measured it; empty without a model
    audit: str


def up(plan: Plan, progress: Progress) -> Outcome:
    """Runs the plan and writes OUT/model, OUT/events.jsonl and OUT/store; continues what an earlier run left in OUT. Raises
    TreatyError if it cannot start or makes no progress."""
    if plan.port:
        _need_free(plan.port)
    if plan.continues:
        plan, deployment = _resumed(plan)
        return _Local(plan, progress, deployment).run()
    if plan.out.exists() and any(plan.out.iterdir()):
        raise TaskError(f"{plan.out} is not empty: give another --out, or remove that folder; nothing was started")
    plan.out.mkdir(parents=True, exist_ok=True)
    return _Local(plan, progress).run()


def _resumed(plan: Plan) -> tuple[Plan, Deployment]:
    """The plan of the run that the folder holds, with this one's rounds and page, and its deployment."""
    kept = json.loads((plan.out / FEDERATION).read_text())
    before = kept["plan"]
    if (plan.tables or plan.task) and plan.facts != before:
        name = next(name for name in before if plan.facts[name] != before[name])
        raise TaskError(
            f"{plan.out} holds a federation with another --{'data' if name == 'tables' else name} ({before[name]}): give the "
            "same options, or only --out and --rounds, to continue it; or give another --out; nothing was started"
        )
    tables, drop = tuple(map(Path, before["tables"])), tuple(before["drop"])
    same = {name: before[name] for name in ("target", "task", "seats", "seed")}
    again = Plan(plan.out, tables, drop=drop, rounds=plan.rounds, port=plan.port, stop=plan.stop, **same)
    return again, Deployment(**kept["deployment"])


def _need_free(port: int) -> None:
    """Raises TaskError if another program serves on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port just left counts as free, as for the server
        try:
            probe.bind((LOOPBACK[0], port))
        except OSError as error:
            raise TaskError(
                f"port {port} cannot be used ({error.strerror}): give another --port, or none; nothing was started"
            ) from error


class _Local:
    def __init__(self, plan: Plan, progress: Progress, deployment: Deployment | None = None):
        self.plan, self.progress = plan, progress
        self.deployment = deployment  # of the run before
        self.out = plan.out.resolve()
        self.store = LocalStore(self.out / "store")
        self.processes: dict[int, BaseProcess] = {}
        self._told = self._rounds = 0
        self._before = 0  # rounds of earlier runs
        self._reason = ""  # why it ends early
        self._news = time.monotonic()
        # One process loads what all need and forks the others.
        self.stage = multiprocessing.get_context("forkserver")
        self.stage.set_forkserver_preload(["fl.tools.simulation.chaos"])

    def run(self) -> Outcome:
        task = load_task(self._table(0, self.deployment)) if self.plan.tables and self.deployment else self._tried()
        self.progress.say("starting a chain on this machine")
        state, kept = self.out / STATE, self.out / FEDERATION
        resumed = self.deployment is not None
        node, url = start_chain(self.out / "chain.log", state=state)
        kept.unlink(missing_ok=True)  # a run that is killed leaves files that the chain knows nothing of
        try:
            with ape_accounts.connected(url), ape_accounts.hushed():
                if resumed:
                    carry_on(Rpc([url]))
                self.deployment = deployment = self.deployment or self._found(task)
                self.abi = federation_abi()
                self.meter = self._meter(task, deployment)
                self.judge = self._judge(task, deployment)
                history, reader = self._play(deployment, url, resumed)
                self.progress.stop.set()  # the page ends too
                return self._put_away(deployment, history, reader)
        finally:
            self._end()
            node.terminate()  # it writes its state
            node.wait()
            if self.deployment is not None and state.is_file():
                kept.write_text(json.dumps({"plan": self.plan.facts, "deployment": asdict(self.deployment)}, indent=1) + "\n")

    # ---- before

    def _tried(self) -> Task:
        """The task, checked before anything is started. On an error the folder is empty again, for the next attempt."""
        try:
            return tried_task(self._address())
        except TreatyError as error:
            (self.out / "columns.csv").unlink(missing_ok=True)
            shutil.rmtree(self.store.path, ignore_errors=True)
            if not self.plan.tables:
                raise
            message = str(error).replace(str(self.out / "columns.csv"), "the tables together")
            message = re.sub(r"(or )?name its classes \(.*?\), or leave it out", "leave it out", message)
            message = re.sub(r"\bdrop=", "--drop ", message)
            raise TaskError(f"{message}; nothing was started") from error

    def _address(self) -> str:
        """The task as it is deployed. Of tables: the columns of all of them together, so that all encode alike."""
        if self.plan.task is not None:
            return self.plan.task
        frames = [read_table(path) for path in self.plan.tables]
        for path, frame in zip(self.plan.tables, frames, strict=True):
            if odd := set(frame.columns) ^ set(frames[0].columns):
                raise TaskError(
                    f"{path} and {self.plan.tables[0]} differ in column {min(odd)}: all tables need the same columns"
                )
        for name in (*((self.plan.target,) if self.plan.target else ()), *self.plan.drop):
            if name not in frames[0].columns:
                raise TaskError(f"the tables have no column {name!r}; they have {', '.join(frames[0].columns)}")
        self._look_for_identities(frames)
        together = self.out / "columns.csv"
        pd.concat(frames, ignore_index=True).to_csv(together, index=False)
        return table_address(together, self.plan.target or "", self.plan.drop)

    def _look_for_identities(self, frames: list[pd.DataFrame]) -> None:
        """Lists columns that seem to name patients. Raises TaskError for texts, which cannot be learned from; numbers can."""
        aside = {self.plan.target, *self.plan.drop}
        names = [name for name in map(str, frames[0]) if name not in aside and all(identifies(frame[name]) for frame in frames)]
        if not names:
            return
        each = "another value in every row, as a patient's number has"
        remedy = f"leave out what nobody should learn from ({' '.join(f'--drop {name}' for name in names)})"
        if all(frames[0][name].dtype.kind == "i" for name in names):
            return self.progress.say(f"note: {', '.join(names)}: {each}; {remedy}")
        raise TaskError(f"{', '.join(names)}: {each}: {remedy}")

    def _found(self, task: Task) -> Deployment:
        """Deploys, funds and seats everybody, on the connected chain."""
        seats = self.plan.participants
        accounts = ape_accounts.local_accounts(OWNERS + seats)
        sponsor = accounts[0]
        self.progress.say("deploying the contracts")
        given, mode = {**LAPTOP, **everybody(seats)} if self.plan.masked else LAPTOP, mode_of(self.plan.masked)
        done = deploy(task, given, sponsor, self.store, seed=self.plan.seed, mode=mode, required_confirmations=0)
        (self.out / "columns.csv").unlink(missing_ok=True)
        token = ape_accounts.contract("TestToken").at(done.token)
        federation = ape_accounts.contract("Federation").at(done.federation)
        terms = ape_accounts.federation(done.federation).terms
        send: dict[str, Any] = {"required_confirmations": 0}
        budget = FUNDED_ROUNDS * terms.round_cost(seats)
        ape_accounts.transact(token.mint, sponsor, budget, sender=sponsor, **send)
        ape_accounts.transact(token.approve, federation, budget, sender=sponsor, **send)
        ape_accounts.transact(federation.fund, budget, sender=sponsor, **send)
        self.progress.say(f"seating {seats} participants")
        for seat in range(seats):
            owner, operator = accounts[OWNERS + seat], accounts[OPERATORS + seat]
            deposits = terms.demands_to_pay() * terms.demand_deposit
            ape_accounts.transact(token.mint, owner, terms.min_stake + deposits, sender=owner, **send)
            ape_accounts.transact(token.approve, federation, terms.min_stake + deposits, sender=owner, **send)
            ape_accounts.transact(federation.join, owner, operator, terms.min_stake, b"", sender=owner, **send)
            ape_accounts.transact(federation.give, operator, deposits, sender=owner, **send)
        return done

    # ---- during

    def _play(self, deployment: Deployment, url: str, resumed: bool) -> tuple[History, FederationReader]:
        """Runs until the rounds are over or somebody stops it."""
        rpc = Rpc([url])
        reader = FederationReader(rpc, self.abi, deployment.federation, chain_id=deployment.chain_id)
        self._show(url, deployment)
        self.progress.say(f"{self.plan.participants} daemons, each a process of its own; their logs are in {self.plan.out}")
        for seat in range(self.plan.participants):
            self.processes[seat] = self._daemon(seat, deployment, url)
            self.processes[seat].start()
        clock = Clock(rpc, reader, self._alive, self._watch)
        if resumed:
            clock.watch = self._recall
            clock.tick()
            clock.watch = self._watch
        while not self.progress.stop.is_set() and not self._enough():
            clock.tick()
            if not self._alive():
                raise ChainError(f"no daemon runs any more: see the logs in {self.plan.out}")
            if time.monotonic() - self._news > IDLE_SECONDS:
                raise ChainError(f"nothing has happened for {IDLE_SECONDS:.0f} seconds: see the logs in {self.plan.out}")
            self.progress.stop.wait(BLOCK_SECONDS)
        self._end()
        return clock.history, reader

    def _show(self, url: str, deployment: Deployment) -> None:
        """Serves the live page from a thread of its own, for as long as this command runs."""
        if self.plan.port is None:
            return
        reader = FederationReader.open(Rpc([url]), deployment.federation)
        screen = Screen(Source(reader, [str(self.store.path)], None), Prices())
        server = Server(screen, LOOPBACK[0], self.plan.port)
        threading.Thread(target=serve, args=(screen, server, PAGE_SECONDS, self.progress.stop), daemon=True).start()
        self.progress.say(f"watch it at {server.address}")

    def _daemon(self, seat: int, deployment: Deployment, url: str) -> BaseProcess:
        mine: dict[str, Any] = {"shard": f"{seat}/{self.plan.participants}", "task": self.plan.task}
        if self.plan.tables:
            mine = {"task": self._table(seat, deployment)}
        if self.plan.masked:
            accounts = ape_accounts.local_accounts(OWNERS + self.plan.participants)
            mine["partners"] = tuple(accounts[OPERATORS + i].address for i in range(self.plan.participants))
        settings = Settings(
            deployment.federation,
            [str(self.store.path)],
            seat=seat,
            journal=self.out / f"seat-{seat}",
            confirmations=1,
            poll=0.1,
            seed=self.plan.seed,
            chain_id=deployment.chain_id,
            **mine,
        )
        log = self.out / f"seat-{seat}.log"
        return self.stage.Process(target=play, args=(settings, url, self.abi, f"TEST::{OPERATORS + seat}", log), daemon=True)

    def _table(self, seat: int, deployment: Deployment) -> str:
        """A participant's table as a task, encoded as the manifest says."""
        manifest = self.store.path / f"{deployment.manifest}.json"
        return f"table:{self.plan.tables[seat].resolve()}?manifest={quote(str(manifest))}"

    def _meter(self, task: Task, deployment: Deployment) -> Meter:
        depth = ape_accounts.federation(deployment.federation).terms.depth
        if not self.plan.tables:
            return Meter.of_task(task, self.plan.seats, self.plan.seed, self.store, depth)
        tasks = [load_task(self._table(seat, deployment)) for seat in range(self.plan.participants)]
        shards = [local_shard(each, None, None, self.plan.seed) for each in tasks]
        return Meter.of_shards(tasks[0], shards, self.store, depth)

    def _judge(self, task: Task, deployment: Deployment) -> Meter:
        """Who decides when it ends: on the rows that participants keep back, since test rows must have no say."""
        if self.plan.tables or self.plan.stop == Stop():  # with tables, the meter measures on those rows anyway
            return self.meter
        shards = split(table_of(task), self.plan.seats, None, self.plan.seed).shards
        terms = ape_accounts.federation(deployment.federation).terms
        judge = Meter.of_shards(task, shards, self.store, terms.depth)
        judge.measure(0, terms.genesis)
        return judge

    def _alive(self) -> set[int]:
        return {seat for seat, process in self.processes.items() if process.is_alive()}

    def _recall(self, history: History) -> None:
        """Takes note of the rounds of earlier runs."""
        finished = [log for log in history.rounds if log.finalized]
        for log in finished:
            self.meter.measure(log.number, log.model)
            self.judge.measure(log.number, log.model)
        self._before = self._rounds = len(finished)
        self.progress.say(f"continuing after round {self._before}")

    def _watch(self, history: History) -> None:
        if len(history.events) != self._told:
            self._told, self._news = len(history.events), time.monotonic()
        finished = [log for log in history.rounds if log.finalized]
        for log in finished[self._rounds :]:
            self.progress.models.append(log.model)
            end = "a new model" if log.adopted else "void, the model stays" if log.voided else "the model stays"
            counts = f"{len(log.reveals)} revealed, {len(log.accepted)} accepted"
            metric = self.meter.measure(log.number, log.model)
            if self.judge is not self.meter:
                self.judge.measure(log.number, log.model)
            self.progress.say(f"round {log.number}: {end} ({counts}), {metric}, root {log.model.hex()[:16]}")
        self._rounds = len(finished)
        since = [value for number, value in sorted(self.judge.metrics.items()) if number >= self._before]
        if why := self.plan.stop.reason(since, higher=self.judge.task.higher_is_better):
            self._reason = f"{self.judge.task.metric} on held-out rows {why}"
            self.progress.say(f"ends after round {self._rounds}: {self._reason}")

    def _enough(self) -> bool:
        return bool(self._reason) or 0 < self.plan.rounds <= self._rounds - self._before

    # ---- after

    def _put_away(self, deployment: Deployment, history: History, reader: FederationReader) -> Outcome:
        """The record and the model in files: the chain goes with this command."""
        place = reader.chain_id, reader.address, reader.terms
        write_events(self.out / "events.jsonl", *place, history.events, reader)
        finished = [log for log in history.rounds if log.finalized]
        last = 1 + max((i for i, event in enumerate(history.events) if event.name == "Finalized"), default=-1)
        try:
            checks = Auditor.of(reader, self.store).run(history.events[:last]).or_raise().checks
            audit = f"audit passed: {', '.join(f'{n} {kind}' for kind, n in checks.items())} recomputed from events and store"
        except AuditError as error:
            audit = f"audit FAILED: {error}"
        slashed = len({event.fields["seat"] for event in history.events if event.name == "Slashed"})
        model, verified = None, ()
        if finished:
            model = self.out / "model"
            own = self.plan.task if self.plan.task and Path(self.plan.task).is_file() else None
            found = from_chain(ape_accounts.federation(deployment.federation), [str(self.store.path)])
            verified = tuple(export(found, model, task=own, measured=self.meter.measured()).facts["verified"])
        return Outcome(deployment, len(finished), model, verified, slashed, self._quality(), audit)

    def _quality(self) -> str:
        values = " -> ".join(f"{value:.4f}" for value in self.meter.metrics.values())
        return f"{self.meter.task.metric} {values}, {self.meter.rows}" if values else ""

    def _end(self) -> None:
        for process in self.processes.values():
            if process.is_alive():
                process.terminate()
        for process in self.processes.values():
            process.join(30)
            if process.is_alive():
                process.kill()
                process.join()
