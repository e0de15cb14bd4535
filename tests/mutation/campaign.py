"""How many small wrongs would the tests notice? `python tests/mutation/campaign.py contracts` or `... protocol`.

Each mutant is compiled (contracts) or written to a copy (protocol) and meets the tests in a process of its own, forked from one
that has everything at hand (nursery.py), until one goes red: first those that killed its neighbours, then those about its
file, then all others. The product's own files are never touched. Survivors are listed in contracts.md or protocol.md beside
this file, each with its explanation from explained.json; one without is a missing test.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent))

from mutation.operators import Mutant, of_python, of_solidity  # noqa: E402

# Of contracts everything runs in one process, in this order; of the protocol, each line in one that collects it anew.
TESTS = {
    "contracts": [["tests/contracts", "tests/twins", "tests/attacks", "tests/stories", "tests/stateful/test_ladder.py"]],
    "protocol": [
        ["tests/python/protocol", "tests/twins/test_twins.py", "tests/twins/test_allowlist.py"],
        [f"tests/contracts/test_{page}.py" for page in ("propose", "demand", "round", "factory")],
    ],
}
# What must be compiled anew; the rest stays as Ape compiled it.
ROOTS = {
    "Stakes.sol": ["Federation"],
    "Federation.sol": ["Federation"],
    "Phases.sol": ["Federation"],
    "TermsReader.sol": ["Federation"],
    "FederationFactory.sol": ["FederationFactory"],
    "TermsRules.sol": ["FederationFactory"],
}
ALL_ROOTS = ["Federation", "mocks/LibraryHarness"]
LEAST_SECONDS = 60  # for a mutant; and no less than twice what the tests take without one
NEIGHBOURS = 24  # tests that lately killed mutants of the same file


def mutants(what: str) -> list[Mutant]:
    """All of them, in the order of the files; those alike on several lines of one file are numbered."""
    seen, told = Counter[str](), []
    for mutant in _mutants(what):
        seen[mutant.name] += 1
        told.append(replace(mutant, place=seen[mutant.name]))
    return told


def _mutants(what: str) -> Iterator[Mutant]:
    if what == "protocol":
        for path in sorted((ROOT / "fl" / "protocol").glob("*.py")):
            yield from of_python(path, ROOT)
        return
    for path in sorted((ROOT / "contracts").rglob("*.sol")):
        if not {"mocks", "interfaces", ".cache"} & set(path.parts):
            yield from of_solidity(path, ROOT)


class Workplace:
    """Where one mutant at a time is built and tested."""

    def __init__(self, what: str):
        self.what, self.seconds = what, 10_000  # of the processor, for one mutant
        self.folder = Path(tempfile.mkdtemp(prefix="treaty-mutants-"))
        self.killers: dict[str, list[str]] = {}  # by file, the latest first
        env = {**os.environ, "PYTHONPATH": "tests", "PYTHONDONTWRITEBYTECODE": "1"}
        paths = []
        if what == "contracts":
            paths = TESTS[what][0]
            self.compiler = _talk([str(ROOT / ".venv" / "bin" / "node"), str(HERE / "compiler.js")], env)
            env["TREATY_BUILD"] = str(shutil.copyfile(ROOT / ".build" / "__local__.json", self.folder / "build.json"))
        else:
            shutil.copytree(ROOT / "fl", self.folder / "fl", ignore=shutil.ignore_patterns("__pycache__"))
            env["PYTHONPATH"] = f"{self.folder}:tests"
        self.nursery = _talk([sys.executable, "-P", str(HERE / "nursery.py"), *paths], env)

    def verdict(self, mutant: Mutant) -> str:
        """The test that killed it, "invalid" or "survived"."""
        request = self._build(mutant)
        if request is None:
            return "invalid"
        killers = self.killers.setdefault(mutant.file, [])
        for paths in TESTS[self.what]:
            killer = _ask(self.nursery, {**request, "paths": paths, "first": killers, "seconds": self.seconds})["killed_by"]
            if killer:
                killers[:] = [killer, *(k for k in killers if k != killer)][:NEIGHBOURS]
                return killer
        return "survived"

    def clean(self, mutant: Mutant) -> str:
        """The verdict upon the mutant's file as it is, which also tells how long a mutant may take."""
        began = time.monotonic()
        told = self.verdict(replace(mutant, source=(ROOT / mutant.file).read_text()))
        self.seconds = max(LEAST_SECONDS, round(2 * (time.monotonic() - began)))
        return told

    def _build(self, mutant: Mutant) -> dict[str, Any] | None:
        if self.what == "protocol":
            for path in (ROOT / "fl" / "protocol").glob("*.py"):
                source = mutant.source if path == ROOT / mutant.file else path.read_text()
                (self.folder / "fl" / "protocol" / path.name).write_text(source)
            return {}
        roots = ROOTS.get(Path(mutant.file).name, ALL_ROOTS)
        compiled = _ask(self.compiler, {"file": mutant.file, "source": mutant.source, "roots": roots})
        return None if compiled["contracts"] is None else compiled

    def close(self) -> None:
        self.nursery.kill()
        if self.what == "contracts":
            self.compiler.kill()
        shutil.rmtree(self.folder)


