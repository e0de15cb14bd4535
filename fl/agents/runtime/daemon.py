"""One seat's daemon: looks, lets its roles decide, writes down, sends; for as long as the federation lives.

It acts on what is some confirmations deep, by the chain's clock alone, and does nothing on the word of a node that contradicts
itself. Everything that must not be lost is on disk before it leaves, so that it may be killed at any instant.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from fl.agents.record.history import Demanded, History
from fl.agents.record.public_record import Record
from fl.agents.record.view import View
from fl.agents.roles.validator import Validator
from fl.agents.runtime.actions import Action
from fl.agents.runtime.agent import Agent, Role
from fl.agents.runtime.journal import Journal
from fl.agents.runtime.metrics import Metrics
from fl.errors import ChainError, NoRoomError, StoreError, TreatyError
from fl.log import Log
from fl.network.federation import Distrust, FederationReader, Snapshot, WrongChain
from fl.network.rpc import NodeError
from fl.network.sender import Refused, Sender
from fl.network.stores.base import write_durably
from fl.network.transactions import State, name_of
from fl.protocol.artifact import Kind
from fl.protocol.leaves import root_of
from fl.protocol.phases import Phase, phase_and_end
from fl.protocol.seats import to_bitmap

TRIES = 3  # of a transaction that the contract refused after all, or whose nonce was taken
MAX_TURNS = 8
SECRETS = ("reveal", "revealScores")
HOUSEKEEPING = ("openRound", "close", "draw", "settle", "finalize")  # anybody's calls that pay nobody: taken in turns
BY_ATTEMPT = ("propose", "challenge", "demand", "answer", "expire")


class OperatorReplaced(ChainError):
    """The key no longer acts for the seat."""


class Over(Exception):
    """There is nothing left to do, for good."""


@dataclass(frozen=True)
class Pace:
    """poll: seconds between looks; most: the same, in trouble; turn: blocks that each waits for the one before to make a call
    that anybody may make."""

    poll: float = 2.0
    most: float = 15.0
    turn: int = 2


class Daemon:
    """Plays one seat. `record` makes an empty public record, whenever the past must be read anew."""

    def __init__(
        self,
        node: FederationReader,
        sender: Sender,
        journal: Journal,
        agent: Agent,
        record: Callable[[], Record],
        log: Log,
        pace: Pace | None = None,
    ):
        assert agent.seat is not None
        self.node, self.sender, self.journal, self.agent, self.log = node, sender, journal, agent, log
        self.seat, self.pace = agent.seat, pace or Pace()
        self.metrics = Metrics(node.address, agent.seat, node.denomination)
        self._new_record = record
        self._history, self._record = History(node.terms.committee), record()
        self._done: Snapshot | None = None  # the last look that was acted on to its end
        self._first: dict[str, tuple[int, int]] = {}  # when a call that anybody may make was first wanted: (block, time)
        self._still = 0  # looks in a row that saw no new block
        node.seat = agent.seat

    # ---- the loop

    def run(self, stop: threading.Event, once: bool = False) -> None:
        """Until told to stop, or there is nothing left to do. Raises what makes going on pointless."""
        pause = self.pace.poll
        while not stop.is_set():
            try:
                acted = self.tick()
                pause = self.pace.poll
                if once and not acted:
                    return
            except Over as over:
                self.log.info(str(over))
                return
            except (WrongChain, OperatorReplaced):
                raise
            except Exception as error:  # a guard of stakes goes on, whatever it meets, and says so
                self._trouble(error)
                if once:
                    raise
                pause = min(self.pace.most, 2 * pause)
            stop.wait(0.05 if once else pause)
        self.log.info("stopped; the journal has everything, start again at any time")

    def tick(self) -> bool:
        """One look and what follows from it. Returns whether anything was sent."""
        self.metrics.looks.inc()
        snapshot = self.node.look(self._done.head if self._done else None)
        if snapshot is None:
            self._stands_still()
            return False
        self._still = 0
        self._done = None  # whatever goes wrong below is tried again, new block or not
        view = self._view(snapshot)
        self._belongs(snapshot, view)
        self.metrics.saw(self, snapshot, view.phase, view.phase_end)
        self.sender.tend(snapshot.head, snapshot.confirmed)
        self._withdraw_stale(view, snapshot)
        acted, whole = self._act(view, snapshot)
        self._serve(view)
        if view.phase is Phase.IDLE:
            self.journal.prune(view.facts.number)
            self._first = {key: first for key, first in self._first.items() if key.startswith(f"{view.facts.number} ")}
            self._over(view)
        if whole:
            self._done = snapshot
        return acted

    def _trouble(self, error: Exception) -> None:
        kind = type(error).__name__
        self.metrics.trouble.labels(kind).inc()
        if isinstance(error, Distrust):
            self.log.warn(f"{error}; nothing is done on its word")
        elif isinstance(error, NodeError | StoreError):
            self.log.warn(f"{error}; trying again")
        elif isinstance(error, OSError):
            self.log.error(f"the disk refuses ({error}): nothing is sent before the journal can be written; make room")
        elif isinstance(error, TreatyError):
            self.log.error(str(error))
        else:
            self.log.error(f"unexpected {kind}: {error}; going on")

    def _stands_still(self) -> None:
        self._still += 1
        if self._still * self.pace.poll >= 60:
            head = self._done.head if self._done else None
            where = f"block {head.number} is still the newest" if head else "no block"
            self.log.warn(f"the chain stands still: {where}; waiting, by its clock no deadline passes")

    # ---- seeing

    def _view(self, snapshot: Snapshot) -> View:
        if snapshot.anew:
            if self._history.events:
                text = "the chain was reorganised below what was confirmed: the past is read anew"
                self.log.warn(text, block=snapshot.confirmed.number)
            self._history, self._record = History(self.node.terms.committee), self._new_record()
            self._first.clear()
        self._history.apply(snapshot.events)
        self._record.note(snapshot.events)
        if difference := disagreement(snapshot, self._history, self.seat):
            self.node.forget()
            where = f"at block {snapshot.confirmed.number} ({difference})"
            raise Distrust(f"the node's logs and state differ {where}: it leaves logs out")
        earned = snapshot.seat.earned if snapshot.seat else 0
        view = View(
            self.node.chain_id,
            self.node.address,
            self.node.terms,
            snapshot.head.time,
            snapshot.head.number + 1,
            snapshot.facts,
            self._history,
            self._record,
            snapshot.concluded,
            snapshot.pool,
            earned,
            snapshot.credit,
            self.node.denomination,
        )
        before = dict(self.log.facts)
        self.log.facts.update(round=snapshot.facts.number, phase=view.phase.name.lower())
        if before.get("phase") != self.log.facts["phase"] or before.get("round") != snapshot.facts.number:
            self.log.info("phase begins", block=snapshot.head.number, ends=view.phase_end)
        return view

    def _belongs(self, snapshot: Snapshot, view: View) -> None:
        """Raises if the seat is gone or this key no longer acts for it; warns of what the owner should mend."""
        facts = snapshot.seat
        if facts is None or int(facts.owner, 16) == 0:
            raise Over(f"seat {self.seat} is free: its owner has withdrawn")
        if facts.operator != self.sender.signer.address:
            if self.node.read("seatInfo", self.seat)[2] == self.sender.signer.address:
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
                f"{view.phase_end}, or {slash} are slashed"
            )

    def _over(self, view: View) -> None:
        leaving = view.history.seats[self.seat].leaving if self.seat in view.history.seats else True
        if (view.concluded or leaving) and not self.sender.transactions.open(self.sender.signer.address):
            why = "the sponsor gave notice" if view.concluded else f"seat {self.seat} is leaving"
            raise Over(f"{why}, and no round is open: nothing is left to do")

    # ---- acting

    def _act(self, view: View, snapshot: Snapshot) -> tuple[bool, bool]:
        """(whether anything was sent, whether nothing wanted was left undone for trouble)."""
        acted, whole = False, True
        for role in self.agent.roles:
            for action in self._decide(role, view):
                try:
                    acted |= self._perform(action, view, snapshot)
                except (StoreError, NodeError, OSError) as error:
                    self._trouble(error)
                    whole = False
        return acted, whole

    def _decide(self, role: Role, view: View) -> list[Action]:
        try:
            return [] if isinstance(role, Validator) and self._scores_wait(view) else role.decide(view)
        except (StoreError, NoRoomError) as error:  # one role's missing file is no reason for another's missed reveal
            self._trouble(error)
            return []

    def _scores_wait(self, view: View) -> bool:
        """Whether scores are due and have time, and the store lacks an update. It may be on its way, or the store away: zeros
        for it would take its author's pay, and the validator's own where others have seen it."""
        if view.phase is not Phase.SCORE_COMMIT or view.time >= view.phase_end - view.terms.score_commit_window // 2:
            return False
        log = view.round
        if self.seat not in log.committee or self.seat in log.score_commitments:
            return False
        roots = {reveal.root for reveal in log.reveals.values()}
        missing = len(roots) - len(view.record.updates(roots))
        if missing:
            self.log.warn(f"the store lacks {missing} of {len(roots)} updates: scores wait for them, for half of their window")
        return bool(missing)

    def _perform(self, action: Action, view: View, snapshot: Snapshot) -> bool:
        """Writes, publishes and sends, unless it was done, is under way or must wait. Returns whether it was sent."""
        if action.function and not self._may(action, view, snapshot):
            return False
        data = self.node.interface.call(action.function, *action.args) if action.function else b""
        name = self._name(action, view, data, snapshot) if action.function else None
        if action.function and name is None:
            return False
        for file, content in action.keep.items():
            write_durably(self.journal.folder / file, content, mode=0o600)  # salts are secrets until revealed
        if not self._publish(action):
            return False
        if name is None:
            return False
        if action.function == "demand" and not self._deposit(view, snapshot):
            return False
        try:
            self.sender.send(name, view.facts.number, action.function, self.node.address, data, snapshot.head)
        except Refused as refusal:
            if not action.shared:  # of shared calls somebody else was simply faster
                self.log.warn(f"{action.function} would be refused: {refusal}")
            return False
        return True

    def _name(self, action: Action, view: View, data: bytes, snapshot: Snapshot) -> str | None:
        """The name of a transaction to send now; None if it is under way or settled."""
        attempt = view.facts.attempts if action.function in BY_ATTEMPT else 0
        times = done_before(action, view, self.sender.signer.address)
        several = {"draw": view.facts.close_block, "claim": times, "claimCredit": times}
        attempt = several.get(action.function, attempt)
        digest = sha256(data + bytes(times)).hexdigest()[:12] if action.shared else ""
        name = name_of(view.facts.number, attempt, action.function, action.seat, digest)
        for again in range(TRIES):
            transaction = self.sender.transactions.get(name if not again else f"{name}.{again + 1}")
            if transaction is None:
                return name if not again else f"{name}.{again + 1}"
            if transaction.state is State.OPEN and transaction.sender == self.sender.signer.address:
                return None
            if transaction.state is State.DONE:
                self.sender.contradicted(transaction, snapshot.head)
                return None
        self.log.error(f"{action.function} was refused {TRIES} times: given up; see the transactions", transaction=name)
        return None

    def _may(self, action: Action, view: View, snapshot: Snapshot) -> bool:
        """Whether to send it now: secrets wait until no reorganisation can reopen the commits, housekeeping for its turn."""
        if action.function in SECRETS:
            # By the earliest clock of all nodes: one that runs ahead would have the secret out while others may still commit.
            began = phase_and_end(view.facts, view.terms, snapshot.earliest)[0] is view.phase
            deep = phase_and_end(view.facts, view.terms, snapshot.confirmed.time)[0] is view.phase
            window = view.terms.reveal_window if action.function == "reveal" else view.terms.score_reveal_window
            return began and (deep or snapshot.earliest >= view.phase_end - window // 2)
        if action.function == "answer":
            return self._may_answer(action, view, snapshot)
        if action.function not in HOUSEKEEPING:
            return True
        key = f"{view.facts.number} {action.function} {view.facts.close_block}"
        _, time = self._first.setdefault(key, (snapshot.head.number, snapshot.head.time))
        hurry = view.phase_end > 0 and view.time - time >= (view.phase_end - time) / 2
        return hurry or self._turn_came(key, sorted(view.history.seats), view.facts.number, snapshot)

    def _turn_came(self, key: str, order: list[int], shift: int, snapshot: Snapshot) -> bool:
        """Whether everybody before this seat, in an order that begins elsewhere each time, had its blocks for a call."""
        block, _ = self._first.setdefault(key, (snapshot.head.number, snapshot.head.time))
        turn = (order.index(self.seat) - shift) % len(order) if self.seat in order else MAX_TURNS
        return snapshot.head.number >= block + self.pace.turn * min(turn, MAX_TURNS)

    def _may_answer(self, action: Action, view: View, snapshot: Snapshot) -> bool:
        """Of many that can answer a demand one shall pay the gas: the proposer, whose stake hangs on it, at once; the others by
        turns, and not while an answer is on its way. After a third of the window all of that counts no more: who demanded
        might have sent an answer that never arrives."""
        artifact, seat, leaf = action.args[:3]
        demanded = Demanded(view.facts.attempts, int(str(artifact)), int(str(seat)), int(str(leaf)))
        deadline, proposal = view.round.demands.get(demanded, 0), view.round.proposal
        window = view.terms.answer_window
        if view.time >= deadline - window + window // 3 or proposal is None:
            return True
        key = f"{view.facts.number} answer {demanded} {deadline}"
        others = [i for i in sorted(view.history.seats) if i != proposal.seat]
        shift = int.from_bytes(sha256(key.encode()).digest()[:8], "big") % max(1, len(others))
        order = [proposal.seat, *others[shift:], *others[:shift]]
        return self._turn_came(key, order, 0, snapshot) and self._stands_open(demanded)

    def _stands_open(self, demanded: Demanded) -> bool:
        """Whether a demand would still be open after everything that the node knows to be on its way."""
        try:
            demander, _ = self.node.read("demandInfo", demanded.artifact, demanded.seat, demanded.leaf, at="pending")
        except ChainError:
            return True  # a node that shows no pending state
        return int(demander, 16) != 0

    def _publish(self, action: Action) -> bool:
        """Files go to the store first. A reveal does not wait for a store that is away: silence would cost stake."""
        try:
            for file in action.publish:
                if file.kind is None:
                    self.agent.store.put_document(json.loads(file.data))
                else:
                    self.agent.store.put(file.data, file.kind)
        except (StoreError, OSError) as error:
            self.metrics.trouble.labels("store").inc()
            self.log.warn(f"the store does not take the file of {action.function}: {error}")
            return action.function == "reveal"
        return True

    def _deposit(self, view: View, snapshot: Snapshot) -> bool:
        """Whether a demand's deposit can be taken; allows the federation to take it if the key holds tokens."""
        needed = view.terms.demand_deposit
        balance, allowed = self.node.allowance()
        if balance < needed:
            deposit = self.node.denomination.show(needed)
            self.log.error(f"{self.sender.signer.address} has no tokens for a demand's deposit: send it {deposit}")
            return False
        if allowed >= needed:
            return True
        name = name_of(view.facts.number, view.facts.attempts, "approve", self.seat)
        if self.sender.transactions.get(name) is None:
            data = self.node.token.call("approve", self.node.address, 64 * needed)
            self.sender.send(name, view.facts.number, "approve", view.terms.token, data, snapshot.head)
        return False

    def _serve(self, view: View) -> None:
        """Puts this seat's revealed update into the store again while the round is open and the store lacks it."""
        if not view.facts.live or self.seat not in view.round.reveals:
            return
        path = self.journal.folder / f"{view.facts.number}.update"
        root = view.round.reveals[self.seat].root
        try:
            if not self.agent.store.has(root, Kind.UPDATE) and path.is_file():
                data = path.read_bytes()
                if root_of(data, Kind.UPDATE) == root:
                    self.agent.store.put(data, Kind.UPDATE)
                    self.log.info("the revealed update is in the store again")
        except (StoreError, OSError) as error:
            self.log.warn(f"the store lacks this seat's update, and does not take it: {error}")

    def _withdraw_stale(self, view: View, snapshot: Snapshot) -> None:
        """A proposal on its way whose model is no longer right would be a fraud if it arrived: it is withdrawn."""
        for transaction in self.sender.transactions.open(self.sender.signer.address):
            if transaction.function != "propose" or transaction.mined_at is not None or transaction.round != view.facts.number:
                continue
            right = view.record.next_model(view.round) if view.round.settled else None
            if right is None or root_of(right, Kind.MODEL).hex() not in transaction.data:
                self.sender.cancel(transaction, snapshot.head)


