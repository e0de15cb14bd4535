"""How many rounds does it take? For every shipped task on real tables: the round after which a federation stays at 99 % of what
centralised training reaches in its best round, beside the best of scikit-learn's classifiers on all training rows together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from fl.learning.data.partition import Part, split
from fl.learning.evaluator import Evaluator
from fl.learning.research import baselines
from fl.learning.task import Task
from fl.learning.task_loading import load_task
from fl.protocol.manifest import DEFAULT_GATE
from fl.tools.research.compare import Case, best, cases, points, show

SHARE = 0.99  # of the centralised metric
ROUNDS = {"heart": 30, "breast_cancer": 30, "digits": 60}  # played; the last five say where it ends


def reached(curve: list[float], target: float) -> int | None:
    """The first round from which on the curve never falls below the target again; None if there is none."""
    below = [number for number, value in enumerate(curve) if not value >= target]
    first = below[-1] + 1 if below else 0
    return first if first < len(curve) else None


def measure(case: Case, seed: int) -> dict[str, Any]:
    """One seed: the federation's curve, the centralised metric, and scikit-learn's best, by name."""
    task, rounds = load_task(case.task), ROUNDS[case.task]
    data = split(task.data(), case.seats, case.alpha, seed)
    name, theirs = by_scikit_learn(task, [s.train for s in data.shards], [s.held_out for s in data.shards], data.test)
    evaluator = Evaluator(task)
    models = baselines.exact_models(task, data, rounds, seed, gate=DEFAULT_GATE)
    return {
        "curve": [evaluator.metric(model, data.test) for model in models],
        "centralised": best(task, baselines.pooled_curve(task, data, case.rounds, seed)),
        "scikit-learn": theirs,
        "classifier": name,
    }


def by_scikit_learn(task: Task, train: list[Part], held_out: list[Part], test: Part) -> tuple[str, float]:
    """(name, metric on the test rows) of the classifier that does best on the held-out rows, trained on everybody's rows."""
    from sklearn.ensemble import RandomForestClassifier  # these take a second to load
    from sklearn.linear_model import LogisticRegression  # likewise
    from sklearn.metrics import accuracy_score, roc_auc_score  # likewise
    from sklearn.svm import SVC  # likewise

    candidates = {
        "logistic regression": [LogisticRegression(C=c, max_iter=5000) for c in (0.1, 1.0, 10.0)],
        "support vectors": [SVC(C=c) for c in (1.0, 10.0)],
        "random forest": [RandomForestClassifier(300, random_state=0)],
    }

    def measured(model: Any, part: Part) -> float:
        x = _flat([part])[0]
        if task.metric == "AUC":
            scores = model.decision_function(x) if hasattr(model, "decision_function") else model.predict_proba(x)[:, 1]
            return float(roc_auc_score(part.y, scores))
        return float(accuracy_score(part.y, model.predict(x)))

    rows, labels = _flat(train)
    checked = Part(np.concatenate([p.x for p in held_out]), np.concatenate([p.y for p in held_out]))
    fitted = [(name, model.fit(rows, labels)) for name, models in candidates.items() for model in models]
    name, chosen = max(fitted, key=lambda named: measured(named[1], checked))
    return name, measured(chosen, test)


def _flat(parts: list[Part]) -> tuple[NDArray[np.float32], NDArray[np.generic]]:
    return np.concatenate([p.x.reshape(len(p), -1) for p in parts]), np.concatenate([p.y for p in parts])


def rounds_needed(tasks: tuple[str, ...], seeds: int, out: Path | None) -> dict[str, list[dict[str, Any]]]:
    """Measures, prints and optionally writes the table; returns the figures per task and seed."""
    chosen = [case for case in cases(tasks, seeds) if case.task in ROUNDS]
    jobs = [(case, seed) for case in chosen for seed in range(seeds)]
    figures: dict[str, list[dict[str, Any]]] = {case.task: [] for case in chosen}
    for case, seed in track(jobs, "training", transient=True):
        figures[case.task].append(measure(case, seed))
    rows = [_row(case, figures[case.task]) for case in chosen]
    show("rounds", f"mean and standard deviation over {seeds} seeds", rows, figures, out)
    return figures


def _row(case: Case, figures: list[dict[str, Any]]) -> dict[str, str]:
    task = load_task(case.task)
    mean = np.mean([f["curve"] for f in figures], axis=0).tolist()
    central = float(np.mean([f["centralised"] for f in figures]))
    each = [reached(f["curve"], SHARE * f["centralised"]) for f in figures]
    slowest = "not all" if None in each else str(max(n for n in each if n is not None))
    needed = reached(mean, SHARE * central)
    ends = [float(np.mean(f["curve"][-5:])) for f in figures]
    names = [f["classifier"] for f in figures]
    return {
        "task": case.task,
        "metric": task.metric,
        "seats": str(case.seats),
        f"rounds to {SHARE:.0%} of centralised": str(needed) if needed is not None else f"more than {ROUNDS[case.task]}",
        "slowest seed": slowest,
        "at the end": f"{points(task, ends)} ({ROUNDS[case.task]} rounds)",
        "centralised": points(task, [f["centralised"] for f in figures]),
        "best of scikit-learn": f"{points(task, [f['scikit-learn'] for f in figures])}, {max(names, key=names.count)}",
    }
