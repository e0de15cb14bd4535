"""Nobody cheats, and tables differ: in size, in labels, in who joins when. What does the gate cost whom?

The digits with a quarter of the shipped network, ten seats, the plain mean of all updates beside the gate, every seed told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from fl.errors import TaskError
from fl.learning.data.partition import Part, Shard, Split
from fl.learning.evaluator import Evaluator
from fl.learning.research.offchain import Cell, play, small_digits
from fl.learning.task import Data
from fl.protocol.manifest import DEFAULT_GATE
from fl.tools.research.compare import show

SEATS, TEST, ROUNDS = 10, 450, 20
Rows = NDArray[np.int64]
Deal = Callable[[Data, Rows, np.random.Generator], list[Rows]]


def sizes(*counts: int) -> Deal:
    """So many rows of all classes each."""
    return lambda data, rows, rng: np.split(rows[: sum(counts)], np.cumsum(counts)[:-1])


def dirichlet(alpha: float) -> Deal:
    """Every class by Dirichlet(alpha); who would get fewer than three rows gets three of any class."""

    def deal(data: Data, rows: Rows, rng: np.random.Generator) -> list[Rows]:
        dealt: list[list[Rows]] = [[] for _ in range(SEATS)]
        for label in np.unique(data.y):
            group = rng.permutation(rows[data.y[rows] == label])
            cuts = (np.cumsum(rng.dirichlet([alpha] * SEATS))[:-1] * len(group)).astype(int)
            for own, piece in zip(dealt, np.split(group, cuts), strict=True):
                own.append(piece)
        joined = [np.concatenate(own) for own in dealt]
        return [own if len(own) >= 3 else rows[3 * i : 3 * i + 3] for i, own in enumerate(joined)]

    return deal


def one_class(count: int) -> Deal:
    """The first `count` seats hold a hundred rows of one class each, the others what is left, evenly."""

    def deal(data: Data, rows: Rows, rng: np.random.Generator) -> list[Rows]:
        alone = [rows[data.y[rows] == label][:100] for label in range(count)]
        rest = np.setdiff1d(rows, np.concatenate(alone))
        return alone + (np.array_split(rng.permutation(rest), SEATS - count) if count < SEATS else [])

    return deal


def few_classes(large: int, small: int) -> Deal:
    """One seat with `large` rows of all classes, and nine with `small` rows of two classes each."""

    def deal(data: Data, rows: Rows, rng: np.random.Generator) -> list[Rows]:
        pairs = [rng.choice(10, 2, replace=False) for _ in range(SEATS - 1)]
        left = rows[large:]
        return [rows[:large], *(rng.permutation(left[np.isin(data.y[left], pair)])[:small] for pair in pairs)]

    return deal


def even(data: Data, rows: Rows, rng: np.random.Generator) -> list[Rows]:
    return np.array_split(rows, SEATS)


TURNED = "one seat's images turned by 90 degrees"
CASES: dict[str, Deal] = {
    "1 seat of 1,200 rows, 9 of 12": sizes(1200, *[12] * 9),
    "3 to 800 rows": sizes(3, 3, 3, 10, 10, 30, 30, 100, 300, 800),
    "1 of 1,000 rows, 9 of 12 and two classes": few_classes(1000, 12),
    "3 seats of one class, 7 of all": one_class(3),
    "one class a seat": one_class(SEATS),
    "Dirichlet 0.05": dirichlet(0.05),
    "Dirichlet 0.1": dirichlet(0.1),
    "Dirichlet 0.5": dirichlet(0.5),
    TURNED: even,
}


def dealt(data: Data, name: str, seed: int) -> Split:
    """The federation of a case; scoring is not part of it, so nothing is held out."""
    rng = np.random.default_rng([seed, 11])
    order = rng.permutation(len(data.x))
    test, rest = order[:TEST], order[TEST:]
    parts = [Part(data.x[rows], data.y[rows]) for rows in CASES[name](data, rest, rng)]
    if name == TURNED:
        parts[0] = turned(parts[0])
    return Split(tuple(Shard(f"seat {i}", part, part) for i, part in enumerate(parts)), Part(data.x[test], data.y[test]))


def turned(part: Part) -> Part:
    return Part(np.ascontiguousarray(np.rot90(part.x, 1, (2, 3))), part.y)


def unequal(tasks: tuple[str, ...], seeds: int, out: Path | None) -> dict[str, dict[str, Any]]:
    """Measures, prints and optionally writes the table; returns the figures per case."""
    if tasks:
        raise TaskError("--unequal deals out the digits only: leave --task out")
    if seeds < 1:
        raise TaskError("--seeds must be at least 1")
    task = small_digits()
    data, evaluator = task.data(), Evaluator(task)
    figures: dict[str, dict[str, Any]] = {}
    for name in track(CASES, "training", transient=True):
        splits = {seed: dealt(data, name, seed) for seed in range(seeds)}
        cells = [Cell("honest", 0, gate, 0, seed) for gate in (DEFAULT_GATE, "none") for seed in splits]
        played = play(task, splits, cells, ROUNDS)
        gated, plain = played[:seeds], played[seeds:]
        out_of = [[1 - float(np.mean([s in inside for inside in p.inside])) for s in range(p.honest)] for p in gated]
        figures[name] = {
            "gate": [evaluator.metric(p.vector, p.split.test) for p in gated],
            "mean": [evaluator.metric(p.vector, p.split.test) for p in plain],
            "left out": out_of,
        }
        if name == TURNED:
            for way, plays in (("gate", gated), ("mean", plain)):
                figures[name][f"{way}, turned test rows"] = [evaluator.metric(p.vector, turned(p.split.test)) for p in plays]
    rows = [_row(name, found) for name, found in figures.items()]
    show("unequal", f"accuracy after {ROUNDS} rounds, {SEATS} seats, {seeds} seeds", rows, figures, out)
    return figures


def _row(name: str, found: dict[str, Any]) -> dict[str, str]:
    lost = [100 * (gated - plain) for gated, plain in zip(found["gate"], found["mean"], strict=True)]
    seats = np.mean(found["left out"], axis=0)
    return {
        "tables": name,
        "gate": f"{100 * np.mean(found['gate']):.1f}",
        "worst seed": f"{100 * min(found['gate']):.1f}",
        "plain mean": f"{100 * np.mean(found['mean']):.1f}",
        "gate - mean": f"{np.mean(lost):+.1f}",
        "in the worst seed": f"{min(lost):+.1f}",
        "left out": f"{100 * np.mean(seats):.1f} %",
        "the seat left out most": f"{100 * max(seats):.0f} %",
    }
