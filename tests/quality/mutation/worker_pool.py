"""Tries mutants without starting anew for each: a line of JSON in, {killed_by} out, which names the test that went red.

Each mutant meets the tests in a fork of this process. Of contracts, tests are collected once, before the forks, and the
mutant comes as bytecode {contracts}; of Python, everything but the product is imported, and the fork collects {paths}.
Both run the tests named in {first} before the others, and stop at the first red one.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys
from collections.abc import Callable
from typing import Any

import pytest

OPTIONS = ["-q", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:ape_test"]
LADDER = "tests/stateful/test_ladder.py::test_"
# What would be red in another order, and the same rules once more on a slower engine.
OPTIONS += [f"--deselect={LADDER}the_ladder__reached_what_it_is_for"]
OPTIONS += [f"--deselect={LADDER}contract_and_ledger__agree_after_every_step[OnNode]"]
# What the tests and the product import and no mutant touches; torch alone takes longer than most verdicts.
HEAVY = ("eth_abi", "eth_account", "hypothesis.stateful", "numpy", "pandas", "pydantic", "pyrevm", "rich.console", "torch")


class Trial:
    """A pytest plugin: wanted tests first, remembers the first that went red, skips the rest."""

    def __init__(self, first: list[str]):
        self.first, self.red = first, ""

    def in_order(self, items: list[pytest.Item]) -> list[pytest.Item]:
        place = {name: i for i, name in enumerate(self.first)}
        return sorted(items, key=lambda item: place.get(item.nodeid, len(place)))

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = self.in_order(items)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.red = self.red or report.nodeid

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.red = self.red or report.nodeid


class Collected:
    """A pytest plugin that runs no tests itself: it forks for each line of standard input."""

    def __init__(self, serve: Callable[[Callable[[dict[str, Any]], str]], None]):
        self.serve = serve

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            raise session.Failed(f"{session.testsfailed} files of tests cannot be read")
        self.serve(lambda request: self.run(session, request))
        return True

    @staticmethod
    def run(session: pytest.Session, request: dict[str, Any]) -> str:
        from support import evm

        for name, contract in request["contracts"].items():
            code = bytes.fromhex(contract["deploymentBytecode"]["bytecode"][2:])
            evm.contract_types()[name] = evm.ContractType(name, contract["abi"], code)
        trial = Trial(request["first"])
        session.config.pluginmanager.register(trial)
        items = trial.in_order(session.items)
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
            if trial.red:
                break
        return trial.red


def imported(request: dict[str, Any]) -> str:
    trial = Trial(request["first"])
    code = pytest.main([*OPTIONS, "-x", *request["paths"]], plugins=[trial])
    return trial.red or ("" if code == 0 else f"pytest's exit code {int(code)}")


def judged(work: Callable[[dict[str, Any]], str], request: dict[str, Any]) -> str:
    """Which test went red in a fork; "time" where it used up its seconds of the processor, "crash" where it told nothing."""
    there, here = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            resource.setrlimit(resource.RLIMIT_CPU, (request["seconds"], request["seconds"]))
            silence = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(silence, stream)
            os.write(here, json.dumps(work(request)).encode())
        finally:
            os._exit(0)
    os.close(here)
    ended = select.select([there], [], [], 10 * request["seconds"])[0]  # one that waits uses no processor
    result = os.read(there, 1 << 16) if ended else b'"time"'
    os.close(there)
    os.killpg(child, signal.SIGKILL)  # and the nodes that its tests started
    used = os.wait4(child, 0)[2]
    if result:
        return json.loads(result)
    return "time" if used.ru_utime + used.ru_stime >= request["seconds"] - 1 else "crash"


def main(paths: list[str]) -> None:
    answers = os.fdopen(os.dup(1), "w")
    requests = os.fdopen(os.dup(0), "r")
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)

    def serve(work: Callable[[dict[str, Any]], str]) -> None:
        for line in requests:
            print(json.dumps({"killed_by": judged(work, json.loads(line))}), file=answers, flush=True)

    for name in HEAVY:
        __import__(name)
    if paths:
        pytest.main([*OPTIONS, "-s", *paths], plugins=[Collected(serve)])
    else:
        serve(imported)


if __name__ == "__main__":
    main(sys.argv[1:])
