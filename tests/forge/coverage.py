"""What of contracts/ the Solidity suite runs, by lines and branches: `make coverage` writes coverage.md beside this file.

Beside it stands what the Python suite, which knows nothing of the Solidity one, notices: lines of which a mutant was killed
(tests/quality/mutation/contracts.json). A line whose mutant turns a test red was run, and what it does was looked at.
The random walks stay out: they take a minute, and what only chance comes by is not what coverage should rest on. Fails when
less is covered than promised, or when a branch is not and nobody said why.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent))

from quality.mutation.campaign import mutants  # noqa: E402

LCOV = ROOT / "build" / "forge" / "lcov.info"
LINES, BRANCHES = 0.99, 0.95
STARVED = (
    "the SHA-256 precompile fails only for lack of gas, and of less than 463 gas the call leaves at most 7: too few to get here"
)
# Branches that nothing can take, by file and by how their line begins.
EXPLAINED = {
    ("contracts/libraries/Leaves.sol", "if iszero(staticcall(gas(), 2, memoryStart, add(content.length, 1)"): STARVED,
    ("contracts/libraries/Leaves.sol", "if iszero(staticcall(gas(), 2, memoryStart, 65"): STARVED,
}


@dataclass
class Covered:
    """One file's lines and branches, each with how often it ran."""

    lines: dict[int, int] = field(default_factory=dict)
    branches: dict[tuple[int, str, str], int] = field(default_factory=dict)


def measure() -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("FOUNDRY_")}
    env["FOUNDRY_CONFIG"] = str(HERE / "foundry.toml")
    LCOV.parent.mkdir(parents=True, exist_ok=True)
    command = ["forge", "coverage", "--report", "lcov", "--report-file", str(LCOV), "--no-match-path", "*/invariants/*"]
    result = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"forge coverage failed: mend the suite first (`make test`)\n{(result.stdout + result.stderr)[-2000:]}")


def read(text: str) -> dict[str, Covered]:
    """By file, of contracts/ without mocks."""
    found: dict[str, Covered] = defaultdict(Covered)
    file = ""
    for line in text.splitlines():
        kind, _, rest = line.partition(":")
        if kind == "SF":
            file = rest if rest.startswith("contracts/") and "/mocks/" not in rest else ""
        elif file and kind == "DA":
            number, times = rest.split(",")[:2]
            found[file].lines[int(number)] = int(times)
        elif file and kind == "BRDA":
            number, block, branch, times = rest.split(",")
            found[file].branches[int(number), block, branch] = 0 if times == "-" else int(times)
    return found


def noticed() -> dict[str, tuple[set[int], set[int]]]:
    """By file: lines of which the Python suite killed a mutant, and all lines of which a mutant was tried."""
    verdicts = json.loads((HERE.parent / "quality" / "mutation" / "contracts.json").read_text())
    killed, tried = set(verdicts["killed"]), {*verdicts["killed"], *verdicts["survived"]}
    found: dict[str, tuple[set[int], set[int]]] = defaultdict(lambda: (set(), set()))
    for mutant in mutants("contracts"):
        if mutant.digest in tried:
            found[mutant.file][1].add(mutant.line)
        if mutant.digest in killed:
            found[mutant.file][0].add(mutant.line)
    return found


def reason(file: str, number: int) -> str:
    code = (ROOT / file).read_text().splitlines()[number - 1].strip()
    return next((why for (where, start), why in EXPLAINED.items() if where == file and code.startswith(start)), "")


def share(ran: int, of: int) -> str:
    return f"{ran} of {of} ({100 * ran / of:.1f} %)" if of else "none"


def row(name: str, numbers: list[int]) -> str:
    return f"| {name} | {share(*numbers[:2])} | {share(*numbers[2:4])} | {share(*numbers[4:])} |"


def report(found: dict[str, Covered]) -> tuple[str, list[str]]:
    """The record as a page, and what is wrong with it."""
    rows, missed, faults, python = [], [], [], noticed()
    sums = [0] * 6
    for file, one in sorted(found.items()):
        numbers = [sum(map(bool, one.lines.values())), len(one.lines), sum(map(bool, one.branches.values())), len(one.branches)]
        numbers += map(len, python[file])
        sums = [a + b for a, b in zip(sums, numbers, strict=True)]
        rows.append(row(file.removeprefix("contracts/"), numbers))
        never = [(n, "line") for n, times in one.lines.items() if not times]
        for number, what in never + [(key[0], "branch") for key, times in one.branches.items() if not times]:
            why = reason(file, number)
            missed.append(f"| {file.removeprefix('contracts/')}:{number} | {what} | {why or '**no reason**'} |")
            faults += (
                [] if why else [f"{file}:{number}: a {what} that nothing runs: test it, or say in coverage.py why nothing can"]
            )
    rows.append(row("**all**", sums))
    if sums[0] < LINES * sums[1] or sums[2] < BRANCHES * sums[3]:
        faults.append(f"lines {share(*sums[:2])}, branches {share(*sums[2:4])}: promised are {LINES:.0%} and {BRANCHES:.0%}")
    page = "# What of `contracts/` the Solidity suite runs (`make coverage`)\n\nMocks and the random walks are left out.\n\n"
    page += "| file | lines | branches | lines of which the Python suite kills a mutant, of those with one that was tried |\n"
    page += "| --- | ---: | ---: | ---: |\n" + "\n".join(rows)
    page += "\n\nNever run, and why:\n\n| where | what | why |\n| --- | --- | --- |\n" + "\n".join(missed) + "\n"
    return page, faults


if __name__ == "__main__":
    if "--no-run" not in sys.argv:
        measure()
    page, faults = report(read(LCOV.read_text()))
    (HERE / "coverage.md").write_text(page)
    print(page)
    sys.exit("\n".join(faults) or None)
