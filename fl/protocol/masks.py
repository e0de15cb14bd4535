"""Masked updates: numbers whose sum is exact and whose parts tell nothing, for a closed company of seats.

Every two seats of a company share a key that neither the chain nor the store knows. One adds the key's stream to its update,
the other subtracts it, modulo 2^16, so that the masks cancel in the sum of all (Bonawitz et al., "Practical secure aggregation
for privacy-preserving machine learning", 2017, without their recovery of dropouts: a round that lacks one file is void).

A number is a signed count of steps in [-255, 255], and a step is 2^e units, one e for all seats, blocks and rounds. 128 seats
sum to at most 32,640 < 2^15, so that a sum modulo 2^16 lifts to the one signed number that honest seats can have added up to.
A cheat can write any 16 bits; the sum is therefore clamped to what n honest seats could reach, and a parameter never moves by
more than 255 steps. Padding is masked and summed like any number.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from eth_abi.abi import encode
from eth_hash.auto import keccak
from numpy.typing import NDArray

from fl.errors import ArtifactError, NumberError
from fl.protocol.artifact import MASKED_LEAF_BYTES, MAX_DEPTH, MODEL_LEAF_BYTES, Data
from fl.protocol.blocks import MAX_EXPONENT
from fl.protocol.fixed_point import FRACTION_BITS, INT32_MAX, INT32_MIN

CAP = 255  # steps that one seat moves a parameter by, at most
MAX_SEATS, MIN_SEATS = 128, 3  # of two, each reads the other's update from the sum
PRIME = 2**256 - 2**32 - 977  # of secp256k1's field; its curve is y^2 = x^3 + 7
ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
DOMAIN = keccak(
    b"TreatyMask(uint256 chainId,address federation,uint256 round,bytes32 company,"
    b"uint256 low,uint256 high,bytes32 lowKey,bytes32 highKey,bytes32 shared)"
)
CHUNK = 1 << 20  # numbers at a time

Masked = NDArray[np.uint16]
Steps = NDArray[np.int16]


def is_key(key: bytes) -> bool:
    """Whether 32 bytes are the first coordinate of a point of the curve."""
    x = int.from_bytes(key, "big")
    return len(key) == 32 and 0 < x < PRIME and pow(x**3 + 7, (PRIME - 1) // 2, PRIME) == 1


@dataclass(frozen=True)
class RoundKey:
    """One seat's key for one round. `secret` masks one file, once, and is then forgotten."""

    secret: int = field(repr=False)

    def __post_init__(self) -> None:
        if not 0 < self.secret < ORDER:
            raise NumberError("a round key lies outside the curve's order: draw another")

    @classmethod
    def fresh(cls) -> RoundKey:
        """A key from the system's randomness: for masks, nothing that can be drawn again will do."""
        return cls(1 + int.from_bytes(os.urandom(40), "big") % (ORDER - 1))

    @property
    def public(self) -> bytes:
        """What the seat announces: the point's first coordinate, (32,)."""
        return self._private().public_key().public_numbers().x.to_bytes(32, "big")

    def shared(self, other: bytes) -> bytes:
        """The first coordinate of secret x point, (32,), the same for both ends. Which of the two points that `other` names
        is meant does not matter: they are each other's negative, and so are the results.

        Raises ArtifactError if it names none."""
        if not is_key(other):
            raise ArtifactError(f"0x{other.hex()} is not a key of secp256k1")
        x = int.from_bytes(other, "big")
        y = pow(x**3 + 7, (PRIME + 1) // 4, PRIME)
        return self._private().exchange(ec.ECDH(), ec.EllipticCurvePublicNumbers(x, y, ec.SECP256K1()).public_key())

    def _private(self) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(self.secret, ec.SECP256K1())


@dataclass(frozen=True)
class Company:
    """Whose updates are summed: the seats that announced a key in a round, and where.

    Raises ArtifactError if they are fewer than 3 or more than 128, if a key is none, or if two seats announced the same."""

    chain_id: int
    federation: str
    round: int
    keys: Mapping[int, bytes]

    def __post_init__(self) -> None:
        if not MIN_SEATS <= len(self.keys) <= MAX_SEATS:
            raise ArtifactError(f"a sum of {len(self.keys)} updates: {MIN_SEATS} to {MAX_SEATS} seats hide one another")
        owners: dict[bytes, int] = {}
        for seat, key in sorted(self.keys.items()):
            if not is_key(key):
                raise ArtifactError(f"seat {seat} announced 0x{key.hex()}, which is not a key of secp256k1")
            if key in owners:
                raise ArtifactError(f"seats {owners[key]} and {seat} announced the same key")
            owners[key] = seat

    @property
    def digest(self) -> bytes:
        """A hash over the seats and their keys, ascending: whoever was shown another company makes masks that do not cancel."""
        seats = sorted(self.keys)
        return keccak(encode(["uint256[]", "bytes32[]"], [seats, [self.keys[seat] for seat in seats]]))

    def seeds(self, seat: int, key: RoundKey) -> dict[int, bytes]:
        """The key of the stream that `seat` shares with each other seat, (32,). Seats, keys and place are hashed in, so that a
        copied or replayed key gives another stream. Raises ArtifactError unless `key` is what the seat announced."""
        if self.keys.get(seat) != key.public:
            raise ArtifactError(f"seat {seat} did not announce this key in round {self.round}: what it masks would not cancel")
        kinds = ["bytes32", "uint256", "address", "uint256", "bytes32", "uint256", "uint256", "bytes32", "bytes32", "bytes32"]
        place, found = (DOMAIN, self.chain_id, self.federation, self.round, self.digest), {}
        for other, theirs in self.keys.items():
            if other != seat:
                low, high = sorted((seat, other))
                pair = low, high, self.keys[low], self.keys[high], key.shared(theirs)
                found[other] = keccak(encode(kinds, [*place, *pair]))
        return found


def stream(seed: bytes, count: int) -> Masked:
    """The first `count` 16-bit numbers of a seed's ChaCha20 stream (RFC 8439), nonce 0, counter from 0."""
    cipher = Cipher(algorithms.ChaCha20(seed, bytes(16)), mode=None).encryptor()
    return np.frombuffer(cipher.update(bytes(2 * count)), "<u2").astype(np.uint16, copy=False)


def mask(steps: Steps, seat: int, key: RoundKey, company: Company) -> bytes:
    """The file that the seat publishes, of steps (256 * 2^depth,) in [-255, 255]. A key masks one update, and no other ever:
    the difference of two files under one key is the difference of their updates. Raises NumberError, ArtifactError."""
    if steps.size and not -CAP <= int(steps.min()) <= int(steps.max()) <= CAP:
        raise NumberError(f"a masked update's numbers lie in [-{CAP}, {CAP}]")
    masked = steps.astype(np.int16).view(np.uint16).copy()
    for other, seed in company.seeds(seat, key).items():
        cipher = Cipher(algorithms.ChaCha20(seed, bytes(16)), mode=None).encryptor()
        for start in range(0, masked.size, CHUNK):
            part = masked[start : start + CHUNK]
            drawn = np.frombuffer(cipher.update(bytes(2 * part.size)), "<u2")
            (np.add if other > seat else np.subtract)(part, drawn, out=part)
    return masked.astype("<u2").tobytes()


def parse_masked(data: Data, depth: int) -> Masked:
    """A masked file's numbers, (256 * 2^depth,). Raises ArtifactError on a wrong length, and on nothing else."""
    if not 0 <= depth <= MAX_DEPTH or len(data) != MASKED_LEAF_BYTES << depth:
        raise ArtifactError(f"masked update of {len(data):,} bytes; depth {depth} needs {MASKED_LEAF_BYTES << depth:,}")
    return np.frombuffer(data, "<u2").astype(np.uint16, copy=False)


def depth_of_model(data: Data) -> int:
    """The depth of a model's file. Raises ArtifactError if it has another length than models have."""
    leaves, rest = divmod(len(data), MODEL_LEAF_BYTES)
    if rest or leaves < 1 or leaves & (leaves - 1):
        raise ArtifactError(f"{len(data):,} bytes are no model")
    return leaves.bit_length() - 1


def lifted(total: int, seats: int) -> int:
    """The sum that `total` modulo 2^16 stands for, clamped to what so many honest seats can add up to."""
    rest = total & 0xFFFF
    signed = rest - 0x10000 if rest & 0x8000 else rest
    return max(-CAP * seats, min(CAP * seats, signed))


def next_parameter(previous: int, masked: Sequence[int], exponent: int) -> int:
    """The rule for one parameter, in plain integers: the clamped mean of what was sent, truncated toward zero, added and
    clamped to int32."""
    n = len(masked)
    if n == 0:
        return previous
    moved = lifted(sum(masked), n) << exponent
    mean = abs(moved) // n * (1 if moved >= 0 else -1)
    return max(INT32_MIN, min(INT32_MAX, previous + mean))


def next_model(previous: NDArray[np.int32], files: Sequence[Masked], exponent: int) -> NDArray[np.int32]:
    """The rule for a whole model: previous (p,) in units, files n times (p,). The order of the files is irrelevant."""
    if not 0 <= exponent <= MAX_EXPONENT:
        raise NumberError(f"a step of 2^{exponent} units: the exponent lies in [0, {MAX_EXPONENT}]")
    n = len(files)
    if n == 0:
        return previous.copy()
    out = np.empty_like(previous)
    for start in range(0, previous.size, CHUNK):
        part = slice(start, start + CHUNK)
        total = np.zeros(previous[part].size, np.uint16)
        for numbers in files:
            total += numbers[part]
        moved = np.clip(total.view(np.int16).astype(np.int64), -CAP * n, CAP * n) << exponent
        mean = np.abs(moved) // n * np.sign(moved)
        out[part] = np.clip(previous[part] + mean, INT32_MIN, INT32_MAX)
    return out


def steps_of(
    delta: NDArray[np.float64], residual: NDArray[np.float64] | None, exponent: int, rng: np.random.Generator | None
) -> tuple[Steps, NDArray[np.float64]]:
    """A change of parameters (n,), floats, to (whole steps (n,) in [-255, 255], what rounding and clipping lost (n,)).

    rng: for stochastic rounding; None rounds to nearest. Raises NumberError on NaN or Inf."""
    wanted = delta if residual is None else delta + residual
    if not np.isfinite(wanted).all():
        raise NumberError("an update holds NaN or Inf: lower the learning rate or check the data")
    step = 2.0 ** (exponent - FRACTION_BITS)
    scaled = wanted / step
    whole = np.rint(scaled) if rng is None else np.floor(scaled + rng.random(scaled.shape))
    steps = np.clip(whole, -CAP, CAP).astype(np.int16)
    return steps, wanted - steps * step
