"""Times training, aggregation and trees against a plain loop, and against Flower if it is installed.

All ways take turns on the same data in the same minute, and medians are reported: on a busy machine ratios are more reliable
than times. Flower has its own environment (`make flower`), because its packages conflict with Treaty's.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from fl.errors import TaskError
from fl.learning.batched import Delta, train_many
from fl.learning.codec import encode_update, floats_of, to_vector
from fl.learning.data.partition import Part
from fl.learning.evaluator import Evaluator
from fl.learning.task import Task, build
from fl.learning.task_loading import load_task
from fl.learning.trainer import generator, local_change, start_weights
from fl.network.stores.files import write_durably
from fl.protocol.artifact import LEAF_PARAMETERS, Kind, depth_for, pack_model, pack_update, parse_model
from fl.protocol.blocks import BLOCK, quantize
from fl.protocol.fixed_point import to_fixed
from fl.protocol.fraud import Opened
from fl.protocol.stream import aggregate_files, cores

T = TypeVar("T")
Vector = NDArray[np.int32]

HOME = Path(__file__).parents[3]
FLOWER = HOME / ".venv-flower" / "bin" / "python"
HELPER = HOME / "tooling" / "flower.py"
SHAPES = ((50, 1_000_000), (10, 25_000_000))
PARTS = ("simulation", "aggregation", "tree")


@dataclass(frozen=True)
class Settings:
    """What is measured."""

    clients: tuple[int, ...] = (20, 200)
    rounds: int = 10
    runs: int = 10
    shapes: tuple[tuple[int, int], ...] = SHAPES
    parts: tuple[str, ...] = PARTS
    flower: Path | None = FLOWER


def benchmark(settings: Settings, out: Path | None, say: Callable[[str], None] = print) -> str:
    """Measures and returns the report in Markdown; also writes it and its figures to `out`."""
    if unknown := set(settings.parts) - set(PARTS):
        raise TaskError(f"no part {', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
    if settings.flower is not None and not settings.flower.is_file():
        say(f"no Flower at {settings.flower}: `make flower` installs it; measuring without")
        settings = Settings(settings.clients, settings.rounds, settings.runs, settings.shapes, settings.parts, None)
    facts = machine()
    figures: dict[str, Any] = {"machine": facts}
    texts = [f"Measured on {facts['processor']}, {facts['cores']} cores, load {facts['load']}, numpy {np.__version__}."]
    if "simulation" in settings.parts:
        for clients in settings.clients:
            say(f"simulation of {clients} participants")
            figures[f"simulation {clients}"], text = simulation(settings, clients)
            texts.append(text)
    if "aggregation" in settings.parts:
        for count, size in settings.shapes:
            say(f"aggregation of {count} x {size:,}")
            figures[f"aggregation {count} x {size}"], text = aggregation(settings, count, size)
            texts.append(text)
    if "tree" in settings.parts:
        say("trees")
        figures["tree"], text = trees(settings.shapes[-1][1])
        texts.append(text)
    report = "\n\n".join(texts) + "\n"
    if out:
        write_durably(out / "benchmark.md", report.encode())
        write_durably(out / "benchmark.json", json.dumps(figures, indent=1).encode())
    return report


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    names = [line.split(":")[1].strip() for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name")]
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "?"
    return {"processor": names[0] if names else platform.processor(), "cores": cores(), "load": load}


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.is_file() else []


# ---- simulation


def deal(clients: int, seed: int) -> tuple[list[Part], Part]:
    """The digits by Dirichlet(0.5) over `clients`, at least one row each, and a test set of a fifth."""
    data = load_task("digits_mlp").data()
    rng = np.random.default_rng([seed, clients])
    order = rng.permutation(len(data.x))
    test, rest = order[: len(order) // 5], order[len(order) // 5 :]
    dealt: list[list[int]] = [[] for _ in range(clients)]
    for label in np.unique(data.y):
        group = rest[data.y[rest] == label]
        cuts = (np.cumsum(rng.dirichlet([0.5] * clients))[:-1] * len(group)).astype(int)
        for rows, piece in zip(dealt, np.split(group, cuts), strict=True):
            rows += piece.tolist()
    dealt = [rows or [int(rest[i])] for i, rows in enumerate(dealt)]
    return [Part(data.x[rows], data.y[rows]) for rows in dealt], Part(data.x[test], data.y[test])


def simulation(settings: Settings, clients: int) -> tuple[dict[str, Any], str]:
    """Rounds of local training and averaging, by every way in turn, `runs` times."""
    task, seed = load_task("digits_mlp"), 0
    parts, test = deal(clients, seed)
    evaluator = Evaluator(task)
    rounds = settings.rounds
    ways: dict[str, Callable[[], tuple[list[float], float, str]]] = {}

    def ours(make: Callable[[], Any]) -> Callable[[], tuple[list[float], float, str]]:
        def run() -> tuple[list[float], float, str]:
            stamps, vectors = [time.perf_counter()], []
            for vector in make():
                stamps.append(time.perf_counter())
                vectors = [vector]
            (final,) = vectors
            seconds = [b - a for a, b in pairwise(stamps)]
            return seconds, evaluator.metric(final, test), sha256(final.tobytes()).hexdigest()

        return run

    ways["plain loop, float mean"] = ours(lambda: float_rounds(task, parts, rounds, seed, at_once=False))
    ways["at once, float mean"] = ours(lambda: float_rounds(task, parts, rounds, seed, at_once=True))
    ways["at once, 8-bit and exact"] = ours(lambda: exact_rounds(task, parts, rounds, seed))
    with tempfile.TemporaryDirectory() as folder:
        if settings.flower:
            _write_work(Path(folder), task, parts, test, settings, seed)
            ways["Flower"] = lambda: _flower_simulation(settings, Path(folder))
        seen: dict[str, list[tuple[list[float], float, str]]] = {way: [] for way in ways}
        for _ in range(settings.runs):
            for way, run in ways.items():
                seen[way].append(run())
    figures: dict[str, dict[str, Any]] = {}
    for way, runs in seen.items():
        later = [s for seconds, _, _ in runs for s in seconds[1:]] or [s for seconds, _, _ in runs for s in seconds]
        figures[way] = {
            "milliseconds a round": 1000 * median(later),
            "accuracy": [accuracy for _, accuracy, _ in runs],
            "models": len({digest for _, _, digest in runs}),
        }
    fastest = figures["at once, float mean"]["milliseconds a round"]
    head = [
        f"{clients} participants",
        "ms a round",
        "time (at once, float mean = 1)",
        "accuracy",
        f"different models in {settings.runs} runs",
    ]
    rows = [
        [
            way,
            f"{f['milliseconds a round']:.1f}",
            f"{f['milliseconds a round'] / fastest:.1f}",
            f"{100 * min(f['accuracy']):.1f}" + (f" to {100 * max(f['accuracy']):.1f}" if len(set(f["accuracy"])) > 1 else ""),
            str(f["models"]),
        ]
        for way, f in figures.items()
    ]
    return figures, markdown(head, rows)


def one_by_one(task: Task, base: Vector, parts: Sequence[Part], rngs: Sequence[np.random.Generator]) -> list[Delta]:
    """`train_many` by a plain loop."""
    return [local_change(task, base, part, rng) for part, rng in zip(parts, rngs, strict=True)]


def float_rounds(task: Task, parts: Sequence[Part], rounds: int, seed: int, *, at_once: bool) -> Iterator[Vector]:
    """The model after every round of FedAvg by float means of equal weight, in units (as every round begins with)."""
    train = train_many if at_once else one_by_one
    size = floats_of(build(task, seed)).size
    vector = to_vector(build(task, seed))
    for number in range(1, rounds + 1):
        rngs = [generator(seed, number, seat) for seat in range(len(parts))]
        mean = np.mean(train(task, vector, parts, rngs), axis=0)
        vector = vector.copy()
        vector[:size] += to_fixed(mean)
        yield vector


def exact_rounds(task: Task, parts: Sequence[Part], rounds: int, seed: int) -> Iterator[Vector]:
    """The model after every round in the protocol's numbers: 8-bit updates with error feedback, summed exactly."""
    vector = to_vector(build(task, seed))
    depth = depth_for(floats_of(build(task, seed)).size)
    residuals: list[Delta | None] = [None] * len(parts)
    for number in range(1, rounds + 1):
        rngs = [generator(seed, number, seat) for seat in range(len(parts))]
        files = []
        for seat, delta in enumerate(train_many(task, vector, parts, rngs)):
            data, residuals[seat] = encode_update(delta, residuals[seat], depth, task.max_exponent, rngs[seat])
            files.append(data)
        vector = parse_model(aggregate_files(pack_model(vector), files, 0, task.max_exponent, threads=1), depth)
        yield vector


