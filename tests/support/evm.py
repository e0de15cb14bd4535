"""Two engines with one face, an in-process EVM (fast) and a node over raw JSON-RPC (real); both run what Ape compiled.

    evm = LocalEvm(); token = evm.deploy("TestToken"); token.send("mint", a, 5, by=a); token.call("balanceOf", a)

`send` returns the events as (name, {field: value}) pairs; a refusal raises Reverted with the error's name and fields.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

import pyrevm
import rlp
from eth_abi import decode, encode
from eth_hash.auto import keccak

from fl.network.headers import ALWAYS, NUMBERS, header_of
from fl.network.identity import DEPLOYER, create2

CODE_SIZE = 2**16 if "TREATY_BUILD" in os.environ else None  # a campaign compiles fast, not small
BUILD = Path(os.environ.get("TREATY_BUILD", Path(__file__).parents[2] / ".build" / "__local__.json"))
CHAIN_ID = 31337
# The history contract of EIP-2935, and who writes into it: block n begins by keeping the hash of block n - 1.
HISTORY = "0x0000F90827F1C53a10cb7A02335B175320002935"
HISTORY_CODE = bytes.fromhex(
    "3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111604257611fff81430311604257611fff9006545f52"
    "60205ff35b5f5ffd5b5f35611fff60014303065500"
)
SYSTEM_CALLER = "0xfffffffffffffffffffffffffffffffffffffffe"
EMPTY = dict.fromkeys(("parentHash", "stateRoot", "transactionsRoot", "receiptsRoot", "sha3Uncles"), "0x" + "00" * 32) | {
    "miner": "0x" + "00" * 20,
    "logsBloom": "0x" + "00" * 256,
    "difficulty": "0x0",
    "gasLimit": "0x0",
    "gasUsed": "0x0",
    "timestamp": "0x0",
    "extraData": "0x",
    "nonce": "0x" + "00" * 8,
    "baseFeePerGas": "0x0",
}
GENESIS_TIME = 1_800_000_000


class Reverted(Exception):
    """The call was refused; `name` and `fields` as the contract's error says."""

    def __init__(self, name: str, fields: tuple[Any, ...]):
        super().__init__(f"{name}{fields}")
        self.name, self.fields = name, fields


@contextmanager
def refused(name: str, *fields: Any):
    """The block must be refused with exactly this error and these fields."""
    try:
        yield
    except Reverted as error:
        assert (error.name, error.fields) == (name, fields), f"refused with {error}, expected {name}{fields}"
        ASSERTED.add(name)
    else:
        raise AssertionError(f"not refused; expected {name}{fields}")


ASSERTED: set[str] = set()


def _type(entry: dict) -> str:
    kind = entry["type"]
    if kind.startswith("tuple"):
        return "(" + ",".join(_type(c) for c in entry["components"]) + ")" + kind[5:]
    return kind


def signature_of(entry: dict) -> str:
    return entry["name"] + "(" + ",".join(_type(i) for i in entry.get("inputs", [])) + ")"


@dataclass(frozen=True, eq=False)
class ContractType:
    name: str
    abi: list[dict]
    code: bytes

    @cached_property
    def functions(self) -> dict[str, dict]:
        return {e["name"]: e for e in self.abi if e["type"] == "function"}

    @cached_property
    def selectors(self) -> dict[str, bytes]:
        return {name: keccak(signature_of(e).encode())[:4] for name, e in self.functions.items()}

    def arguments(self, args: tuple) -> bytes:
        """What the creation code is followed by."""
        inputs = next((e["inputs"] for e in self.abi if e["type"] == "constructor"), [])
        return encode([_type(i) for i in inputs], args)

    def question(self, function: str, args: tuple) -> bytes:
        return self._asked(function, args) if all(isinstance(a, int | str) for a in args) else self.encode(function, args)

    @lru_cache(1 << 14)  # noqa: B019  a view is mostly asked what it was asked before
    def _asked(self, function: str, args: tuple) -> bytes:
        return self.encode(function, args)

    def encode(self, function: str, args: tuple) -> bytes:
        return self.selectors[function] + encode([_type(i) for i in self.functions[function]["inputs"]], args)

    @lru_cache(1 << 14)  # noqa: B019  a view mostly says what it said before
    def decode(self, function: str, data: bytes) -> Any:
        outputs = self.functions[function]["outputs"]
        values = decode([_type(o) for o in outputs], data)
        values = tuple(_named(o, v) for o, v in zip(outputs, values, strict=True))
        return values[0] if len(values) == 1 else values


