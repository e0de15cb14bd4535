"""The ladder again, a million steps and on every core: `make deep`. Seeds differ from task to task and are told with a failure;
what was reached goes to deep.md beside this file."""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path

from hypothesis import seed
from stateful.machines import LADDER, Base, OnNode
from stateful.test_ladder import WEIGHTS, climb, missing

RECORD = Path(__file__).parent / "deep.md"


def task(machine: type, number: int) -> Counter[str]:
    """One machine's runs from one seed; what they reached."""
    Base.reached.clear()
    try:
        climb(seed(number)(machine), WEIGHTS[machine.__name__], derandomize=False)
    except BaseException as error:
        raise RuntimeError(f"{machine.__name__}, seed {number}: {error}") from error
    finally:
        if OnNode.node:
            OnNode.node.close()
            OnNode.node = None
    return Counter(Base.reached)


def tasks(first: int) -> Iterator[tuple[type, int]]:
    """Without end; the real node, which is slow, only in the beginning."""
    for number in itertools.count(first):
        yield from ((machine, number) for machine in LADDER if machine is not OnNode or number == first)


def deep(steps: int, first: int, jobs: int) -> Counter[str]:
    """Plays until so many steps are done, and keeps the record; raises what a task found."""
    reached, todo, running, started = Counter[str](), tasks(first), set[Future[Counter[str]]](), time.monotonic()
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("fork")) as pool:
        while reached["steps"] < steps or running:
            while reached["steps"] < steps and len(running) < jobs:
                running.add(pool.submit(task, *next(todo)))
            done, running = wait(running, return_when=FIRST_COMPLETED)
            before = reached["steps"]
            for one in done:
                reached.update(one.result())
            if before // 50_000 < reached["steps"] // 50_000 or not running:
                print(f"{reached['steps']:,} steps", flush=True)
                RECORD.write_text(record(reached, steps, (time.monotonic() - started) / 60, first, jobs))
    return reached


def record(reached: Counter[str], wanted: int, minutes: float, first: int, jobs: int) -> str:
    output = (
        f"{reached['steps']:,} of {wanted:,} steps, contract and ledger agreeing, in {minutes:.0f} minutes by {jobs} processes"
    )
    table = "".join(f"| {what} | {count:,} |\n" for what, count in sorted(reached.items()))
    head = f"# A deep campaign (`make deep`)\n\n{output} (first seed {first}). What was called, and what came of it:\n\n"
    return f"{head}| outcome | times |\n| --- | ---: |\n{table}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split(";")[0])
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    given = parser.parse_args()
    if never := missing(deep(given.steps, given.seed, given.jobs)):
        sys.exit(f"never reached: {never}")
