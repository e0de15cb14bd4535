"""Whole federations with real agents, real training and a real store, on the in-process engine: a round in a blink."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from support.evm import Reverted
from support.system import STRANGER, System, operator

from fl.agents import adversaries
from fl.agents.record.public_record import Record
from fl.agents.record.view import View
from fl.agents.roles.answerer import Answerer
from fl.agents.roles.challenger import Challenger
from fl.agents.roles.keeper import Keeper
from fl.agents.runtime.agent import Agent
from fl.agents.runtime.lockstep import Loop
from fl.errors import ChainError
from fl.learning.codec import depth_of, to_vector
from fl.learning.data.partition import split
from fl.learning.task import build, load_task
from fl.learning.trainer import Evaluator
from fl.network.ape_accounts import Event, Receipt
from fl.network.denomination import denomination_of
from fl.network.federation import Accounting
from fl.network.stores.base import LocalStore
from fl.protocol.artifact import Kind, pack_model, parse_model
from fl.protocol.phases import RoundFacts
from fl.tools.audit.auditor import Auditor
from fl.tools.audit.verdict import Verdict
from fl.tools.federation.deploy import manifest_of


class LocalClient:
    """FederationClient's face over a System."""

    def __init__(self, system: System):
        self.system = system
        self.address, self.chain_id, self.terms = system.federation.address, system.evm.chain_id, system.terms
        self.denomination = denomination_of(system.token.call("decimals"), system.token.call("symbol"))
        self._events: list[Event] = []
        self.calls = 0
        inner = system.evm.write

        def write(to: str, data: bytes, by: str) -> Any:
            block = system.evm.block
            events = inner(to, data, by)
            if to == self.address:
                self._events += [
                    Event(name, dict(f), block, i, str(block)) for i, (name, f) in enumerate(events) if name in KNOWN
                ]
            return events

        system.evm.write = write

    def new_events(self) -> list[Event]:
        taken, self._events = self._events, []
        return taken

    def moment(self) -> tuple[int, int]:
        return self.system.evm.time, self.system.evm.block

    def facts(self) -> RoundFacts:
        return RoundFacts(*self.system.round.values())

    def pool(self) -> int:
        return self.accounting().pool

    def accounting(self) -> Accounting:
        return Accounting(**self.system.accounting(), held=self.system.held())

    def concluded(self) -> bool:
        return self.system.see("concluded")

    def wait_until(self, time_: int) -> None:
        self.system.evm.warp(max(time_, self.system.evm.time))

    def wait_blocks(self, number: int) -> None:
        self.system.evm.mine(max(0, number - self.system.evm.block))

    def send(self, sender: str, function: str, *args: Any) -> Receipt:
        self.calls += 1
        try:
            self.system.do(function, *args, by=sender)
        except Reverted as error:
            raise ChainError(f"the contract rejected the call: {error}") from error
        return Receipt("", 0, 0)


KNOWN = {e["name"] for e in __import__("support.evm").evm.contract_types()["Federation"].abi if e["type"] == "event"}


class InProcessFederation:
    """A federation of agents: honest seats first, then the kinds named."""

    def __init__(
        self, folder: Path, task: str = "linear", honest: int = 4, kinds: Sequence[str] = (), rounds: int = 2, **terms: Any
    ):
        self.task = load_task(task)
        self.store = LocalStore(folder / "store")
        model = pack_model(to_vector(build(self.task, 0)))
        self.store.put(model, Kind.MODEL)
        self.manifest = manifest_of(self.task, 0)
        depth = depth_of(build(self.task, 0))
        exponent = self.task.max_exponent
        self.system = System.create(
            model=model, depth=depth, max_exponent=exponent, manifest=self.store.put_manifest(self.manifest), **terms
        )
        self.client = LocalClient(self.system)
        seats, everybody = honest + len(kinds), ["honest"] * honest + list(kinds)
        self.system.join(seats, self.system.terms.min_stake + 2 * self.system.terms.fraud_slash).fund()
        self.data = split(self.task.data(), honest, None, 0)
        self.evaluator = Evaluator(self.task)
        self.record = Record(self.system.terms, self.manifest, self.store)
        self.agents = [self._agent(seat, everybody, folder) for seat in range(seats)]
        self.agents.sort(key=lambda agent: agent.kind == "honest")
        self.system.rich(STRANGER)
        housekeeping = (Challenger(), Answerer(), Keeper(rounds))
        self.agents.append(Agent("house", STRANGER, housekeeping, folder / "house", self.store))
        self.loop = Loop(self.client, self.record, self.agents)

    def _agent(self, seat: int, kinds: Sequence[str], folder: Path) -> Agent:
        kind = kinds[seat]
        shard = self.data.shards[seat % len(self.data.shards)]
        journal = folder / str(seat)
        roles = adversaries.cast(kind, seat, self.evaluator, shard, 0, journal, [s for s, k in enumerate(kinds) if k == kind])
        return Agent(f"{kind} {seat}", operator(seat), roles, journal, self.store, seat, kind)

    def run(self) -> View:
        return self.loop.run()

    def metric(self) -> float:
        root = self.system.see("model")
        depth = self.system.terms.depth
        return self.evaluator.metric(parse_model(self.store.get(root, Kind.MODEL, depth), depth), self.data.test)

    def events(self) -> list[Event]:
        self.loop.look()
        return list(self.loop.history.events)

    def audit(self, events: list[Event] | None = None) -> Verdict:
        auditor = Auditor(self.client.chain_id, self.client.address, self.client.terms, self.store)
        auditor.run(events if events is not None else self.events())
        auditor.compare_accounting(self.client.accounting())
        auditor.compare_model(self.system.see("model"))
        return auditor.verdict()
