"""Does it work against bad data and cheats? Simulates federations without a chain, every cell of a grid over many seeds: what
the model loses, what each kind of cheat earns, what one owner with many seats earns, how close scores are to Shapley values.

Cells are saved as they finish, so that an interrupted run continues where it stopped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fl.errors import TaskError
from fl.learning.data.partition import Part, Shard, Split, split
from fl.learning.evaluator import Evaluator
from fl.learning.inference import module_of, outputs_of, predictions
from fl.learning.research import robust_rules, shapley
from fl.learning.research.attacks import ATTACKS, BACKDOORS, TARGET, stamped, trigger_of
from fl.learning.research.median_cosine import COMPARED
from fl.learning.research.offchain import SCORERS, Cell, Play, play, small_digits
from fl.learning.task import Task
from fl.learning.task_loading import load_task
from fl.network.stores.files import write_durably
from fl.protocol.manifest import DEFAULT_GATE
from fl.tools.research.experiment_report import markdown, svg
from fl.tools.research.parallel import as_done

PARTS = ("gates", "pay", "sybil", "shapley")
COMMITTEE, STRICTNESS = 7, 2  # of ten seats: three liars never hold a majority


@dataclass(frozen=True)
class Setting:
    """A task under attack: honest seats, Dirichlet's alpha, and how many seats cheat for each share in per cent."""

    name: str
    task: str
    honest: int
    alpha: float | None
    bad: dict[int, int]


SETTINGS = (
    Setting("heart, 4 hospitals", "heart", 4, None, {20: 1, 33: 2}),
    Setting("heart, 7 halves", "heart", 7, None, {10: 1, 20: 2, 30: 3}),
    Setting("breast_cancer", "breast_cancer", 7, 0.5, {10: 1, 20: 2, 30: 3}),
    Setting("digits", "digits_small", 7, 0.5, {10: 1, 20: 2, 30: 3}),
    Setting("digits, alpha 0.1", "digits_small", 7, 0.1, {10: 1, 20: 2, 30: 3}),
)


@dataclass(frozen=True)
class Grid:
    """What to run."""

    parts: tuple[str, ...] = PARTS
    settings: tuple[Setting, ...] = SETTINGS
    kinds: tuple[str, ...] = tuple(ATTACKS)
    gates: tuple[str, ...] = ("none", "median_cosine", DEFAULT_GATE)
    trims: tuple[int, ...] = (0,)  # per cent dropped on each side
    shares: tuple[int, ...] = (30,)
    seeds: int = 10
    rounds: int = 15
    omniscient: bool = False


def run(
    grid: Grid, out: Path, say: Callable[[str], None] = print, *, processes: int = 1, ray: str | None = None
) -> dict[str, Any]:
    """Runs all cells that are not done yet, writes experiment.json, experiment.md and figures to `out`, returns the figures.

    processes, ray: where, as `in_parallel` takes them; the figures are the same everywhere, in the order of the grid.
    """
    _check(grid)
    path = out / "experiment.json"
    known: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    work = {"gates": _gates, "pay": _pay, "sybil": _sybil, "shapley": _shapley}
    jobs = [job for part in grid.parts for job in work[part](grid)]
    order = [key for keys, _ in jobs for key in keys]
    left = [(keys, job) for keys, job in jobs if any(key not in known for key in keys)]
    for i, result in as_done(_call, [job for _, job in left], processes=processes, ray=ray):
        keys = left[i][0]
        known.update(zip(keys, result, strict=True))
        others = {key: facts for key, facts in known.items() if key not in order}
        known = others | {key: known[key] for key in order if key in known}
        write_durably(path, json.dumps(known, indent=0).encode())
        say(keys[-1])
    write_durably(out / "experiment.md", markdown(known).encode())
    for name, figure in svg(known).items():
        write_durably(out / f"{name}.svg", figure.encode())
    return known


