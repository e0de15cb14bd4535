"""The contracts' enumerations by name, in their order; held against contracts/ by tests/twins/test_enums.py."""

from __future__ import annotations

from enum import IntEnum


class Offence(IntEnum):
    """What a seat is slashed for (IStakes.Offence)."""

    NO_REVEAL = 0  # committed an update and did not reveal it
    NO_SCORES = 1  # drawn as a validator and did not reveal scores
    FRAUD = 2  # proposed a wrong model, or one that could not be opened

    @property
    def label(self) -> str:
        """As summaries and tables name it: `no reveal`."""
        return self.name.lower().replace("_", " ")

    def told(self, round_: int) -> str:
        """What the seat did, in a sentence without its subject."""
        return {
            Offence.NO_REVEAL: f"committed in round {round_} and did not reveal",
            Offence.NO_SCORES: f"was drawn to score in round {round_} and did not reveal its scores",
            Offence.FRAUD: f"proposed a model in round {round_} that was disproved, or that nobody could open",
        }[self]


class Artifact(IntEnum):
    """What a demand asks to see (IFederation.Artifact)."""

    PROPOSED = 0  # the proposed model
    PREVIOUS = 1  # the model that the round began with
    UPDATE = 2  # an accepted seat's update


class RecordState(IntEnum):
    """How far a seat, or a committee's position, has come in this round (Records.sol)."""

    NOTHING = 0
    COMMITTED = 1
    REVEALED = 2
