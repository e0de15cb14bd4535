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
CHUNK = 2_048  # blocks at a time: what is written in between stays in the cache


def quantize(
    delta: NDArray[np.float64], max_exponent: int, rng: np.random.Generator | None
) -> tuple[NDArray[np.int8], NDArray[np.uint8]]:
    """Floats (n,) in units of 1.0, n a multiple of 32, to (q int8 (n,), e uint8 (n / 32,)).

    Rounds stochastically with `rng`, so that the expectation is exact; to nearest if it is None. The exponent is the least
    that holds the block's largest value; what E cannot hold is clipped (error feedback gives it another chance).
    """
    blocks = delta.size // BLOCK
    q = np.empty(delta.size, np.int8)
    e = np.empty(blocks, np.uint8)
    for start in range(0, blocks, CHUNK):
        part = slice(start, min(start + CHUNK, blocks))
        rows = np.asarray(delta[part.start * BLOCK : part.stop * BLOCK], np.float64).reshape(-1, BLOCK) * 2.0**FRACTION_BITS
        largest = np.maximum(rows.max(axis=1), -rows.min(axis=1))
        if not np.isfinite(largest).all():
            raise NumberError("an update holds NaN or Inf: lower the learning rate or check the data")
        # frexp: x = f * 2^p with f in [0.5, 1), so 2^(p - 7) * 127 >= x unless f is in the last 1/128.
        fraction, power = np.frexp(largest / Q_MAX)
        exponent = np.clip(np.where(fraction == 0.5, power - 1, power), 0, max_exponent)
        rows *= np.exp2(-exponent)[:, None]
        if rng is None:
            np.rint(rows, out=rows)
        else:
            rows += rng.random(rows.shape)
            np.floor(rows, out=rows)
        np.clip(rows, -Q_MAX, Q_MAX, out=rows)
        q[part.start * BLOCK : part.stop * BLOCK] = rows.reshape(-1)
        e[part] = exponent
    return q, e


def dequantize(q: NDArray[np.int8], e: NDArray[np.uint8], max_exponent: int) -> NDArray[np.int32]:
    """(q (n,), e (n / 32,)) to units, int32 (n,). Never raises."""
    units = np.where(np.arange(256) <= max_exponent, 1 << np.minimum(np.arange(256), MAX_EXPONENT), 0).astype(np.int32)
    if q.min(initial=0) == -Q_MAX - 1:
        e = np.where((q.reshape(-1, BLOCK) == -Q_MAX - 1).any(axis=1), np.uint8(255), e)
    values = np.empty(q.size, np.int32)
    for start in range(0, e.size, CHUNK):
        part = slice(start * BLOCK, (start + CHUNK) * BLOCK)
        np.multiply(q[part].reshape(-1, BLOCK), units[e[start : start + CHUNK]][:, None], out=values[part].reshape(-1, BLOCK))
    return values
