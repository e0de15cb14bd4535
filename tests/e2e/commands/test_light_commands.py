"""A command that only reads loads nothing heavy: every one of these costs a tenth of a second to a second at each start."""

import json
import subprocess
import sys

import pytest
from support.cli import remembered

pytestmark = pytest.mark.xdist_group("commands")

HEAVY = {"torch", "pandas", "sklearn", "scipy", "IPython", "web3", "ape_ethereum", "ape_test", "eth_tester", "aiohttp"}
# Runs one `ape run ...` as its executable does, then says on stderr which top-level modules were loaded.
RUN = """
import json, sys
from ape._cli import cli
try:
    cli(["run", *json.loads(sys.argv[1])], prog_name="ape")
except SystemExit as stop:
    code = stop.code or 0
print("\\n" + json.dumps([code, sorted({name.partition(".")[0] for name in sys.modules})]), file=sys.stderr)
"""


def loaded(folder, *words: object) -> tuple[int, str, set[str]]:
    """(exit code, stdout, the top-level modules) of a command in a process of its own."""
    call = [sys.executable, "-c", RUN, json.dumps([str(word) for word in words])]
    done = subprocess.run(call, cwd=folder, capture_output=True, text=True)
    code, modules = json.loads(done.stderr.strip().splitlines()[-1])
    return code, done.stdout, set(modules)


@pytest.mark.parametrize("words", [["--help"], ["status", "--help"], ["participate", "--help"], ["deploy", "--help"]])
def test_help__loads_nothing_heavy(commands, words):
    code, out, modules = loaded(commands.folder, *words)
    assert code == 0 and "Usage: ape run" in out
    assert modules & HEAVY == set() and "click" in modules


def test_status_of_a_node_given_by_its_url__loads_nothing_heavy(commands, tmp_path):
    assert commands("deploy", "--account", "TEST::0", "--task", "linear", "--store", tmp_path / "store").code == 0
    federation = remembered(commands)[-1]["federation"]
    code, out, modules = loaded(
        commands.folder, "status", "--federation", federation, "--network", f"ethereum:local:{commands.node}"
    )
    assert code == 0 and out.startswith(f"federation  {federation}")
    assert modules & HEAVY == set() and "eth_abi" in modules
    bare = loaded(commands.folder, "status", "--federation", federation, "--network", commands.node)
    assert bare[:2] == (0, out)


def test_status_of_a_named_network__is_read_the_same_way_through_ape(commands):
    federation = remembered(commands)[-1]["federation"]
    words = "status", "--federation", federation
    code, out, modules = loaded(commands.folder, *words)
    assert code == 0 and out == commands(*words, "--network", commands.node).out
    assert {"web3", "ape_ethereum"} <= modules and "torch" not in modules  # what the guard above would see


def test_report_and_audit_of_files__load_no_torch__no_chain(commands, tmp_path):
    out = tmp_path / "sim"
    simulated = commands("simulate", "--task", "linear", "--seats", "3", "--rounds", "1", "--out", out)
    assert simulated.code == 0, simulated.err
    for words in (["report", "--out", tmp_path / "page.html"], ["audit"]):
        code, said, modules = loaded(commands.folder, words[0], "--summary", out / "summary.json", *words[1:])
        assert code == 0 and "audit passed" in said
        assert modules & HEAVY == set() and "numpy" in modules
    assert (tmp_path / "page.html").stat().st_size > 10_000


def test_daemon_of_a_small_task__needs_no_pandas_and_no_scikit_learn():
    code = "import sys, fl.tools.federation.participate, fl.learning.tasks.linear; print(*sorted(sys.modules))"
    modules = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())
    assert "torch" in modules and modules.isdisjoint({"pandas", "sklearn", "scipy", "IPython", "ape", "web3"})
