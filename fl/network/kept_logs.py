"""A federation's logs on disk, so that a daemon that is started again reads only what is new.

A file of JSON lines: whose logs these are, then a line for each reading, with the block up to which it went, that block's hash
and the logs. Each line ends with a hash of itself and of all lines before it. A file of another federation or chain, and
whatever follows a damaged line, is dropped and never believed. The reader asks whether the blocks are still on the chain.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

FIELDS = ("topics", "data", "blockNumber", "logIndex", "transactionHash")


@dataclass(frozen=True)
class Reading:
    """The logs of one reading, and the last block that it covered."""

    number: int
    hash: str
    logs: list[dict[str, Any]]


class KeptLogs:
    """The file of one federation. whose: what distinguishes it, such as chain, first block and address."""

    def __init__(self, path: Path, whose: Sequence[str | int]):
        self.path = path
        self._head = json.dumps(list(whose)).encode()
        self._ends: list[tuple[int, bytes]] = []  # for the head and each reading: where it ends, and its hash

    def load(self) -> list[Reading]:
        """What the file holds, up to the first damaged line."""
        readings: list[Reading] = []
        self._ends = []
        try:
            lines = self.path.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return readings
        end, before = 0, b""
        for line in lines:
            body, _, digest = line.rpartition(b"\t")
            if digest != _digest(before, body) + b"\n" or (not self._ends and body != self._head):
                break
            if self._ends:
                readings.append(Reading(*json.loads(body)))
            end, before = end + len(line), digest[:-1]
            self._ends.append((end, before))
        return readings

    def cut(self, count: int) -> None:
        """Keeps only the first readings. Takes effect with the next `add`."""
        self._ends = self._ends[: 1 + count]

    def add(self, reading: Reading) -> None:
        """Appends a reading to those that were loaded or added before. Raises OSError; nothing is lost then."""
        logs = [{name: log[name] for name in FIELDS} for log in reading.logs]
        bodies = [json.dumps([reading.number, reading.hash, logs]).encode()]
        if not self._ends:
            bodies = [self._head, *bodies]
        start, before = self._ends[-1] if self._ends else (0, b"")
        added, text = [], b""
        for body in bodies:
            before = _digest(before, body)
            text += body + b"\t" + before + b"\n"
            added.append((start + len(text), before))
        with open(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
            file.truncate(start)
            file.seek(start)
            file.write(text)
        self._ends += added


def _digest(before: bytes, body: bytes) -> bytes:
    return sha256(before + b"\t" + body).hexdigest().encode()
