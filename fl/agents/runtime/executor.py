"""Executes the actions of a seat's roles: work, write, publish, send, in this order, so that a crash in between costs nothing.

It is the same for a daemon and for a simulation. All it knows of a call is what the action states.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from fl.agents.record.view import View
from fl.agents.runtime.actions import Action, Call, Publish, Wait, Work
from fl.agents.runtime.deposits import Deposits
from fl.agents.runtime.relaying import Relaying, SignedOnce
from fl.agents.runtime.turns import Turns, Wake
from fl.agents.runtime.workers import Workers
from fl.errors import ChainError, StoreError
from fl.log import Log
from fl.network.federation import FederationReader
from fl.network.sender import Refused, Sender, Unpaid
from fl.network.stores.base import Store
from fl.network.stores.files import write_durably
from fl.network.transactions import State, name_of
from fl.protocol.phases import phase_and_end

TRIES = 3  # for a transaction that reverted after all, or whose nonce was taken


class Executor:
    """Executes actions for one key, and perhaps one seat.

    folder: the seat's journal. trouble: called for failures that stop nothing else.
    wakes: when actions that wait may be tried again. relaying: the seat's way to a relay, if it has one.
    """

    def __init__(
        self,
        node: FederationReader,
        sender: Sender,
        store: Store,
        folder: Path,
        turns: Turns,
        deposits: Deposits,
        workers: Workers,
        log: Log,
        trouble: Callable[[Exception], None],
        relaying: Relaying | None = None,
    ):
        self.node, self.sender, self.store, self.folder = node, sender, store, folder
        self.turns, self.deposits, self.workers = turns, deposits, workers
        self.log, self.trouble, self.relaying = log, trouble, relaying
        self.signed = SignedOnce(folder, sender.signer, node.chain_id, node.address)
        self.wakes: list[Wake] = []
        self._told: set[tuple[int, str]] = set()  # the rounds and functions of which it was said that there is no ether

    def begin(self, view: View) -> None:
        """Tends transactions sent before; waiting actions may be tried again."""
        self.wakes = []
        self.sender.tend(view.snapshot.head, view.snapshot.confirmed, view.facts.number, view.facts.attempts)

    def execute(self, action: Action, view: View) -> bool:
        """Executes one action. Returns whether anything was done, which is not so if it was done before, is under way or must
        wait. Raises StoreError, NodeError or OSError if it failed; failed work is reported as trouble, and starts again when a
        role asks for it again."""
        if isinstance(action, Call):
            return self._call(action, view)
        if isinstance(action, Work):
            return self._work(action, view)
        if isinstance(action, Publish):
            return self._publish(action)
        self._wait(action)
        return False

    def drop(self, wanted: Collection[Action], view: View) -> None:
        """Drops what no role wants any more: finished work is forgotten, and revocable transactions are cancelled."""
        self.workers.drop_all_but([action for action in wanted if isinstance(action, Work)])
        data = {self._data(action).hex() for action in wanted if isinstance(action, Call) and action.revocable}
        for transaction in self.sender.transactions.open(self.sender.signer.address):
            if transaction.revocable and transaction.mined_at is None and transaction.data not in data:
                self.sender.cancel(transaction, view.snapshot.head)

    # ---- work and files

    def _work(self, work: Work, view: View) -> bool:
        """Returns whether the work is done and its results are written."""
        if (outcome := self.workers.outcome(work)) is None:
            self.workers.start(work, view)
            outcome = self.workers.outcome(work)
        if outcome is None:
            return False
        if isinstance(outcome, Exception):
            self.workers.forget(work)
            self.trouble(outcome)
            return False
        for name, data in outcome.items():
            write_durably(self.folder / name, data, mode=0o600)  # salts are secrets until revealed
        self.workers.forget(work)  # not before it is on disk: training may have taken hours
        return True

    def _publish(self, file: Publish) -> bool:
        if file.signed:
            self.store.put_signed(file.signed, bytes(file.data))
        elif file.kind is None:
            self.store.put_document(json.loads(bytes(file.data)))
        else:
            self.store.put(file.data, file.kind)
        if file.note:
            self.log.info(file.note)
        return True

    def _wait(self, wait: Wait) -> None:
        self.wakes.append(Wake(time=wait.until))
        if wait.why:
            self.log.warn(wait.why)

    # ---- calls

    def _call(self, call: Call, view: View) -> bool:
        if (wake := self._early(call, view)) is not None:
            self.wakes.append(wake)
            return False
        if call.calls and not (call := self._without_sent(call)).calls:
            return False
        data = self._data(call)
        name = self._name(call, view, data)
        if name is None or (not call.relay_until and not self._can_pay(call, view)) or not self._publishes(call):
            return False
        if self._relays(call, view):
            return False
        try:
            if call.deposit and not self.deposits.ready(view, call.deposit):
                return False
            self.sender.send(
                name,
                view.facts.number,
                call.function,
                self.node.address,
                data,
                view.snapshot.head,
                attempt=call.attempt,
                lasting=call.lasting,
                revocable=call.revocable,
                shared=call.shared,
            )
        except Refused as refusal:
            if call.calls:
                done = [self._call(one, view) for one in call.calls]
                return any(done)
            if not call.shared:  # for shared calls, somebody else was faster
                self.trouble(Refused(f"{call.function} would be rejected: {refusal}"))
            return False
        except Unpaid as unpaid:
            self._tell_unpaid(call, view, str(unpaid))
            self._offers(call, view)
            return False
        return True

    def _can_pay(self, call: Call, view: View) -> bool:
        """Whether the key has ether for a call that no relay sends; without any, the seat leaves it to others."""
        if able := self.sender.can_pay(view.snapshot.head):
            return able
        self._tell_unpaid(call, view, f"{self.sender.signer.address} has no ether; nothing was signed")
        return False

    def _tell_unpaid(self, call: Call, view: View, why: str) -> None:
        """Says it once in a round for each function."""
        if (key := (view.facts.number, call.function)) in self._told:
            return
        self._told = {told for told in self._told if told[0] == key[0]} | {key}
        left = "only a relay can send it now" if call.relay_until else "it is left to seats that have some"
        self.log.warn(f"{call.function} is not sent, and {left}: {why}")

    def _without_sent(self, call: Call) -> Call:
        """The same call of several without those that a transaction under way makes: sent twice, all of them would fail."""
        sent = [transaction.data for transaction in self.sender.transactions.open(self.sender.signer.address)]
        return replace(call, calls=tuple(one for one in call.calls if not any(self._data(one).hex() in data for data in sent)))

    def _relays(self, call: Call, view: View) -> bool:
        """Whether a relay is to send the call, and not this seat; a relay in trouble is asked again until its time is up."""
        if self.relaying is None or view.time >= call.relay_until:
            return False
        self.wakes.append(Wake(time=call.relay_until))
        return self._offers(call, view) is not False

    def _offers(self, call: Call, view: View) -> bool | None:
        """Whether the relay takes the call; None if it is in trouble."""
        if self.relaying is None or not call.relay_until:
            return False
        try:
            return self.relaying.offers(call, view)
        except (ChainError, StoreError, OSError) as error:
            self.trouble(ChainError(f"the relay does not have {call.function}, which is sent directly later: {error}"))
            return None

    def _data(self, call: Call) -> bytes:
        if call.calls:
            return self.node.interface.call(call.function, [self._data(one) for one in call.calls])
        if not self.node.interface.knows(call.function):
            return self._alone_in_batch(call)
        return self.node.interface.call(call.function, *call.args)

    def _alone_in_batch(self, call: Call) -> bytes:
        """An act that counts with its operator's signature only, as the one entry of its batch. Raises StoreError if another
        value was signed for this round."""
        number = int(str(call.args[0]))
        act = self.signed.act(call.function, call.args, number)
        if act is None:
            raise StoreError(f"{call.function}: the journal has another signature for round {number}; this one is not made")
        return self.node.interface.call(act.form.batch, number, [act.entry])

    def _early(self, call: Call, view: View) -> Wake | None:
        """When to try a call that must wait again; None: it may be sent."""
        if view.block < call.from_block:
            return Wake(call.from_block)
        if call.confirmed_until and not self._is_safe(call, view):
            return Wake(view.block + max(1, self.node.depth), call.confirmed_until)
        return self.turns.waits(call.turn, view) if call.turn else None

    def _is_safe(self, call: Call, view: View) -> bool:
        """Whether a secret may be revealed. Its phase must have begun by the earliest clock of all nodes, since a node that
        runs ahead would have it revealed while others can still commit. And no reorganisation can reopen the earlier phase, or
        half of the time is up."""
        earliest, confirmed = view.snapshot.earliest, view.snapshot.confirmed.time
        began, deep = (phase_and_end(view.facts, view.terms, time)[0] is view.phase for time in (earliest, confirmed))
        return began and (deep or earliest >= call.confirmed_until)

    def _name(self, call: Call, view: View, data: bytes) -> str | None:
        """The name of a transaction to send now; None if it is under way or settled."""
        digest = sha256(data + bytes(call.times)).hexdigest()[:12] if call.shared else ""
        name = name_of(view.facts.number, call.number, call.function, call.seat, digest)
        for again in range(TRIES):
            transaction = self.sender.transactions.get(name if not again else f"{name}.{again + 1}")
            if transaction is None:
                return name if not again else f"{name}.{again + 1}"
            if transaction.state is State.OPEN and transaction.sender == self.sender.signer.address:
                return None
            if transaction.state is State.DONE:
                self.sender.contradicted(transaction, view.snapshot.head)
                return None
        self.log.error(f"{call.function} was rejected {TRIES} times and is given up: see the transactions", transaction=name)
        return None

    def _publishes(self, call: Call) -> bool:
        """Publishes the call's files first; returns whether it may be sent."""
        try:
            for file in call.publish:
                self._publish(file)
        except (StoreError, OSError) as error:
            self.trouble(StoreError(f"the store does not accept the file of {call.function}: {error}"))
            return call.silence_costs
        return True
