"""Every test is in a lane, no lane names what is gone, and the Makefile runs what the lanes say."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.lanes import CAMPAIGNS, LANES, SELECTION, Lane, fitting, lane_of

ROOT = Path(__file__).parents[3]
TESTS = ROOT / "tests"
MAKEFILE = (ROOT / "Makefile").read_text()


def functions() -> list[tuple[str, str]]:
    """Every test function: its file, relative to tests/, and its name."""
    found = []
    for path in sorted(TESTS.rglob("test_*.py")):
        tree = ast.parse(path.read_text())
        names = [n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name.startswith("test")]
        found += [(path.relative_to(TESTS).as_posix(), name) for name in names]
    return found


def recipe(target: str) -> str:
    """What the Makefile does for a target."""
    return re.search(rf"^{target}:.*\n((?:\t.*\n)*)", MAKEFILE, re.MULTILINE)[1]


def test_lanes__name_nothing_that_is_gone():
    used = {fitting(*function) for function in functions()}
    assert set(LANES) - used == set()


def test_lanes__the_longest_name_decides__and_what_no_name_fits_is_full():
    assert lane_of("contracts/hostile/test_clock.py", "test_x") is Lane.FAST
    assert lane_of("fl/agents/runtime/test_kill.py", "test_x") is Lane.NIGHTLY
    assert lane_of("fl/agents/runtime/test_new.py", "test_x") is Lane.FULL
    assert lane_of("e2e/docs/test_pages.py", "test_page__its_links_lead_somewhere") is Lane.FAST
    assert lane_of("new/test_new.py", "test_x") is Lane.FULL


def test_lanes__each_has_tests():
    assert {lane_of(*function) for function in functions()} == set(Lane)


@pytest.mark.parametrize("command, selection", SELECTION.items())
def test_make__runs_the_lanes__over_all_of_tests(command, selection):
    words = [f"-m {selection} tests", f'-m "{selection}" tests']
    assert any(line.endswith(tuple(words)) for line in recipe(command).splitlines())


def test_make__the_lanes_together_are_everything():
    """`not nightly` and `nightly` leave nothing out; each test carries the marker of its lane (tests/conftest.py)."""
    assert {SELECTION["test"], SELECTION["nightly"]} == {f"not {Lane.NIGHTLY}", str(Lane.NIGHTLY)}


def test_this_very_test__carries_its_lane(request):
    assert {m.name for m in request.node.iter_markers()} & set(Lane) == {Lane.FAST}


def test_campaigns__all_are_listed__and_run_by_their_targets__and_nightly():
    scripts = {p.relative_to(TESTS).as_posix() for p in TESTS.rglob("check*.py")}
    assert scripts <= set(CAMPAIGNS) and all((TESTS / file).is_file() for file in CAMPAIGNS)
    for file, target in CAMPAIGNS.items():
        named = re.sub(r"check_\w+\.py", "check_*.py", f"tests/{file}")
        assert named in recipe(target), target
    assert set(re.search(r"no-print-directory (.+)\n", recipe("nightly"))[1].split()) == {*CAMPAIGNS.values(), "chaos"}


def test_count__by_lane__is_all():
    """`make lanes`: four lines, and the lanes add up to what there is."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:ape_test", "--collect-only", "--no-header", "--lanes"]
    done = subprocess.run([*command, TESTS / "twins"], cwd=ROOT, capture_output=True, text=True)
    counts = {line.split()[0]: int(line.split()[1]) for line in done.stdout.splitlines()[:4]}
    assert counts.pop("all") == sum(counts.values()) > 30 and set(counts) == set(Lane)
