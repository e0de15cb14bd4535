"""Daemons on a real node, in one process: one seat each, keys and journals of their own, and a clock that moves on demand."""

from __future__ import annotations

import io
import itertools
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from support.evm import AnvilEvm, contract_types
from support.keys import Key, key_of
from support.system import System, owner

from fl.agents.record.public_record import Record
from fl.agents.roles.casting import Cast, honest, whole_seat
from fl.agents.roles.training import SeatTrainer, TrainingOptions
from fl.agents.runtime.agent import Agent
from fl.agents.runtime.daemon import Daemon, Pace
from fl.agents.runtime.journal import Identity, Journal
from fl.agents.runtime.workers import Inline, Workers
from fl.learning.codec import depth_of, to_vector
from fl.learning.data.partition import split
from fl.learning.evaluator import Evaluator
from fl.learning.task import build
from fl.learning.task_loading import load_task
from fl.log import Log
from fl.network.federation import FederationReader
from fl.network.host_relay import HostRelay
from fl.network.rpc import Rpc
from fl.network.sender import Fees, Sender
from fl.network.stores.base import Writer
from fl.network.stores.local import LocalStore
from fl.protocol.artifact import Kind, pack_model
from fl.protocol.phases import Phase
from fl.tools.federation.deploy import manifest_of

ETHER = 10**18
NUMBERS = itertools.count()


