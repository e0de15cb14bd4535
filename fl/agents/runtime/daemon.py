"""One seat's daemon: it reads the chain, lets its roles decide and executes their actions, as long as the federation lives.

It acts on blocks that are some confirmations deep, by the chain's clock only, and not on a node that contradicts itself.
Everything that must not be lost is on disk before it is sent, so that the daemon may be killed at any moment. Training and
scoring run beside it and never stop it from watching the chain.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from fl.agents.record.history import History
from fl.agents.record.public_record import Record
from fl.agents.record.view import View
from fl.agents.runtime.agent import Agent
from fl.agents.runtime.consistency import Observer
from fl.agents.runtime.deposits import Deposits
from fl.agents.runtime.executor import Executor
from fl.agents.runtime.journal import FETCHED_ROUNDS, Journal
from fl.agents.runtime.metrics import Metrics
from fl.agents.runtime.news import News
from fl.agents.runtime.player import Player
from fl.agents.runtime.turns import Turns
from fl.agents.runtime.workers import Threads, Workers
from fl.errors import ChainError, StoreError, TreatyError
from fl.log import Log, clock_time
from fl.network.federation import Distrust, FederationReader, Snapshot, WrongChain
from fl.network.rpc import NodeError
from fl.network.sender import Refused, Sender
from fl.protocol.phases import Phase


class OperatorReplaced(ChainError):
    """The key no longer acts for the seat."""


class Unconfirmed(ChainError):
    """The seat was taken in a block that is not deep enough yet."""


class Over(Exception):
    """There is nothing left to do, permanently."""


@dataclass(frozen=True)
class Pace:
    """poll: seconds between readings; most: the longest pause after failures; turn: blocks that each seat waits for the one
    before it with a call that anybody may make."""

    poll: float = 2.0
    most: float = 15.0
    turn: int = 2


class Daemon:
    """Runs one seat. record: makes an empty public record, whenever the past must be read again. workers: run training and
    scoring; by default threads."""

    def __init__(
        self,
        node: FederationReader,
        sender: Sender,
        journal: Journal,
        agent: Agent,
        record: Callable[[], Record],
        log: Log,
        pace: Pace | None = None,
        workers: Workers | None = None,
    ):
        assert agent.seat is not None
        self.node, self.sender, self.journal, self.agent, self.log = node, sender, journal, agent, log
        self.seat, self.pace = agent.seat, pace or Pace()
        self.metrics = Metrics(node.address, agent.seat, node.denomination)
        self.observer = Observer(node, lambda: record().keep_in(journal.folder / "gate"), log)
        self.workers = workers or Threads()
        self.turns = Turns(node, agent.seat, self.pace.turn)
        self.deposits = Deposits(node, sender, agent.seat, log)
        self.news = News(agent.seat, log)
        executor = Executor(
            node,
            sender,
            agent.store,
            agent.journal,
            self.turns,
            self.deposits,
            self.workers,
            log,
            self.trouble,
            agent.relaying(node),
        )
        self.player = Player(agent, executor)
        self._done: Snapshot | None = None  # the last reading that was acted on completely
        self._still = 0  # readings in a row without a new block

    @property
    def history(self) -> History:
        return self.observer.history

    # ---- the loop

    def run(self, stop: threading.Event, once: bool = False) -> None:
        """Runs until stopped, or until there is nothing left to do. Raises errors that make going on pointless."""
        pause = self.pace.poll
        while not stop.is_set():
            try:
                acted = self.tick()
                pause = self.pace.poll
                if once and not acted and not self.workers.busy:
                    return
            except Over as over:
                self.log.info(str(over))
                return
            except (WrongChain, OperatorReplaced):
                raise
            except Unconfirmed as early:
                self.log.info(str(early))
                if once:
                    return
            except Exception as error:  # a daemon that guards a stake goes on after any error, and reports it
                self.trouble(error)
                if once:
                    raise
                pause = min(self.pace.most, 2 * pause)
            stop.wait(0.05 if once else pause)
        self.log.info("stopped; the journal has everything, start again at any time")

    def tick(self) -> bool:
        """Reads the chain once and acts on it. Returns whether anything was sent or made."""
        self.metrics.looks.inc()
        known = self._done.head if self._done and not self.workers.ready else None
        snapshot = self.node.look(known, [self.player.party])
        if snapshot is None:
            self._stands_still()
            return False
        self._still = 0
        self._done = None  # anything that fails below is tried again, with or without a new block
        view = self._view(snapshot)
        self._belongs(view)
        played = self.player.play(view)
        self._remember(view)
        self.deposits.check(view)
        self.metrics.saw(view, self.sender.transactions.all(), self.sender.undone, self.node.rpc.failures)
        if view.phase is Phase.IDLE:
            self.journal.prune(view.facts.number, view.history.files(view.terms, FETCHED_ROUNDS))
            self.turns.prune(view.facts.number)
            self._over(view)
        if played.whole:
            self._done = snapshot
        return played.acted

    def trouble(self, error: Exception) -> None:
        """Counts and logs a failure."""
        kind = type(error).__name__
        self.metrics.trouble.labels(kind).inc()
        if isinstance(error, Distrust):
            self.log.warn(f"{error}; not acting on what it says")
        elif isinstance(error, Refused):
            self.log.warn(str(error))
        elif isinstance(error, NodeError | StoreError):
            self.log.warn(f"{error}; trying again")
        elif isinstance(error, OSError):
            self.log.error(f"the disk cannot be written to ({error}): nothing is sent until it can; make room")
        elif isinstance(error, TreatyError):
            self.log.error(str(error))
        else:
            self.log.error(f"unexpected {kind}: {error}; going on")

    def _stands_still(self) -> None:
        self._still += 1
        if self._still * self.pace.poll >= 60:
            head = self._done.head if self._done else None
            where = f"block {head.number} is still the newest" if head else "no block"
            self.log.warn(f"the chain produces no blocks: {where}; waiting, since no deadline passes by its clock")

    # ---- reading

    def _view(self, snapshot: Snapshot) -> View:
        if snapshot.anew:
            self.turns.forget()
        self.observer.take_in(snapshot)
        view = self.observer.view(snapshot, self.player.party)
        before = dict(self.log.facts)
        self.log.facts.update(round=snapshot.facts.number, phase=view.phase.name.lower())
        if before.get("phase") != self.log.facts["phase"] or before.get("round") != snapshot.facts.number:
            self.log.info("phase begins", block=snapshot.head.number, ends=view.phase_end, until=clock_time(view.phase_end))
        return view

    def _remember(self, view: View) -> None:
        """Keeps what the gate remembers of rounds that were settled, while their files are at hand; tells the seat's news."""
        try:
            self.observer.record.keep(self.history)
            self.news.tell(view)
        except Exception as error:  # the next reading tries again
            self.trouble(error)

    def _belongs(self, view: View) -> None:
        """Raises if the seat is gone or this key no longer acts for it; warns of what the owner should fix."""
        facts = view.own.seat
        if facts is None or int(facts.owner, 16) == 0:
            if self._operates_now():
                raise Unconfirmed(f"seat {self.seat} was taken a few blocks ago: waiting until that is confirmed")
            raise Over(f"seat {self.seat} is free: its owner has withdrawn")
        if facts.operator != self.sender.signer.address:
            if self._operates_now():
                raise Distrust(f"this key operates seat {self.seat} for a few blocks only: waiting until that is confirmed")
            raise OperatorReplaced(
                f"seat {self.seat} is now operated by {facts.operator}: {self.sender.signer.address} no longer acts for it; "
                f"hand the journal {self.journal.folder} to the new daemon"
            )
        if facts.stake < self.node.terms.min_stake:
            has, least = map(self.node.denomination.show, (facts.stake, self.node.terms.min_stake))
            self.log.warn(f"stake {has} is below {least}: the seat sits out; top it up")
        salt = self.journal.folder / f"{view.facts.number}.salt"
        if view.phase is Phase.REVEAL and facts.record == 1 and not salt.is_file():
            slash = self.node.denomination.show(self.node.terms.no_reveal_slash)
            self.log.error(
                f"seat {self.seat} has committed, and this journal has no salt: hand over the old journal before "
                f"{clock_time(view.phase_end)}, or {slash} are slashed"
            )

    def _operates_now(self) -> bool:
        """Whether this key operates the seat in the newest block."""
        return bool(self.node.read("seatInfo", self.seat)[2] == self.sender.signer.address)

    def _over(self, view: View) -> None:
        leaving = view.history.seats[self.seat].leaving if self.seat in view.history.seats else True
        if (view.concluded or leaving) and not self.sender.transactions.open(self.sender.signer.address):
            why = "the sponsor gave notice" if view.concluded else f"seat {self.seat} is leaving"
            raise Over(f"{why}, and no round is open: nothing is left to do")
