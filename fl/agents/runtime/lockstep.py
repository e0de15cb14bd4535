"""The one loop that acts: look, let everybody decide, write what must be kept, send; when nobody has anything to do, wait."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fl.agents.record.history import History
from fl.agents.record.public_record import Record
from fl.agents.record.view import View
from fl.agents.runtime.actions import Action
from fl.agents.runtime.agent import Agent
from fl.errors import ChainError
from fl.network.ape_accounts import FederationClient, Receipt
from fl.network.stores.base import write_durably
from fl.protocol.phases import Phase


@dataclass(frozen=True)
class Done:
    """An action that reached the chain, with what it cost."""

    agent: Agent
    action: Action
    receipt: Receipt
    round: int


class Loop:
    """Runs agents against one federation until none has anything left to do.

    watch: called after every look with the view; done: called after every transaction.
    """

    def __init__(
        self,
        client: FederationClient,
        record: Record,
        agents: Sequence[Agent],
        *,
        watch: Callable[[View], None] = lambda view: None,
        done: Callable[[Done], None] = lambda done: None,
    ):
        self.client, self.record, self.agents = client, record, agents
        self.watch, self.done = watch, done
        self.history = History(client.terms.committee)

    def look(self) -> View:
        """The present moment."""
        events = self.client.new_events()
        self.record.note(events)
        self.history.apply(events)
        time, block = self.client.moment()
        facts = self.client.facts()
        pool, concluded = self.client.pool(), self.client.concluded()
        client = self.client
        moment = time, block, facts, self.history, self.record, concluded, pool
        return View(client.chain_id, client.address, client.terms, *moment, denomination=client.denomination)

    def run(self) -> View:
        """Until nobody has anything to do and no clock is running."""
        while True:
            view = self.look()
            self.watch(view)
            if self._act(view):
                continue
            if view.phase is Phase.IDLE:
                return view
            self._wait(view)

    def _act(self, view: View) -> bool:
        """Performs what is wanted; of calls that many may make, one, and then looks again."""
        acted = False
        shared: tuple[Agent, Action] | None = None
        for agent in self.agents:
            for action in agent.decide(view):
                if action.shared:
                    shared = shared or (agent, action)
                else:
                    self._perform(agent, action, view)
                    acted = True
        if not acted and shared:
            self._perform(*shared, view)
            acted = True
        return acted

    def _perform(self, agent: Agent, action: Action, view: View) -> None:
        for name, data in action.keep.items():
            write_durably(agent.journal / name, data, mode=0o600)  # salts are secrets until revealed
        for file in action.publish:
            if file.kind is None:
                agent.store.put_document(json.loads(file.data))
            else:
                agent.store.put(file.data, file.kind)
        if not action.function:
            return
        try:
            receipt = self.client.send(agent.operator, action.function, *action.args)
        except ChainError as error:
            raise ChainError(f"{agent.name}, {action.function} in round {view.facts.number}: {error}") from error
        self.done(Done(agent, action, receipt, view.facts.number))

    def _wait(self, view: View) -> None:
        if view.phase is Phase.DRAW and view.facts.close_block:
            self.client.wait_blocks(view.facts.close_block + 2)
            return
        deadlines = [d for d in view.round.demands.values() if d > view.time]
        self.client.wait_until(min([view.phase_end, *deadlines]))