class Facts(dict):
    """A struct: fields by name, as items and as attributes."""

    __getattr__ = dict.__getitem__


def _named(entry: dict, value: Any) -> Any:
    if entry["type"] == "tuple":
        return Facts({c["name"]: _named(c, v) for c, v in zip(entry["components"], value, strict=True)})
    return value


@cache
def contract_types() -> dict[str, ContractType]:
    """Everything Ape compiled; `ape test` compiles first. A federation also answers for the part that it hands calls to."""
    types = json.loads(BUILD.read_text())["contractTypes"]
    for whole, part in (("Federation", "Disputes"), ("MaskedFederation", "MaskedDisputes")):
        if whole in types:  # a build of one contract alone has not both
            types[whole]["abi"] += [entry for entry in types[part]["abi"] if entry not in types[whole]["abi"]]
    return {
        name: ContractType(name, t["abi"], bytes.fromhex((t.get("deploymentBytecode") or {}).get("bytecode", "0x")[2:]))
        for name, t in types.items()
    }


@cache
def _errors() -> dict[bytes, dict]:
    found = {keccak(signature_of(e).encode())[:4]: e for t in contract_types().values() for e in t.abi if e["type"] == "error"}
    for name, kind in (("Error", "string"), ("Panic", "uint256")):
        entry = {"name": name, "type": "error", "inputs": [{"name": "reason", "type": kind}]}
        found[keccak(signature_of(entry).encode())[:4]] = entry
    return found


@cache
def _events() -> dict[bytes, dict]:
    return {keccak(signature_of(e).encode()): e for t in contract_types().values() for e in t.abi if e["type"] == "event"}


def revert_of(data: bytes) -> Reverted:
    entry = _errors().get(data[:4])
    if entry is None:
        return Reverted("Bare", (data,))
    return Reverted(entry["name"], decode([_type(i) for i in entry["inputs"]], data[4:]))


def event_of(topics: list[bytes], data: bytes) -> tuple[str, dict]:
    entry = _events()[topics[0]]
    plain = [i for i in entry["inputs"] if not i["indexed"]]
    values = dict(zip([i["name"] for i in plain], decode([_type(i) for i in plain], data), strict=True))
    indexed = [i for i in entry["inputs"] if i["indexed"]]
    for i, topic in zip(indexed, topics[1:], strict=True):
        values[i["name"]] = decode([_type(i)], topic)[0]
    return entry["name"], {i["name"]: values[i["name"]] for i in entry["inputs"]}


@dataclass
class Contract:
    evm: Any
    type: ContractType
    address: str

    def call(self, function: str, *args: Any) -> Any:
        return self.type.decode(function, self.evm.read(self.address, self.type.question(function, args)))

    def send(self, function: str, *args: Any, by: str) -> list[tuple[str, dict]]:
        return self.evm.write(self.address, self.type.encode(function, args), by)

    def data(self, function: str, *args: Any) -> bytes:
        return self.type.encode(function, args)


# The code of the deployer at a known address, which anvil has from the start: salt and creation code in, address out.
DEPLOYER_CODE = (
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b80"
    "82525050506014600cf3"
)


class Engine:
    def deploy_known(self, name: str, *args: Any, by: str = "0x" + "de" * 20) -> Contract:
        """Deploys at the address that follows from the code, unless it stands there."""
        kind = contract_types()[name]
        code = kind.code + kind.arguments(args)
        address = create2(DEPLOYER, bytes(32), code)
        if not self.code(address):
            self.write(DEPLOYER, bytes(32) + code, by)
        return Contract(self, kind, address)

    def deploy(self, name: str, *args: Any, by: str = "0x" + "de" * 20) -> Contract:
        kind = contract_types()[name]
        return Contract(self, kind, self.create(kind.code + kind.arguments(args), by))

    def at(self, name: str, address: str) -> Contract:
        return Contract(self, contract_types()[name], address)


def refusal_in(error: RuntimeError) -> Exception:
    """What pyrevm tells of a refusal, as Reverted; any other error as it is."""
    text = str(error)
    if "Revert" in text and "output: 0x" in text:
        return revert_of(bytes.fromhex(text.split("output: 0x")[1].split(" ")[0].rstrip("})")))
    return error


