"""How long each window of a federation lasts where its sponsor leaves that to a preset: the time that its work takes on this
chain, and the time for which a participant may be away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from fl.protocol.terms import MAX_ROUND, MIN_WINDOW, WINDOWS, Terms
from fl.tools.cli.amounts import show_duration

SILENT_BLOCKS, STEP_BLOCKS = 24, 12  # at least, on any chain
FINE = 600  # seconds; windows from here on are whole minutes, shorter ones whole tens of seconds


@dataclass(frozen=True)
class Pace:
    """What windows have to leave time for, in seconds of the chain's clock except where another clock is named.

    silence: for which a participant, or its way to the chain, may be away in any window without missing a duty.
    step: from a demand, or an answer, to its inclusion.
    training: what a round's training takes the slowest participant, on a clock on the wall.
    block: between two blocks.
    speed: how many seconds of the chain's clock pass in one on the wall."""

    silence: int
    step: int
    training: float
    block: float
    speed: float = 1.0


# A laptop's clock is moved forward, or everybody is awake. On Ethereum and its testnets a machine may restart without losing a
# stake, and several rounds fit in a day. A rollup's sequencer may be down, or leave a transaction out, for as long as it takes
# to force one through L1, 12 hours on OP Stack chains and 24 on Arbitrum: every window that can lead to a slash is longer.
# `live` is the shortest that the chain's blocks allow, for trying it out on a chain of one's own.
PACES = {
    "laptop": Pace(silence=1800, step=300, training=1800, block=12),
    "live": Pace(silence=0, step=0, training=1, block=1),
    "testnet": Pace(silence=900, step=300, training=300, block=12),
    "l2": Pace(silence=90_000, step=90_000, training=3600, block=2),
}


def windows(pace: Pace, chosen: Mapping[str, Any], depth: int) -> dict[str, int]:
    """Every window, and max_attempts where more would hold a stake too long. What is `chosen` stays, and the rest follows from
    it; `chosen` has draw_delay and max_attempts."""
    silence = max(pace.silence, SILENT_BLOCKS * pace.block)
    step = max(pace.step, STEP_BLOCKS * pace.block)
    work = silence + pace.training * pace.speed
    derived = dict.fromkeys(WINDOWS, _round(silence))
    derived |= {
        "commit_window": _round(work),
        "draw_window": _round(silence + 3 * chosen["draw_delay"] * pace.block),  # for missed blocks and late callers
        "score_commit_window": _round(work),
        "answer_window": _round(step),
    }
    found = derived | {name: chosen[name] for name in WINDOWS if name in chosen}
    if "challenge_window" not in chosen:
        # Whoever was away still has the time to walk down to a wrong leaf; the contract asks for one step more than the walk.
        answer = found["answer_window"]
        found["challenge_window"] = _round(max(silence + (depth + 2) * answer, (depth + 3) * answer))
    attempt = found["propose_window"] + found["challenge_window"]
    once = sum(found[name] for name in WINDOWS if name not in ("propose_window", "challenge_window", "answer_window"))
    return found | {"max_attempts": max(1, min(chosen["max_attempts"], (MAX_ROUND - once) // attempt))}


def said_windows(terms: Terms, pace: Pace) -> list[str]:
    """A federation's windows for people, and what those that nobody chose follow from."""
    each = ", ".join(f"{name.removesuffix('_window')} {show_duration(getattr(terms, name))}" for name in WINDOWS)
    away = show_duration(_round(max(pace.silence, SILENT_BLOCKS * pace.block)))
    clock = f" on a clock {pace.speed:g} times as fast" if pace.speed != 1 else ""
    return [
        f"windows     {each}; those left out of the terms follow from",
        f"            {show_duration(ceil(pace.training))} of training{clock}, blocks of {pace.block:g} s, draw_delay "
        f"{terms.draw_delay}, depth {terms.depth}; in these, who is away for {away} misses no duty",
    ]


def _round(seconds: float) -> int:
    """Up, to what people read easily."""
    step = 10 if seconds < FINE else 60
    return max(MIN_WINDOW, step * ceil(seconds / step))
