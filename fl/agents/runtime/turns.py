"""Turns for calls that anybody may make, so that only one of all who could pay its gas does."""

from __future__ import annotations

from dataclasses import dataclass

from fl.agents.record.history import Demanded
from fl.agents.record.view import View
from fl.agents.runtime.actions import Turn
from fl.errors import ChainError
from fl.network.federation import FederationReader

MAX_TURNS = 8  # the most that anybody waits; whoever is not in the order comes last


@dataclass(frozen=True)
class Wake:
    """When a waiting action may be tried again: at a block, at a time, or at whichever comes first. 0: not set."""

    block: int = 0
    time: int = 0


class Turns:
    """The turns of one seat. blocks: how many each seat waits for the one before. last: how many turns it waits where it is not
    in the order."""

    def __init__(self, node: FederationReader, seat: int | None, blocks: int, last: int = MAX_TURNS):
        self.node, self.seat, self.blocks, self.last = node, seat, blocks, last
        self._first: dict[str, tuple[int, int]] = {}  # when a call was first wanted: (block, time)

    def waits(self, turn: Turn, view: View) -> Wake | None:
        """When to try again; None: it is this seat's turn."""
        block, time = self._first.setdefault(turn.key, (view.block, view.time))
        opens = turn.opens or (time - (time - turn.ends) // 2 if turn.ends else 0)
        if opens and view.time >= opens:
            return None
        place = turn.order.index(self.seat) if self.seat in turn.order else self.last
        mine = block + self.blocks * min(place, MAX_TURNS)
        if view.block < mine:
            return Wake(mine, opens)
        if turn.demand is not None and not self._stands_open(turn.demand):
            return Wake(view.block + 1, opens)
        return None

    def prune(self, round_: int) -> None:
        """Forgets the calls of other rounds."""
        self._first = {key: first for key, first in self._first.items() if key.startswith(f"{round_} ")}

    def forget(self) -> None:
        self._first.clear()

    def _stands_open(self, demanded: Demanded) -> bool:
        """Whether a demand would still be open after all pending transactions that the node knows."""
        try:
            demander, _ = self.node.read("demandInfo", demanded.artifact, demanded.seat, demanded.leaf, at="pending")
        except ChainError:
            return True  # a node without pending state
        return int(demander, 16) != 0
