"""What one participant measures on rows of its own that nobody trains on, and how its operator signs it for others to see.

Nobody can recompute such a figure: the signature says whose word it is, and nothing else follows from it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from math import isfinite
from statistics import fmean
from typing import Any

from fl.protocol.signatures import TypedData

MAX_BYTES = 1024  # of a signed metric
MAX_ROUND, MAX_SEATS, MAX_ROWS, MAX_TEXT = 10**9, 128, 2**31, 200
NAME = re.compile(r"(0x[0-9a-f]{40})\.([1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,2})\.metric")
SIGNED = (("round", "uint256"), ("seat", "uint256"), ("content", "bytes32"))


@dataclass(frozen=True)
class SeatMetric:
    """The task's metric of a round's model on a participant's held-out rows, of which there are so many.

    value: with the participant's own layers, where some stay at home. shared: then with those that every model begins with.
    """

    value: float
    shared: float | None
    rows: int


@dataclass(frozen=True)
class Statement:
    """A seat's metric of the model (its root) that a round ended with. metric: its name."""

    round: int
    seat: int
    model: bytes
    metric: str
    measured: SeatMetric

    @property
    def facts(self) -> dict[str, Any]:
        head = {"round": self.round, "seat": self.seat, "model": self.model.hex(), "metric": self.metric}
        return {**head, **asdict(self.measured)}

    def typed(self, chain_id: int, federation: str) -> TypedData:
        """What the operator signs."""
        content = sha256(_canonical(self.facts)).digest()
        return TypedData("SeatMetric", SIGNED, (self.round, self.seat, content), chain_id, federation)

    def to_json(self, signature: bytes) -> bytes:
        return _canonical({**self.facts, "signature": signature.hex()})

    @classmethod
    def parse(cls, data: bytes) -> tuple[Statement, bytes]:
        """(statement, signature) from bytes that anybody may have written. Raises ValueError."""
        try:
            facts = json.loads(data) if len(data) <= MAX_BYTES else None
        except RecursionError:
            facts = None
        if not isinstance(facts, dict) or facts.keys() != KEYS:
            raise ValueError(f"a signed metric is a JSON object of {', '.join(sorted(KEYS))}, at most {MAX_BYTES:,} bytes")
        model, signature = (_hex(facts[name], size) for name, size in (("model", 32), ("signature", 65)))
        number, seat = _whole(facts, "round", 1, MAX_ROUND), _whole(facts, "seat", 0, MAX_SEATS - 1)
        if not isinstance(metric := facts["metric"], str) or not 0 < len(metric) <= MAX_TEXT:
            raise ValueError(f"metric: a text of at most {MAX_TEXT} letters")
        shared = None if facts["shared"] is None else _number(facts["shared"])
        measured = SeatMetric(_number(facts["value"]), shared, _whole(facts, "rows", 1, MAX_ROWS))
        return cls(number, seat, model, metric, measured), signature


KEYS = {"round", "seat", "model", "metric", "value", "shared", "rows", "signature"}


def name_of(federation: str, number: int, seat: int) -> str:
    """The name under which stores keep a seat's signed metric of a round."""
    return f"{federation.lower()}.{number}.{seat}.metric"


def told_seats(metrics: Mapping[int, SeatMetric]) -> str:
    """The mean and the range over seats, for people; empty where there are none."""
    if not metrics:
        return ""
    values = [m.value for m in metrics.values()]
    told = f"mean {fmean(values):.4f} of {len(values)} seats, {min(values):.4f} to {max(values):.4f}"
    shared = [m.shared for m in metrics.values() if m.shared is not None]
    return f"{told} with own layers; mean {fmean(shared):.4f} with the shared model alone" if shared else told


def _canonical(facts: Mapping[str, Any]) -> bytes:
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _hex(value: object, size: int) -> bytes:
    if not isinstance(value, str) or len(value) != 2 * size or not value.isascii():
        raise ValueError(f"{size} bytes in hex are wanted")
    return bytes.fromhex(value)


def _whole(facts: Mapping[str, Any], name: str, least: int, most: int) -> int:
    value = facts[name]
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{name}: a whole number from {least} to {most}")
    return value


def _number(value: object) -> float:
    if type(value) not in (int, float) or not isfinite(value):  # type: ignore[arg-type]
        raise ValueError("a metric is a finite number")
    return float(value)  # type: ignore[arg-type]
