"""An agent, with or without a seat: its roles, the key that signs, the journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fl.agents.record.view import View
from fl.agents.runtime.actions import Action
from fl.agents.runtime.relaying import Relay, Relaying, SignedOnce
from fl.network.federation import FederationReader
from fl.network.sender import Signer
from fl.network.stores.base import Store


class Role(Protocol):
    """One role of an agent. `decide` is a function of the view, of the seat's own journal and of the files in the store: it
    writes nothing, draws no randomness and does no long work, so that calling it twice gives the same answer."""

    def decide(self, view: View) -> list[Action]: ...


@dataclass(frozen=True)
class Agent:
    """One agent. relay: sends its commitments and reveals for it, if it has one."""

    name: str
    operator: Signer
    roles: Sequence[Role]
    journal: Path
    store: Store
    seat: int | None = None
    kind: str = "honest"
    relay: Relay | None = None

    def relaying(self, node: FederationReader) -> Relaying | None:
        """Its way to its relay, in this federation."""
        if self.relay is None:
            return None
        return Relaying(self.relay, SignedOnce(self.journal, self.operator, node.chain_id, node.address))
