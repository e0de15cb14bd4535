"""How many small wrongs would the tests notice? `python tests/quality/mutation/campaign.py contracts` or `... protocol`.

Each mutant is compiled (contracts) or written to a copy (protocol) and meets the tests in a process of its own, forked from one
that has everything at hand (worker_pool.py), until one goes red: first those that killed its neighbours, then those about its
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
ROOT = HERE.parents[2]
sys.path.insert(0, str(HERE.parents[1]))

from quality.mutation.operators import Mutant, of_python, of_solidity  # noqa: E402

# Of contracts everything runs in one process, in this order; of the protocol, each line in one that collects it anew.
TESTS = {
    "contracts": [["tests/contracts", "tests/twins", "tests/attacks", "tests/e2e/stories", "tests/stateful/test_ladder.py"]],
    "protocol": [
        ["tests/fl/protocol", "tests/twins/test_twins.py", "tests/twins/test_allowlist.py"],
        [f"tests/contracts/test_{page}.py" for page in ("propose", "demand", "round", "factory")],
    ],
}
# What must be compiled anew; the rest stays as Ape compiled it.
ROOTS = {
    "Stakes.sol": ["Federation"],
    "Federation.sol": ["Federation"],
    "Disputes.sol": ["Disputes"],
    "Accounting.sol": ["Federation", "Disputes"],
    "Rounds.sol": ["Federation", "Disputes"],
    "Phases.sol": ["Federation", "Disputes"],
    "TermsReader.sol": ["Federation", "Disputes"],
    "MaskedFederation.sol": ["MaskedFederation"],
    "MaskedDisputes.sol": ["MaskedDisputes"],
    "MaskedRounds.sol": ["MaskedFederation", "MaskedDisputes"],
    "Masks.sol": ["MaskedDisputes", "mocks/LibraryHarness"],
    "FederationFactory.sol": ["FederationFactory"],
    "TermsRules.sol": ["FederationFactory"],
}
ALL_ROOTS = ["Federation", "Disputes", "mocks/LibraryHarness"]
MIN_SECONDS = 60  # for a mutant; and no less than twice what the tests take without one
NEIGHBOURS = 24  # tests that lately killed mutants of the same file


def mutants(what: str) -> list[Mutant]:
    """All of them, in the order of the files; those alike on several lines of one file are numbered."""
    seen, result = Counter[str](), []
    for mutant in _mutants(what):
        seen[mutant.name] += 1
        result.append(replace(mutant, place=seen[mutant.name]))
    return result


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
        self.worker_pool = _talk([sys.executable, "-P", str(HERE / "worker_pool.py"), *paths], env)

    def verdict(self, mutant: Mutant) -> str:
        """The test that killed it, "invalid" or "survived"."""
        request = self._build(mutant)
        if request is None:
            return "invalid"
        killers = self.killers.setdefault(mutant.file, [])
        lately = killers[0] if killers else ""
        for paths in sorted(TESTS[self.what], key=lambda paths: not lately.startswith(tuple(paths))):
            killer = _ask(self.worker_pool, {**request, "paths": paths, "first": killers, "seconds": self.seconds})["killed_by"]
            if killer:
                killers[:] = [killer, *(k for k in killers if k != killer)][:NEIGHBOURS]
                return killer
        return "survived"

    def clean(self, mutant: Mutant) -> str:
        """The verdict upon the mutant's file as it is, which also tells how long a mutant may take."""
        began = time.monotonic()
        result = self.verdict(replace(mutant, source=(ROOT / mutant.file).read_text()))
        self.seconds = max(MIN_SECONDS, round(2 * (time.monotonic() - began)))
        return result

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
        self.worker_pool.kill()
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
    """Runs it and writes the record, where whatever was not tried now keeps its verdict."""
    explained = json.loads((HERE / "explained.json").read_text())
    every = mutants(what)
    record = json.loads((HERE / f"{what}.json").read_text())
    known = {digest: verdict for verdict, digests in record.items() for digest in digests}
    verdicts = {m: known[m.digest] for m in every if m.digest in known}

    def open_question(mutant: Mutant) -> bool:
        verdict = verdicts.get(mutant)
        return verdict is None or (verdict == "survived" and mutant.name not in explained)

    meant = [m for m in every if only in m.file]
    if not meant:
        sys.exit(f"no mutants in files with {only!r} in their path")
    todo = [m for m in meant if not again or open_question(m)]
    if sample or minutes:
        todo = random.Random(seed).sample(todo, min(sample or len(todo), len(todo)))
    if not todo:
        print(f"{what}: nothing is left to be tried")
        return
    places = [Workplace(what) for _ in range(jobs)]
    counts, by, started = Counter[str](), Counter[str](), time.monotonic()
    try:
        for mutant, result in _verdicts(places, todo, minutes):
            verdicts[mutant] = result if result in ("invalid", "survived") else "killed"
            counts[verdicts[mutant]] += 1
            by[result] += 1
            if result == "survived":
                print(f"survived {mutant.file}:{mutant.line} {mutant.was}  ->  {mutant.now}", flush=True)
            if counts.total() % 50 == 0:
                print(f"{counts.total()} of {len(todo)}: {dict(counts)}", flush=True)
                write(what, every, verdicts, explained)
    finally:  # whoever interrupts it keeps what was found, and no folders
        for place in places:
            place.close()
        if counts:
            print(write(what, every, verdicts, explained))
    print(f"{counts.total():,} tried in {(time.monotonic() - started) / 60:.0f} minutes. What killed most:")
    print(*(f"{count:,} {test}" for test, count in by.most_common(20) if test not in ("invalid", "survived")), sep="\n")


