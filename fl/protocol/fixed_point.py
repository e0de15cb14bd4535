"""Model parameters as integers: an int32 m stands for m * 2^-24, so that sums are exact and order does not matter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fl.errors import NumberError

FRACTION_BITS = 24
UNIT = 2.0**-FRACTION_BITS
INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


def to_fixed(values: NDArray[np.float64]) -> NDArray[np.int32]:
    """Floats of any shape to int32 units, rounded half to even. Raises NumberError on NaN, Inf or |x| >= 128."""
    scaled = np.asarray(values, dtype=np.float64) * 2.0**FRACTION_BITS
    if not np.isfinite(scaled).all():
        raise NumberError("a parameter is NaN or infinite: lower the learning rate or check the data")
    rounded = np.rint(scaled)
    if rounded.size and (rounded.max() > INT32_MAX or rounded.min() < INT32_MIN):
        raise NumberError("a parameter lies outside [-128, 128): rescale the model or its inputs")
    fixed: NDArray[np.int32] = rounded.astype(np.int32)
    return fixed


def to_float(values: NDArray[np.int32]) -> NDArray[np.float64]:
    """Int32 units to float64: exact."""
    floats: NDArray[np.float64] = values.astype(np.float64) * UNIT
    return floats
