"""How many small wrongs would the tests notice? `python tests/mutation/campaign.py contracts` or `... protocol`.

Each mutant is compiled (contracts) or written to a copy (protocol) and meets the tests in a process of its own, forked from one
that has everything imported, those about the mutant's own file first, until one goes red. The product's own files are never
touched. Survivors are listed in contracts.md or protocol.md beside this file, each with its explanation from explained.json;
one without is a missing test.
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

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent))

from mutation.operators import Mutant, of_python, of_solidity  # noqa: E402

TESTS = {
    "contracts": [
        ["tests/contracts", "tests/twins"],
        ["tests/stateful/test_ladder.py", "-k", "Dropouts or Liars or Several"],
        ["tests/attacks", "tests/stories"],
    ],
    "protocol": [
        ["tests/python/protocol", "tests/twins", "tests/contracts"],
        ["tests/stories", "tests/stateful/test_ladder.py", "-k", "not OnNode and not reached"],
    ],
}
# Tests that most often notice what is wrong in a file, by the file's name; they go first.
FIRST = {
    "Stakes.sol": ["tests/contracts/test_seats.py", "tests/contracts/test_money.py"],
    "Federation.sol": [
        "tests/contracts/test_round.py",
        "tests/contracts/test_scores.py",
        "tests/contracts/test_demand.py",
        "tests/contracts/test_propose.py",
        "tests/contracts/test_draw.py",
    ],
    "FederationFactory.sol": ["tests/contracts/test_factory.py"],
    "TermsRules.sol": ["tests/contracts/test_factory.py"],
    "TermsReader.sol": ["tests/contracts/test_factory.py", "tests/contracts/test_round.py"],
    "Phases.sol": ["tests/contracts/test_round.py", "tests/contracts/test_propose.py"],
}
LIBRARIES = ["tests/twins/test_twins.py"]
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
SECONDS = 300


def mutants(what: str) -> list[Mutant]:
    """All of them, in the order of the files."""
    return list(_mutants(what))


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
        self.what = what
        self.folder = Path(tempfile.mkdtemp(prefix="treaty-mutants-"))
        self.env = {**os.environ, "PYTHONPATH": "tests", "PYTHONDONTWRITEBYTECODE": "1"}
        if what == "contracts":
            node = str(ROOT / ".venv" / "bin" / "node")
            self.node = subprocess.Popen(
                [node, str(HERE / "compiler.js")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
            )
            self.base = json.loads((ROOT / ".build" / "__local__.json").read_text())
            self.env["TREATY_BUILD"] = str(self.folder / "build.json")
        else:
            shutil.copytree(ROOT / "fl", self.folder / "fl", ignore=shutil.ignore_patterns("__pycache__"))
            self.env["PYTHONPATH"] = f"{self.folder}:tests"
        command = [sys.executable, "-P", str(HERE / "nursery.py")]
        self.nursery = subprocess.Popen(
            command, cwd=ROOT, env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def verdict(self, mutant: Mutant) -> str:
        """invalid, killed or survived."""
        if not self._build(mutant):
            return "invalid"
        try:
            name = Path(mutant.file).name
            first = FIRST.get(name, LIBRARIES) if self.what == "contracts" else []
            groups = ([first] if first else []) + TESTS[self.what]
            return "killed" if any(self._red(group) for group in groups) else "survived"
        finally:
            if self.what == "protocol":
                shutil.copyfile(ROOT / mutant.file, self.folder / mutant.file)

    def _build(self, mutant: Mutant) -> bool:
        if self.what == "protocol":
            (self.folder / mutant.file).write_text(mutant.source)
            return True
        roots = ROOTS.get(Path(mutant.file).name, ALL_ROOTS)
        self.node.stdin.write(json.dumps({"file": mutant.file, "source": mutant.source, "roots": roots}) + "\n")
        self.node.stdin.flush()
        contracts = json.loads(self.node.stdout.readline())["contracts"]
        if contracts is None:
            return False
        types = {**self.base["contractTypes"], **contracts}
        Path(self.env["TREATY_BUILD"]).write_text(json.dumps({"contractTypes": types}))
        return True

    def _red(self, group: list[str]) -> bool:
        paths = [p for p in group if not p.startswith("tests/") or (ROOT / p).exists()]
        self.nursery.stdin.write(json.dumps({"seconds": SECONDS, "arguments": paths}) + "\n")
        self.nursery.stdin.flush()
        return json.loads(self.nursery.stdout.readline()) != 0

    def close(self) -> None:
        self.nursery.kill()
        if self.what == "contracts":
            self.node.kill()
        shutil.rmtree(self.folder)


def campaign(what: str, sample: int, jobs: int, seed: int, only: str, minutes: float, again: bool) -> None:
    """Runs it and writes the record. again: only those that survived at the last record, whose counts are carried on."""
    every = [m for m in mutants(what) if only in m.file]
    todo, part, carried = every, "", Counter[str]()
    if sample or minutes:
        todo = random.Random(seed).sample(every, min(sample or len(every), len(every)))
    if again:
        last = json.loads((HERE / f"{what}.json").read_text())
        todo, part, carried = [m for m in every if m.name in last["survived"]], last["part"], Counter(last["counts"])
    places: SimpleQueue[Workplace] = SimpleQueue()
    for _ in range(jobs):
        places.put(Workplace(what))
    if not todo:
        sys.exit(f"no mutants in files with {only!r} in their path")
    first = places.get()
    if first.verdict(replace(todo[0], source=(ROOT / todo[0].file).read_text())) != "survived":
        sys.exit("the tests are red before anything was mutated: mend them first")
    places.put(first)
    started, counts, survivors = time.monotonic(), Counter[str](), []

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
            counts[verdict] += 1
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
    record = report(what, counts, survivors, took, part)
    print(record)
    if not only and valid(counts):
        (HERE / f"{what}.md").write_text(record)
        kept = {"counts": {k: v for k, v in counts.items() if k in ("killed", "invalid")}, "part": part}
        (HERE / f"{what}.json").write_text(json.dumps({**kept, "survived": [m.name for m in survivors]}, indent=1) + "\n")


def valid(counts: Counter[str]) -> int:
    return counts["killed"] + counts["survived"]


def report(what: str, counts: Counter[str], survivors: list[Mutant], minutes: float, part: str) -> str:
    """The record as a page."""
    explained = json.loads((HERE / "explained.json").read_text())
    judged = valid(counts)
    head = f"# Mutants of `{'contracts/' if what == 'contracts' else 'fl/protocol/'}`\n\n"
    head += f"`make mutants`: {counts['killed']:,} of {judged:,} mutants that compile were killed "
    head += f"({100 * counts['killed'] / max(1, judged):.1f} %) in {minutes:.0f} minutes"
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
