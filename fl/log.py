"""The daemon's log: one line per fact, for people or as JSON. Never a key, a salt, a passphrase or calldata."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from typing import Any, TextIO

from fl.errors import plain

AGAIN = 60.0  # seconds before the same line may be logged again


def clock_time(seconds: int) -> str:
    """A time of the chain's clock, to the second, for people."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if 0 < seconds < 1e11 else "never"


class Log:
    """Writes lines to a stream. `facts` (round, phase) are added to every following line."""

    def __init__(self, out: TextIO | None = None, as_json: bool = False):
        self.out, self.as_json = out or sys.stderr, as_json
        self.facts: dict[str, Any] = {}
        self._told: dict[tuple[str, str], float] = {}

    def info(self, text: str, **facts: Any) -> None:
        self._write("info", text, facts)

    def warn(self, text: str, **facts: Any) -> None:
        """Something is wrong, and the daemon goes on. The same text is logged once a minute."""
        if self._fresh("warn", text):
            self._write("warn", text, facts)

    def error(self, text: str, **facts: Any) -> None:
        """Somebody should look. The same text is logged once a minute."""
        if self._fresh("error", text):
            self._write("error", text, facts)

    def _fresh(self, level: str, text: str) -> bool:
        now, key = time.monotonic(), (level, text)
        if now - self._told.get(key, -AGAIN) < AGAIN:
            return False
        self._told = {k: t for k, t in self._told.items() if now - t < AGAIN} | {key: now}
        return True

    def _write(self, level: str, text: str, facts: dict[str, Any]) -> None:
        when = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        everything = {**self.facts, **facts}
        if self.as_json:
            line = json.dumps({"time": when, "level": level, **everything, "text": text}, default=str)
        else:
            result = " ".join(f"{name}={value}" for name, value in everything.items())
            line = plain(f"{when} {level:5} {result + ': ' if result else ''}{text}")
        print(line, file=self.out, flush=True)
