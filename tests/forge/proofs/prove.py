"""Symbolic proofs about the libraries: `make prove` writes proofs.md beside this file.

Halmos (in a virtual environment of its own: its pins do not fit beside Ape's) tries every `check_` of this folder, z3 what
arithmetic.py claims. Then each library is spoilt in one place, and the proofs about it must find a counter-example.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
VENV = ROOT / ".venv" / "halmos"
BUILD = ROOT / "build" / "halmos"
LOCK = HERE / "requirements.txt"
# Halmos 0.3.3 cannot call SHA-256: an etched function without collisions stands for it (Leaves.t.sol).
STAND_IN = ("staticcall(gas(), 2,", "staticcall(gas(), 0x5256,")
# What is spoilt, and the proof that must notice: library, what stands there, what the spoilt copy has, proof.
CONTROLS = [
    ("Leaves", "index := shr(1, index)", "", "check_rootOf_isTheSpecifiedTree"),
    ("Leaves", "mstore8(memoryStart, 1)", "", "check_rootOf_aNodeIsNoLeaf"),
    ("Leaves", "exponent > maxExponent || ", "", "check_updateValue_ofTheFirst"),
    ("Leaves", "& ~x & HIGHS", "& HIGHS", "check_hasMinimum_findsTheByteAnywhere"),
    ("Seats", "set & ~bit(seat)", "set & bit(seat)", "check_addAndRemove_touchOneSeat"),
    ("Seats", "(seat + 8, x >> 8)", "(seat + 8, x >> 9)", "check_lowest_isInTheSetWithNoneBelow"),
    (
        "Committee",
        "while (position < size && seatAt",
        "while (position + 1 < size && seatAt",
        "check_committee_packsByteByByte",
    ),
    ("Records", "word >> 232 == round ?", "word >> 233 == round >> 1 ?", "check_record_knowsItsRound"),
    ("Commitments", "mstore(add(words, 0x80), seat)", "", "check_update_opensInOnePlaceOnly"),
    ("Commitments", "federation, round, seat, scoresHash", "federation, round, scoresHash", "check_scores_openInOnePlaceOnly"),
    ("FixedPoint", "values[j - 1] > value", "values[j - 1] < value", "check_sort_ordersWhatItWasGiven"),
    ("Masks", "signextend(1, sum)", "signextend(2, sum)", "check_lift_findsTheHonestSum"),
    ("Masks", "if (lifted < -bound) return -bound;", "", "check_lift_staysWithinTheCap"),
    ("Masks", "byte(1, word)", "byte(2, word)", "check_valueIn_ofTheLast"),
    ("FixedPoint", "return type(int32).min", "return -type(int32).max", "check_clamp_isTheNearestInt32"),
]


def environment() -> Path:
    """Halmos, as its lock file says; a second call finds it there."""
    stamp, wanted = VENV / "lock", hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if not stamp.is_file() or stamp.read_text() != wanted:
        for command in (
            ["venv", "-q", "--clear", str(VENV)],
            ["pip", "install", "-q", "--python", str(VENV / "bin" / "python")],
        ):
            more = ["--python", sys.executable] if command[0] == "venv" else ["--require-hashes", "-r", str(LOCK)]
            if subprocess.run(["uv", *command, *more], cwd=ROOT).returncode:
                sys.exit("prove: Halmos could not be installed: check the network, then call again")
        stamp.write_text(wanted)
    return VENV / "bin"


def tree(name: str, spoilt: bool) -> Path:
    """A copy of what is proved, with the stand-in, and with all its faults if it is to be spoilt."""
    place = BUILD / name
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(ROOT / "contracts" / "libraries", place / "contracts" / "libraries")
    shutil.copytree(ROOT / "contracts" / "interfaces", place / "contracts" / "interfaces")
    shutil.copytree(HERE, place / "tests" / "forge" / "proofs", ignore=shutil.ignore_patterns("*.py", "*.md", "*.txt"))
    changes = [("Leaves", *STAND_IN), *(c[:3] for c in CONTROLS if spoilt)]
    for library, was, now in changes:
        file = place / "contracts" / "libraries" / f"{library}.sol"
        text = file.read_text()
        if was not in text:
            sys.exit(f"prove: {library}.sol no longer has `{was}`: mend prove.py")
        file.write_text(text.replace(was, now, 1 if (library, was) != ("Leaves", STAND_IN[0]) else -1))
    return place


def halmos(programs: Path, place: Path, only: str) -> dict[str, str]:
    """By proof: PASS, FAIL, ERROR or TIMEOUT."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("FOUNDRY_")}
    env |= {"FOUNDRY_CONFIG": str(HERE / "foundry.toml"), "FOUNDRY_SOLC": str(ROOT / ".solcx" / "solc-v0.8.37")}
    command = [programs / "halmos", "--root", place, "--forge-build-out", "build/halmos/out", "--match-contract", "Proofs$"]
    command += ["--match-test", f"({only})", "--loop", "40", "--no-status", "--solver-timeout-assertion", "120s"]
    output = subprocess.run(command, cwd=place, env=env, capture_output=True, text=True)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", output.stdout + output.stderr)
    found = {name: verdict for verdict, name in re.findall(r"\[(\w+)\] (check_\w+)\(", plain)}
    if not found:
        sys.exit(f"prove: no proof ran:\n{plain[-2000:]}")
    return found


def main() -> None:
    programs = environment()
    rows, faults = [], []
    for name, verdict in halmos(programs, tree("right", False), "").items():
        rows.append(f"| `{name}` | {'proved' if verdict == 'PASS' else verdict} |")
        faults += [] if verdict == "PASS" else [f"{name}: {verdict}"]
    spoilt = halmos(programs, tree("spoilt", True), "|".join(sorted({c[3].removeprefix("check_") for c in CONTROLS})))
    controls = []
    for library, was, now, name in CONTROLS:
        verdict = spoilt.get(name, "not run")
        noticed = "counter-example" if verdict == "FAIL" else verdict
        controls.append(f"| {library}.sol | `{was}` | `{now or 'nothing'}` | `{name}`: {noticed} |")
        faults += [] if verdict == "FAIL" else [f"{name}: {verdict} on a spoilt {library}.sol"]
    output = subprocess.run([programs / "python", HERE / "arithmetic.py"], capture_output=True, text=True)
    numbers = "".join(f"- {line}\n" for line in output.stdout.splitlines())
    faults += ["arithmetic.py: " + (output.stderr[-300:] or "a surprise")] if output.returncode else []
    page = (
        "# Symbolic proofs (`make prove`)\n\nFor all arguments at once, by halmos 0.3.3:\n\n| proof | result |\n| --- | --- |\n"
    )
    page += "\n".join(rows) + "\n\nNegative controls: each library spoilt, and the proof that notices:\n\n"
    page += "| library | was | became | noticed by |\n| --- | --- | --- | --- |\n" + "\n".join(controls)
    page += f"\n\nOver numbers, by z3 (the refuted ones are wrong on purpose):\n\n{numbers}"
    (HERE / "proofs.md").write_text(page.replace("||", "\\|\\|"))
    print(page)
    sys.exit("\n".join(faults) or None)


if __name__ == "__main__":
    main()
