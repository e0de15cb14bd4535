"""The invariants have teeth: on a contract with one line changed, the very invariant that forbids the change goes red."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.evm import BUILD

ROOT = Path(__file__).parents[2]
CONTROLS = [
    # number, machine, file, what stands there, what the mutant has
    ("I1", "Fraud", "Accounting", "        _deposits -= uint128(amount);\n", ""),
    ("I1", "Fraud", "Accounting", "            _credit -= used;\n", ""),
    ("I1", "Base", "Stakes", "        _stakes += uint128(amount);\n        emit Joined", "        emit Joined"),
    ("I2", "Dropouts", "Accounting", "if (amount > stake) amount = stake;", "if (++amount > stake) amount = stake;"),
    (
        "I3",
        "Honest",
        "Federation",
        "if (state == Records.REVEALED) revealed |= 1 << seat;",
        "if (state == Records.REVEALED) { revealed |= 1 << seat;"
        " _slash(seat, Offence.NoReveal, T.word(T.NO_REVEAL_SLASH), 0, address(0)); }",
    ),
    ("I3", "Honest", "Disputes", "if (_next(previous, values) == proposed)", "if (false)"),
    ("I4", "Honest", "Federation", "        r.number += 1;\n", "        if (r.number == 0) r.number = 1;\n"),
    ("I5", "Fraud", "Federation", "if (r.openDemands > 0) {", "if (r.openDemands > 9) {"),
    ("I5", "Honest", "Federation", "        r.proposal = root;\n", "        r.proposal = root;\n        _model = root;\n"),
    ("I6", "Honest", "Federation", "if (actual == Phase.Final || actual == Phase.Void) _finalize(actual);", ""),
    (
        "I7",
        "Dropouts",
        "Accounting",
        "if (feeTo == address(0)) fee = 0;",
        "if (feeTo == address(0)) (feeTo, fee) = (msg.sender, amount);",
    ),
    ("I8", "Dropouts", "Accounting", "_slashed += uint128(amount - fee);", "_pool += uint128(amount - fee);"),
    ("I9", "Honest", "Exclusions", "if (++reporters[author] > half)", "if (++reporters[author] >= half)"),
    ("I9", "Honest", "Exclusions", "r.revealed.count() / 2", "r.accepted.count() / 2 - 1"),
    ("I9", "Honest", "Exclusions", " & ~_missing[number][seat]", ""),
    ("I10", "Honest", "Federation", "abi.encode(prevRandao, r.mix, ", "abi.encode(prevRandao, bytes32(0), "),
    ("I10", "Dropouts", "Federation", "if (state != Records.NOTHING) records", "if (state == Records.REVEALED) records"),
    ("I10", "Hostile", "Federation", "if (actual != expected) revert WrongHeader(seeding, expected, actual);", ""),
    ("I11", "Masked", "MaskedFederation", "if (r.revealed == r.active || r.voided) return;", "if (true) return;"),
    ("I11", "Masked", "MaskedFederation", "3 * favourable > 2 *", "3 * favourable >= 2 *"),
    (
        "I11",
        "Masked",
        "MaskedFederation",
        "medians[i] = bytes1(uint8(Scores.BEST));",
        "medians[i] = i == 0 ? bytes1(0) : bytes1(0xff);",
    ),
    (
        "I9",
        "Masked",
        "MaskedDisputes",
        "function _without(uint128, uint128) internal pure override returns (uint128) {\n        return 0;",
        "function _without(uint128 all, uint128 out) internal pure override returns (uint128) {\n        return all & ~out;",
    ),
    ("I3", "Masked", "libraries/Masks", "if (lifted > bound) return bound;", ""),
    ("I3", "Masked", "libraries/Masks", "lifted := signextend(1, sum)", "lifted := sum"),
    ("I8", "Honest", "Federation", "_giveBack(ending == Phase.Void && r.revealed == 0);", "_giveBack(true);"),
]


def compiled(file: str, was: str, now: str) -> dict:
    """The contracts with one place changed."""
    source = (ROOT / "contracts" / f"{file}.sol").read_text()
    assert source.count(was) == 1, f"{file}.sol has {source.count(was)} times: {was}"
    line = json.dumps({"file": f"contracts/{file}.sol", "source": source.replace(was, now)})
    command = [ROOT / ".venv" / "bin" / "node", ROOT / "tests" / "quality" / "mutation" / "compiler.js"]
    result = subprocess.run(command, input=line + "\n", capture_output=True, text=True, check=True).stdout
    contracts = json.loads(result)["contracts"]
    assert contracts, "the mutant does not compile"
    return {**json.loads(BUILD.read_text())["contractTypes"], **contracts}


def first_red(types: dict, machine: str, folder: Path) -> str:
    """The first invariant that a machine finds broken on this bytecode; 'none' if it stays green."""
    build = folder / "build.json"
    build.write_text(json.dumps({"contractTypes": types}))
    test = f"tests/stateful/test_ladder.py::test_contract_and_ledger__agree_after_every_step[{machine}]"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:ape_test", "--tb=line", test]
    env = {**os.environ, "TREATY_BUILD": str(build), "PYTHONPATH": "tests"}
    result = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    found = re.search(r"Broken: (I\d+)", result.stdout)
    return found[1] if found else "none" if result.returncode == 0 else result.stdout[-500:]


@pytest.mark.parametrize(
    "number, machine, file, was, now", CONTROLS, ids=[f"{c[0]} {c[2]} {i}" for i, c in enumerate(CONTROLS)]
)
def test_a_mutated_contract__turns_the_very_invariant_red(tmp_path, number, machine, file, was, now):
    assert first_red(compiled(file, was, now), machine, tmp_path) == number


def test_without_a_mutation__nothing_is_red(tmp_path):
    assert (
        first_red(compiled("Rounds", "    bool internal _concluded;", "    bool internal _concluded;"), "Honest", tmp_path)
        == "none"
    )