def _write_work(folder: Path, task: Any, parts: Sequence[Part], test: Part, settings: Settings, seed: int) -> None:
    arrays = {"test_x": test.x, "test_y": test.y}
    for i, part in enumerate(parts):
        arrays |= {f"x{i}": part.x, f"y{i}": part.y}
    arrays |= {f"w{i}": w for i, w in enumerate(start_weights(task, seed))}
    np.savez(folder / "shards.npz", **arrays)
    local = task.training
    work = {"clients": len(parts), "rounds": settings.rounds, "steps": local.steps, "batch": local.batch_size}
    work |= {"rate": local.learning_rate, "seed": seed}
    (folder / "work.json").write_text(json.dumps(work))


def _flower_simulation(settings: Settings, folder: Path) -> tuple[list[float], float, str]:
    done = subprocess.run([str(settings.flower), str(HELPER), "simulation", str(folder)], capture_output=True, text=True)
    found = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if not found:
        raise TaskError(f"Flower's simulation failed; its last words: {' '.join(done.stderr.split()[-40:])}")
    result = json.loads(found[-1].removeprefix("RESULT "))
    return result["rounds"], result["accuracy"], result["hash"]


# ---- aggregation


def random_updates(count: int, size: int, seed: int) -> tuple[bytes, list[bytes]]:
    """(a model's file, update files) of normal numbers, with a different scale for each update."""
    rng = np.random.default_rng(seed)
    depth = depth_for(size)
    full = LEAF_PARAMETERS << depth
    updates = []
    for _ in range(count):
        piece = rng.normal(size=min(size, 1 << 20)) * 0.01 * rng.uniform(0.7, 1.3)
        pieces, exponents = quantize(np.resize(piece, len(piece) // BLOCK * BLOCK), 16, rng)
        q, e = np.zeros(full, np.int8), np.zeros(full // BLOCK, np.uint8)
        q[:size] = np.resize(pieces, size)
        e[: size // BLOCK] = np.resize(exponents, size // BLOCK)
        updates.append(pack_update(q, e))
    model = np.zeros(full, np.int32)
    model[:size] = np.resize(rng.integers(-(2**24), 2**24, 1 << 20), size)
    return pack_model(model), updates


def aggregation(settings: Settings, count: int, size: int) -> tuple[dict[str, Any], str]:
    """Mean, trimmed mean (a fifth on each side) and median of `count` updates of `size` parameters."""
    model, updates = random_updates(count, size, 0)
    out = bytearray(len(model))
    touched = len(model) * 2 + sum(map(len, updates))
    roof = bandwidth()
    rules = {"mean": 0, "trimmed mean": count // 5, "median": count}
    flower = _Flower(settings.flower, count, size) if settings.flower else None
    figures: dict[str, Any] = {"bytes": touched, "bytes a second at most": roof}
    for rule, trim in rules.items():
        mine, theirs = [], []
        for _ in range(7 if rule == "mean" else 3):
            before = time.process_time()
            seconds = _timed(aggregate_files, model, updates, trim, 16, out)[1]
            mine.append((seconds, time.process_time() - before))
            if flower:
                theirs.append(flower.run(rule))
        figures[rule] = {"seconds, of processors": _medians(mine), "Flower's": _medians(theirs)}
    if flower:
        flower.close()
    head = [
        f"{count} x {size:,}",
        "ms",
        "processor ms",
        "Flower: ms",
        "processor ms",
        "times faster",
        "of memory bandwidth",
    ]
    rows = []
    for rule in rules:
        own, other = figures[rule]["seconds, of processors"], figures[rule]["Flower's"]
        beside = [*_ms(other), f"{other[0] / own[0]:.1f}"] if other else ["–"] * 3
        rows.append([rule, *_ms(own), *beside, f"{100 * touched / own[0] / roof:.0f} % of {roof / 1e9:.0f} GB/s"])
    return figures, markdown(head, rows)


def _medians(pairs: list[tuple[float, float]]) -> tuple[float, float] | None:
    return (median(p[0] for p in pairs), median(p[1] for p in pairs)) if pairs else None


def _ms(pair: tuple[float, float]) -> list[str]:
    return [f"{1000 * seconds:.0f}" for seconds in pair]


class _Flower:
    """Flower's aggregation in its own process, called in turn."""

    def __init__(self, python: Path, count: int, size: int):
        command = [str(python), str(HELPER), "aggregation", f"{count}x{size}"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def run(self, rule: str) -> tuple[float, float]:
        """(wall seconds, processor seconds)."""
        assert self._process.stdin and self._process.stdout
        print(rule, file=self._process.stdin, flush=True)
        for line in self._process.stdout:
            if line.startswith("RESULT "):
                seconds, processors = map(float, line.split()[1:])
                return seconds, processors
        raise TaskError("Flower's aggregation failed: try `make flower` again")

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def bandwidth() -> float:
    """The most bytes a second that all cores together can read, by dot products of arrays larger than any cache."""
    pieces: list[NDArray[np.float32]] = [np.ones(1 << 25, np.float32) for _ in range(cores())]
    with ThreadPoolExecutor(len(pieces)) as pool:
        best = min(_timed(list, pool.map(lambda p: float(np.dot(p, p)), pieces))[1] for _ in range(5))
    return sum(p.nbytes for p in pieces) / best


# ---- trees


def trees(size: int) -> tuple[dict[str, Any], str]:
    """Building the tree over an update and a model of `size` parameters, showing one leaf, quantising."""
    model, (update,) = random_updates(1, size, 0)
    figures: dict[str, Any] = {}
    for name, data, kind in (("update", update, Kind.UPDATE), ("model", model, Kind.MODEL)):
        opened, seconds = _timed(Opened.of, data, kind)
        figures[f"tree over the {name}, {len(data) / 1e6:.0f} MB"] = seconds
        middle_leaf = 1 << opened.tree.depth - 1
        figures[f"showing one leaf of the {name}, tree in memory"] = median(
            _timed(opened.show, middle_leaf)[1] for _ in range(99)
        )
    delta = np.random.default_rng(0).normal(size=size // BLOCK * BLOCK) * 0.01
    figures["quantising to 8 bits, to nearest"] = _timed(quantize, delta, 16, None)[1]
    figures["quantising to 8 bits, stochastically"] = _timed(quantize, delta, 16, np.random.default_rng(0))[1]
    rows = [[what, f"{1000 * s:.0f}" if s > 0.01 else f"{1000 * s:.3f}"] for what, s in figures.items()]
    return figures, markdown([f"{size:,} parameters", "ms"], rows)


def _timed(work: Callable[..., T], *args: Any) -> tuple[T, float]:
    """(what it returned, the seconds it took)."""
    begun = time.perf_counter()
    result = work(*args)
    return result, time.perf_counter() - begun


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def show(report: str) -> None:
    """Prints the Markdown to the terminal."""
    Console(soft_wrap=True).print(report, markup=False, highlight=False)
