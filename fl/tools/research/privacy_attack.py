"""What do updates reveal, and what does hiding it cost? Measures the strongest known attack on one row, the bound that the
guarantee sets for any attack, and the federation's metric at the same budget."""

from __future__ import annotations

from pathlib import Path

from rich.progress import track

from fl.learning.data.partition import split
from fl.learning.privacy.budget import Privacy, most_auc, spending
from fl.learning.research import baselines
from fl.learning.research.membership import attack
from fl.learning.task_loading import load_task
from fl.tools.research.compare import Case, cases, points, show

BUDGETS = ((None, "sgd"), (8.0, "sgd"), (3.0, "sgd"), (1.0, "sgd"), (8.0, "update"))
ATTACKED_ROUNDS, TRIALS = 3, 100


def privacy_attack(tasks: tuple[str, ...], seeds: int, out: Path | None) -> list[dict[str, object]]:
    """Measures, prints and optionally writes the table; returns its figures."""
    chosen = [(case, *budget) for case in cases(tasks or ("heart", "breast_cancer"), seeds) for budget in BUDGETS]
    found = [
        _measure(case, epsilon, mechanism, seeds) for case, epsilon, mechanism in track(chosen, "training", transient=True)
    ]
    rows = [{name: str(value) for name, value in each.items() if name != "figures"} for each in found]
    show("privacy", f"attack: {TRIALS} trainings with the row, as many without; metric over {seeds} seeds", rows, found, out)
    return found


def _measure(case: Case, epsilon: float | None, mechanism: str, seeds: int) -> dict[str, object]:
    task = load_task(case.task)
    splits = [split(task.data(), case.seats, case.alpha, seed) for seed in range(seeds)]
    victim = min(splits[0].shards, key=lambda shard: len(shard.train)).train
    short = long = None
    bound = 1.0
    if epsilon is not None:
        # The attack spends the whole budget in few rounds, the federation in all of its own.
        short, long = (Privacy(epsilon, mechanism=mechanism, rounds=n) for n in (ATTACKED_ROUNDS, case.rounds))
        rounds = range(1, ATTACKED_ROUNDS + 1)
        bound = most_auc(tuple(spending(short, task.training, len(victim), "", n) for n in rounds))
    area, error = attack(task, victim, short, ATTACKED_ROUNDS, TRIALS, 0)
    metrics = [baselines.exact_fedavg(task, data, case.rounds, i, privacy=long) for i, data in enumerate(splits)]
    return {
        "task": case.task,
        "privacy": "none" if epsilon is None else f"{mechanism}, epsilon {epsilon:g}",
        "attack's AUC": f"{area:.2f} ± {error:.2f}",
        "any attack at most": f"{bound:.2f}",
        task.metric: points(task, metrics),
        "figures": [area, error, bound, metrics],
    }