def _check(grid: Grid) -> None:
    for what, given, all_ in (
        ("part", grid.parts, PARTS),
        ("kind", grid.kinds, tuple(ATTACKS)),
        ("gate", [gate for gate in grid.gates if not gate.startswith(robust_rules.PREFIX)], tuple(COMPARED)),
    ):
        if wrong := [name for name in given if name not in all_]:
            raise TaskError(f"no {what} {wrong[0]!r}: choose from {', '.join(all_)}")
    for gate in grid.gates:
        if gate.startswith(robust_rules.PREFIX):
            robust_rules.rule(gate)
    if grid.seeds < 1 or grid.rounds < 1:
        raise TaskError("--seeds and --rounds must be at least 1")
    if any(not 0 <= trim < 50 for trim in grid.trims):
        raise TaskError("--trim: per cent dropped on each side, 0 to 49")


# Cells that run in lockstep, by the keys of their results: a function of this module and its arguments.
Jobs = list[tuple[list[str], tuple[Any, ...]]]


def _call(function: Callable[..., list[Any]], *arguments: Any) -> list[Any]:
    return function(*arguments)


def _task(name: str) -> Task:
    return small_digits() if name == "digits_small" else load_task(name)


def _splits(setting: Setting, seeds: int) -> tuple[Task, dict[int, Split]]:
    task = _task(setting.task)
    data = task.data()
    return task, {seed: split(data, setting.honest, setting.alpha, seed) for seed in range(seeds)}


def _shares(setting: Setting, shares: Sequence[int]) -> list[tuple[int, int]]:
    """(the share in per cent, how many cheat), for every share of the setting that is close to one asked for."""
    return sorted({(have, bad) for share in shares for have, bad in setting.bad.items() if abs(have - share) <= 3})


