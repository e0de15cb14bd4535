"""Does it learn? The protocol's arithmetic against float FedAvg, each participant alone, and everybody's data in the clear,
on the same splits, seeds and rounds. Metrics in points (x 100), except for a squared error."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from fl.errors import TaskError
from fl.learning import baselines
from fl.learning.partition import split
from fl.learning.task import load_task
from fl.network.store import write_durably


@dataclass(frozen=True)
class Case:
    """A task as it is compared: seats, rounds, Dirichlet's alpha (None: by owner, else evenly)."""

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
WAYS = ("8-bit federation", "float FedAvg", "average alone", "in the clear")


def measure(case: Case, seed: int) -> tuple[float, float, float, float]:
    """(8-bit federation, float FedAvg, average alone, in the clear) for one seed."""
    task = load_task(case.task)
    data = split(task.data(), case.seats, case.alpha, seed)
    alone = [baselines.alone(task, s.train, data.test, case.rounds, seed, i) for i, s in enumerate(data.shards)]
    return (
        baselines.exact_fedavg(task, data, case.rounds, seed),
        baselines.float_fedavg(task, data, case.rounds, seed),
        float(np.mean(alone)),
        baselines.pooled(task, data, case.rounds, seed),
    )


def compare(tasks: tuple[str, ...], seeds: int, out: Path | None) -> dict[str, list[tuple[float, ...]]]:
    """Measures, prints and optionally writes the table; returns the figures per task and seed."""
    unknown = set(tasks) - {c.task for c in CASES}
    if unknown:
        raise TaskError(f"no comparison for {', '.join(sorted(unknown))}: choose from {', '.join(c.task for c in CASES)}")
    if seeds < 1:
        raise TaskError("--seeds: at least 1")
    chosen = [case for case in CASES if not tasks or case.task in tasks]
    jobs = [(case, seed) for case in chosen for seed in range(seeds)]
    figures: dict[str, list[tuple[float, ...]]] = {case.task: [] for case in chosen}
    for case, seed in track(jobs, "training", transient=True):
        figures[case.task].append(measure(case, seed))
    rows = [_row(case, figures[case.task]) for case in chosen]
    table = Table(title=f"mean and spread over {seeds} seeds", title_justify="left")
    for column in rows[0]:
        table.add_column(column)
    for row in rows:
        table.add_row(*row.values())
    Console().print(table)
    if out:
        head = list(rows[0])
        lines = [head, ["---"] * len(head), *[list(r.values()) for r in rows]]
        markdown = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        write_durably(out / "compare.md", (markdown + "\n").encode())
        write_durably(out / "compare.json", json.dumps(figures, indent=1).encode())
    return figures


def _row(case: Case, figures: list[tuple[float, ...]]) -> dict[str, str]:
    task = load_task(case.task)
    scale = 100.0 if task.higher_is_better else 1.0
    digits = 1 if task.higher_is_better else 4
    row = {"task": case.task, "metric": task.metric, "seats": str(case.seats), "rounds": str(case.rounds)}
    for way, values in zip(WAYS, zip(*figures, strict=True), strict=True):
        spread = f" ± {stdev(values) * scale:.{digits}f}" if len(values) > 1 else ""
        row[way] = f"{mean(values) * scale:.{digits}f}{spread}"
    return row
