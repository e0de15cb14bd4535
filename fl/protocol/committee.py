"""The draw of a round's validators among the seats that revealed, without repetition."""

from __future__ import annotations

from collections.abc import Sequence

from eth_abi.abi import encode
from eth_hash.auto import keccak

PACKED = 15  # bytes, one a validator


def seed(block_hash: bytes, chain_id: int, federation: str, round_number: int) -> bytes:
    """The draw's seed: the hash of a block that nobody knew when reveals ended."""
    return keccak(encode(["bytes32", "uint256", "address", "uint256"], [block_hash, chain_id, federation, round_number]))


def draw(seed_: bytes, revealed: Sequence[int], size: int) -> list[int]:
    """The first `size` places of a Fisher-Yates shuffle of the ascending list of revealed seats (Durstenfeld, 1964)."""
    seats = sorted(revealed)
    for j in range(size):
        r = j + int.from_bytes(keccak(encode(["bytes32", "uint256"], [seed_, j])), "big") % (len(seats) - j)
        seats[j], seats[r] = seats[r], seats[j]
    return seats[:size]


def pack(committee: Sequence[int]) -> int:
    """One byte a seat, first drawn in the highest of 15 bytes."""
    return int.from_bytes(bytes(committee).ljust(PACKED, b"\0"), "big")


def unpack(packed: int, size: int) -> list[int]:
    """The seats of a packed committee, in the order drawn."""
    return list(packed.to_bytes(PACKED, "big")[:size])