class DaemonCluster:
    """A federation on a node of its own. `mark` and `back` bring chain and folders to where they were."""

    SEATS = 4

    def __init__(self, folder: Path, **terms: Any):
        # A chain id of its own: nodes that begin alike are one chain to a daemon, which lets no second one sit on a seat.
        self.folder, self.evm = folder, AnvilEvm(1_000_000 + 1_000 * os.getpid() + next(NUMBERS))
        self.task = load_task("linear")
        self.store = LocalStore(folder / "store")
        model = pack_model(to_vector(build(self.task, 0)))
        self.store.put(model, Kind.MODEL)
        self.manifest = manifest_of(self.task, 0)
        facts = {"depth": depth_of(build(self.task, 0)), "max_exponent": self.task.max_exponent}
        facts["manifest"] = self.store.put_manifest(self.manifest)
        self.system = System.create(self.evm, model=model, **facts, **terms)
        self.system.join(self.SEATS, self.system.terms.min_stake + 2 * self.system.terms.fraud_slash).fund()
        self.data = split(self.task.data(), self.SEATS, None, 0)
        for seat in range(self.SEATS):
            self.hand_over(seat, key_of(seat))
        self.mine(4)  # as deep as any daemon here wants it
        self.evaluator = Evaluator(self.task)
        self.daemons: dict[int, Daemon] = {}
        self._journals: list[Journal] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.evm.connection.port}"

    def hand_over(self, seat: int, key: Key) -> None:
        """The owner names a new operator, who gets ether for gas, and the credit that joining gives."""
        terms = self.system.terms
        self.evm.rpc("anvil_setBalance", key.address, hex(100 * ETHER))
        if terms.demand_deposit:
            self.system.do("give", key.address, terms.demands_to_pay() * terms.demand_deposit, by=owner(seat))
        self.system.do("setOperator", seat, key.address, by=owner(seat))

    def daemon(
        self,
        seat: int,
        *,
        key: Key | None = None,
        urls: list[str] | None = None,
        journal: Path | None = None,
        depth: int = 1,
        fees: Fees | None = None,
        timeout: float = 10.0,
        store: Any = None,
        cast: Cast = honest,
        trainer: SeatTrainer | None = None,
        ahead: bool = True,
        workers: Workers | None = None,
        as_json: bool = False,
        relays: Sequence[str] = (),
        token: str = "",
    ) -> Daemon:
        """Starts a seat's daemon, as `ape run participate` would, but that it works within its looks by default."""
        key = key or key_of(seat)
        log = Log(io.StringIO(), as_json)
        rpc = Rpc(urls or [self.url], timeout=timeout, failed=lambda *facts: log.warn(" ".join(facts)), sleep=lambda _: None)
        abi = contract_types()["Federation"].abi
        node = FederationReader(rpc, abi, self.system.federation.address, depth, self.evm.chain_id)
        identity = Identity(node.chain_id, node.genesis, node.address, seat)
        held = Journal(journal or self.folder / f"seat-{seat}", identity)
        self._journals.append(held)
        node.keep(held.folder / "logs")
        sender = Sender(rpc, key, node.chain_id, held.transactions, fees or Fees(), log, node.refusal)
        store = store or self.store
        trio = cast(seat, self.evaluator, self.data.shards[seat], 0, held.folder, TrainingOptions(trainer, ahead=ahead))
        writer = Writer(node.chain_id, node.address, seat, key.sign_typed, log.warn, token)
        relay = HostRelay(relays, writer, seconds=1.0) if relays else None
        roles = whole_seat(trio, seat, key.address, held.folder)
        agent = Agent(f"seat {seat}", key, roles, held.folder, store, seat, relay=relay)
        pace, work = Pace(0.01, 0.01, turn=1), workers or Inline()
        return Daemon(node, sender, held, agent, lambda: Record(node.terms, self.manifest, store), log, pace, work)

    def start(self, *seats: int, **options: Any) -> DaemonCluster:
        for seat in seats or range(self.SEATS):
            self.daemons[seat] = self.daemon(seat, **options)
        return self

    def end(self, *seats: int) -> None:
        """Ends some daemons, or everybody that was ever started."""
        for seat in seats or list(self.daemons):
            self.daemons.pop(seat).journal.close()
        for journal in [] if seats else self._journals:
            journal.close()

    # ---- the clock and the crowd

    @property
    def phase(self) -> Phase:
        return Phase(self.system.phase)

    def mine(self, blocks: int = 1) -> None:
        self.evm.mine(blocks)

    def skip(self) -> None:
        """To the second in which the next phase begins; to the half first where daemons wait so long for files."""
        end, terms = self.system.see("phaseEnd"), self.system.terms
        half = end - {Phase.SCORE_COMMIT: terms.score_commit_window, Phase.SHOW: terms.show_window}.get(self.phase, 0) // 2
        if self.now < half:
            end = half
        if end > self.now:
            self.evm.time = end
            self.evm.rpc("evm_setNextBlockTimestamp", end)
        self.mine()

    @property
    def now(self) -> int:
        return int(self.evm.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def settle_down(self, quiet: int = 5, until: Phase | None = None) -> None:
        """Ticks everybody, a block at a time, until nobody had anything to do for so many blocks, or a phase has begun."""
        idle = looks = 0
        while idle < quiet and (until is None or self.phase is not until):
            looks += 1
            assert looks < 200, "".join(logged(daemon)[-2000:] for daemon in self.daemons.values())
            acted = sum(daemon.tick() for daemon in self.daemons.values())  # everybody, not up to the first
            idle = 0 if acted else idle + 1
            self.mine()

    def play_to(self, phase: Phase, number: int = 1) -> None:
        """Until a round is in a phase, at its first block, before anybody acted in it."""
        while (self.system.round.number, self.phase) != (number, phase):
            before = self.phase
            self.settle_down(until=phase)
            if self.phase is before:
                self.skip()

    def play_to_open(self) -> None:
        """A fresh round, opened by nobody's daemon."""
        self.system.do("openRound")
        self.mine(2)

    def play_round(self, number: int = 1) -> None:
        """To the end of a round, everybody acting."""
        while (r := self.system.round).number < number or (r.number == number and r.live):
            before = self.phase
            self.settle_down()
            if self.phase is before:
                self.skip()

    def stakes(self) -> list[int]:
        return [self.system.seat(seat).stake for seat in range(self.SEATS)]

    def sent(self, key: Key) -> int:
        return int(self.evm.rpc("eth_getTransactionCount", key.address, "latest"), 16)

    # ---- back to where it was

    def mark(self) -> tuple[str, Path]:
        copy = self.folder.parent / f"{self.folder.name}-mark"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.folder, copy)
        return self.evm.rpc("evm_snapshot"), copy

    def back(self, mark: tuple[str, Path]) -> tuple[str, Path]:
        """Returns a mark of the same place: a snapshot is used up by its restore."""
        self.mine()  # waits for a block under way, which would come to lie above a gap in the chain that was put back
        assert self.evm.rpc("evm_revert", mark[0])
        shutil.rmtree(self.folder)
        shutil.copytree(mark[1], self.folder)
        self.evm.time = self.now
        return self.evm.rpc("evm_snapshot"), mark[1]

    def close(self) -> None:
        self.end()
        self.evm.close()


def logged(daemon: Daemon) -> str:
    """Everything that a daemon has logged."""
    out = daemon.log.out
    assert isinstance(out, io.StringIO)
    return out.getvalue()
