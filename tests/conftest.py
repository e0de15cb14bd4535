"""Compiles when sources are newer than the build; keeps Hypothesis deterministic, so that red today is red tomorrow."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from support.lanes import Lane, lane_of

ROOT = Path(__file__).parents[1]
BUILD = ROOT / ".build" / "__local__.json"

quick = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}
unshrunk = [Phase.explicit, Phase.generate, Phase.target]
settings.register_profile("quick", max_examples=60, derandomize=True, phases=unshrunk, **quick)
settings.register_profile("deep", max_examples=2000, phases=unshrunk, **quick)
settings.register_profile("shrink", max_examples=200, **quick)
settings.load_profile("quick")


def pytest_addoption(parser):
    parser.addoption("--profile", default="quick", help="Hypothesis profile: quick, deep, shrink")
    parser.addoption("--lanes", action="store_true", help="count the tests of each lane; run none")


def pytest_itemcollected(item):
    """Marks each test with its lane."""
    file = item.path.relative_to(ROOT / "tests").as_posix()
    item.add_marker(lane_of(file, item.originalname).value)  # a plain str: workers send it to each other


@pytest.hookimpl(tryfirst=True)  # before the list of tests is printed
def pytest_collection_finish(session):
    if session.config.getoption("--lanes"):
        counts = Counter(marker.name for item in session.items for marker in item.iter_markers() if marker.name in set(Lane))
        for lane in Lane:
            print(f"{lane:8} {counts[lane]:5}")
        print(f"{'all':8} {len(session.items):5}")
        session.items.clear()


def pytest_configure(config):
    settings.load_profile(config.getoption("--profile"))
    sources = [p for p in (ROOT / "contracts").rglob("*.sol") if ".cache" not in p.parts]
    worker = hasattr(config, "workerinput")
    foreign = "TREATY_BUILD" in os.environ  # somebody else's bytecode: compiles nothing
    if not worker and not foreign and (not BUILD.is_file() or max(p.stat().st_mtime for p in sources) > BUILD.stat().st_mtime):
        # Forced: Ape does not recompile what only imports a changed file.
        subprocess.run(["ape", "compile", "--force"], cwd=ROOT, check=True, capture_output=True)


@pytest.fixture
def system():
    """A funded federation of five seats, no round open."""
    from support.system import System

    return System.create().join(5).fund()


@pytest.fixture
def updates():
    """A random update for each of five seats."""
    import numpy as np
    from support.system import random_update

    rng = np.random.default_rng(7)
    return {seat: random_update(rng) for seat in range(5)}


@pytest.fixture(scope="session")
def commands(tmp_path_factory):
    """The commands as a user calls them: one node and one warmed process for all tests that share it."""
    from support.cli import at_work

    with at_work(tmp_path_factory.mktemp("commands")) as commands:
        yield commands


@pytest.fixture(autouse=True)
def accounting_balances(request):
    """After every test that used a system: what the contract holds is what its accounting says, to the wei."""
    yield
    used = request.node.funcargs.get("system") if hasattr(request.node, "funcargs") else None
    if used is not None:
        assert sum(used.accounting().values()) == used.held()


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    from support.daemon_cluster import DaemonCluster

    cluster = DaemonCluster(tmp_path_factory.mktemp("cluster") / "cluster")
    yield cluster
    cluster.close()


@pytest.fixture
def cluster(built):
    """A federation on a real node, with a daemon's parts for each of four seats; put back after every test."""
    mark = built.mark()
    yield built
    built.end()
    built.evm.rpc("evm_setAutomine", False)
    built.evm.rpc("anvil_dropAllTransactions")
    built.back(mark)
    built.evm.rpc("evm_setAutomine", True)
