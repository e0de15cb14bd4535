"""Which acts of late went through a relay, and what relays paid for each seat: by transactions and receipts, which anybody can
read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from fl.network.events import Event
from fl.network.federation import FederationReader
from fl.network.rpc import NodeError
from fl.protocol.relayed import BATCHES

MOST = 32  # transactions that are looked at, the newest ones: each takes a question to the node
ACTS = {
    "Committed": "commit",
    "Revealed": "reveal",
    "ScoresCommitted": "commitScores",
    "ScoresRevealed": "revealScores",
    "MissingReported": "reportMissing",
}


@dataclass(frozen=True)
class Relayed:
    """What relays did for one seat in one round. gas: its equal part of each batch."""

    round: int
    seat: int
    acts: tuple[str, ...]
    gas: int


def relayed_acts(reader: FederationReader, events: Iterable[Event]) -> list[Relayed]:
    """By round and seat, of the newest transactions; one that the node does not show any more is left out."""
    together: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.name in ACTS:
            together[event.transaction].append(event)
    acts: dict[tuple[int, int], list[str]] = defaultdict(list)
    gas: dict[tuple[int, int], float] = defaultdict(float)
    for transaction in list(together)[-MOST:]:
        with suppress(NodeError):
            if reader.called(transaction)[1] not in BATCHES:
                continue
            each = reader.gas_of(transaction) / len(together[transaction])
            for event in together[transaction]:
                place = event.fields["round"], event.fields["seat"]
                acts[place].append(ACTS[event.name])
                gas[place] += each
    return [Relayed(*place, tuple(done), round(gas[place])) for place, done in sorted(acts.items())]


def told_relayed(found: Sequence[Relayed]) -> list[str]:
    """One line for each round."""
    lines = []
    for number in sorted({one.round for one in found}):
        here = [one for one in found if one.round == number]
        count, total = sum(len(one.acts) for one in here), sum(one.gas for one in here)
        each = ", ".join(f"seat {one.seat} {one.gas:,}" for one in here)
        lines.append(f"in round {number} hosts sent {count} acts of {len(here)} seats, for {total:,} gas: {each}")
    return lines
