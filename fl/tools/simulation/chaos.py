"""The chaos test: a chain, a store and every participant as a separate process, with failures by a seeded plan."""

from __future__ import annotations

import json
import multiprocessing
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from fl.agents import adversaries
from fl.agents.record.history import History
from fl.errors import AuditError, ChainError, TaskError
from fl.learning.codec import depth_of
from fl.learning.task import build
from fl.learning.task_loading import load_task
from fl.log import Log
from fl.network import ape_accounts
from fl.network.federation import FederationReader
from fl.network.rpc import Rpc
from fl.network.stores.files import write_durably
from fl.network.stores.local import LocalStore
from fl.protocol.terms import MIN_WINDOW
from fl.tools.audit.auditor import Auditor
from fl.tools.audit.verdict import Verdict
from fl.tools.federation.deploy import deploy
from fl.tools.federation.participate import Settings, participate, run
from fl.tools.simulation.faulty_proxy import KINDS, Proxy, fair
from fl.tools.simulation.local_chain import start_chain

OWNERS, OPERATORS = 20, 2  # the first local account of each
LIAR = "wrong_model"
ROUNDS_FUNDED = 2000
SPEED = 6  # seconds of the chain's clock in one of this test: the shortest legal window then takes ten seconds here


@dataclass(frozen=True)
class Script:
    """What a chaos test depends on. Times are in seconds here, of which the chain's clock makes SPEED each; `every` is the mean
    time between two faults.

    paced: blocks wait until every running daemon has read the chain, so that a slow machine causes no faults; otherwise the
    chain makes a block every `block_time`.
    """

    minutes: float
    seed: int
    seats: int = 4
    window: int = 40
    every: float = 15.0
    block_time: float = 1.0
    task: str = "heart"
    paced: bool = False


@dataclass
class Tally:
    """What has happened so far."""

    faults: Counter[str] = field(default_factory=Counter)
    recoveries: list[float] = field(default_factory=list)  # seconds from a kill to the first read of the chain afterwards


class Actor:
    """One seat: its process, its proxy, its log."""

    def __init__(self, seat: int, play: Callable[[], BaseProcess], proxy: Proxy, log: Path):
        self.seat, self.play, self.proxy, self.log = seat, play, proxy, log
        self.process: BaseProcess | None = None
        self.killed_at: float | None = None
        self.looks = 0
        self.fault_until = 0.0
        proxy.rule = self._rule
        self._fault, self._chance, self._dice = "", 0.0, random.Random(seat)

    def start(self) -> None:
        self.looks = 0
        self.process = self.play()
        self.process.start()

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()  # SIGKILL
            self.process.join()
        self.killed_at, self.process = time.monotonic(), None

    def trouble(self, kind: str, seconds: float, chance: float) -> None:
        self._fault, self._chance, self.fault_until = kind, chance, time.monotonic() + seconds

    def _rule(self, call: dict[str, Any]) -> str:
        if time.monotonic() < self.fault_until:
            return self._fault if self._dice.random() < self._chance else fair(call)
        if call.get("method") == "eth_getBlockByNumber" and call.get("params", [""])[0] == "latest":
            self.looks += 1  # of a daemon whose node is well
        return fair(call)


def play(settings: Settings, url: str, abi: Sequence[Any], alias: str, log: Path, kind: str = "honest") -> None:
    """One seat's process, from beginning to end: what `ape run participate` does, with its log in a file. kind: honest, or a
    cheat's."""
    with log.open("a") as out:
        result = Log(out)
        try:
            signer = ape_accounts.AccountSigner(ape_accounts.account(alias, local=True))
            run(participate(settings, [url], abi, signer, result, cast=adversaries.cast(kind)))
        except Exception as error:
            result.error(f"{type(error).__name__}: {error}")
            raise SystemExit(1) from error


