"""A federation's terms and the rules they must satisfy; twin of TermsRules.sol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass, fields

ZERO_ADDRESS = "0x" + "00" * 20
MIN_WINDOW, MAX_WINDOW = 10, 30 * 24 * 3600
MAX_ROUND = 90 * 24 * 3600  # seconds; a stake is never locked longer
BURN_ADDRESS = "0x000000000000000000000000000000000000dEaD"  # where slashed money goes
MAX_AMOUNT = 2**88
MIN_DRAW_DELAY, MAX_DRAW_DELAY = 2, 7200  # blocks
# What a term's number counts: how a sponsor may write it, how it is shown and which limit it has follow from these.
Seconds = int
TokenUnits = int
Label = bytes  # 32 bytes, which a sponsor writes as text


@dataclass(frozen=True)
class Terms:
    """Fields in the order of the contract's struct, which a test compares. What each means: IFederation.sol."""

    token: str
    sponsor: str
    admission: str
    allowlist: bytes
    manifest: bytes
    genesis: bytes
    depth: int
    max_exponent: int
    trim: int
    max_seats: int
    min_reveals: int
    committee: int
    max_attempts: int
    commit_window: Seconds
    reveal_window: Seconds
    draw_window: Seconds
    score_commit_window: Seconds
    score_reveal_window: Seconds
    settle_window: Seconds
    propose_window: Seconds
    challenge_window: Seconds
    answer_window: Seconds
    min_stake: TokenUnits
    no_reveal_slash: TokenUnits
    no_scores_slash: TokenUnits
    fraud_slash: TokenUnits
    challenge_fee: TokenUnits
    demand_deposit: TokenUnits
    trainer_rate: TokenUnits
    validator_rate: TokenUnits
    strictness: int
    proposer_fee: TokenUnits
    draw_delay: int
    label: Label = bytes(32)

    def as_tuple(self) -> tuple[object, ...]:
        """For the contract's ABI."""
        return astuple(self)

    def shortest_round(self) -> int:
        """Seconds that a round takes when everybody acts at once: windows that the clock alone ends."""
        scoring = self.score_commit_window + self.score_reveal_window
        return self.commit_window + self.reveal_window + scoring + self.challenge_window

    def demands_to_pay(self) -> int:
        """The demands that a checker should be able to pay: the longest walk to a hidden wrong number, and one more."""
        return self.depth + 2

    def longest_round(self) -> int:
        """Seconds after which a round is over whatever anybody does or leaves undone."""
        attempts = self.max_attempts * (self.propose_window + self.challenge_window)
        return self.shortest_round() - self.challenge_window + self.draw_window + self.settle_window + attempts

    def worst_loss(self) -> int:
        """The most that a seat can lose in one round, in token units. One that does not reveal is not drawn to score."""
        return max(self.no_reveal_slash, self.no_scores_slash) + self.fraud_slash

    def round_cost(self, active: int) -> int:
        """What a round of so many active seats sets aside from the pool, in token units."""
        return active * self.trainer_rate + self.committee * self.validator_rate + self.proposer_fee


def _counted_in(kind: str) -> tuple[str, ...]:
    return tuple(f.name for f in fields(Terms) if f.type == kind)


WINDOWS = _counted_in("Seconds")
AMOUNTS = _counted_in("TokenUnits")

# The contract's numbers; rule 1 (the token has code) only a chain can check.
_RULES: list[tuple[int, str, Callable[[Terms], bool]]] = [
    (1, "token: give the address of an ERC-20", lambda t: t.token != ZERO_ADDRESS),
    (2, "sponsor: give an address", lambda t: t.sponsor != ZERO_ADDRESS),
    (
        3,
        "no_reveal_slash and no_scores_slash: each at most a quarter of min_stake",
        lambda t: max(t.no_reveal_slash, t.no_scores_slash) <= t.min_stake // 4,
    ),
    (
        4,
        "admission and allowlist: give one of them at most",
        lambda t: t.admission == ZERO_ADDRESS or not any(t.allowlist),
    ),
    (5, "manifest: give its sha256", lambda t: any(t.manifest)),
    (6, "genesis: give the first model's root", lambda t: any(t.genesis)),
    (7, "depth: at most 22", lambda t: 0 <= t.depth <= 22),
    (8, "max_exponent: at most 23", lambda t: 0 <= t.max_exponent <= 23),
    (9, "trim: at most 64", lambda t: 0 <= t.trim <= 64),
    (10, "max_seats: 1 to 128", lambda t: 1 <= t.max_seats <= 128),
    (11, "committee: an odd number from 3 to 15", lambda t: t.committee % 2 == 1 and 3 <= t.committee <= 15),
    (
        12,
        "min_reveals: at least the committee, at most max_seats",
        lambda t: t.committee <= t.min_reveals <= t.max_seats,
    ),
    (13, "max_attempts: 1 to 8", lambda t: 1 <= t.max_attempts <= 8),
    (14, "windows: 10 seconds to 30 days each", lambda t: all(MIN_WINDOW <= getattr(t, w) <= MAX_WINDOW for w in WINDOWS)),
    (
        15,
        "challenge_window: at least (depth + 3) * answer_window, so that a checker can walk down the tree",
        lambda t: t.challenge_window >= (t.depth + 3) * t.answer_window,
    ),
    (16, "amounts: at most 2^88 token units each", lambda t: all(0 <= getattr(t, a) <= MAX_AMOUNT for a in AMOUNTS)),
    (
        17,
        "slashes: at least 1 each, and no more than min_stake together",
        lambda t: (
            min(t.no_reveal_slash, t.no_scores_slash, t.fraud_slash) >= 1
            and t.min_stake >= t.no_reveal_slash + t.no_scores_slash + t.fraud_slash
        ),
    ),
    (
        18,
        "challenge_fee: with depth + 1 demand_deposits it stays below fraud_slash, so that fraud never pays",
        lambda t: t.challenge_fee + (t.depth + 1) * t.demand_deposit < t.fraud_slash,
    ),
    (19, "strictness: at most 65535", lambda t: 0 <= t.strictness <= 65535),
    (
        20,
        "windows: at most 90 days for a whole round with all max_attempts, so that no stake is locked longer",
        lambda t: t.longest_round() <= MAX_ROUND,
    ),
    (21, "draw_delay: 2 to 7200 blocks", lambda t: MIN_DRAW_DELAY <= t.draw_delay <= MAX_DRAW_DELAY),
]


def check(terms: Terms) -> list[tuple[int, str]]:
    """The rules that the terms break, as (number, what to give), in the order the contract checks them."""
    return [(number, remedy) for number, remedy, holds in _RULES if not holds(terms)]
