"""Who holds which rows: by real owners, evenly at random, or by Dirichlet(alpha) over the labels; always seeded.

Dirichlet splits after Hsu et al., "Measuring the effects of non-identical data distribution", 2019: the smaller alpha, the
fewer labels a participant sees.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fl.errors import TaskError
from fl.learning.task import Data

TEST_SHARE, HELD_OUT_SHARE = 0.25, 0.25
MIN_ROWS = 8  # a shard needs rows to train on and rows to score with

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """Rows of a table: x (n, ...), y (n, ...). rows: where in the table each stands, (n,), if known."""

    x: NDArray[np.float32]
    y: NDArray[np.generic]
    rows: Rows | None = None

    def __len__(self) -> int:
        return len(self.x)

    def number(self, i: int) -> str:
        """The number that people see for row i: its line below the table's heading."""
        return f"row {i + 1} of its part" if self.rows is None else f"row {int(self.rows[i]) + 1}"


@dataclass(frozen=True)
class Shard:
    """What one participant holds: rows to train on, and rows that it only scores others with."""

    name: str
    train: Part
    held_out: Part


@dataclass(frozen=True)
class Split:
    """A federation's data. Nobody trains or scores on `test`, except on a public toy table."""

    shards: tuple[Shard, ...]
    test: Part


def held_out_of(shards: Iterable[Shard]) -> Part:
    """The rows that these participants keep back to score others with, joined."""
    parts = [shard.held_out for shard in shards]
    return Part(np.concatenate([p.x for p in parts]), np.concatenate([p.y for p in parts]))


def split(data: Data, seats: int, alpha: float | None, seed: int) -> Split:
    """Splits a table among `seats` participants. alpha None: by owner if the table has owners, else evenly at random."""
    if seats < 1:
        raise TaskError(f"{seats} seats: a federation needs at least one participant with data")
    if data.elsewhere:
        return _elsewhere(seats)
    rng = np.random.default_rng([seed, 0x5917])
    everything = np.arange(len(data.x))
    if data.public:
        dealt = [everything[i % len(everything) :: min(seats, len(everything))] for i in range(seats)]
        whole = _part(data, everything)
        return Split(tuple(Shard(f"device {i}", _part(data, rows), whole) for i, rows in enumerate(dealt)), whole)
    if alpha is None and data.owner is not None:
        groups = _by_owner(data, seats, rng)
    else:
        test, rest = _stratified(everything, data.y, TEST_SHARE, rng)
        mixed = rng.permutation(rest) if alpha is None else rest
        dealt = np.array_split(mixed, seats) if alpha is None else _dirichlet(mixed, data.y, seats, alpha, rng)
        groups = [(f"seat {i}", np.empty(0, np.int64), rows) for i, rows in enumerate(dealt)]
        groups[0] = (groups[0][0], test, groups[0][2])
    shards = []
    for name, _, rows in groups:
        if len(rows) < MIN_ROWS:
            raise TaskError(f"{name} would hold {len(rows)} rows, fewer than {MIN_ROWS}: take fewer seats or a larger alpha")
        held_out, train = _stratified(rows, data.y, HELD_OUT_SHARE, rng)
        shards.append(Shard(name, _part(data, train), _part(data, held_out)))
    return Split(tuple(shards), _part(data, np.concatenate([test for _, test, _ in groups])))


def _elsewhere(seats: int) -> Split:
    """Parts that name whose rows are meant, as (who, of); the test set is everybody's validation rows."""
    who = np.array([[seat, seats] for seat in range(seats)], np.float32)
    parts = [Part(who[i : i + 1], np.zeros(1, np.float32)) for i in range(seats)]
    return Split(
        tuple(Shard(f"client {i}", part, part) for i, part in enumerate(parts)), Part(who, np.zeros(seats, np.float32))
    )


def _part(data: Data, rows: Rows) -> Part:
    return Part(data.x[rows], data.y[rows], rows)


def _stratified(rows: Rows, y: NDArray[np.generic], share: float, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """(taken, rest): the share is taken from every label, or from all rows alike if the targets are not labels."""
    groups = [rows]
    if (labels := _labels(y, rows)) is not None:
        groups = [rows[labels == label] for label in np.unique(labels)]
    chosen = np.concatenate([rng.permutation(group)[: round(share * len(group))] for group in groups])
    return chosen, rng.permutation(np.setdiff1d(rows, chosen))


def _labels(y: NDArray[np.generic], rows: Rows) -> NDArray[np.generic] | None:
    """The rows' labels; None where targets are measurements: several numbers a row, or mostly different ones."""
    targets = y[rows]
    if targets.ndim > 1 and targets.shape[1:] != (1,):
        return None
    targets = targets.reshape(len(rows))
    return targets if 2 * len(np.unique(targets)) <= len(targets) else None


def _by_owner(data: Data, seats: int, rng: np.random.Generator) -> list[tuple[str, Rows, Rows]]:
    """(name, test rows, own rows) per seat; the largest owners are halved until there are enough."""
    assert data.owner is not None
    if seats < len(data.owners):
        raise TaskError(f"{seats} seats for {len(data.owners)} owners: take at least {len(data.owners)}, or give alpha")
    groups = []
    for i, name in enumerate(data.owners):
        test, rest = _stratified(np.flatnonzero(data.owner == i), data.y, TEST_SHARE, rng)
        groups.append((name, test, rest))
    while len(groups) < seats:
        largest = max(range(len(groups)), key=lambda i: len(groups[i][2]))
        name, test, rows = groups.pop(largest)
        first, second = _stratified(rows, data.y, 0.5, rng)
        groups.insert(largest, (f"{name} I", test, first))
        groups.append((f"{name} II", np.empty(0, np.int64), second))
    return groups


def _dirichlet(rows: Rows, y: NDArray[np.generic], seats: int, alpha: float, rng: np.random.Generator) -> list[Rows]:
    labels = _labels(y, rows)
    if labels is None:
        raise TaskError("alpha splits by label, but these targets are measurements: leave alpha out for an even split")
    if not alpha > 0:
        raise TaskError(f"alpha {alpha}: give a positive number, such as 0.5")
    for _ in range(100):  # until everybody has enough rows; a small alpha needs several tries
        dealt: list[list[Rows]] = [[] for _ in range(seats)]
        for label in np.unique(labels):
            group = rng.permutation(rows[labels == label])
            cuts = (np.cumsum(rng.dirichlet([alpha] * seats))[:-1] * len(group)).astype(int)
            for seat, part in enumerate(np.split(group, cuts)):
                dealt[seat].append(part)
        joined = [rng.permutation(np.concatenate(parts)) for parts in dealt]
        if min(map(len, joined)) >= MIN_ROWS:
            return joined
    raise TaskError(f"no Dirichlet({alpha}) split over {seats} seats gives everybody {MIN_ROWS} rows: raise alpha")
