"""One seat's part in every look, in a daemon and in a simulation alike: tend what was sent, ask each role, do what it wants."""

from __future__ import annotations

from dataclasses import dataclass

from fl.agents.record.view import View
from fl.agents.runtime.actions import Action, Work
from fl.agents.runtime.agent import Agent, Role
from fl.agents.runtime.executor import Executor
from fl.network.federation import Party

MAX_ASKED = 3  # times that a role is asked in one look: again, after each piece of work that it asked for was done


@dataclass(frozen=True)
class Played:
    """acted: something was sent, made or shown. whole: nothing that was wanted was left undone for trouble."""

    acted: bool
    whole: bool


class Player:
    """Plays an agent's roles."""

    def __init__(self, agent: Agent, executor: Executor):
        self.agent, self.executor = agent, executor
        self.party = Party(agent.operator.address, agent.seat)

    def play(self, view: View) -> Played:
        """Everything that is due at this moment. One role's trouble is no reason for another's missed reveal."""
        self.executor.begin(view)
        acted, whole, asked_all = False, True, True
        wanted: list[Action] = []
        for role in self.agent.roles:
            try:
                actions, played = self._role(role, view)
            except Exception as error:  # a guard of stakes goes on, whatever it meets, and says so
                self.executor.trouble(error)
                asked_all = False
                continue
            wanted += actions
            acted, whole = acted or played.acted, whole and played.whole
        if asked_all:
            self.executor.drop(wanted, view)
        return Played(acted, whole)

    def _role(self, role: Role, view: View) -> tuple[list[Action], Played]:
        """(what it wanted when it was last asked, what came of it)."""
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
