"""The files: an update or a model as leaves of 256 parameters, a power of two of them, padded with zero parameters.

Update leaf: 8 exponent bytes, then 256 int8 (264 bytes). Model leaf: 256 big-endian int32 (1,024 bytes). Leaf of a masked
update: 256 little-endian uint16 (512 bytes; fl.protocol.masks). No header: the length follows from the federation's depth, and
the name is the root of the leaf tree.
"""

from __future__ import annotations

from enum import Enum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fl.errors import ArtifactError
from fl.protocol.blocks import BLOCK, dequantize

LEAF_PARAMETERS = 256
BLOCKS_PER_LEAF = LEAF_PARAMETERS // BLOCK
UPDATE_LEAF_BYTES = BLOCKS_PER_LEAF + LEAF_PARAMETERS
MODEL_LEAF_BYTES = 4 * LEAF_PARAMETERS
MASKED_LEAF_BYTES = 2 * LEAF_PARAMETERS
MAX_DEPTH = 22

Data = bytes | bytearray | memoryview


class Numbers(Protocol):
    """A vector in units whose parts can be read: an array (n,), or an update that is decoded where it is looked at."""

    @property
    def size(self) -> int: ...

    def __getitem__(self, part: slice, /) -> NDArray[np.int32]: ...


class Kind(Enum):
    """What a file holds; the value is the size of a leaf in bytes."""

    UPDATE = UPDATE_LEAF_BYTES
    MODEL = MODEL_LEAF_BYTES
    MASKED = MASKED_LEAF_BYTES


def depth_for(parameters: int) -> int:
    """The least depth whose tree holds so many parameters."""
    if parameters < 1:
        raise ArtifactError(f"a model needs at least one parameter, not {parameters}")
    depth = (-(-parameters // LEAF_PARAMETERS) - 1).bit_length()
    if depth > MAX_DEPTH:
        raise ArtifactError(f"{parameters:,} parameters exceed {LEAF_PARAMETERS << MAX_DEPTH:,}: federate adapters instead")
    return depth


def size_of(kind: Kind, depth: int) -> int:
    """The one length in bytes that a file of this kind and depth has."""
    return kind.value << depth


def pad(values: NDArray[np.generic], depth: int) -> NDArray[np.generic]:
    """(n,) to (256 * 2^depth,) with zeros behind."""
    full = LEAF_PARAMETERS << depth
    if values.size > full:
        raise ArtifactError(f"{values.size:,} parameters do not fit depth {depth} ({full:,})")
    return np.concatenate([values, np.zeros(full - values.size, values.dtype)])


def pack_update(q: NDArray[np.int8], e: NDArray[np.uint8]) -> bytes:
    """(q (256 * leaves,), e (8 * leaves,)) to the file's bytes."""
    leaves = q.size // LEAF_PARAMETERS
    out = np.empty((leaves, UPDATE_LEAF_BYTES), np.uint8)
    out[:, :BLOCKS_PER_LEAF] = e.reshape(leaves, BLOCKS_PER_LEAF)
    out[:, BLOCKS_PER_LEAF:] = q.view(np.uint8).reshape(leaves, LEAF_PARAMETERS)
    return out.tobytes()


def pack_model(values: NDArray[np.int32]) -> bytes:
    """Int32 units (256 * leaves,) to the file's bytes."""
    return values.astype(">i4").tobytes()


def _check(data: Data, kind: Kind, depth: int) -> None:
    if len(data) != size_of(kind, depth):
        raise ArtifactError(f"{kind.name.lower()} of {len(data):,} bytes; depth {depth} needs {size_of(kind, depth):,}")


def _rows(data: Data) -> NDArray[np.uint8]:
    return np.frombuffer(data, np.uint8).reshape(-1, UPDATE_LEAF_BYTES)


def _split(rows: NDArray[np.uint8]) -> tuple[NDArray[np.int8], NDArray[np.uint8]]:
    q = np.ascontiguousarray(rows[:, BLOCKS_PER_LEAF:]).view(np.int8).reshape(-1)
    return q, np.ascontiguousarray(rows[:, :BLOCKS_PER_LEAF]).reshape(-1)


def parse_update(data: Data, depth: int, max_exponent: int) -> NDArray[np.int32]:
    """What an update adds, in units, (256 * 2^depth,). Raises ArtifactError on a wrong length, and on nothing else."""
    return UpdateNumbers(data, depth, max_exponent)[:]


class UpdateNumbers(Numbers):
    """What an update adds, as `parse_update` says, part by part: beside its file it needs no memory."""

    def __init__(self, data: Data, depth: int, max_exponent: int):
        _check(data, Kind.UPDATE, depth)
        self._rows, self._max_exponent = _rows(data), max_exponent

    @property
    def size(self) -> int:
        return len(self._rows) * LEAF_PARAMETERS

    def __getitem__(self, part: slice, /) -> NDArray[np.int32]:
        start, stop, step = part.indices(self.size)
        assert step == 1
        first = start // LEAF_PARAMETERS
        q, e = _split(self._rows[first : -(-stop // LEAF_PARAMETERS)])
        return dequantize(q, e, self._max_exponent)[start - first * LEAF_PARAMETERS : stop - first * LEAF_PARAMETERS]


def update_is_canonical(data: Data, depth: int, max_exponent: int, parameters: int) -> bool:
    """Whether an update is what an honest encoder writes: right length, no q = -128, no e > E, zero padding."""
    if len(data) != size_of(Kind.UPDATE, depth):
        return False
    q, e = _split(_rows(data))
    return bool(e.max() <= max_exponent and q.min() > -128 and not q[parameters:].any())


def parse_model(data: Data, depth: int) -> NDArray[np.int32]:
    """A model's parameters in units, padding included, (256 * 2^depth,). Raises ArtifactError on a wrong length."""
    _check(data, Kind.MODEL, depth)
    return np.frombuffer(data, ">i4").astype(np.int32)


def leaf_bytes(data: Data, kind: Kind, index: int) -> bytes:
    """Leaf `index` of a file."""
    return bytes(data[index * kind.value : (index + 1) * kind.value])
