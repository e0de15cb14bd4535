"""Files as a store holds them, for the tests of every store: good bytes, altered ones, and a limit on waiting."""

import signal
from contextlib import contextmanager

import pytest

from fl.errors import StoreError
from fl.protocol.artifact import Kind, size_of

DEPTH = 1
MODEL = bytes(range(256)) * 8
UPDATE = bytes(i % 120 for i in range(size_of(Kind.UPDATE, DEPTH)))
FILES = [(MODEL, Kind.MODEL), (UPDATE, Kind.UPDATE)]
BOTH = pytest.mark.parametrize("data, kind", FILES, ids=["model", "update"])
FACTS: dict[str, object] = {"task": "härt", "parameters": 529, "version": 1}


def altered(data: bytes, at: int = -1, bit: int = 1) -> bytes:
    bad = bytearray(data)
    bad[at] ^= bit
    return bytes(bad)


def refused(result: str):
    return pytest.raises(StoreError, match=result)


@contextmanager
def at_once(seconds: float = 2.0):
    """Fails instead of waiting for ever."""

    def stop(*_: object) -> None:
        raise AssertionError(f"still busy after {seconds} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
