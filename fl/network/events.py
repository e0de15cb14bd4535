"""One log of a federation, decoded; separate from the chain module, so that reading history does not need Ape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Event:
    """One log of a federation: bytes as bytes, numbers as int, addresses checksummed."""

    name: str
    fields: Mapping[str, Any]
    block: int
    index: int
    transaction: str
