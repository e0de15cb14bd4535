"""A block's header, made again from what a node says of the block, and believed only if it has the block's hash."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eth_hash.auto import keccak

from fl.network.abi import unhex
from fl.network.rpc import NodeError

# Fields in the order of a header, as eth_getBlockByNumber names them. Numbers have no leading zeros, the others a fixed length.
NUMBERS = (
    "difficulty",
    "number",
    "gasLimit",
    "gasUsed",
    "timestamp",
    "baseFeePerGas",
    "blobGasUsed",
    "excessBlobGas",
    "slotNumber",
)
ALWAYS = (
    *("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom", "difficulty"),
    *("number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce"),
)
BY_FORK = (
    ("baseFeePerGas",),  # London
    ("withdrawalsRoot",),  # Shanghai
    ("blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot"),  # Cancun
    ("requestsHash",),  # Prague
    ("blockAccessListHash",),  # Amsterdam
    ("slotNumber",),
)


class HeaderMismatch(NodeError):
    """No header that can be made of a node's answer has the block's hash: the node lies, or the chain hashes another form."""


def header_of(block: Mapping[str, Any]) -> bytes:
    """The RLP of a block's header. Raises NodeError for an answer that is no block, HeaderMismatch for one that contradicts its
    own hash."""
    try:
        wanted = unhex(block["hash"])
        fields = [_field(block, name) for name in ALWAYS]
        header = _list(fields)
        for names in BY_FORK:
            if keccak(header) == wanted or block.get(names[0]) is None:
                break
            fields += [_field(block, name) for name in names]
            header = _list(fields)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise NodeError(f"the node sent an invalid block: {type(error).__name__}: {error}") from error
    if keccak(header) != wanted:
        known = len(ALWAYS) + sum(map(len, BY_FORK))
        raise HeaderMismatch(
            f"block {block.get('number')}: its fields do not hash to {block['hash']}, so that no draw can be made from it; the "
            f"node lies, or this chain's headers are not Ethereum's of {len(ALWAYS)} to {known} fields: ask another node"
        )
    return header


def _field(block: Mapping[str, Any], name: str) -> bytes:
    if name not in NUMBERS:
        return unhex(block[name])
    number = int(block[name], 16)
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _list(items: list[bytes]) -> bytes:
    content = b"".join(item if len(item) == 1 and item < b"\x80" else _prefixed(0x80, item) for item in items)
    return _prefixed(0xC0, content)


def _prefixed(offset: int, content: bytes) -> bytes:
    """Content behind its length, as RLP has it (Ethereum yellow paper, appendix B)."""
    size = len(content)
    if size < 56:
        return bytes([offset + size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([offset + 55 + len(length)]) + length + content
