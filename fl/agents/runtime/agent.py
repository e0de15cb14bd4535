"""Who acts for a seat, or for nobody: the roles that are played, the key that signs, the journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fl.agents.record.view import View
from fl.agents.runtime.actions import Action
from fl.network.sender import Signer
from fl.network.stores.base import Store


class Role(Protocol):
    """One part that is played. `decide` is a function of the view, of the files of the seat's own journal and of what the
    store shows: it writes nothing, draws no randomness and does no long work, so that asking twice gives the same answer."""

    def decide(self, view: View) -> list[Action]: ...


@dataclass(frozen=True)
class Agent:
    """Who acts."""

    name: str
    operator: Signer
    roles: Sequence[Role]
    journal: Path
    store: Store
    seat: int | None = None
    kind: str = "honest"
