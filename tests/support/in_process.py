"""Whole federations with real agents, real training and a real store, on the in-process engine: a round in a blink.

The engine answers the JSON-RPC calls that reader and sender make, so that all of it, keys, signatures and journals included, is
the code that a participant runs.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.typed_transactions import TypedTransaction
from eth_hash.auto import keccak
from eth_utils import to_checksum_address
from hexbytes import HexBytes
from support.evm import LocalEvm, event_of
from support.keys import Key, key_of
from support.system import System, owner

from fl.agents import adversaries
from fl.agents.record.public_record import Record
from fl.agents.record.view import View
from fl.agents.roles.answerer import Answerer
from fl.agents.roles.challenger import Challenger
from fl.agents.roles.keeper import Keeper
from fl.agents.roles.partners import Partners
from fl.agents.roles.reporter import Reporter
from fl.agents.roles.training import TrainingOptions
from fl.agents.runtime.agent import Agent, Role
from fl.agents.runtime.lockstep import Lockstep
from fl.learning.codec import depth_of, to_vector
from fl.learning.data.partition import split
from fl.learning.evaluator import Evaluator
from fl.learning.task import build
from fl.learning.task_loading import load_task
from fl.network.events import Event
from fl.network.federation import FederationReader
from fl.network.rpc import NodeRefused
from fl.network.stores.local import LocalStore
from fl.protocol.artifact import Kind, pack_model, parse_model
from fl.protocol.manifest import Manifest
from fl.protocol.mode import Mode
from fl.tools.audit.auditor import Auditor
from fl.tools.audit.verdict import Verdict
from fl.tools.federation.deploy import manifest_of
from fl.tools.federation.terms_file import everybody

NOBODY = "0x" + "00" * 20
HOUSE = Key(0x4005E)  # whose agent checks, answers and moves rounds on, and has no seat


class InProcessChain(LocalEvm):
    """The engine as a Chain: every transaction is a block of its own, mined when it comes. It shows no state of the past."""

    def __post_init__(self) -> None:
        self.urls, self.failures = ["in process"], Counter[str]()
        self.logs: list[dict[str, Any]] = []
        self.receipts: dict[str, dict[str, Any]] = {}
        self.nonces: Counter[str] = Counter()
        self._since, self._times = [0], [self.time]  # a block, and the time of it and its successors
        self._next_time: int | None = None
        self._first, self._hashes = self.block, list[str]()  # of the blocks from the first one on, as far as somebody asked
        super().__post_init__()

    # ---- the engine's side

    def mine(self, blocks: int = 1) -> None:
        if self.time != self._times[-1]:
            self._since.append(self.block)
            self._times.append(self.time)
        super().mine(blocks)

    def back(self, mark: Any) -> None:
        super().back(mark)
        kept = bisect_right(self._since, self.block - 1)
        self._since, self._times = self._since[:kept], self._times[:kept]
        del self._hashes[max(0, self.block - self._first) :]
        self.logs = [log for log in self.logs if int(log["blockNumber"], 16) < self.block]

    def write(self, to: str, data: bytes, by: str) -> list[tuple[str, dict]]:
        """What nobody signed: the tests' own calls."""
        self._run(to, data, by)
        events = self._keep_logs("0x" + keccak(f"{self.block} {to}".encode() + data).hex())
        self.mine()
        return events

    def _keep_logs(self, transaction: str) -> list[tuple[str, dict]]:
        events = []
        for index, log in enumerate(self.vm.result.logs):
            topics, payload = [bytes(t) for t in log.data[0]], bytes(log.data[1])
            try:
                events.append(event_of(topics, payload))
            except KeyError:  # of another contract
                continue
            self.logs.append(
                {
                    "address": to_checksum_address(log.address),
                    "topics": ["0x" + t.hex() for t in topics],
                    "data": "0x" + payload.hex(),
                    "blockNumber": hex(self.block),
                    "blockHash": self._hash(self.block),
                    "logIndex": hex(index),
                    "transactionHash": transaction,
                    "removed": False,
                }
            )
        return events

    # ---- the chain's side

    def __call__(self, method: str, *params: Any) -> Any:
        return getattr(self, f"_{method}")(*params)

    def each(self, method: str, *params: Any) -> list[Any]:
        return [self(method, *params)]

    def _hash(self, number: int) -> str:
        for height in range(self._first + len(self._hashes), number + 1):
            self._hashes.append(self.block_facts(height)["hash"])
        return self._hashes[number - self._first] if number >= self._first else "0x" + keccak(b"%d" % number).hex()

    def _more(self, number: int) -> dict[str, str]:
        time = self._times[bisect_right(self._since, number) - 1]
        return {"timestamp": hex(time), "parentHash": self._hash(number - 1)}

    def _number(self, at: Any) -> int:
        """The block that a tag, a number or a hash names. Only the newest has a state to show."""
        if isinstance(at, dict):
            assert at["blockHash"] == self._hash(self.block - 1), "only the newest block has a state here"
        return self.block - 1 if isinstance(at, dict) or not at.startswith("0x") else int(at, 16)

    def _eth_chainId(self) -> str:
        return hex(self.chain_id)

    def _eth_getBlockByNumber(self, at: str, _: bool) -> dict[str, str] | None:
        number = self._number(at)
        if number >= self.block:
            return None
        if at.startswith("0x") and number >= self._first:
            self.header(number)  # the contract can be asked for its hash from now on
        return self.block_facts(number)

    def _eth_call(self, call: dict[str, str], at: Any) -> str:
        assert self._number(at) == self.block - 1
        return "0x" + self._asked(call)[0].hex()

    def _eth_estimateGas(self, call: dict[str, str], _: str) -> str:
        return hex(self._asked(call)[1])

    def _asked(self, call: dict[str, str]) -> tuple[bytes, int]:
        """(what a call returns, the gas that it takes); nothing of it stays."""
        mark = self.vm.snapshot()
        try:
            result = self._done("eth_call", call["to"], bytes.fromhex(call["data"][2:]), call.get("from", NOBODY))
            return result, 21_000 + int(self.vm.result.gas_used)
        finally:
            self.vm.revert(mark)

    def _done(self, method: str, to: str, data: bytes, by: str) -> bytes:
        self.vm.reset_transient_storage()
        try:
            return bytes(self.vm.message_call(caller=by, to=to, calldata=data))
        except RuntimeError as error:
            text = str(error)
            if "output: 0x" not in text:
                raise
            output = bytes.fromhex(text.split("output: 0x")[1].split(" ")[0].rstrip("})"))
            raise NodeRefused(method, 3, "execution reverted", output) from None

    def _eth_getBalance(self, address: str, _: str) -> str:
        return hex(1 << 80)  # gas is free on this engine

    def _eth_getCode(self, address: str, _: str) -> str:
        return "0x" + self.code(address).hex()

    def _eth_getLogs(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        first, last, topics = int(asked["fromBlock"], 16), int(asked["toBlock"], 16), asked.get("topics", [None])[0]
        return [
            log
            for log in self.logs
            if log["address"] == asked["address"] and first <= int(log["blockNumber"], 16) <= last
            if topics is None or log["topics"][0] in topics
        ]

    def _eth_getTransactionCount(self, address: str, _: str) -> str:
        return hex(self.nonces[address])

    def _eth_sendRawTransaction(self, raw: str) -> str:
        data = HexBytes(raw)
        fields, sender = TypedTransaction.from_bytes(data).as_dict(), Account.recover_transaction(data)
        if fields["chainId"] != self.chain_id or fields["nonce"] != self.nonces[sender]:
            raise NodeRefused("eth_sendRawTransaction", -32000, "nonce too low, too high, or another chain", b"")
        name, number, status = "0x" + keccak(bytes(data)).hex(), self.block, 1
        self.nonces[sender] += 1
        self.said.clear()
        try:
            self._done("eth_sendRawTransaction", "0x" + bytes(fields["to"]).hex(), bytes(fields["data"]), sender)
            self._keep_logs(name)
        except NodeRefused:
            status = 0
        gas = hex(21_000 + int(self.vm.result.gas_used))
        receipt = {"transactionHash": name, "blockNumber": hex(number), "blockHash": self._hash(number)}
        self.receipts[name] = {
            **receipt,
            "status": hex(status),
            "gasUsed": gas,
            "logs": [log for log in self.logs if log["transactionHash"] == name],
        }
        self.mine()
        return name

    def _eth_getTransactionReceipt(self, name: str) -> dict[str, Any] | None:
        return self.receipts.get(name)

    def _eth_getTransactionByHash(self, name: str) -> dict[str, Any] | None:
        return self.receipts.get(name)

    # ---- the clock

    def _anvil_setBlockTimestampInterval(self, _: int) -> None:
        """Here time goes by jumps alone."""

    def _anvil_removeBlockTimestampInterval(self) -> None: ...

    def _anvil_mine(self, blocks: str, _: str) -> None:
        self.mine(int(blocks, 16))

    def _evm_setNextBlockTimestamp(self, time: int) -> None:
        self._next_time = time

    def _evm_mine(self) -> None:
        self.warp(self._next_time if self._next_time is not None else self.time)
        self._next_time = None


def reader_of(system: System) -> FederationReader:
    """What anybody reads a system through, on whichever chain it is."""
    return FederationReader(system.evm, system.federation.type.abi, system.federation.address)


def operated(system: System, seat: int) -> Key:
    """The key that operates a seat from now on."""
    key = key_of(seat)
    system.do("setOperator", seat, key.address, by=owner(seat))
    return key


def lockstep_of(system: System, manifest: Manifest, store: LocalStore, agents: Sequence[Agent]) -> Lockstep:
    node = reader_of(system)
    return Lockstep(node, lambda: Record(system.terms, manifest, store), agents, io.StringIO())


def seen(system: System, manifest: Manifest, store: LocalStore) -> View:
    """What anybody sees of a system now."""
    return lockstep_of(system, manifest, store, []).look()


class InProcessFederation:
    """A federation of agents: honest seats first, then the kinds named."""

    def __init__(
        self,
        folder: Path,
        task: str = "linear",
        honest: int = 4,
        kinds: Sequence[str] = (),
        rounds: int = 2,
        mode: Mode = Mode.OPEN,
        **terms: Any,
    ):
        self.task, self.folder = load_task(task), folder
        self.store = LocalStore(folder / "store")
        model = pack_model(to_vector(build(self.task, 0)))
        self.store.put(model, Kind.MODEL)
        self.manifest = manifest_of(self.task, 0, mode=mode)
        if mode is Mode.MASKED:
            terms = {**everybody(honest), **terms}
        facts = {"depth": depth_of(build(self.task, 0)), "max_exponent": self.task.max_exponent}
        facts |= {"manifest": self.store.put_manifest(self.manifest)}
        self.system = System.create(InProcessChain(), model=model, mode=mode, **facts, **terms)
        seats, all_kinds = honest + len(kinds), ["honest"] * honest + list(kinds)
        self.system.join(seats, self.system.terms.min_stake + 2 * self.system.terms.fraud_slash).fund()
        self.data = split(self.task.data(), honest, None, 0)
        self.evaluator = Evaluator(self.task)
        self.agents = [self._agent(seat, all_kinds, folder) for seat in range(seats)]
        self.agents.sort(key=lambda agent: agent.kind == "honest")
        self.system.rich(HOUSE.address)
        housekeeping = (Challenger(), Answerer(), Keeper(rounds))
        self.agents.append(Agent("house", HOUSE, housekeeping, folder / "house", self.store))
        self.play(self.agents)

    def play(self, agents: Sequence[Agent]) -> None:
        """Who acts from now on."""
        self.agents = list(agents)
        self.loop = lockstep_of(self.system, self.manifest, self.store, agents)

    def _agent(self, seat: int, kinds: Sequence[str], folder: Path) -> Agent:
        kind, journal = kinds[seat], folder / str(seat)
        shard = self.data.shards[seat % len(self.data.shards)]
        cast = adversaries.cast(kind, [s for s, k in enumerate(kinds) if k == kind])
        partners = None
        if self.manifest.mode is Mode.MASKED:
            partners = Partners.of([key_of(other).address for other in range(len(kinds))])
        roles: tuple[Role, ...] = cast(seat, self.evaluator, shard, 0, journal, TrainingOptions(partners=partners))
        if kind == "honest":
            roles = (*roles, Reporter(seat, journal))
        return Agent(f"{kind} {seat}", operated(self.system, seat), roles, journal, self.store, seat, kind)

    @property
    def record(self) -> Record:
        return self.loop.record

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
        """Raises AuditError with the first difference, as `ape run audit` does."""
        return self.judged(events).or_raise()

    def judged(self, events: list[Event] | None = None) -> Verdict:
        node = self.loop.node
        auditor = Auditor.of(node, self.store)
        auditor.run(events if events is not None else self.events())
        auditor.compare_accounting(node.accounting())
        auditor.compare_model(self.system.see("model"))
        return auditor.verdict()
