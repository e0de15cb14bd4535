"""One seat's part in every tick, in daemons and in simulations: tend transactions, ask each role, execute its actions."""

from __future__ import annotations

from dataclasses import dataclass

from fl.agents.record.view import View
from fl.agents.runtime.actions import Action, Work
from fl.agents.runtime.agent import Agent, Role
from fl.agents.runtime.executor import Executor
from fl.network.federation import Party

MAX_ASKED = 3  # times that a role is asked in one tick: again after each piece of work that it asked for


@dataclass(frozen=True)
class Played:
    """acted: something was sent, made or shown. whole: nothing was left undone because of trouble."""

    acted: bool
    whole: bool


class Player:
    """Runs an agent's roles."""

    def __init__(self, agent: Agent, executor: Executor):
        self.agent, self.executor = agent, executor
        self.party = Party(agent.operator.address, agent.seat)

    def play(self, view: View) -> Played:
        """Does everything that is due now. One role's trouble must not make another miss a reveal."""
        self.executor.begin(view)
        acted, whole, asked_all = False, True, True
        wanted: list[Action] = []
        for role in self.agent.roles:
            try:
                actions, played = self._role(role, view)
            except Exception as error:  # a daemon that guards a stake goes on after any error, and reports it
                self.executor.trouble(error)
                asked_all = False
                continue
            wanted += actions
            acted, whole = acted or played.acted, whole and played.whole
        if asked_all:
            self.executor.drop(wanted, view)
        return Played(acted, whole)

    def _role(self, role: Role, view: View) -> tuple[list[Action], Played]:
        """(the actions that it returned last, their results)."""
        acted, whole = False, True
        actions: list[Action] = []
        for _ in range(MAX_ASKED):
            actions, made = role.decide(view), False
            for action in actions:
                try:
                    done = self.executor.execute(action, view)
                except Exception as error:
                    self.executor.trouble(error)
                    whole = done = False
                acted, made = acted or done, made or (done and isinstance(action, Work))
            if not made:
                break
        return actions, Played(acted, whole)
