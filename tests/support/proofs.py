"""What tests check proofs with, and the product does not need."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fl.protocol.aggregate import aggregate
from fl.protocol.artifact import LEAF_PARAMETERS, Data, Kind
from fl.protocol.leaves import root_from


def find_wrong(
    previous: NDArray[np.int32], updates: Sequence[NDArray[np.int32]], proposed: NDArray[np.int32], trim: int
) -> tuple[int, int] | None:
    """The first (leaf, coordinate) at which `proposed` is not the aggregate; None if it is right."""
    wrong = np.flatnonzero(aggregate(previous, updates, trim) != proposed)
    return divmod(int(wrong[0]), LEAF_PARAMETERS) if wrong.size else None


def verify(content: Data, index: int, path: tuple[bytes, ...], depth: int, kind: Kind, root: bytes) -> bool:
    """Whether the leaf stands at `index` under `root`: right size, range and length of path included."""
    fits = len(content) == kind.value and 0 <= index < 1 << depth and len(path) == depth
    return fits and root_from(content, index, path) == root