def _verdicts(places: list[Workplace], todo: list[Mutant], minutes: float) -> Iterator[tuple[Mutant, str]]:
    """What became of each mutant that there was time for."""
    red = places[0].clean(todo[0])
    if red != "survived":
        sys.exit(f"the tests are red before anything was mutated ({red}): mend them first")
    free: SimpleQueue[Workplace] = SimpleQueue()
    for place in places:
        place.seconds = places[0].seconds
        free.put(place)
    started = time.monotonic()

    def one(mutant: Mutant) -> tuple[Mutant, str]:
        if minutes and time.monotonic() - started > 60 * minutes:
            return mutant, ""
        place = free.get()
        try:
            return mutant, place.verdict(mutant)
        finally:
            free.put(place)

    with ThreadPoolExecutor(len(places)) as pool:
        yield from ((mutant, result) for mutant, result in pool.map(one, todo) if result)


def write(what: str, every: list[Mutant], verdicts: dict[Mutant, str], explained: dict[str, str]) -> str:
    """The record, for eyes and for the next run."""
    page = report(what, every, verdicts, explained)
    kept = {v: sorted(m.digest for m, result in verdicts.items() if result == v) for v in ("killed", "survived", "invalid")}
    (HERE / f"{what}.md").write_text(page)
    (HERE / f"{what}.json").write_text(json.dumps(kept, indent=0) + "\n")
    return page


def report(what: str, every: list[Mutant], verdicts: dict[Mutant, str], explained: dict[str, str]) -> str:
    """The record as a page."""
    counts = Counter(verdicts.values())
    judged, left = counts["killed"] + counts["survived"], len(every) - len(verdicts)
    page = f"# Mutants of `{'contracts/' if what == 'contracts' else 'fl/protocol/'}`\n\n"
    page += f"`make mutants`: {counts['killed']:,} of {judged:,} mutants that compile were killed "
    page += f"({100 * counts['killed'] / max(1, judged):.1f} %); {counts['invalid']:,} did not compile. "
    page += f"{left:,} of {len(every):,} were not tried.\n\n" if left else "All were tried.\n\n"
    page += "Those that survived, and why:\n\n| where | was | became | why no test can notice |\n|---|---|---|---|\n"
    for m in every:
        if verdicts.get(m) == "survived":
            why = explained.get(m.name, "**no test**")
            row = f"| {m.file.split('/')[-1]}:{m.line} | `{m.was}` | `{m.now}` | {why} |\n"
            page += row.replace("||", "\\|\\|")
    return page


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=list(TESTS))
    parser.add_argument("--sample", type=int, default=0, help="so many mutants at random instead of all")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="only files whose path contains this")
    parser.add_argument("--minutes", type=float, default=0, help="stop then; mutants are drawn at random")
    parser.add_argument("--again", action="store_true", help="only what has no verdict yet and what survived unexplained")
    given = parser.parse_args()
    campaign(given.what, given.sample, given.jobs, given.seed, given.only, given.minutes, given.again)
