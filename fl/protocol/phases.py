"""Where a round stands, read from its facts and the clock; twin of Phases.sol. A phase holds while time < end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from fl.protocol.terms import Terms


class Phase(IntEnum):
    """The contract's phases, in its order."""

    IDLE = 0
    COMMIT = 1
    REVEAL = 2
    DRAW = 3
    SCORE_COMMIT = 4
    SCORE_REVEAL = 5
    SETTLE = 6
    SHOW = 7
    PROPOSE = 8
    CHALLENGE = 9
    FINAL = 10
    VOID = 11
    ANNOUNCE = 12


@dataclass(frozen=True)
class RoundFacts:
    """The contract's Round, as `roundInfo` shows it. Sets are bitmaps; times in seconds.

    announce_window: how long seats announce keys; 0 in an open federation, which knows no such phase. Another view tells it."""

    number: int = 0
    active: int = 0
    opened_at: int = 0
    close_block: int = 0
    revealed: int = 0
    committee: int = 0
    committee_size: int = 0
    drawn_at: int = 0
    accepted: int = 0
    settled_at: int = 0
    voided: bool = False
    live: bool = False
    attempts: int = 0
    fallen: int = 0
    proposer: int = 0
    propose_from: int = 0
    proposed_at: int = 0
    open_demands: int = 0
    proposal: bytes = bytes(32)
    mix: bytes = bytes(32)
    announce_window: int = 0


def phase_and_end(r: RoundFacts, terms: Terms, time: int) -> tuple[Phase, int]:
    """The phase at `time` and when it ends by the clock (0: it does not)."""
    if not r.live:
        return Phase.IDLE, 0
    if time < r.opened_at + r.announce_window:
        return Phase.ANNOUNCE, r.opened_at + r.announce_window
    end = r.opened_at + terms.commit_window
    if time < end:
        return Phase.COMMIT, end
    end += terms.reveal_window
    if time < end:
        return Phase.REVEAL, end
    if r.voided:
        return Phase.VOID, 0
    if not r.drawn_at:
        end += terms.draw_window
        return (Phase.DRAW, end) if time < end else (Phase.VOID, 0)
    if not r.settled_at:
        return _scoring(r, terms, time)
    end = r.propose_from
    if r.proposed_at:
        end = r.proposed_at + terms.challenge_window
        if time < end:
            return Phase.CHALLENGE, end
        if not r.open_demands:
            return Phase.FINAL, 0
    elif time < end:
        return Phase.SHOW, end
    end += terms.propose_window
    if r.attempts < terms.max_attempts and time < end:
        return Phase.PROPOSE, end
    return Phase.FINAL, 0


def _scoring(r: RoundFacts, terms: Terms, time: int) -> tuple[Phase, int]:
    end = r.drawn_at + terms.score_commit_window
    if time < end:
        return Phase.SCORE_COMMIT, end
    end += terms.score_reveal_window
    if time < end:
        return Phase.SCORE_REVEAL, end
    end += terms.settle_window
    return (Phase.SETTLE, end) if time < end else (Phase.VOID, 0)
