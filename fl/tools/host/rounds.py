"""A host that moves rounds on: it opens, closes, draws, settles and finalizes as a seat's daemon does, from its purse."""

from __future__ import annotations

from pathlib import Path

from fl.agents.record.public_record import Record
from fl.agents.record.view import Setting, View
from fl.agents.roles.keeper import Keeper
from fl.agents.runtime.agent import Agent
from fl.agents.runtime.deposits import Deposits
from fl.agents.runtime.executor import Executor
from fl.agents.runtime.player import Player
from fl.agents.runtime.turns import Turns
from fl.agents.runtime.workers import Inline
from fl.log import Log
from fl.network.federation import FederationReader
from fl.network.gas import RULES, gas_of
from fl.network.sender import Sender
from fl.network.stores.local import LocalStore
from fl.tools.host.ledger import Known

CALLS = ("openRound", "close", "draw", "settle", "finalize")
BLOCKS = 2  # that the seat whose turn it is has to itself


class Rounds:
    """The keeper's role, played with a host's key. most: it opens rounds up to this one."""

    def __init__(self, reader: FederationReader, sender: Sender, store: LocalStore, folder: Path, most: int, log: Log):
        self.setting = Setting(reader.chain_id, reader.address, reader.terms, reader.denomination)
        self.record = Record(reader.terms, store.get_manifest(reader.terms.manifest), store)
        turns, deposits = Turns(reader, None, BLOCKS, last=1), Deposits(reader, sender, None, log)

        def trouble(error: Exception) -> None:
            log.warn(f"moving the round on: {error}; trying again")

        executor = Executor(reader, sender, store, folder, turns, deposits, Inline(), log, trouble)
        self.player = Player(Agent("host", sender.signer, (Keeper(most),), folder, store), executor)

    @staticmethod
    def dearest(seats: int) -> int:
        """The gas of the dearest call with so many seats, after the next fork too."""
        return max(gas_of(call, seats, rules) for call in CALLS for rules in RULES)

    def step(self, known: Known) -> None:
        """Does what is due."""
        if known.snapshot is not None and known.history is not None:
            self.player.play(View(setting=self.setting, snapshot=known.snapshot, history=known.history, record=self.record))
