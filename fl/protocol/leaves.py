"""The SHA-256 tree over an artifact's leaves; its root is the artifact's name.

leaf hash = sha256(0x00 ++ content), node = sha256(0x01 ++ left ++ right), as in RFC 6962, with a depth fixed by the terms.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from fl.errors import ArtifactError
from fl.protocol.artifact import Data, Kind

SUBTREE = 12  # levels at a time, where only the root is asked for: a whole tree takes more than half a byte a parameter


def leaf_hash(content: Data) -> bytes:
    """Hash of one leaf's bytes."""
    return sha256(b"\x00" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of two children."""
    return sha256(b"\x01" + left + right).digest()


def _hashes(prefix: bytes, data: Data, size: int) -> tuple[bytes, ...]:
    """sha256(prefix ++ piece) of every piece of `size` bytes; copying the hash's state avoids joining the bytes."""
    begun, view, found = sha256(prefix), memoryview(data), []
    for start in range(0, len(view), size):
        state = begun.copy()
        state.update(view[start : start + size])
        found.append(state.digest())
    return tuple(found)


def _check(data: Data, kind: Kind) -> None:
    count, rest = divmod(len(data), kind.value)
    if rest or count & (count - 1) or count == 0:
        raise ArtifactError(f"{len(data):,} bytes are not a power of two of {kind.value}-byte leaves")


@dataclass(frozen=True)
class Tree:
    """Every level of hashes, leaves first, root last."""

    levels: tuple[tuple[bytes, ...], ...]

    @classmethod
    def build(cls, data: Data, kind: Kind) -> Tree:
        """The tree over a file. Raises ArtifactError unless it is a power of two of whole leaves."""
        _check(data, kind)
        return cls.above(_hashes(b"\x00", data, kind.value))

    @classmethod
    def above(cls, lowest: tuple[bytes, ...]) -> Tree:
        """The tree over a power of two of hashes."""
        levels = [lowest]
        while len(levels[-1]) > 1:
            levels.append(_hashes(b"\x01", b"".join(levels[-1]), 64))
        return cls(tuple(levels))

    @property
    def root(self) -> bytes:
        return self.levels[-1][0]

    @property
    def depth(self) -> int:
        return len(self.levels) - 1

    def path(self, index: int) -> tuple[bytes, ...]:
        """The siblings of leaf `index`, bottom up."""
        return tuple(level[(index >> height) ^ 1] for height, level in enumerate(self.levels[:-1]))


def root_of(data: Data, kind: Kind) -> bytes:
    """The root of a file's tree, of which no more than a part is in memory. Raises ArtifactError as `build` does."""
    _check(data, kind)
    view, size = memoryview(data), kind.value << SUBTREE
    return Tree.above(tuple(Tree.build(view[at : at + size], kind).root for at in range(0, len(view), size))).root


def root_from(content: Data, index: int, path: tuple[bytes, ...]) -> bytes:
    """The root that a leaf and its path lead to."""
    node = leaf_hash(content)
    for sibling in path:
        node = node_hash(sibling, node) if index & 1 else node_hash(node, sibling)
        index >>= 1
    return node
