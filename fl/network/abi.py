"""A contract's interface as raw bytes: encodes calls; decodes and checks results, logs and errors.

The daemon speaks JSON-RPC itself: it must know exactly which bytes were sent, which a library that signs and resends hides.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_hash.auto import keccak
from eth_utils import to_checksum_address

from fl.errors import ChainError, ContractError
from fl.network.denomination import Denomination
from fl.network.error_messages import explain
from fl.network.events import Event

Entry = Mapping[str, Any]

TOKEN_ABI: list[dict[str, Any]] = [
    {"type": "function", "name": name, "inputs": [{"type": t} for t in given], "outputs": [{"type": out}]}
    for name, given, out in [
        ("balanceOf", ("address",), "uint256"),
        ("allowance", ("address", "address"), "uint256"),
        ("approve", ("address", "uint256"), "bool"),
        ("decimals", (), "uint8"),
        ("symbol", (), "string"),
        ("name", (), "string"),
        ("nonces", ("address",), "uint256"),
        ("DOMAIN_SEPARATOR", (), "bytes32"),
    ]
]


@cache
def federation_abi() -> list[dict[str, Any]]:
    """The interface of a federation as the compiler wrote it (`python tooling/abi.py` updates it), so that reading needs
    neither compiler nor Ape."""
    found: list[dict[str, Any]] = json.loads(files("fl.network").joinpath("federation.abi.json").read_text())
    return found


class Interface:
    """The ABI of one contract."""

    def __init__(self, abi: Sequence[Entry]):
        self._functions = {e["name"]: e for e in abi if e["type"] == "function"}
        self._abi = abi

    def knows(self, function: str) -> bool:
        return function in self._functions

    def call(self, function: str, *args: Any) -> bytes:
        """The calldata of a call."""
        entry = self._functions[function]
        return _selector(entry) + encode([_kind(i) for i in entry["inputs"]], args)

    def function(self, calldata: bytes) -> str:
        """The function that is called; empty if it is none of these."""
        return self._selectors.get(calldata[:4], "")

    def result(self, function: str, data: bytes) -> Any:
        """What a call returned: one value, or a tuple. Raises ContractError if the bytes cannot be decoded."""
        outputs = self._functions[function]["outputs"]
        # Ape, once imported, makes eth_abi decode missing bytes as zero.
        if len(data) < 32 * len(outputs):
            raise ContractError(f"{function} returned {len(data)} bytes that are not its result: too few")
        try:
            values = decode([_kind(o) for o in outputs], data)
        except (DecodingError, ValueError, OverflowError) as error:
            raise ContractError(f"{function} returned {len(data)} bytes that are not its result: {error}") from error
        values = tuple(_plain(o, v) for o, v in zip(outputs, values, strict=True))
        return values[0] if len(values) == 1 else values

    def event(self, log: Mapping[str, Any]) -> Event | None:
        """A raw log, decoded; None if it is not in the ABI. Raises ChainError if it is malformed."""
        try:
            topics = [bytes.fromhex(t[2:]) for t in log["topics"]]
            entry = self._events.get(topics[0])
            if entry is None:
                return None
            indexed = [i for i in entry["inputs"] if i["indexed"]]
            rest = [i for i in entry["inputs"] if not i["indexed"]]
            values = dict(zip([i["name"] for i in rest], decode([_kind(i) for i in rest], unhex(log["data"])), strict=True))
            for i, topic in zip(indexed, topics[1:], strict=True):
                values[i["name"]] = decode([_kind(i)], topic)[0]
            fields = {i["name"]: _plain(i, values[i["name"]]) for i in entry["inputs"]}
            block, index = int(log["blockNumber"], 16), int(log["logIndex"], 16)
            return Event(entry["name"], fields, block, index, str(log["transactionHash"]))
        except (DecodingError, KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ChainError(f"the node sent an invalid log: {type(error).__name__}: {error}") from error

    def error(self, data: bytes, denomination: Denomination) -> str:
        """A contract's error in words: its sentence, or else its name and fields, amounts in this unit."""
        entry = self._errors.get(data[:4])
        if entry is None:
            return f"0x{data.hex()}" if data else "without a reason"
        try:
            values = decode([_kind(i) for i in entry["inputs"]], data[4:])
        except (DecodingError, ValueError, OverflowError):
            return str(entry["name"])
        names = [i["name"] for i in entry["inputs"]]
        if sentence := explain(str(entry["name"]), dict(zip(names, values, strict=True)), denomination):
            return sentence
        facts = ", ".join(f"{i['name']}={_told(v)}" for i, v in zip(entry["inputs"], values, strict=True))
        return f"{entry['name']}({facts})"

    @property
    def topics(self) -> list[bytes]:
        """The first topics of all events in the ABI."""
        return list(self._events)

    @cached_property
    def _selectors(self) -> dict[bytes, str]:
        return {_selector(entry): name for name, entry in self._functions.items()}

    @cached_property
    def _events(self) -> dict[bytes, Entry]:
        return {keccak(_signature(e)): e for e in self._abi if e["type"] == "event"}

    @cached_property
    def _errors(self) -> dict[bytes, Entry]:
        plain = {"name": "Error", "inputs": [{"name": "reason", "type": "string"}]}
        return {_selector(e): e for e in [plain, *(e for e in self._abi if e["type"] == "error")]}


def unhex(text: str) -> bytes:
    """0x... to bytes. Raises ValueError if it is not hexadecimal."""
    if not isinstance(text, str) or not text.startswith("0x"):
        raise ValueError(f"not hexadecimal: {str(text)[:40]!r}")
    return bytes.fromhex(text[2:])


def _kind(entry: Entry) -> str:
    kind = str(entry["type"])
    if kind.startswith("tuple"):
        return "(" + ",".join(_kind(c) for c in entry["components"]) + ")" + kind[5:]
    return kind


def _signature(entry: Entry) -> bytes:
    return f"{entry['name']}({','.join(_kind(i) for i in entry['inputs'])})".encode()


def _selector(entry: Entry) -> bytes:
    return keccak(_signature(entry))[:4]


def _plain(entry: Entry, value: Any) -> Any:
    if entry["type"] == "address":
        return to_checksum_address(value)
    if entry["type"] == "tuple":
        return tuple(_plain(c, v) for c, v in zip(entry["components"], value, strict=True))
    return value


def _told(value: Any) -> str:
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)
