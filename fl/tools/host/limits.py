"""Bounds on what visitors may cost: requests by address, uploads by seat. Addresses are kept as keyed hashes, in memory
alone."""

from __future__ import annotations

import ipaddress
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

MAX_KEYS = 4096  # visitors remembered; the one seen longest ago gives way


def visitor(address: str) -> str:
    """Whose address this is: under IPv6, everybody has at least the 2^64 addresses of one network."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((int(found), 64), strict=False))


@dataclass
class _Bucket:
    left: float
    at: float


class Rates:
    """So many requests a second on average for each key, and so many at once."""

    def __init__(self, per_second: float, burst: float, clock: Callable[[], float] = time.monotonic):
        self.per_second, self.burst, self._clock = per_second, burst, clock
        self._salt = secrets.token_bytes(16)
        self._buckets: OrderedDict[bytes, _Bucket] = OrderedDict()

    def allows(self, who: str, cost: float = 1.0) -> bool:
        """Whether one more request of this visitor is within bounds; it is then counted."""
        key, now = blake2b(visitor(who).encode(), key=self._salt, digest_size=16).digest(), self._clock()
        bucket = self._buckets.pop(key, None) or _Bucket(self.burst, now)
        bucket.left = min(self.burst, bucket.left + (now - bucket.at) * self.per_second)
        bucket.at = now
        self._buckets[key] = bucket
        if len(self._buckets) > MAX_KEYS:
            self._buckets.popitem(last=False)
        if bucket.left < cost:
            return False
        bucket.left -= cost
        return True


class Quota:
    """What each seat may send: bytes a day, files that failed included, and one file at a time."""

    DAY = 86_400.0

    def __init__(self, bytes_a_day: int, clock: Callable[[], float] = time.monotonic):
        self.bytes_a_day, self._clock = bytes_a_day, clock
        self._sent: dict[int, list[tuple[float, int]]] = {}
        self._busy: set[int] = set()

    def begin(self, seat: int, size: int) -> bool:
        """Whether the seat may send a file of this size now; it counts from here on."""
        now = self._clock()
        sent = [(at, n) for at, n in self._sent.get(seat, []) if now - at < self.DAY]
        self._sent[seat] = sent
        if seat in self._busy or sum(n for _, n in sent) + size > self.bytes_a_day:
            return False
        sent.append((now, size))
        self._busy.add(seat)
        return True

    def end(self, seat: int) -> None:
        self._busy.discard(seat)
