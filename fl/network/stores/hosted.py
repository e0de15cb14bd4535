"""A host's store: anybody reads it by root; a seat gives it what the chain shows that the seat revealed.

A host takes a file only once the chain shows its root: before a reveal is confirmed, it could copy the update. So `put` only
notes the file, and a thread beside the daemon offers it to the host until the host takes it. A host that is slow, refuses or is
dead delays nothing else.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fl.errors import StoreError, StoreSilentError
from fl.network.stores.base import Writer
from fl.network.stores.remote import SECONDS, HttpStore
from fl.protocol.artifact import Data, Kind
from fl.protocol.hosting import BUSY, EARLY, KEPT, NEW, NO_ROOM, SEAT_HEADER, SIGNATURE_HEADER, parse_name, upload
from fl.protocol.seat_metric import NAME as SIGNED_NAME

MAX_DUE = 16  # files that wait for a host at a time; the oldest gives way
MAX_TAKEN = 4096  # names remembered
PAUSE, MAX_PAUSE = 0.5, 15.0  # seconds between two attempts for a file
PATIENCE = 6 * 3600.0  # seconds after which a file is given up
NOT_A_HOST = (404, 405, 501)  # answers of a plain web server to an upload
LATER = (EARLY, BUSY, NO_ROOM)


@dataclass
class _Due:
    """A file that the host has not taken yet."""

    data: Data
    since: float
    next: float
    pause: float = PAUSE
    told: list[str] = field(default_factory=list)  # what was said about it before


class HostStore(HttpStore):
    """A web server with a store's files, which takes a seat's own if it is a host (`ape run host`)."""

    def __init__(self, url: str, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic):
        super().__init__(url, seconds)
        self.writable = False
        self._writer: Writer | None = None
        self._clock = clock
        self._due: dict[str, _Due] = {}
        self._taken: dict[str, None] = {}
        self._lock, self._news = threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None

    def write_as(self, writer: Writer) -> None:
        self._writer, self.writable = writer, True
        self.takes_signed = True

    def put_signed(self, name: str, data: bytes) -> None:
        self._write(name, data)

    def has_signed(self, name: str) -> bool:
        with self._lock:
            return name in self._taken or name in self._due

    def owes(self, root: bytes, kind: Kind) -> bool:
        name = f"{root.hex()}.{kind.name.lower()}"
        with self._lock:
            return self.writable and name not in self._taken and name not in self._due

    def has(self, root: bytes, kind: Kind) -> bool:
        name = f"{root.hex()}.{kind.name.lower()}"
        with self._lock:
            if name in self._taken or name in self._due:
                return True
        return super().has(root, kind)

    def _read(self, name: str, most: int, exact: bool) -> Data:
        with self._lock:
            due = self._due.get(name)
        return super()._read(name, most, exact) if due is None else due.data

    def is_host(self) -> bool:
        """Whether the server says that it is a host; it may only be a folder behind a web server, or down."""
        return bool(self.says())

    def says(self) -> dict[str, Any]:
        """What the server says of itself as a host; empty if it is none, or down."""
        try:
            status, answer = self._http.call("GET", "treaty.json", 1 << 12)
            facts = json.loads(bytes(answer)) if status == 200 else None
        except (StoreError, ValueError, RecursionError):
            return {}
        return facts if isinstance(facts, dict) and facts.get("treaty") == 1 else {}

    @property
    def waiting(self) -> int:
        """How many files the host has still to take."""
        return len(self._due)

    def _write(self, name: str, data: Data) -> None:
        if not self.writable:
            return super()._write(name, data)
        if not SIGNED_NAME.fullmatch(name) and ((parsed := parse_name(name)) is None or parsed[1] is None):
            raise StoreError(f"{self.label} takes updates and models alone: {name} needs another --store as well")
        with self._lock:
            if name in self._taken or name in self._due:
                return None
            now = self._clock()
            while len(self._due) >= MAX_DUE:
                del self._due[next(iter(self._due))]
            self._due[name] = _Due(data, now, now)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._give, name=f"uploads to {self.label}", daemon=True)
                self._thread.start()
        self._news.set()
        return None

    # ---- the thread

    def _give(self) -> None:
        while True:
            with self._lock:
                now = self._clock()
                ready = [(name, due) for name, due in self._due.items() if due.next <= now]
                if not self._due:
                    self._thread = None
                    return
            for name, due in ready:
                try:
                    why, final = self._offer(name, due.data)
                except StoreSilentError as error:
                    why, final = str(error), False
                except Exception as error:  # the thread serves every later file too
                    why, final = f"{self.label} did not take {name}: {error}", True
                self._settle(name, due, why, final)
            self._news.wait(PAUSE / 2)
            self._news.clear()

    def _offer(self, name: str, data: Data) -> tuple[str, bool]:
        """(why the host did not take the file, empty if it has it; whether there is no use in trying again)."""
        writer, parsed = self._writer, parse_name(name)
        assert writer is not None
        headers = {"Content-Type": "application/octet-stream"}
        if parsed is not None:  # else what it holds is signed
            if self._http.call("HEAD", name, 0)[0] == KEPT:
                return "", True
            place = writer.chain_id, writer.federation, self.label
            signature = writer.sign(upload(*place, parsed[0], writer.seat, len(data)))
            headers |= {SEAT_HEADER: str(writer.seat), SIGNATURE_HEADER: signature.hex()}
        if writer.token:
            headers["Authorization"] = f"Bearer {writer.token}"
        status, answer = self._http.call("PUT", name, 1 << 10, data=data, headers=headers)
        if status in (KEPT, NEW):
            return "", True
        if status in NOT_A_HOST:
            self.writable = False
            return f"{self.label} is no host, so it is only read: add a --store that takes files", True
        text = " ".join(bytes(answer).decode("utf-8", "replace").split())[:200]
        return f"{self.label} did not take {name} (HTTP status {status}): {text}", status < 500 and status not in LATER

    def _settle(self, name: str, due: _Due, why: str, final: bool) -> None:
        if why and final and self._writer is not None:
            self._writer.warn(why)
        elif why and why not in due.told and not why.count(f"status {EARLY}") and self._writer is not None:
            due.told.append(why)
            self._writer.warn(f"{why}; trying again")
        with self._lock:
            over = final or self._clock() - due.since > PATIENCE
            if over:
                self._due.pop(name, None)
                if not why:
                    self._taken[name] = None
                    while len(self._taken) > MAX_TAKEN:
                        del self._taken[next(iter(self._taken))]
            due.pause = min(MAX_PAUSE, due.pause * (1.2 if f"status {EARLY}" in why else 2))
            due.next = self._clock() + due.pause
