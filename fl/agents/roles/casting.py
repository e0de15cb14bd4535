"""The roles of a seat: the honest ones, and those that every seat has, whatever its first three roles are."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from fl.agents.roles.answerer import Answerer
from fl.agents.roles.challenger import Challenger
from fl.agents.roles.collector import Collector
from fl.agents.roles.keeper import Keeper
from fl.agents.roles.masked import MaskedParticipant, Voter
from fl.agents.roles.participant import Participant
from fl.agents.roles.proposer import Proposer
from fl.agents.roles.reporter import Reporter
from fl.agents.roles.training import PLAIN, TrainingOptions
from fl.agents.roles.validator import Validator
from fl.agents.runtime.agent import Role
from fl.learning.data.partition import Shard
from fl.learning.evaluator import Evaluator

Trio = tuple[Participant, Validator, Proposer]


class Cast(Protocol):
    """Makes the three roles of a seat that may differ between kinds of participant."""

    def __call__(
        self,
        seat: int,
        evaluator: Evaluator,
        shard: Shard,
        seed: int,
        journal: Path,
        options: TrainingOptions = PLAIN,
    ) -> Trio: ...


def honest(
    seat: int,
    evaluator: Evaluator,
    shard: Shard,
    seed: int,
    journal: Path,
    options: TrainingOptions = PLAIN,
) -> Trio:
    """The roles of a seat that follows the protocol; of a masked federation's if it has partners."""
    if options.partners is not None:
        masked = MaskedParticipant(seat, evaluator.task, shard, seed, journal, options)
        return masked, Voter(seat, evaluator, shard, journal), Proposer(seat)
    participant = Participant(seat, evaluator.task, shard, seed, journal, options)
    return participant, Validator(seat, evaluator, shard, journal), Proposer(seat)


def whole_seat(
    trio: Trio, seat: int, account: str, journal: Path, rounds: int | None = None, checks: bool = True
) -> tuple[Role, ...]:
    """All roles of a seat's daemon. rounds: after this many rounds the seat opens no more, and its pay is claimed at the end.

    checks: whether it reports accepted updates that it cannot get, checks what others propose, and answers demands.
    """
    watch: tuple[Role, ...] = (Reporter(seat, journal), Challenger(), Answerer(seat)) if checks else ()
    return (*trio, *watch, Keeper(rounds), Collector(seat, account, rounds))