def _gates(grid: Grid) -> Jobs:
    jobs: Jobs = []
    view = "/all-seeing" if grid.omniscient else ""
    rules = list(dict.fromkeys([("none", 0), *((gate, percent) for gate in grid.gates for percent in grid.trims)]))
    for setting in grid.settings:
        for gate, percent in rules:
            asked = gate in grid.gates and percent in grid.trims  # otherwise only the reference of all measurements
            for share, bad in [(0, 0), *(_shares(setting, grid.shares) if asked else ())]:
                kinds = grid.kinds if bad else ("nobody",)
                trim = -(-percent * (setting.honest + bad) // 100)
                cells = [Cell(kind, bad, gate, trim, 0, omniscient=grid.omniscient) for kind in kinds]
                keys = [
                    f"gates/{setting.name}/{share}/{kind}/{gate}/trim {percent}{view if bad else ''}/{_length(grid)}"
                    for kind in kinds
                ]
                jobs.append((keys, (_attacked, grid, setting, cells)))
    return jobs


def _length(grid: Grid) -> str:
    return f"{grid.rounds} rounds/{grid.seeds} seeds"


def _played(grid: Grid, setting: Setting, cells: Sequence[Cell]) -> tuple[Task, list[list[Play]]]:
    """Every cell over all seeds, in lockstep."""
    task, splits = _splits(setting, grid.seeds)
    plays = play(task, splits, [replace(cell, seed=seed) for cell in cells for seed in splits], grid.rounds)
    return task, [plays[i : i + grid.seeds] for i in range(0, len(plays), grid.seeds)]


def _attacked(grid: Grid, setting: Setting, cells: Sequence[Cell]) -> list[dict[str, Any]]:
    task, groups = _played(grid, setting, cells)
    evaluator = Evaluator(task)
    return [
        {
            "metric": [100 * evaluator.metric(p.vector, p.split.test) for p in plays],
            "honest_in": mean(_let_in(p, range(p.honest)) for p in plays),
            "bad_in": mean(_let_in(p, range(p.honest, p.seats)) for p in plays),
            **{f"hits {kind}": [_hits(task, p, kind) for p in plays] for kind in _backdoors(plays[0].cell.kind)},
        }
        for plays in groups
    ]


def _let_in(p: Play, seats: range) -> float:
    """How often these seats were let in, of the rounds in which they took part."""
    turns = [s in inside for inside, here in zip(p.inside, p.present, strict=True) for s in seats if s in here]
    return mean(turns) if turns else 0.0


def _backdoors(kind: str) -> tuple[str, ...]:
    """The backdoors whose success is measured: a cheat's own, and, where nobody cheats, that of each trigger by chance."""
    return BACKDOORS if kind == "nobody" else (kind,) if kind in BACKDOORS else ()


def _hits(task: Task, p: Play, kind: str) -> float:
    """In per cent, how many test rows of other labels the final model takes for the target once they bear the trigger."""
    marked = stamped(p.split.test.x[p.split.test.y != TARGET], trigger_of(kind))
    found = predictions(task, outputs_of(task, module_of(task, p.vector), marked)).probabilities
    return 0.0 if found is None else 100 * float(np.mean(found.argmax(axis=1) == TARGET))


def _pay(grid: Grid) -> Jobs:
    jobs: Jobs = []
    for setting in (s for s in grid.settings if s.honest == 7):
        for scorers in SCORERS:
            kinds = grid.kinds if scorers != "honest" else ("nobody", *grid.kinds)
            for bad in (0, setting.bad[30]):
                some = [kind for kind in kinds if (kind == "nobody") is (bad == 0)]
                cells = [Cell(kind, bad, DEFAULT_GATE, 0, 0, COMMITTEE, scorers, STRICTNESS) for kind in some]
                if some:
                    keys = [f"pay/{setting.name}/{kind}/{scorers}/{_length(grid)}" for kind in some]
                    jobs.append((keys, (_all_paid, grid, setting, cells)))
    return jobs


def _all_paid(grid: Grid, setting: Setting, cells: Sequence[Cell]) -> list[dict[str, float]]:
    return [_paid(plays, grid.rounds) for plays in _played(grid, setting, cells)[1]]


def _paid(plays: Sequence[Play], rounds: int) -> dict[str, float]:
    def each(amounts: Callable[[Play], NDArray[np.float64]], bad: bool) -> float:
        parts = [amounts(p)[p.honest :] if bad else amounts(p)[: p.honest] for p in plays]
        return float(np.mean(np.concatenate(parts))) if sum(map(len, parts)) else 0.0

    facts = {}
    for who, bad in (("honest", False), ("bad", True)):
        facts[f"{who}_trainer"] = each(lambda p: p.trained_pay, bad) / rounds
        times = each(lambda p: p.judged_times, bad)
        facts[f"{who}_validator"] = each(lambda p: p.judged_pay, bad) / times if times else 0.0
        late = [score for p in plays for seat, score in _last_scores(p).items() if seat in _seats(p, bad)]
        facts[f"{who}_last_score"] = mean(late) if late else 0.0
    if all(p.cell.bad for p in plays):
        pairs = [(float(p.trained_pay[p.honest :].mean()), float(p.trained_pay[: p.honest].mean())) for p in plays]
        facts["worst_ratio"] = max(bad / honest if honest else float(bad > 0) for bad, honest in pairs)
    return facts


def _last_scores(p: Play) -> dict[int, int]:
    """Of the seats that took part in the last round."""
    return dict(zip(p.scored[-1].revealed, p.scored[-1].medians, strict=True))


def _seats(p: Play, bad: bool) -> range:
    return range(p.honest, p.seats) if bad else range(p.honest)


def _sybil(grid: Grid) -> Jobs:
    return [
        ([f"sybil/{s.name}/{seats}/{_length(grid)}"], (_divided, grid, s, seats))
        for s in grid.settings
        if s.honest == 7
        for seats in (1, 2, 3, 4)
    ]


def _divided(grid: Grid, setting: Setting, seats: int) -> list[dict[str, float]]:
    """The owner with most rows splits them evenly among so many seats; the others stay as they are."""
    task, splits = _splits(setting, grid.seeds)
    dealt = {seed: _deal(data, seats, seed) for seed, data in splits.items()}
    cells = [Cell("nobody", 0, DEFAULT_GATE, 0, seed, COMMITTEE, "honest", STRICTNESS) for seed in dealt]
    plays = play(task, dealt, cells, grid.rounds)
    owner = [p.trained_pay[-seats:].sum() / grid.rounds for p in plays]
    others = [p.trained_pay[:-seats].mean() / grid.rounds for p in plays]
    rows = [np.array([len(shard.train) for shard in data.shards]) for data in dealt.values()]
    part = [own[-seats:].sum() / own.sum() for own in rows]
    return [{"owner": float(np.mean(owner)), "others": float(np.mean(others)), "rows": float(np.mean(part))}]


def _deal(data: Split, seats: int, seed: int) -> Split:
    largest = max(range(len(data.shards)), key=lambda i: len(data.shards[i].train))
    whole = data.shards[largest]
    rng = np.random.default_rng([seed, 3])
    pieces = []
    for part in (whole.train, whole.held_out):
        rows = np.array_split(rng.permutation(len(part)), seats)
        pieces.append([Part(part.x[some], part.y[some]) for some in rows])
    mine = [Shard(f"{whole.name} {i}", train, held_out) for i, (train, held_out) in enumerate(zip(*pieces, strict=True))]
    return Split((*data.shards[:largest], *data.shards[largest + 1 :], *mine), data.test)


def _shapley(grid: Grid) -> Jobs:
    return [
        ([f"shapley/{name}/{grid.seeds} seeds"], (_ranked, grid, task, alpha))
        for name, task, alpha in (("breast_cancer", "breast_cancer", 0.5), ("digits", "digits_small", 0.5))
    ]


def _ranked(grid: Grid, name: str, alpha: float | None, seats: int = 8, rounds: int = 5) -> list[dict[str, Any]]:
    """Rank correlation with exact Shapley at 8 seats: of one round, and of the sums over rounds, which are what pay follows."""
    task = _task(name)
    evaluator = Evaluator(task)
    ways: dict[str, Callable[[shapley.Worth, Sequence[int], int], dict[int, float]]] = {
        "leave-one-out": lambda w, s, seed: shapley.leave_one_out(w, s),
        "truncated Monte Carlo, 64 models": lambda w, s, seed: shapley.monte_carlo(w, s, 64, seed, False),
        "GTG-Shapley, 64 models": lambda w, s, seed: shapley.monte_carlo(w, s, 64, seed, True),
        "GTG-Shapley, 128 models": lambda w, s, seed: shapley.monte_carlo(w, s, 128, seed, True),
    }
    single: dict[str, list[float]] = {way: [] for way in ways}
    summed: dict[str, list[float]] = {way: [] for way in ways}
    models: dict[str, list[int]] = {way: [] for way in ways}
    for seed in range(grid.seeds):
        data = split(task.data(), seats, alpha, seed)
        held = Part(*(np.concatenate([getattr(s.held_out, axis) for s in data.shards]) for axis in ("x", "y")))
        played = play(task, {seed: data}, [Cell("nobody", 0, "none", 0, seed)], rounds)[0].rounds
        totals = {way: dict.fromkeys(range(seats), 0.0) for way in ("exact", *ways)}
        for round_ in played:

            def losses(vectors: NDArray[np.int32], held: Part = held) -> NDArray[np.float64]:
                return evaluator.losses(vectors, held)

            true = shapley.exact(shapley.Worth(round_, losses), range(seats))
            for way, estimate in ways.items():
                worth = shapley.Worth(round_, losses)
                result = estimate(worth, range(seats), seed)
                single[way].append(shapley.rank_correlation(true, result))
                models[way].append(worth.evaluated)
                for seat in range(seats):
                    totals[way][seat] += result[seat]
            for seat in range(seats):
                totals["exact"][seat] += true[seat]
        for way in ways:
            summed[way].append(shapley.rank_correlation(totals["exact"], totals[way]))
    return [{way: {"one": mean(single[way]), "sum": mean(summed[way]), "models": mean(models[way])} for way in ways}]
