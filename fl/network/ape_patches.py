"""Everything of Ape's that is changed at run time, with its reason upstream. Nothing else in the project patches a library."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

LOW_PORTS = 20_000, 32_767  # below the ports of outgoing connections, which begin at 32,768 on Linux


@contextmanager
def no_call_tree() -> Iterator[None]:
    """Ape's `transact` prints the call tree of a rejected transaction and has no setting to prevent this
    (ape_ethereum.transactions, `Receipt.raise_for_status`); people get one line that says what to do."""
    from ape_ethereum.trace import Trace  # seconds to import; `ape run --help` needs no patch of it

    show = Trace.show
    Trace.show = lambda *_, **__: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        Trace.show = show  # type: ignore[method-assign]


def listen_low() -> None:
    """Has a local chain that Ape starts listen below the ports of outgoing connections. ape_foundry draws its port among those,
    and a node cannot listen on a port from which somebody has just connected; the range cannot be set."""
    foundry = sys.modules.get("ape_foundry.provider")  # imported with the network that was asked for, or not needed
    if foundry is not None:
        foundry.EPHEMERAL_PORTS_START, foundry.EPHEMERAL_PORTS_END = LOW_PORTS  # type: ignore[attr-defined]


def run_scripts_once() -> None:
    """Has `ape run` load each of the project's commands once. ape_run loads all of them anew whenever it looks for one: 1,596
    times for `ape run --help`."""
    runner = sys.modules.get("ape_run._cli")
    if runner is not None and not hasattr(runner.ScriptCommand._get_command, "cache_info"):
        runner.ScriptCommand._get_command = cache(runner.ScriptCommand._get_command)