def done_before(action: Action, view: View, account: str) -> int:
    """How often a call that may come again, to the byte, was answered by the chain: each time is a transaction of its own."""
    if action.function == "answer":
        wanted = dict(zip(("artifact", "seat", "leaf"), action.args, strict=False))
        wanted |= {"round": view.facts.number, "attempt": view.facts.attempts}
        name = "Answered"
    elif action.function == "claim":
        name, wanted = "Claimed", {"seat": action.seat}
    elif action.function == "claimCredit":
        name, wanted = "CreditClaimed", {"account": account}
    else:
        return 0
    return sum(e.name == name and wanted.items() <= e.fields.items() for e in view.history.events)


def disagreement(snapshot: Snapshot, history: History, seat: int) -> str:
    """Where a block's state differs from what its logs add up to; empty if nowhere."""
    facts, log = snapshot.facts, history.round
    if facts.number != len(history.rounds):
        return f"round {facts.number}, of {len(history.rounds)} in the logs"
    if log is not None:
        settled = bool(facts.settled_at)
        pairs = {
            "active seats": (facts.active, to_bitmap(log.active)),
            "end": (facts.live, not log.finalized),
            "closing": (facts.close_block, log.close_block),
            "revealed seats": (facts.revealed, to_bitmap(log.revealed or [])),
            "draw": (facts.committee_size, len(log.committee)),
            "settlement": (settled, log.settled),
            "proposals": (facts.attempts, len(log.proposals)),
            "open demands": (facts.open_demands if facts.live else 0, len(log.demands) if facts.live else 0),
        }
        for what, (said, logged) in pairs.items():
            if said != logged:
                return what
    if snapshot.seat is not None and int(snapshot.seat.owner, 16):
        record = 0 if log is None else 2 if seat in log.reveals else 1 if seat in log.commitments else 0
        known = history.seats.get(seat)
        if known is None or (known.operator, known.stake) != (snapshot.seat.operator, snapshot.seat.stake):
            return f"seat {seat}"
        if snapshot.seat.record != record:
            return f"seat {seat}'s record"
    return ""
