"""A seat's daemon in one process: the roles it plays, its key and its journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from fl.agents.record.view import View
from fl.agents.runtime.actions import Action
from fl.network.stores.base import Store


class Role(Protocol):
    def decide(self, view: View) -> list[Action]: ...


@dataclass(frozen=True)
class Agent:
    """Who acts. `operator` is whatever the chain module signs with."""

    name: str
    operator: Any
    roles: Sequence[Role]
    journal: Path
    store: Store
    seat: int | None = None
    kind: str = "honest"

    def decide(self, view: View) -> list[Action]:
        """What all its roles want done now."""
        return [action for role in self.roles for action in role.decide(view)]
