"""A daemon's side of relaying: offers acts to hosts, one after the other, in a thread of its own. What a host answers is worth
nothing: only the chain shows that an act was done, and half-way through its window the daemon sends it itself."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from fl.errors import StoreError
from fl.network.stores.base import Writer
from fl.network.stores.remote import Http
from fl.protocol.relayed import FORMS, Act

SECONDS = 5.0  # of patience with one host
MAX_KEPT = 64
AGAIN = 60.0  # seconds after which hosts that failed are asked again for another act
TRYING, TAKEN, FAILED = "trying", "taken", "failed"


class Relays:
    """The hosts that relay for one seat."""

    def __init__(
        self, urls: Sequence[str], writer: Writer, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic
    ):
        self.urls, self.writer, self.seconds, self._clock = list(urls), writer, seconds, clock
        self._state: dict[tuple[str, int, bytes], str] = {}
        self._failed_at = -AGAIN

    def carries(self, function: str, args: tuple[Any, ...], round_: int) -> bool:
        """Whether a host has this call, or is being asked; the first question offers it. False: the daemon should send it."""
        if not self.urls or function not in FORMS:
            return False
        act = Act.of_call(function, args, round_, lambda data: b"", self.writer.chain_id, self.writer.federation)
        key = act.kind, act.round, act.parts[0]
        if key not in self._state:
            if self._clock() - self._failed_at < AGAIN:
                return False  # nobody answered a moment ago: no window is spent on asking again
            self._state = dict(list(self._state.items())[-MAX_KEPT:])
            self._state[key] = TRYING
            writer = self.writer
            signed = Act.of_call(function, args, round_, writer.sign, writer.chain_id, writer.federation)
            threading.Thread(target=self._offer, args=(key, signed), name=f"relay {function}", daemon=True).start()
        return self._state[key] != FAILED

    def _offer(self, key: tuple[str, int, bytes], act: Act) -> None:
        body = json.dumps(act.to_json()).encode()
        headers = {"Content-Type": "application/json"}
        if self.writer.token:
            headers["Authorization"] = f"Bearer {self.writer.token}"
        for url in self.urls:
            try:
                status, answer = Http(url, self.seconds).call("POST", "relay", 1 << 10, headers=headers, data=body)
            except StoreError as error:
                self.writer.warn(f"{act.kind} is not relayed: {error}")
                continue
            if status in (200, 202):
                self._state[key] = TAKEN
                return
            text = " ".join(bytes(answer).decode("utf-8", "replace").split())[:200]
            self.writer.warn(f"{act.kind} is not relayed by {url} (HTTP status {status}): {text}")
        self._failed_at = self._clock()
        self._state[key] = FAILED
