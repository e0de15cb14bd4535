"""FLamby's Fed-Heart-Disease as a table, beside the published means; what is trained is in fl/learning/research/flamby.py."""

from __future__ import annotations

from pathlib import Path
from statistics import stdev

import numpy as np
from rich.progress import track

from fl.errors import TaskError
from fl.learning.research.flamby import FIRST_SEED, PUBLISHED, bench, measure
from fl.learning.tasks.heart import HOSPITALS
from fl.tools.research.compare import show


def flamby(tasks: tuple[str, ...], seeds: int, out: Path | None) -> dict[str, list[list[float]]]:
    """Measures, prints and optionally writes the table; returns the figures per way and seed."""
    if tasks:
        raise TaskError("--flamby is one table of its own: leave --task out")
    if seeds < 1:
        raise TaskError("--seeds must be at least 1")
    b = bench()
    figures: dict[str, list[list[float]]] = {}
    for seed in track(range(FIRST_SEED, FIRST_SEED + seeds), "training", transient=True):
        for way, values in measure(b, seed).items():
            figures.setdefault(way, []).append(values)
    table = [_row(way, found) for way, found in figures.items()]
    held = ", ".join(f"{len(s.train)} + {len(t)}" for s, t in zip(b.centres.shards, b.tests, strict=True))
    show("flamby", f"accuracy, mean over {seeds} seeds; training and test rows: {held}", table, figures, out)
    return figures


def _row(way: str, found: list[list[float]]) -> dict[str, str]:
    means = [float(np.mean(values)) for values in found]
    centres = dict(zip(HOSPITALS, (f"{value:.3f}" for value in np.mean(found, axis=0)), strict=True))
    spread = f"{np.mean(means):.3f}" + (f" ± {stdev(means):.3f}" if len(means) > 1 else "")
    return {"way": way, **centres, "mean of centres": spread, "published": PUBLISHED.get(way, "")}
