"""solc 0.8.37 is in the range of SOL-2026-7. The fault is shown here, and that no contract of ours meets it: not from the
sources, but from the Yul that is given to each of the two optimizer steps that can do harm."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path

import pytest
from quality.compiler.stale import Finding, findings

from fl.network import identity
from tooling.release_hashes import SETTINGS, outputs

ROOT = Path(__file__).parents[3]
# The steps that solc 0.8.37 takes by itself; a test compiles with them and gets the packaged bytecode.
STEPS = (
    "dfDvulfnTUtnIfxa[r]EscLMVcul[j]Trpeulxa[r]cLviufMCTUca[r]LSsTFOtfDnca[r]IulcscCTUtviufMx[scCTUt]TOntnfDIulviufM"
    "jmul[jul]VcTOculjmul"
)
CLEANUP = "fDnTOcmuO"
ACTING = {"E": "EqualStoreEliminator", "L": "LoadResolver"}  # the only ones that act on what is known of memory and storage
PLACES = [place for place, step in enumerate(STEPS) if step in ACTING]

FAULT = """object "x" { code {
    let zero := 0
    let one := 1
    let two := 2
    let a := sload(zero)
    let a_1 := a
    let c := add(a_1, 32)
    let e := add(a_1, 96)
    mstore(e, two)
    mstore(c, one)
    mstore(e, one)
    a := sload(one)
    let d := add(a, 64)
    mstore(d, two)
    let x := mload(c)
    sstore(two, x)
} }"""


def steps(sequence: str) -> dict:
    return {"enabled": True, "runs": 200, "details": {"yul": True, "yulDetails": {"optimizerSteps": sequence}}}


def optimized(yul: str, sequence: str) -> str:
    asked = {"language": "Yul", "sources": {"x": {"content": yul}}}
    asked["settings"] = {"evmVersion": "cancun", "optimizer": steps(sequence), "outputSelection": {"*": {"*": ["irOptimized"]}}}
    command = [str(ROOT / ".solcx" / "solc-v0.8.37"), "--standard-json"]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["contracts"]["x"]["x"]["irOptimized"]


def test_fault__is_in_this_compiler__and_the_pattern_finds_it():
    """Where the second `a` is 32 less than the first, `d` is `c`, and the load must give 2."""
    assert "let x := mload(c)" in FAULT and "let x := one" in optimized(FAULT, "L:")
    assert findings(FAULT) == [Finding('"x" code', "c", "a")]


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("a := sload(one)", "a_1 := sload(one)", [("c", "a_1")]),
        ("let x := mload(c)", "let x := mload(d)", []),
        ("a := sload(one)", "", []),
        ("let a_1 := a", "let a_1 := mul(a, 3)", []),
        ("let c := add(a_1, 32)", "let c0 := sub(a_1, 1) let c := add(7, c0)", [("c", "a")]),
        ("let x := mload(c)", "let x := 0 if x { sstore(c, one) }", [("c", "a")]),
    ],
    ids=["by_itself", "new_address", "no_change", "unrelated", "further", "in_a_branch"],
)
def test_pattern__is_the_use_of_an_address_after_its_origin_changed(before, after, found):
    assert before in FAULT
    told = {(finding.address, finding.variable) for finding in findings(FAULT.replace(before, after))}
    assert told == set(found)


LOOP = """object "x" { code {
    let i := 0
    let one := sload(i)
    OUTSIDE
    for { } lt(i, 9) { i := add(i, 32) } {
        INSIDE
        mstore(c, one)
        let seen := 1
    }
} }"""


def test_pattern__in_a_loop__an_address_made_anew_in_each_turn_is_sound__and_one_from_before_is_not():
    assert findings(LOOP.replace("OUTSIDE", "").replace("INSIDE", "let c := add(i, 4)")) == []
    stale = LOOP.replace("OUTSIDE", "let c := add(i, 4)").replace("INSIDE", "")
    assert findings(stale) == [Finding('"x" code', "c", "i")]


@cache
def given_to(place: int) -> dict[str, str]:
    """The Yul of each contract that the step at this place is given."""
    whole = outputs("irOptimized", optimizer=steps(STEPS[:place] + ":"))
    return {name: found["irOptimized"] for name, found in whole.items()}


def test_steps__are_those_of_the_release():
    packaged = {name: code.creation.hex() for name, code in identity.compiled().items()}
    made = outputs("evm.bytecode.object", optimizer=steps(f"{STEPS}:{CLEANUP}"))
    assert {name: found["evm"]["bytecode"]["object"] for name, found in made.items()} == packaged
    assert SETTINGS["optimizer"] == {"enabled": True, "runs": 200}  # no steps of our own


@pytest.mark.parametrize("place", PLACES, ids=[f"{ACTING[STEPS[place]]}_{place}" for place in PLACES])
def test_no_contract__has_the_pattern_where_the_step_acts(place):
    told = {name: findings(yul) for name, yul in given_to(place).items()}
    assert told == {name: [] for name in identity.ARGUMENTS}
    assert all("mload(" in yul and "mstore(" in yul for yul in given_to(place).values())  # it was read at all