def encode_header(block: dict[str, str]) -> bytes:
    """The header of a block with London's fields."""
    names = [*ALWAYS, "baseFeePerGas"]
    return rlp.encode([int(block[n], 16) if n in NUMBERS else bytes.fromhex(block[n][2:]) for n in names])


@dataclass
class LocalEvm(Engine):
    """revm in this process. Its clock moves only on demand; every write is a block of its own."""

    chain_id: int = CHAIN_ID
    time: int = GENESIS_TIME
    block: int = 1000
    vm: Any = field(init=False)
    said: dict[tuple[str, bytes], bytes] = field(default_factory=dict)  # by views, in the present state and second
    gas: int | None = None  # what a call may use; None is as good as any amount

    def __post_init__(self) -> None:
        env = pyrevm.Env(cfg=pyrevm.CfgEnv(chain_id=self.chain_id, limit_contract_code_size=CODE_SIZE))
        self.vm = pyrevm.EVM(env=env, spec_id="CANCUN", gas_limit=2**63)
        self.vm.insert_account_info(DEPLOYER, pyrevm.AccountInfo(nonce=1, code=bytes.fromhex(DEPLOYER_CODE)))
        self.vm.insert_account_info(HISTORY, pyrevm.AccountInfo(code=HISTORY_CODE))
        self._sync()

    def _sync(self) -> None:
        self._at(self.block)
        self.said.clear()

    def _at(self, block: int) -> None:
        self.vm.set_block_env(pyrevm.BlockEnv(number=block, timestamp=self.time, prevrandao=self.randao(block)))

    def mark(self) -> tuple[Any, int, int]:
        return self.vm.snapshot(), self.time, self.block

    def back(self, mark: tuple[Any, int, int]) -> None:
        """To the state of `mark`, which is used up."""
        self.vm.revert(mark[0])
        self.time, self.block = mark[1:]
        self._sync()

    def warp(self, time: int) -> None:
        assert time >= self.time
        self.time = time
        self.mine()

    def mine(self, blocks: int = 1) -> None:
        self.block += blocks
        self._sync()

    def randao(self, number: int) -> bytes:
        """The randomness of a block."""
        return keccak(b"randao %d" % number)

    def block_facts(self, number: int) -> dict[str, str]:
        """A block as nodes show it, with the hash of its header."""
        facts = {**EMPTY, "number": hex(number), "mixHash": "0x" + self.randao(number).hex(), **self._more(number)}
        return {**facts, "hash": "0x" + keccak(encode_header(facts)).hex()}

    def _more(self, number: int) -> dict[str, str]:
        """What else a block's header says."""
        return {}

    def header(self, number: int) -> bytes:
        """The header of a block that was mined; the chain knows its hash from now on. This engine's opcode makes hashes up, to
        which no header can be found, so that they come from the history contract."""
        assert number < self.block
        header = encode_header(self.block_facts(number))
        self._at(number + 1)
        self._run(HISTORY, keccak(header), SYSTEM_CALLER)
        self._sync()
        return header

    def code(self, address: str) -> bytes:
        """revm keeps code with zeros behind it; the account's hash says where it ends."""
        code, digest = bytes(self.vm.get_code(address) or b""), bytes(self.vm.basic(address).code_hash)
        return next((code[:end] for end in (len(code) - 33, len(code)) if end >= 0 and keccak(code[:end]) == digest), b"")

    def create(self, code: bytes, by: str) -> str:
        self.said.clear()
        try:
            return self.vm.deploy(by, code)
        except RuntimeError as error:
            raise refusal_in(error) from None

    def read(self, to: str, data: bytes) -> bytes:
        """Views answer anew when something was written or time has passed; a refused write leaves nothing behind."""
        known = self.said.get((to, data))
        if known is None:
            mark = self.vm.snapshot()
            try:
                known = self.said[to, data] = self._run(to, data, "0x" + "00" * 20)
            finally:
                self.vm.revert(mark)
        return known

    def write(self, to: str, data: bytes, by: str) -> list[tuple[str, dict]]:
        self._run(to, data, by)
        result = []
        for log in self.vm.result.logs:
            topics, payload = log.data
            if bytes(topics[0]) in _events():
                result.append(event_of([bytes(t) for t in topics], bytes(payload)))
        self.mine()
        return result

    def _run(self, to: str, data: bytes, by: str) -> bytes:
        # Transient storage and refunds outlive a message call here; on a chain they do not outlive a transaction.
        self.vm.reset_transient_storage()
        try:
            return bytes(self.vm.message_call(caller=by, to=to, calldata=data, gas=self.gas))
        except RuntimeError as error:
            raise refusal_in(error) from None


