"""Runs pytest again and again without importing everything again: a line of JSON {seconds, arguments} in, an exit code out.

Each run is a fork of this process, in which nothing of the mutant has been read yet.
"""

from __future__ import annotations

import json
import os
import signal
import sys

import eth_abi  # noqa: F401  what the tests import, and no mutant touches
import hypothesis.stateful  # noqa: F401
import numpy  # noqa: F401
import pyrevm  # noqa: F401
import pytest


def run(arguments: list[str]) -> int:
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silence, stream)
    os.setsid()
    return int(pytest.main(["-x", "-q", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:ape_test", *arguments]))


def judged(seconds: int, arguments: list[str]) -> int:
    """The exit code; 1 too for an endless loop."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = run(arguments)
        finally:
            os._exit(code)
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(child, signal.SIGKILL))
    signal.alarm(seconds)
    status = os.waitpid(child, 0)[1]
    signal.alarm(0)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    for line in sys.stdin:
        print(judged(**json.loads(line)), flush=True)
