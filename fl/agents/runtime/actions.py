"""What an agent may want done. Plain facts; the loop turns them into files and transactions."""

from __future__ import annotations

from dataclasses import dataclass, field

from fl.protocol.artifact import Kind


@dataclass(frozen=True)
class Publish:
    """Put a file into the store before the transaction leaves. kind None: facts, as canonical JSON."""

    data: bytes
    kind: Kind | None


@dataclass(frozen=True)
class Action:
    """One call of the federation by an operator or by anybody.

    shared: many agents may want the same call, which only one can make; the loop looks again after each.
    keep: what must be on disk before the transaction leaves (file name to bytes), for the agent's own journal.
    publish: files for the store.
    """

    function: str
    args: tuple[object, ...]
    seat: int | None = None  # whose operator signs; None: anybody
    shared: bool = False
    publish: tuple[Publish, ...] = ()
    keep: dict[str, bytes] = field(default_factory=dict)
    note: str = ""  # for people who watch
