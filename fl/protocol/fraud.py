"""The fraud proof: one coordinate of a wrong model, opened with Merkle paths, recomputed by the contract."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from fl.errors import ArtifactError
from fl.protocol.artifact import LEAF_PARAMETERS, Data, Kind, leaf_bytes, parse_model
from fl.protocol.leaves import Tree, root_from
from fl.protocol.mode import Mode

ROOT_KEPT = 28  # bytes of an update's root that the chain keeps: roots that differ only in the rest are equal to the contract


@dataclass(frozen=True)
class Opened:
    """A file with its tree, ready to show any leaf."""

    data: Data
    kind: Kind
    tree: Tree

    @classmethod
    def of(cls, data: Data, kind: Kind) -> Opened:
        return cls(data, kind, Tree.build(data, kind))

    def show(self, leaf: int) -> bytes:
        """Leaf and path, joined, as the contract reads them."""
        return leaf_bytes(self.data, self.kind, leaf) + b"".join(self.tree.path(leaf))


class Shows(Protocol):
    """A file opened, or one leaf of it that an answer showed."""

    def show(self, leaf: int) -> bytes: ...


def challenge_proof(leaf: int, updates: Iterable[Shows], previous: Shows, proposed: Shows) -> bytes:
    """The bytes of `challenge`: every accepted update's leaf and path (seats ascending), the previous model's, the proposed."""
    return b"".join(part.show(leaf) for part in chain(updates, (previous, proposed)))


def check_challenge(
    leaf: int,
    coordinate: int,
    proof: bytes,
    *,
    depth: int,
    max_exponent: int,
    trim: int,
    update_roots: Sequence[bytes],
    previous_root: bytes,
    proposed_root: bytes,
    mode: Mode = Mode.OPEN,
) -> bool:
    """Whether the proof would bring the proposal down. Raises ArtifactError where the contract would reject the proof itself.

    An update's root may be given as its high 28 bytes, which is all the contract keeps.
    """
    if not (0 <= leaf < 1 << depth and 0 <= coordinate < LEAF_PARAMETERS):
        raise ArtifactError(f"leaf {leaf} or coordinate {coordinate} is out of range")
    parts = [(mode.kind, root) for root in update_roots]
    parts += [(Kind.MODEL, previous_root), (Kind.MODEL, proposed_root)]
    if len(proof) != sum(kind.value + 32 * depth for kind, _ in parts):
        raise ArtifactError(f"a proof of {len(proof):,} bytes has the wrong length")
    values, offset = [], 0
    for kind, root in parts:
        content = proof[offset : offset + kind.value]
        offset += kind.value
        path = tuple(proof[offset + 32 * i : offset + 32 * (i + 1)] for i in range(depth))
        offset += 32 * depth
        if not root_from(content, leaf, path).startswith(root):
            raise ArtifactError(f"an opened {kind.name.lower()} leaf does not lead to its root")
        read = parse_model(content, 0)[coordinate] if kind is Kind.MODEL else mode.number_in(content, coordinate, max_exponent)
        values.append(int(read))
    *added, before, claimed = values
    return mode.next_parameter(before, added, trim, max_exponent) != claimed
