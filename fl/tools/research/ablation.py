"""Which parts of the compression matter? Compares stochastic rounding and error feedback, each, both and neither, at exponents
from ample to tight, against float FedAvg on the same splits, seeds and rounds; and bytes per update against float32."""

from __future__ import annotations

from pathlib import Path

from rich.progress import track

from fl.learning.codec import parameters_of
from fl.learning.data.partition import split
from fl.learning.research import baselines
from fl.learning.task import build
from fl.learning.task_loading import load_task
from fl.protocol.artifact import Kind, depth_for, size_of
from fl.tools.research.compare import Case, cases, points, show

# (error feedback, stochastic rounding)
WAYS = {"both": (True, True), "feedback only": (True, False), "stochastic only": (False, True), "neither": (False, False)}
EXPONENTS = (16, 10, 7)  # an update moves a parameter by at most 127 * 2^(e - 24): by 0.5, 0.008, 0.001 a round


def measure(case: Case, exponent: int, seed: int) -> list[float]:
    """The metric of float FedAvg, then of every way."""
    task = load_task(case.task)
    data = split(task.data(), case.seats, case.alpha, seed)
    found = [baselines.float_fedavg(task, data, case.rounds, seed)]
    for feedback, stochastic in WAYS.values():
        exact = baselines.exact_fedavg(
            task, data, case.rounds, seed, max_exponent=exponent, feedback=feedback, stochastic=stochastic
        )
        found.append(exact)
    return found


def ablation(tasks: tuple[str, ...], seeds: int, out: Path | None) -> dict[str, list[list[float]]]:
    """Measures, prints and optionally writes the table; returns the figures per task and exponent, by seed."""
    chosen = [(case, e) for case in cases(tasks, seeds) for e in EXPONENTS]
    jobs = [(case, e, seed) for case, e in chosen for seed in range(seeds)]
    figures: dict[str, list[list[float]]] = {f"{case.task} {e}": [] for case, e in chosen}
    for case, e, seed in track(jobs, "training", transient=True):
        figures[f"{case.task} {e}"].append(measure(case, e, seed))
    rows = [_row(case, e, figures[f"{case.task} {e}"]) for case, e in chosen]
    show("ablation", f"mean and standard deviation over {seeds} seeds", rows, figures, out)
    return figures


def _row(case: Case, exponent: int, figures: list[list[float]]) -> dict[str, str]:
    task = load_task(case.task)
    count = parameters_of(build(task, 0))
    ours, theirs = size_of(Kind.UPDATE, depth_for(count)), 4 * count
    columns = [points(task, values) for values in zip(*figures, strict=True)]
    row = {"task": case.task, "metric": task.metric, "exponent": str(exponent)}
    row |= dict(zip(("float FedAvg", *WAYS), columns, strict=True))
    return row | {"bytes": f"{ours:,}", "float32": f"{theirs:,}", "share": f"{ours / theirs:.2f}"}
