"""What does a masked sum learn, and what does the vote on it refuse? Real keys and masks, one cheat among the seats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.progress import track

from fl.learning.data.partition import split
from fl.learning.research import baselines
from fl.learning.research.masked import CHEATS, Course, course
from fl.learning.task_loading import load_task
from fl.tools.research.compare import cases, points, show


def masked_sum(tasks: tuple[str, ...], seeds: int, out: Path | None) -> dict[str, Any]:
    """Measures, prints and optionally writes the table: the metric at the end by task and cheat, every seed in the JSON."""
    chosen = cases(tasks, seeds)
    jobs = [(case, seed) for case in chosen for seed in range(seeds)]
    floats: dict[str, list[float]] = {case.task: [] for case in chosen}
    courses: dict[tuple[str, str], list[Course]] = {}
    for case, seed in track(jobs, "training", transient=True):
        task = load_task(case.task)
        data = split(task.data(), case.seats, case.alpha, seed)
        floats[case.task].append(baselines.float_fedavg(task, data, case.rounds, seed))
        for cheat in (None, *CHEATS):
            courses.setdefault((case.task, cheat or "none"), []).append(course(task, data, case.rounds, seed, cheat))
    rows = []
    for case in chosen:
        task = load_task(case.task)
        for (name, cheat), ends in courses.items():
            if name != case.task:
                continue
            metrics = [end.metric for end in ends]
            worst = min(metrics) if task.higher_is_better else max(metrics)
            rows.append(
                {
                    "task": name,
                    "seats": str(case.seats),
                    "float FedAvg": points(task, floats[name]),
                    "one seat cheats by": cheat,
                    "masked sum": points(task, metrics),
                    "worst seed": points(task, [worst]),
                    "rounds refused": f"{sum(end.refused for end in ends)} of {sum(end.rounds for end in ends)}",
                    "largest step": f"{max(end.moved for end in ends):.0f}",
                }
            )
    figures = {f"{name}, {cheat}": [vars(end) for end in ends] for (name, cheat), ends in courses.items()}
    show("masked", f"masked sums and the vote, {seeds} seeds", rows, {"float": floats, "masked": figures}, out)
    return figures
