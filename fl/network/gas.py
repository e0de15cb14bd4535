"""What calls were measured to cost: gas.json, which `make gas` writes from receipts. Whatever must know gas before it is spent
(limits of transactions, money to hold, a relay's budget, estimates) follows from this one table.

Each figure is there twice, under today's rules and under those of Amsterdam, the next fork, where new state costs five times as
much. Money to hold for rounds to come is counted under the dearer ones, so that nobody runs dry on the day of the fork.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PATH = Path(__file__).with_name("gas.json")
TABLE: dict[str, Any] = json.loads(PATH.read_text())
TODAY, NEXT = "osaka", "amsterdam"
RULES = (TODAY, NEXT)
SEATS = tuple(int(n) for n in TABLE[TODAY]["actions"])
CALLS = (
    *("openRound", "commit", "reveal", "close", "draw", "commitScores", "revealScores", "settle", "propose", "finalize"),
    *("join", "claim"),
)  # that are measured for each number of seats
OWN = ("commit", "reveal", "commitScores", "revealScores", "propose")  # a seat's own in a round


def rules_of(block: Mapping[str, Any]) -> str:
    """The rules of a chain, from what a node shows of a block: since Amsterdam a header has the hash of what its transactions
    read and wrote."""
    return TODAY if block.get("blockAccessListHash") is None else NEXT


def gas_of(call: str, seats: int, rules: str = TODAY) -> int:
    """Gas for a number of seats in a steady round, interpolated between the table's columns and extrapolated beyond them."""
    row = [TABLE[rules]["actions"][str(n)][call] for n in SEATS]
    i = next((i for i in range(1, len(SEATS) - 1) if seats <= SEATS[i]), len(SEATS) - 1)
    low, high = SEATS[i - 1], SEATS[i]
    return int(max(row[0] // 2, round(row[i - 1] + (row[i] - row[i - 1]) * (seats - low) / (high - low))))


def deployment(name: str, rules: str = TODAY) -> int:
    """Gas to deploy a contract that all federations share, or play money."""
    return int(TABLE[rules]["deploy"][name])


def creation(rules: str = TODAY) -> int:
    """Gas to create one federation."""
    return int(TABLE[rules]["actions"][str(SEATS[0])]["deploy (one clone)"])


def answer(depth: int, rules: str = TODAY) -> int:
    """Gas to answer a demand for a leaf of a model, at this depth or the next greater one that was measured."""
    measured = TABLE[rules]["answers"]
    return int(measured[min((d for d in measured if int(d) >= depth), key=int)]["answer"])


def challenge(depth: int, seats: int, rules: str = TODAY) -> int:
    """Gas to disprove a proposal against so many accepted updates, at the measured size that is next above both."""
    depths = {"1M": 12, "34M": 17, "1G": 22}
    name = min((name for name, at in depths.items() if at >= depth), key=lambda name: depths[name])
    most = min((n for n in SEATS if n >= seats), default=SEATS[-1])
    return int(TABLE[rules]["challenge"][f"{most} seats, {name} parameters"]["gas"])


def seat(rules: str) -> int:
    """Gas that an owner must be able to pay to take a seat: the allowance, then the seat with the deposits of its operator."""
    return limit(int(TABLE[rules]["actions"][str(SEATS[0])]["take a seat"]), rules)


def relayed(batch: str, acts: int) -> int:
    """Gas that so many relayed acts take at most in one of the contract's batches, under the dearer rules. An operator that is
    a contract takes more."""
    kinds = [{**TABLE[rules]["relayed at most"], "announceMany": TABLE[rules]["announced at most"]} for rules in RULES]
    first, more = (max(int(kind[batch][which]) for kind in kinds) for which in ("first", "more"))
    return first + (acts - 1) * more if acts else 0


def new_words(rules: str) -> int:
    """What a call may need beyond its estimate because words that it writes became empty meanwhile: the measured difference
    between the first `settle`, which fills two, and any later one."""
    some = TABLE[rules]["actions"][str(SEATS[0])]
    return int(some["settle, first round"] - some["settle"])


def limit(estimate: int, rules: str) -> int:
    """The limit for a transaction of this estimate. The state may change before it is mined: a quarter more, for loops over
    seats and leaves that joined meanwhile, and new words. What is not used is not paid."""
    return estimate + estimate // 4 + new_words(rules)


# What a seat must be able to pay in a round: its own calls with the most seats, and the limit of the dearest of them.
ROUND = max(sum(own := [gas_of(call, SEATS[-1], rules) for call in OWN]) - max(own) + limit(max(own), rules) for rules in RULES)