def _talk(command: list[str], env: dict[str, str]) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=env, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)


def _ask(process: subprocess.Popen[str], request: dict[str, Any]) -> dict[str, Any]:
    assert process.stdin and process.stdout
    print(json.dumps(request), file=process.stdin, flush=True)
    return json.loads(process.stdout.readline())


def campaign(what: str, sample: int, jobs: int, seed: int, only: str, minutes: float, again: bool) -> None:
    """Runs it and writes the record. again: only those that survived at the last record unexplained; the rest is carried on."""
    explained = json.loads((HERE / "explained.json").read_text())
    every = [m for m in mutants(what) if only in m.file]
    todo, part, carried, survivors = every, "", Counter[str](), []
    if sample or minutes:
        todo = random.Random(seed).sample(every, min(sample or len(every), len(every)))
    if again:
        last = json.loads((HERE / f"{what}.json").read_text())
        part, carried, left = last["part"], Counter(last["counts"]), [m for m in every if m.name in last["survived"]]
        todo, survivors = ([m for m in left if (m.name in explained) is known] for known in (False, True))
        carried["survived"] = len(survivors)
    if not todo:
        sys.exit(f"no mutants in files with {only!r} in their path")
    places: SimpleQueue[Workplace] = SimpleQueue()
    for _ in range(jobs):
        places.put(Workplace(what))
    first = places.get()
    red = first.clean(todo[0])
    if red != "survived":
        sys.exit(f"the tests are red before anything was mutated ({red}): mend them first")
    for place in [places.get() for _ in range(jobs - 1)]:
        place.seconds = first.seconds
        places.put(place)
    places.put(first)
    started, counts, by = time.monotonic(), Counter[str](), Counter[str]()

    def one(mutant: Mutant) -> tuple[Mutant, str]:
        if minutes and time.monotonic() - started > 60 * minutes:
            return mutant, "not tried"
        place = places.get()
        try:
            return mutant, place.verdict(mutant)
        finally:
            places.put(place)

    with ThreadPoolExecutor(jobs) as pool:
        for mutant, verdict in pool.map(one, todo):
            kept = verdict in ("invalid", "survived", "not tried", "time")
            counts[verdict if kept else "killed"] += 1
            if not kept:
                by[verdict] += 1
            if verdict == "survived":
                survivors.append(mutant)
                print(f"survived {mutant.file}:{mutant.line} {mutant.was}  ->  {mutant.now}", flush=True)
            if sum(counts.values()) % 50 == 0:
                print(f"{sum(counts.values())} of {len(todo)}: {dict(counts)}", flush=True)
    while not places.empty():
        places.get().close()
    took = (time.monotonic() - started) / 60
    if sample or minutes:
        part = f"{len(todo) - counts['not tried']:,} of {len(every):,} drawn with seed {seed}"
    counts.update(carried)
    record = report(what, counts, survivors, explained, took, part)
    print(record)
    print("The tests that killed most:", *(f"{count:,} {test}" for test, count in by.most_common(20)), sep="\n")
    if not only and valid(counts):
        (HERE / f"{what}.md").write_text(record)
        kept = {"counts": {k: v for k, v in counts.items() if k in ("killed", "time", "invalid")}, "part": part}
        (HERE / f"{what}.json").write_text(json.dumps({**kept, "survived": [m.name for m in survivors]}, indent=1) + "\n")


def valid(counts: Counter[str]) -> int:
    return counts["killed"] + counts["time"] + counts["survived"]


def report(
    what: str, counts: Counter[str], survivors: list[Mutant], explained: dict[str, str], minutes: float, part: str
) -> str:
    """The record as a page."""
    judged = valid(counts)
    head = f"# Mutants of `{'contracts/' if what == 'contracts' else 'fl/protocol/'}`\n\n"
    killed = judged - counts["survived"]
    head += f"`make mutants`: {killed:,} of {judged:,} mutants that compile were killed "
    head += f"({100 * killed / max(1, judged):.1f} %), {counts['time']:,} of them by never ending, in {minutes:.0f} minutes"
    head += f"; {counts['invalid']:,} did not compile. " + (f"Only a sample: {part}.\n\n" if part else "All were tried.\n\n")
    rows = [
        f"| {m.file.split('/')[-1]}:{m.line} | `{m.was}` | `{m.now}` | {explained.get(m.name, '**no test**')} |"
        for m in survivors
    ]
    table = [row.replace("||", "\\|\\|") for row in rows]
    return (
        head
        + "Those that survived, and why:\n\n| where | was | became | why nothing notices |\n|---|---|---|---|\n"
        + "\n".join(table)
        + "\n"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=list(TESTS))
    parser.add_argument("--sample", type=int, default=0, help="so many mutants at random instead of all")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="only files whose path contains this")
    parser.add_argument("--minutes", type=float, default=0, help="stop then; mutants are drawn at random")
    parser.add_argument("--again", action="store_true", help="only those that survived last time, after tests were added")
    given = parser.parse_args()
    campaign(given.what, given.sample, given.jobs, given.seed, given.only, given.minutes, given.again)
