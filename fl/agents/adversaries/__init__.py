"""People who do not follow the protocol: the honest roles with one method changed. Named on the command line as KIND:COUNT."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from fl.agents.adversaries.proposers import PROPOSERS, Withholder, WrongModel, WrongModelOnce
from fl.agents.adversaries.trainers import FLAWS, PARTICIPANTS
from fl.agents.adversaries.validators import VALIDATORS
from fl.agents.roles.participant import Participant
from fl.agents.roles.proposer import Proposer
from fl.agents.roles.validator import Validator
from fl.learning.data.partition import Shard
from fl.learning.trainer import Evaluator

KINDS = tuple(dict.fromkeys((*PARTICIPANTS, *VALIDATORS, *PROPOSERS)))

__all__ = ["FLAWS", "KINDS", "PARTICIPANTS", "PROPOSERS", "VALIDATORS", "Withholder", "WrongModel", "WrongModelOnce", "cast"]


def cast(
    kind: str, seat: int, evaluator: Evaluator, shard: Shard, seed: int, journal: Path, accomplices: Collection[int] = ()
) -> tuple[Participant, Validator, Proposer]:
    """The roles of one seat: of a cheat's kind, or of anything else (`honest`) the honest ones."""
    participant = PARTICIPANTS.get(kind, Participant)(seat, evaluator.task, shard, seed, journal)
    validator = VALIDATORS.get(kind, Validator)(seat, evaluator, shard, journal)
    participant.accomplices = validator.accomplices = frozenset(accomplices)
    return participant, validator, PROPOSERS.get(kind, Proposer)(seat)