def chaos_test(script: Script, out: Path, say: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """Runs the test; writes OUT/summary.json, a log for each seat, journals and store. Raises TreatyError if it cannot
    start."""
    if (out / "summary.json").exists():
        raise TaskError(f"{out} holds an earlier run: give another --out, or remove that folder")
    if script.minutes <= 0 or script.seats < 3:
        raise TaskError("give at least 3 seats, and more than 0 minutes")
    out.mkdir(parents=True, exist_ok=True)
    return _ChaosTest(script, out.resolve(), say).run()


class _ChaosTest:
    def __init__(self, script: Script, out: Path, say: Callable[[str], None]):
        self.script, self.out, self.say = script, out, say
        self.dice = random.Random(script.seed)
        self.tally = Tally()
        self.began = time.monotonic()
        self.store = LocalStore(out / "store")
        self.actors: list[Actor] = []
        self.reported = 0
        # One process loads what all need and forks the others, so that a restart does not pay for imports.
        self.stage = multiprocessing.get_context("forkserver")
        self.stage.set_forkserver_preload(["fl.tools.simulation.chaos"])

    def run(self) -> dict[str, Any]:
        node, url = start_chain(self.out / "chain.log")
        self.rpc = Rpc([url])
        try:
            self._build(url)
            self._play()
            return self._summary()
        finally:
            for actor in self.actors:
                actor.kill()
                actor.proxy.close()
            node.kill()
            node.wait()

    # ---- before

    def _build(self, url: str) -> None:
        script = self.script
        length = SPEED * script.window
        window = {f"{name}_window": length for name in ("commit", "reveal", "draw", "score_commit", "score_reveal")}
        window |= {"settle_window": length, "show_window": length, "propose_window": length}
        task = load_task(script.task)
        walk = (depth_of(build(task, 0)) + 3) * MIN_WINDOW  # the least that the contract allows
        window |= {"challenge_window": max(walk, length), "answer_window": MIN_WINDOW}
        with ape_accounts.connected(url):
            accounts = ape_accounts.local_accounts(OWNERS + script.seats + 1)
            self.say("deploying, and seating everybody")
            done = deploy(task, window, accounts[0], self.store, seed=script.seed)
            self.abi = ape_accounts.abi("Federation")
            token = ape_accounts.contract("TestToken").at(done.token)
            federation = ape_accounts.contract("Federation").at(done.federation)
            self.node = FederationReader(self.rpc, self.abi, done.federation)
            terms = self.node.terms
            stake = terms.min_stake + 2 * terms.fraud_slash
            budget = ROUNDS_FUNDED * terms.round_cost(script.seats + 1)
            deposits = 200 * terms.demand_deposit
            owners = accounts[OWNERS : OWNERS + script.seats + 1]
            for account, amount in [(accounts[0], budget), *((a, stake + deposits) for a in owners)]:
                ape_accounts.transact(token.mint, account, amount, sender=accounts[0])
                ape_accounts.transact(token.approve, federation, amount, sender=account)
            ape_accounts.transact(federation.fund, budget, sender=accounts[0])
            for seat in range(script.seats + 1):
                owner, operator = accounts[OWNERS + seat], accounts[OPERATORS + seat]
                ape_accounts.transact(federation.join, owner, operator, stake, b"", sender=owner)
                ape_accounts.transact(federation.give, operator, deposits, sender=owner)
        self.whole = stake
        for seat in range(script.seats + 1):
            self.actors.append(self._actor(seat, url))

    def _actor(self, seat: int, url: str) -> Actor:
        proxy, seats = Proxy(url), self.script.seats
        settings = Settings(
            self.node.address,
            [str(self.store.path)],
            shard=f"{seat % seats}/{seats}",
            seat=seat,
            journal=self.out / f"seat-{seat}",
            confirmations=2,
            poll=0.1 if self.script.paced else 0.5,
            timeout=3.0,
            seed=self.script.seed,
        )
        log = self.out / f"seat-{seat}.log"
        kind = LIAR if seat == seats else "honest"
        given = (settings, proxy.url, self.abi, f"TEST::{OPERATORS + seat}", log, kind)
        return Actor(seat, lambda: self.stage.Process(target=play, args=given, daemon=True), proxy, log)

    # ---- during

    def _play(self) -> None:
        self.say(f"{self.script.seats} participants and a lying proposer, each a process of its own")
        for actor in self.actors:
            actor.start()
        # otherwise the chain's clock would follow this machine's, and a slow machine would miss deadlines
        if self.script.paced:
            self.rpc("evm_setAutomine", False)
        else:
            self.rpc("anvil_setBlockTimestampInterval", self._advance())
            self.rpc("evm_setIntervalMining", max(1, round(self.script.block_time)))
        self.began = time.monotonic()
        self.history = History(self.node.terms.committee)
        next_fault, checked, back_at = self._soon(), 0.0, {}
        ends = self.began + 60 * self.script.minutes
        while time.monotonic() < ends or not self._enough():
            if time.monotonic() > ends + 900:
                raise ChainError("no round ended within 15 minutes: see the logs of the seats")
            if self.script.paced:
                self._block()
            else:
                time.sleep(0.1)
            now = time.monotonic()
            for actor in self.actors:
                self._recovered(actor, now)
            if now >= next_fault:
                if (victim := self._fault()) is not None:
                    back_at[victim] = now + (0 if self.script.paced else self.dice.uniform(0, 2))
                next_fault = self._soon()
            for actor in [a for a, when in back_at.items() if now >= when]:
                actor.start()
                del back_at[actor]
            if now - checked > 2:
                self._watch()
                checked = now
        self._calm(back_at)

    def _soon(self) -> float:
        return time.monotonic() + self.dice.uniform(0.5, 1.5) * self.script.every

    def _block(self) -> None:
        """Makes a block, a step of the clock later, once every running daemon has read the last one and begun to read again."""
        running = [a for a in self.actors if a.process is not None and a.process.is_alive()]
        before = {a: a.looks for a in running}
        until = time.monotonic() + 120
        while any(a.looks < before[a] + 2 for a in running if a.process is not None and a.process.is_alive()):
            if time.monotonic() > until:
                break
            time.sleep(0.02)
        head = int(self.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
        self.rpc("evm_setNextBlockTimestamp", head + self._advance())
        self.rpc("evm_mine")

    def _advance(self) -> int:
        """Seconds of the chain's clock from one block to the next."""
        return SPEED * max(1, round(self.script.block_time))

    def _fault(self) -> Actor | None:
        """Draws a fault and causes it. Returns the actor that was killed and is to be restarted."""
        honest = [a for a in self.actors[:-1] if a.process is not None and a.killed_at is None]
        kinds = ["kill", "kill", "reorg", *KINDS]
        # Each kind once before any twice, so that a short test shows all of them.
        fresh = [k for k in kinds if not self.tally.faults[k]]
        kind = self.dice.choice(fresh or kinds)
        if kind == "reorg":
            depth = self.dice.randint(1, 2)
            self.rpc("anvil_reorg", depth, [])
            self.tally.faults["reorg"] += 1
            self.say(f"{self._clock()} a reorganisation takes back {depth} blocks")
            return None
        if not honest:
            return None
        actor = self.dice.choice(honest)
        self.tally.faults[kind] += 1
        if kind == "kill":
            actor.kill()
            self.say(f"{self._clock()} seat {actor.seat} is killed")
            return actor
        seconds, chance = self.dice.uniform(2, 6), self.dice.choice([0.3, 0.6, 1.0])
        actor.trouble(kind, seconds, chance)
        self.say(f"{self._clock()} seat {actor.seat}'s node: {kind}, {chance:.0%} of calls for {seconds:.0f} s")
        return None

    def _recovered(self, actor: Actor, now: float) -> None:
        if actor.process is not None and actor.killed_at is not None and actor.looks:
            self.tally.recoveries.append(now - actor.killed_at)
            actor.killed_at = None

    def _watch(self) -> None:
        """Reads the chain directly and reports what is new."""
        self.history = History(self.node.terms.committee)
        head = self.node.block("latest")
        self.history.apply(self.node._events(self.node.start, head))
        finished = [r for r in self.history.rounds if r.finalized]
        for log in finished[self.reported :]:
            fell = [p.seat for p in log.proposals if p.fell]
            end = "void" if log.voided else "a new model" if log.adopted else "model unchanged"
            lies = f"; the proposal of {fell} fell" if fell else ""
            self.say(f"{self._clock()} round {log.number}: {end}, {len(log.reveals)} revealed{lies}")
        self.reported = len(finished)

    def _enough(self) -> bool:
        """Whether a round has ended and stopping now would cost nobody stake."""
        self._watch()
        return self.reported >= 1 and all(a.killed_at is None for a in self.actors) and self.history.rounds[-1].finalized

    def _calm(self, back_at: dict[Actor, float]) -> None:
        for actor in back_at:
            actor.start()
        for actor in self.actors:
            if actor.process is not None:
                actor.process.terminate()
        for actor in self.actors:
            if actor.process is not None:
                actor.process.join(60)
        self._watch()

    def _clock(self) -> str:
        return f"{time.monotonic() - self.began:6.0f} s "

    # ---- after

    def _summary(self) -> dict[str, Any]:
        honest, denomination = range(self.script.seats), self.node.denomination
        rounds = self.history.rounds
        slashes = [e.fields for e in self.history.events if e.name == "Slashed"]
        lost = sum(self.whole - self.history.seats[seat].stake for seat in honest)
        self.tally.faults["lying proposer"] = sum(p.fell for r in rounds for p in r.proposals)
        try:
            verdict = Auditor.of(self.node, self.store).run(self._finished())
        except AuditError as error:
            verdict = Verdict.failed(error)
        recoveries = sorted(self.tally.recoveries)
        logs = "".join(a.log.read_text(errors="replace") for a in self.actors)
        summary = {
            "script": asdict(self.script),
            "minutes": round((time.monotonic() - self.began) / 60, 2),
            "rounds": {
                "finished": sum(r.finalized for r in rounds),
                "new_model": sum(r.adopted for r in rounds),
                "void": sum(r.voided for r in rounds),
            },
            "faults": dict(sorted(self.tally.faults.items())),
            "honest_stake_lost": denomination.tokens(lost),
            "slashes": [
                {"seat": s["seat"], "offence": s["offence"], "tokens": denomination.tokens(s["amount"])} for s in slashes
            ],
            "recovery_seconds": {
                "kills": len(recoveries),
                "median": round(statistics.median(recoveries), 1) if recoveries else None,
                "most": round(recoveries[-1], 1) if recoveries else None,
            },
            "transactions_undone_and_sent_again": logs.count("the same bytes go out again"),
            "audit": asdict(verdict),
        }
        write_durably(self.out / "summary.json", json.dumps(summary, indent=1).encode())
        return summary

    def _finished(self) -> list[Any]:
        """The events up to the end of the last finished round, since an audit needs whole rounds."""
        events = self.history.events
        last = max((i for i, e in enumerate(events) if e.name == "Finalized"), default=-1)
        return events[: last + 1]
