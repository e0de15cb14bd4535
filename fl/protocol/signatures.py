"""What operators and new owners sign, as EIP-712 typed data; twin of contracts/libraries/Signatures.sol.

The domain holds the chain and the federation, and each kind of act has a type of its own, so that a signature is worth nothing
elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from eth_abi.abi import encode
from eth_hash.auto import keccak

NAME, VERSION = "Treaty", "1"
DOMAIN = (("name", "string"), ("version", "string"), ("chainId", "uint256"), ("verifyingContract", "address"))
ACT = (("round", "uint256"), ("seat", "uint256"), ("value", "bytes32"))
HANDOVER = (
    ("seat", "uint256"),
    ("owner", "address"),
    ("newOwner", "address"),
    ("newOperator", "address"),
    ("stake", "uint256"),
    ("deadline", "uint256"),
)

Fields = tuple[tuple[str, str], ...]


class ActKind(StrEnum):
    """The acts of a round that an operator may sign for others to send, by the name of their type; a key is announced in
    this form only."""

    COMMIT = "Commit"
    COMMIT_SCORES = "CommitScores"
    MISSING = "Missing"
    ANNOUNCE = "Announce"


@dataclass(frozen=True)
class TypedData:
    """One message: its type, the fields' values in their order, and the domain's chain and contract."""

    kind: str
    fields: Fields
    values: tuple[Any, ...]
    chain_id: int
    federation: str

    @property
    def separator(self) -> bytes:
        """The hash of the domain."""
        hashes = _type_hash("EIP712Domain", DOMAIN), keccak(NAME.encode()), keccak(VERSION.encode())
        kinds = ["bytes32", "bytes32", "bytes32", "uint256", "address"]
        return keccak(encode(kinds, [*hashes, self.chain_id, self.federation]))

    @property
    def content(self) -> bytes:
        """The hash of the type and its values, all of which are words."""
        kinds = [kind for _, kind in self.fields]
        return keccak(encode(["bytes32", *kinds], [_type_hash(self.kind, self.fields), *self.values]))

    @property
    def digest(self) -> bytes:
        """What is signed."""
        return keccak(b"\x19\x01" + self.separator + self.content)

    @property
    def domain(self) -> dict[str, Any]:
        """The domain as wallets take it."""
        return dict(zip([name for name, _ in DOMAIN], (NAME, VERSION, self.chain_id, self.federation), strict=True))

    @property
    def message(self) -> dict[str, Any]:
        """The values by name."""
        return dict(zip([name for name, _ in self.fields], self.values, strict=True))

    @property
    def types(self) -> dict[str, list[dict[str, str]]]:
        """The message's type as wallets take it; they know the domain's."""
        return {self.kind: [{"name": name, "type": kind} for name, kind in self.fields]}


def act(kind: ActKind, chain_id: int, federation: str, round_number: int, seat: int, value: bytes) -> TypedData:
    """What a seat's operator signs so that anybody may send `value` for it: a commitment, or a set of missing updates."""
    return TypedData(kind.value, ACT, (round_number, seat, value), chain_id, federation)


def handover(
    chain_id: int,
    federation: str,
    seat: int,
    owner: str,
    new_owner: str,
    new_operator: str,
    stake: int,
    deadline: int,
) -> TypedData:
    """What the new owner of a seat signs, so that its present owner may hand it over.

    stake: the least that the seat must still hold, in token units; deadline: the last second in which it holds.
    """
    values = (seat, owner, new_owner, new_operator, stake, deadline)
    return TypedData("Handover", HANDOVER, values, chain_id, federation)


@dataclass(frozen=True)
class Signature:
    """64 bytes: r, and s with the parity in its highest bit (ERC-2098)."""

    r: bytes
    vs: bytes

    @classmethod
    def of(cls, whole: bytes) -> Signature:
        """From the 65 bytes r, s, v. Raises ValueError if they are not such a signature."""
        if len(whole) != 65 or (parity := whole[64] - (27 if whole[64] >= 27 else 0)) not in (0, 1) or whole[32] & 0x80:
            raise ValueError("not a signature of 65 bytes with a low s")
        return cls(whole[:32], bytes([whole[32] | parity << 7]) + whole[33:64])

    @property
    def whole(self) -> bytes:
        """The 65 bytes r, s, v."""
        return self.r + bytes([self.vs[0] & 0x7F]) + self.vs[1:] + bytes([27 + (self.vs[0] >> 7)])


def _type_hash(name: str, fields: Fields) -> bytes:
    return keccak(f"{name}({','.join(f'{kind} {field}' for field, kind in fields)})".encode())