class AnvilEvm(Engine):
    """A real node over raw JSON-RPC, with the same manners: any address may send, the clock moves only on demand.

    fork: whose rules it follows; its own default if empty."""

    def __init__(self, chain_id: int = CHAIN_ID, fork: str = ""):
        self.chain_id, self.time, self.gas, self.size = chain_id, GENESIS_TIME, 0, 0
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        flags = f"--port {port} --chain-id {chain_id} --timestamp {GENESIS_TIME} --base-fee 0 --gas-price 0 --silent"
        flags += f" --code-size-limit {CODE_SIZE}" if CODE_SIZE else ""
        flags += f" --hardfork {fork}" if fork else ""
        self.process = subprocess.Popen(["anvil", *flags.split(), "--auto-impersonate", "--enable-tx-gas-limit"])
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for _ in range(200):
            try:
                self.rpc("eth_blockNumber")
                break
            except (ConnectionError, http.client.HTTPException):
                self.connection.close()
                time.sleep(0.05)
        self.rpc("anvil_setBlockTimestampInterval", 0)

    def mark(self) -> tuple[str, int]:
        return self.rpc("evm_snapshot"), self.time

    def back(self, mark: tuple[str, int]) -> None:
        """To the state of `mark`, which is used up; the same calls then give the same blocks again."""
        assert self.rpc("evm_revert", mark[0])
        self.time = mark[1]

    def close(self) -> None:
        self.connection.close()
        self.process.terminate()
        self.process.wait()

    def rpc(self, method: str, *params: Any) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        self.connection.request("POST", "/", body, {"Content-Type": "application/json"})
        reply = json.loads(self.connection.getresponse().read())
        if "error" in reply:
            data = reply["error"].get("data")
            if isinstance(data, str) and data.startswith("0x"):
                raise revert_of(bytes.fromhex(data[2:]))
            raise RuntimeError(f"{method}: {reply['error']}")
        return reply["result"]

    @property
    def block(self) -> int:
        return int(self.rpc("eth_blockNumber"), 16) + 1

    def warp(self, time: int) -> None:
        assert time >= self.time
        if time > self.time:
            self.rpc("evm_setNextBlockTimestamp", time)
            self.time = time
        self.mine()

    def mine(self, blocks: int = 1) -> None:
        self.rpc("anvil_mine", hex(blocks), "0x0")

    def header(self, number: int) -> bytes:
        """The header of a block that was mined."""
        return header_of(self.rpc("eth_getBlockByNumber", hex(number), False))

    def code(self, address: str) -> bytes:
        return bytes.fromhex(self.rpc("eth_getCode", address, "latest")[2:])

    def create(self, code: bytes, by: str) -> str:
        return self._transact({"from": by, "data": "0x" + code.hex()})["contractAddress"]

    def read(self, to: str, data: bytes) -> bytes:
        return bytes.fromhex(self.rpc("eth_call", {"to": to, "data": "0x" + data.hex()}, "latest")[2:])

    def write(self, to: str, data: bytes, by: str) -> list[tuple[str, dict]]:
        """As LocalEvm.write; `gas` and `size` then hold the receipt's gas and the calldata's bytes."""
        receipt = self._transact({"from": by, "to": to, "data": "0x" + data.hex()})
        self.size = len(data)
        logs = [([bytes.fromhex(t[2:]) for t in log["topics"]], bytes.fromhex(log["data"][2:])) for log in receipt["logs"]]
        return [event_of(topics, payload) for topics, payload in logs if topics[0] in _events()]

    def _transact(self, transaction: dict) -> dict:
        receipt = self.rpc("eth_sendTransactionSync", {**transaction, "gas": hex(16_777_216), "gasPrice": "0x0"})
        if int(receipt["status"], 16) != 1:
            # Its own trace says why; a call made afterwards would run in another block.
            tracer = {"tracer": "callTracer", "tracerConfig": {"onlyTopCall": True}}
            output = self.rpc("debug_traceTransaction", receipt["transactionHash"], tracer).get("output", "0x")
            if len(output) > 2:
                raise revert_of(bytes.fromhex(output[2:]))
            raise RuntimeError(f"failed without a reason: {receipt}")
        self.gas = int(receipt["gasUsed"], 16)
        return receipt
