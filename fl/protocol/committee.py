"""The draw of a round's validators among the seats that revealed, without repetition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eth_abi.abi import encode
from eth_hash.auto import keccak

from fl.protocol.enums import RecordState

PACKED = 15  # bytes, one a validator


def mix(round_number: int, committed: Mapping[int, bytes], revealed: Mapping[int, bytes]) -> bytes:
    """What the draw takes from the round itself: the hash of all records when it was closed, seats ascending.

    committed: commitments by seat; revealed: the roots of those that were opened."""
    return keccak(b"".join(_record(round_number, committed[seat], revealed.get(seat)) for seat in sorted(committed)))


def seed(prev_randao: bytes, mix_: bytes, chain_id: int, federation: str, round_number: int) -> bytes:
    """The draw's seed. prev_randao: of a block that nobody could foresee when reveals ended."""
    kinds = ["bytes32", "bytes32", "uint256", "address", "uint256"]
    return keccak(encode(kinds, [prev_randao, mix_, chain_id, federation, round_number]))


def _record(round_number: int, commitment: bytes, root: bytes | None) -> bytes:
    """A seat's word in the contract: twin of Records.sol."""
    state = RecordState.COMMITTED if root is None else RecordState.REVEALED
    return round_number.to_bytes(3, "big") + bytes([state]) + (root or commitment)[:28]


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
