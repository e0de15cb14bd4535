"""Deciding is a function of the view, the journal and the store: asked twice it wants the same, and it changes nothing.

Every role of honest seats and of every cheat is asked twice at every look of whole rounds, while randomness is out of reach.
"""

import os

import numpy as np
import pytest
from support.in_process import InProcessFederation

from fl.agents import adversaries
from fl.agents.roles.proposer import Proposer
from fl.agents.runtime.actions import Wait
from fl.protocol.phases import Phase

GROUP = 6
GROUPS = [adversaries.KINDS[i : i + GROUP] for i in range(0, len(adversaries.KINDS), GROUP)]
PHASES = {Phase.IDLE, Phase.COMMIT, Phase.REVEAL, Phase.DRAW, Phase.SCORE_COMMIT, Phase.SCORE_REVEAL}
PHASES |= {Phase.SETTLE, Phase.PROPOSE, Phase.FINAL}
WRONG = {"wrong_model", "wrong_model_once", "withhold"}  # while their proposals stand, somebody challenges or demands


class Impure(AssertionError):
    """A role drew randomness or wrote."""


def files(folder) -> dict[str, tuple[int, int]]:
    return {str(p): (p.stat().st_mtime_ns, p.stat().st_size) for p in folder.rglob("*") if p.is_file()}


def ask_twice(federation: InProcessFederation, asked: set[Phase], monkeypatch) -> None:
    """Plays the rounds, and asks everybody twice at each look."""
    loop = federation.loop

    def drawn(*_: object, **__: object) -> None:
        raise Impure("a role draws randomness")

    def watch(view) -> None:
        before, mark = files(federation.folder), federation.system.evm.block
        with monkeypatch.context() as patch:
            patch.setattr(os, "urandom", drawn)
            patch.setattr(np.random, "default_rng", drawn)
            for player in loop.players:
                mine = loop.observer.view(loop._snapshot, player.party)
                for role in player.agent.roles:
                    first, second = role.decide(mine), role.decide(mine)
                    assert first == second, (role, view.phase)
                    if any(not isinstance(action, Wait) for action in first):
                        asked.add(view.phase)
        assert (files(federation.folder), federation.system.evm.block) == (before, mark)

    loop.watch = watch
    loop.run()


@pytest.mark.parametrize("kinds", GROUPS, ids=" ".join)
def test_deciding_twice_on_one_view__gives_equal_actions__and_leaves_nothing_behind(tmp_path, monkeypatch, kinds):
    federation, asked = InProcessFederation(tmp_path, "heart", honest=7, kinds=kinds, rounds=2), set()
    ask_twice(federation, asked, monkeypatch)
    assert asked >= PHASES | ({Phase.CHALLENGE} if WRONG & set(kinds) else set())


class Careless(Proposer):
    def decide(self, view):
        os.urandom(1)
        return super().decide(view)


def test_role_that_draws__is_seen(tmp_path, monkeypatch):
    federation = InProcessFederation(tmp_path, honest=4, rounds=1)
    object.__setattr__(federation.loop.players[0].agent, "roles", (Careless(0),))
    with pytest.raises(Impure):
        ask_twice(federation, set(), monkeypatch)
