"""Commitments, bound to chain, contract, round and seat, so that a copy is worthless elsewhere."""

from __future__ import annotations

from eth_abi.abi import encode
from eth_hash.auto import keccak

UPDATE_TYPEHASH = keccak(
    b"TreatyUpdate(uint256 chainId,address federation,uint256 round,uint256 seat,bytes32 root,bytes32 salt,bytes locator)"
)
SCORES_TYPEHASH = keccak(
    b"TreatyScores(uint256 chainId,address federation,uint256 round,uint256 seat,bytes32 scoresHash,bytes32 salt)"
)
_TYPES = ["bytes32", "uint256", "address", "uint256", "uint256", "bytes32", "bytes32"]


def update_commitment(
    chain_id: int, federation: str, round_number: int, seat: int, root: bytes, salt: bytes, locator: bytes = b""
) -> bytes:
    """32 bytes that bind a seat to an update's root, and to where it may be fetched."""
    facts = [UPDATE_TYPEHASH, chain_id, federation, round_number, seat, root, salt, keccak(locator)]
    return keccak(encode([*_TYPES, "bytes32"], facts))


def score_commitment(chain_id: int, federation: str, round_number: int, seat: int, scores: bytes, salt: bytes) -> bytes:
    """32 bytes that bind a validator to its score vector."""
    return keccak(encode(_TYPES, [SCORES_TYPEHASH, chain_id, federation, round_number, seat, keccak(scores), salt]))
