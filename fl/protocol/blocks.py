"""The numbers of an update: 32 int8 values share one power-of-two scale, as in MXINT8 of the OCP Microscaling standard (2023).

value = q * 2^e units, q in [-127, 127], e in [0, E]. Decoding is total: a block with q = -128 or e > E is all zeros.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fl.errors import NumberError
from fl.protocol.fixed_point import FRACTION_BITS

BLOCK = 32
Q_MAX = 127
MAX_EXPONENT = 23


def quantize(
    delta: NDArray[np.float64], max_exponent: int, rng: np.random.Generator | None
) -> tuple[NDArray[np.int8], NDArray[np.uint8]]:
    """Floats (n,) in units of 1.0, n a multiple of 32, to (q int8 (n,), e uint8 (n / 32,)).

    Rounds stochastically with `rng`, so that the expectation is exact; to nearest if it is None. The exponent is the least
    that holds the block's largest value; what E cannot hold is clipped (error feedback gives it another chance).
    """
    scaled = np.asarray(delta, dtype=np.float64) * 2.0**FRACTION_BITS
    if not np.isfinite(scaled).all():
        raise NumberError("an update holds NaN or Inf: lower the learning rate or check the data")
    rows = scaled.reshape(-1, BLOCK)
    largest = np.abs(rows).max(axis=1)
    # frexp: x = f * 2^p with f in [0.5, 1), so 2^(p - 7) * 127 >= x unless f is in the last 1/128.
    fraction, power = np.frexp(largest / Q_MAX)
    exponent = np.clip(np.where(fraction == 0.5, power - 1, power), 0, max_exponent).astype(np.int64)
    values = rows / np.exp2(exponent)[:, None]
    values = np.rint(values) if rng is None else np.floor(values + rng.random(values.shape))
    q = np.clip(values, -Q_MAX, Q_MAX).astype(np.int8)
    return q.reshape(-1), exponent.astype(np.uint8)


def dequantize(q: NDArray[np.int8], e: NDArray[np.uint8], max_exponent: int) -> NDArray[np.int32]:
    """(q (n,), e (n / 32,)) to units, int32 (n,). Never refuses."""
    rows = q.reshape(-1, BLOCK).astype(np.int32)
    good = (e <= max_exponent) & (rows != -128).all(axis=1)
    shift = np.where(good, e, 0).astype(np.int32)
    values: NDArray[np.int32] = np.where(good[:, None], rows << shift[:, None], 0).astype(np.int32)
    return values.reshape(-1)
