"""Participants that do not follow the protocol: the honest roles with one method changed. On the command line: KIND:COUNT."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from fl.agents.adversaries.proposers import PROPOSERS, Withholder, WrongModel, WrongModelOnce
from fl.agents.adversaries.trainers import FLAWS, PARTICIPANTS
from fl.agents.adversaries.validators import VALIDATORS
from fl.agents.roles.casting import Cast, Trio, honest
from fl.agents.roles.training import PLAIN, TrainingOptions
from fl.learning.data.partition import Shard
from fl.learning.evaluator import Evaluator

KINDS = tuple(dict.fromkeys((*PARTICIPANTS, *VALIDATORS, *PROPOSERS)))

__all__ = ["FLAWS", "KINDS", "PARTICIPANTS", "PROPOSERS", "VALIDATORS", "Withholder", "WrongModel", "WrongModelOnce", "cast"]


def cast(kind: str, accomplices: Collection[int] = ()) -> Cast:
    """Makes the roles of a cheat's seat; for any other kind (`honest`), those that follow the protocol.

    accomplices: the seats of the same kind.
    """

    def made(
        seat: int,
        evaluator: Evaluator,
        shard: Shard,
        seed: int,
        journal: Path,
        options: TrainingOptions = PLAIN,
    ) -> Trio:
        participant, validator, proposer = honest(seat, evaluator, shard, seed, journal, options)
        known = frozenset(accomplices)
        if kind in PARTICIPANTS:
            cheat, unguarded = PARTICIPANTS[kind], replace(options, guard=None)
            participant = cheat(seat, evaluator.task, shard, seed, journal, unguarded, accomplices=known)
        if kind in VALIDATORS:
            validator = VALIDATORS[kind](seat, evaluator, shard, journal, accomplices=known)
        if kind in PROPOSERS:
            proposer = PROPOSERS[kind](seat)
        return participant, validator, proposer

    return made
