"""A seat's hosts as its relay: acts are offered to one after the other, and to all of them once the chain should have them, by
a thread beside the daemon.

What a host answers is worth nothing: only the chain shows that an act was done, and the daemon sends it itself while there is
time. So `give` never waits, and a host that is dead, silent, asleep or refuses costs no time.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence

from fl.errors import StoreError
from fl.network.stores.base import Writer
from fl.network.stores.remote import Http
from fl.protocol.relayed import Act

SECONDS = 5.0  # of patience with one host
TAKEN = (200, 202)


class HostRelay:
    """The hosts that relay for one seat, in order. writer: the seat, and where trouble is reported, once in a round."""

    def __init__(self, urls: Sequence[str], writer: Writer, seconds: float = SECONDS):
        self.urls, self.writer, self.seconds = tuple(urls), writer, seconds
        self._lock = threading.Lock()
        self._offering: set[Act] = set()
        self._told: set[tuple[int, str]] = set()  # the round and the text

    def give(self, act: Act, late: bool = False) -> None:
        """Offers an act to the hosts, unless it is being offered; returns at once. late: to all of them, since one that took it
        may be asleep."""
        with self._lock:
            if act in self._offering:
                return
            self._offering.add(act)
        threading.Thread(target=self._offer, args=(act, late), name=f"relay {act.kind}", daemon=True).start()

    def _offer(self, act: Act, late: bool) -> None:
        try:
            taken = (self._takes(url, act) for url in self.urls)
            if not any(list(taken) if late else taken):
                self._warn(act, f"no host takes {act.kind}: this seat sends it itself later in the phase")
        finally:
            with self._lock:
                self._offering.discard(act)

    def _takes(self, url: str, act: Act) -> bool:
        body = json.dumps(act.to_json()).encode()
        headers = {"Content-Type": "application/json"}
        if self.writer.token:
            headers["Authorization"] = f"Bearer {self.writer.token}"
        try:
            status, answer = Http(url, self.seconds).call("POST", "relay", 1 << 10, headers=headers, data=body)
        except StoreError as error:
            self._warn(act, f"{act.kind} is not relayed: {error}")
            return False
        if status not in TAKEN:
            text = " ".join(bytes(answer).decode("utf-8", "replace").split())[:200]
            self._warn(act, f"{act.kind} is not relayed by {url} (HTTP status {status}): {text}")
        return status in TAKEN

    def _warn(self, act: Act, text: str) -> None:
        with self._lock:
            if (act.round, text) in self._told:
                return
            self._told = {told for told in self._told if told[0] == act.round} | {(act.round, text)}
        self.writer.warn(text)
