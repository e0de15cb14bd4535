"""Many seats in one process, tick by tick, on a chain whose clock this process moves: for simulations and tests.

Each seat is played by the code that a daemon runs; only the clock differs. One reading serves all seats, which share one
history and one public record. Blocks are mined while somebody waits for blocks, and time is skipped only when nobody can do
anything before the next deadline.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn, TextIO

from fl.agents.record.history import History
from fl.agents.record.public_record import Record
from fl.agents.record.view import View
from fl.agents.runtime.agent import Agent
from fl.agents.runtime.consistency import Observer
from fl.agents.runtime.deposits import Deposits
from fl.agents.runtime.executor import Executor
from fl.agents.runtime.player import Player
from fl.agents.runtime.turns import Turns
from fl.agents.runtime.workers import Inline
from fl.errors import ChainError
from fl.log import Log
from fl.network.chain import Chain
from fl.network.federation import FederationReader, Snapshot
from fl.network.sender import Fees, Sender
from fl.network.transactions import SignedTransaction, TransactionJournal

TURN = 1  # blocks that each seat waits for the one before
SETTLE_SECONDS = 5.0
MAX_WAITED = 100  # blocks to wait for a transaction that needs nothing more


@dataclass(frozen=True)
class Done:
    """A transaction that reached the chain, with what it cost. size: bytes of calldata."""

    agent: Agent
    function: str
    round: int
    gas: int
    size: int


class TurnedClock:
    """The clock of a local chain: it moves by a second a block, and by jumps."""

    def __init__(self, chain: Chain):
        self.chain = chain
        chain("anvil_setBlockTimestampInterval", 1)

    def mine(self, blocks: int) -> None:
        self.chain("anvil_mine", hex(blocks), "0x1")

    def settle(self, transactions: Sequence[SignedTransaction]) -> None:
        """Waits until these are in blocks: a node that mines at once reports a transaction before a block holds it, and the
        next agent must see what was done."""
        until = time.monotonic() + SETTLE_SECONDS
        while any(not self.chain("eth_getTransactionReceipt", t.last.hash) for t in transactions if t.mined_at is None):
            if time.monotonic() > until:
                return
            time.sleep(0.002)

    def let_go(self) -> None:
        """Lets the clock run by itself again."""
        self.chain("anvil_removeBlockTimestampInterval")

    def jump(self, to: int) -> None:
        """Mines a block at this time of the chain's clock."""
        self.chain("evm_setNextBlockTimestamp", to)
        self.chain("evm_mine")


class Lockstep:
    """Runs agents on one federation until none has anything left to do.

    Trouble ends it, because failures of node, disk or store in a simulation must not be hidden.
    out: for all logs. watch: called after every reading with the view. done: called for every transaction that a block
    holds.
    """

    def __init__(
        self,
        node: FederationReader,
        record: Callable[[], Record],
        agents: Sequence[Agent],
        out: TextIO,
        *,
        watch: Callable[[View], None] = lambda view: None,
        done: Callable[[Done], None] = lambda done: None,
    ):
        self.node, self.out, self.watch, self.done = node, out, watch, done
        self.clock = TurnedClock(node.rpc)
        self.observer = Observer(node, record, Log(out))
        self.players = [self._player(agent) for agent in agents]
        self._snapshot: Snapshot | None = None
        self._waited = 0  # blocks mined in a row for nothing but transactions under way
        self._trouble_seen: Exception | None = None

    @property
    def history(self) -> History:
        return self.observer.history

    @property
    def record(self) -> Record:
        return self.observer.record

    def look(self) -> View:
        """The current view."""
        self._snapshot = self.node.look(None, [player.party for player in self.players])
        assert self._snapshot is not None  # no head was known
        self.observer.take_in(self._snapshot)
        return self.observer.view(self._snapshot)

    def run(self) -> View:
        """Runs until nobody has anything to do and no deadline is pending."""
        if self.node.depth:  # what happened before the first look counts, the last seat taken included
            self.clock.mine(self.node.depth)
        while True:
            view = self.look()
            self.watch(view)
            if not self.act() and not self.wait(view):
                return view

    def act(self) -> bool:
        """Every agent does what is due, one after the other; what they send is visible once it is confirmed."""
        assert self._snapshot is not None  # somebody has looked
        acted = False
        for player in self.players:
            if player.play(self.observer.view(self._snapshot, player.party)).acted:
                acted = True
                sender = player.executor.sender
                self.clock.settle(sender.transactions.open(sender.signer.address))
        if acted:
            self._waited = 0
            if self.node.depth:
                self.clock.mine(self.node.depth)
        return acted

    def wait(self, view: View) -> bool:
        """Moves to the next moment at which somebody may act: a block that somebody waits for, else a time. False if there is
        none."""
        wakes = [wake for player in self.players for wake in player.executor.wakes]
        blocks = [wake.block for wake in wakes if wake.block]
        if any(self._is_under_way(player) for player in self.players):
            blocks.append(view.block + 1)
            self._waited += 1
            if self._waited > MAX_WAITED:
                raise ChainError(
                    "no block holds a signed transaction even after many blocks: see the simulation's log for the reason"
                )
        if blocks:
            self.clock.mine(max(1, min(blocks) - view.block))
            return True
        moments = [wake.time for wake in wakes] + [view.phase_end]
        if view.facts.live:
            moments += view.round.demands.values()
        later = [moment for moment in moments if moment > view.time]
        if later:
            self.clock.jump(min(later))
        return bool(later)

    def _is_under_way(self, player: Player) -> bool:
        sender = player.executor.sender
        return bool(sender.transactions.open(sender.signer.address))

    def _player(self, agent: Agent) -> Player:
        trouble, log = partial(self._trouble, agent), Log(self.out)
        log.facts["who"] = agent.name
        transactions = TransactionJournal(agent.journal / "transactions")
        sender = Sender(
            self.node.rpc,
            agent.operator,
            self.node.chain_id,
            transactions,
            Fees(),
            log,
            self.node.refusal,
            partial(self._mined, agent),
        )
        turns, deposits = Turns(self.node, agent.seat, TURN), Deposits(self.node, sender, agent.seat, log)
        folder, worker = agent.journal, Inline()
        relaying = agent.relaying(self.node)
        executor = Executor(self.node, sender, agent.store, folder, turns, deposits, worker, log, trouble, relaying)
        return Player(agent, executor)

    def _mined(self, agent: Agent, transaction: SignedTransaction, receipt: dict[str, Any]) -> None:
        size = len(transaction.data) // 2
        self.done(Done(agent, transaction.function, transaction.round, int(receipt["gasUsed"], 16), size))

    def _trouble(self, agent: Agent, error: Exception) -> NoReturn:
        if error is not self._trouble_seen and isinstance(error, ChainError):
            self._trouble_seen = ChainError(f"{agent.name}, in round {len(self.history.rounds)}: {error}")
            raise self._trouble_seen from error
        raise error
