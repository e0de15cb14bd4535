"""The Merkle tree over the owners that a federation admits; twin of what `join` verifies.

leaf = keccak256(keccak256(abi.encode(owner))), a node = keccak256 of its two children, the lesser first: the tree that
OpenZeppelin's merkle-tree library builds of ["address"], so that either makes the other's roots and proofs. The order of
the owners does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_abi.abi import encode
from eth_hash.auto import keccak

from fl.errors import TermsError


def _leaf(owner: str) -> bytes:
    return keccak(keccak(encode(["address"], [owner])))


def _node(one: bytes, other: bytes) -> bytes:
    return keccak(min(one, other) + max(one, other))


def admits(root: bytes, owner: str, proof: bytes) -> bool:
    """Whether the contract would accept the proof, given as joined words; extra bytes at the end are ignored, as they are
    there."""
    node = _leaf(owner)
    for i in range(0, len(proof) // 32 * 32, 32):
        node = _node(node, proof[i : i + 32])
    return node == root


@dataclass(frozen=True)
class Allowlist:
    """A binary heap of hashes: node i has the children 2i + 1 and 2i + 2; the root is the first, the leaves the last."""

    heap: tuple[bytes, ...]

    @classmethod
    def of(cls, owners: Sequence[str]) -> Allowlist:
        """The tree over some addresses. Raises TermsError if there is none, or one is listed twice."""
        leaves = sorted({_leaf(owner) for owner in owners}, reverse=True)
        if not leaves or len(leaves) < len(owners):
            raise TermsError("an allowlist names each owner once, and at least one")
        heap = [b""] * (len(leaves) - 1) + leaves
        for i in reversed(range(len(leaves) - 1)):
            heap[i] = _node(heap[2 * i + 1], heap[2 * i + 2])
        return cls(tuple(heap))

    @property
    def root(self) -> bytes:
        return self.heap[0]

    def __contains__(self, owner: str) -> bool:
        return _leaf(owner) in self._leaves()

    def proof(self, owner: str) -> bytes:
        """The evidence with which the owner joins: its siblings, bottom up. Raises TermsError if it is not listed."""
        if owner not in self:
            raise TermsError(f"{owner} is not on the allowlist")
        node, siblings = len(self.heap) // 2 + self._leaves().index(_leaf(owner)), []
        while node:
            siblings.append(self.heap[((node - 1) ^ 1) + 1])
            node = (node - 1) // 2
        return b"".join(siblings)

    def _leaves(self) -> tuple[bytes, ...]:
        return self.heap[len(self.heap) // 2 :]
