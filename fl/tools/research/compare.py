"""Does it learn? Compares the protocol's arithmetic with float FedAvg, with local-only and with centralised training, on the
same splits, seeds and rounds. Metrics are in points (x 100), except for a squared error."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from fl.errors import TaskError
from fl.learning.data.partition import split
from fl.learning.research import baselines
from fl.learning.task import Task
from fl.learning.task_loading import load_task
from fl.network.stores.files import write_durably


@dataclass(frozen=True)
class Case:
    """One comparison: a task, seats, rounds, Dirichlet's alpha (None: by owner, else evenly)."""

    task: str
    seats: int
    rounds: int
    alpha: float | None


CASES = (
    Case("linear", 3, 40, None),
    Case("heart", 4, 10, None),
    Case("breast_cancer", 10, 10, 0.5),
    Case("digits", 10, 20, 0.5),
)
WAYS = ("8-bit federation", "float FedAvg", "local only", "centralised")


def measure(case: Case, seed: int) -> tuple[float, float, float, float]:
    """(8-bit federation, float FedAvg, local-only average, centralised) for one seed."""
    task = load_task(case.task)
    data = split(task.data(), case.seats, case.alpha, seed)
    alone = [baselines.alone(task, s.train, data.test, case.rounds, seed, i) for i, s in enumerate(data.shards)]
    return (
        baselines.exact_fedavg(task, data, case.rounds, seed),
        baselines.float_fedavg(task, data, case.rounds, seed),
        float(np.mean(alone)),
        best(task, baselines.pooled_curve(task, data, case.rounds, seed)),
    )


def best(task: Task, curve: Sequence[float]) -> float:
    """The metric of a curve's best round. Centralised training takes so many steps that its last round may be a poor one."""
    return max(curve) if task.higher_is_better else min(curve)


def compare(tasks: tuple[str, ...], seeds: int, out: Path | None) -> dict[str, list[tuple[float, ...]]]:
    """Measures, prints and optionally writes the table; returns the figures per task and seed."""
    chosen = cases(tasks, seeds)
    jobs = [(case, seed) for case in chosen for seed in range(seeds)]
    figures: dict[str, list[tuple[float, ...]]] = {case.task: [] for case in chosen}
    for case, seed in track(jobs, "training", transient=True):
        figures[case.task].append(measure(case, seed))
    rows = [_row(case, figures[case.task]) for case in chosen]
    show("compare", f"mean and standard deviation over {seeds} seeds", rows, figures, out)
    return figures


def cases(tasks: tuple[str, ...], seeds: int) -> list[Case]:
    """The cases of the tasks named; all of them if none is."""
    unknown = set(tasks) - {c.task for c in CASES}
    if unknown:
        raise TaskError(f"no comparison for {', '.join(sorted(unknown))}: choose from {', '.join(c.task for c in CASES)}")
    if seeds < 1:
        raise TaskError("--seeds must be at least 1")
    return [case for case in CASES if not tasks or case.task in tasks]


def show(name: str, title: str, rows: list[dict[str, str]], figures: Any, out: Path | None) -> None:
    """Prints a table; with `out` also writes it to OUT/name.md, and its figures to OUT/name.json."""
    table = Table(title=title, title_justify="left")
    for column in rows[0]:
        table.add_column(column)
    for row in rows:
        table.add_row(*row.values())
    Console(width=max(Console().width, 150)).print(table)
    if out:
        head = list(rows[0])
        lines = [head, ["---"] * len(head), *[list(r.values()) for r in rows]]
        markdown = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        write_durably(out / f"{name}.md", (markdown + "\n").encode())
        write_durably(out / f"{name}.json", json.dumps(figures, indent=1).encode())


def points(task: Task, values: Sequence[float]) -> str:
    """Mean and standard deviation, for people: in points (x 100) where a metric is a share."""
    scale, digits = (100.0, 1) if task.higher_is_better else (1.0, 4)
    deviation = f" ± {stdev(values) * scale:.{digits}f}" if len(values) > 1 else ""
    return f"{mean(values) * scale:.{digits}f}{deviation}"


def _row(case: Case, figures: list[tuple[float, ...]]) -> dict[str, str]:
    task = load_task(case.task)
    row = {"task": case.task, "metric": task.metric, "seats": str(case.seats), "rounds": str(case.rounds)}
    return row | {way: points(task, values) for way, values in zip(WAYS, zip(*figures, strict=True), strict=True)}
