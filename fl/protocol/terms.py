"""A federation's terms and the rules they must satisfy; twin of TermsRules.sol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass, fields

ZERO_ADDRESS = "0x" + "00" * 20
MIN_WINDOW, MAX_WINDOW = 60, 30 * 24 * 3600
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
    show_window: Seconds
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
        return self.commit_window + self.reveal_window + scoring + self.show_window + self.challenge_window

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

Show = Callable[[int], str]  # token units for people


def _slashes(t: Terms, show: Show) -> str:
    stated = [(name, getattr(t, name)) for name in ("no_reveal_slash", "no_scores_slash", "fraud_slash")]
    if empty := [name for name, amount in stated if amount < 1]:
        return f"{', '.join(empty)}: at least {show(1)} each"
    total = " + ".join(show(amount) for _, amount in stated)
    return (
        f"min_stake {show(t.min_stake)} is below the slashes of a round together, {total} = {show(sum(a for _, a in stated))}"
    )


def _windows(t: Terms, _: Show) -> str:
    odd = [f"{name} {getattr(t, name)} s" for name in WINDOWS if not MIN_WINDOW <= getattr(t, name) <= MAX_WINDOW]
    return f"{', '.join(odd)}: each window lasts {MIN_WINDOW} s to {MAX_WINDOW} s (30 days)"


def _amounts(t: Terms, show: Show) -> str:
    odd = [f"{name} {show(getattr(t, name))}" for name in AMOUNTS if not 0 <= getattr(t, name) <= MAX_AMOUNT]
    return f"{', '.join(odd)}: each amount is 0 to 2^88 token units, {show(MAX_AMOUNT)}"


def _silence(t: Terms, show: Show) -> str:
    odd = [f"{n} {show(getattr(t, n))}" for n in ("no_reveal_slash", "no_scores_slash") if getattr(t, n) > t.min_stake // 4]
    return f"{', '.join(odd)}: give at most a quarter of min_stake, which is {show(t.min_stake // 4)}"


def _walk(t: Terms, _: Show) -> str:
    steps = t.depth + 3
    return (
        f"challenge_window {t.challenge_window} s is below {steps} x {t.answer_window} s = {steps * t.answer_window} s at "
        f"depth {t.depth}: a checker walks down the tree with one demand a level; raise it, or lower answer_window"
    )


def _fraud(t: Terms, show: Show) -> str:
    walk = f"{t.depth + 1} x {show(t.demand_deposit)}"
    total = show(t.challenge_fee + (t.depth + 1) * t.demand_deposit)
    return (
        f"challenge_fee {show(t.challenge_fee)} + {walk} of demand_deposit at depth {t.depth} = {total}: it stays below "
        f"fraud_slash, which is {show(t.fraud_slash)}, so that fraud never pays"
    )


def _longest(t: Terms, _: Show) -> str:
    return (
        f"windows: a whole round with {t.max_attempts} max_attempts lasts {t.longest_round()} s, and at most {MAX_ROUND} s "
        "(90 days) are allowed, so that no stake is locked longer"
    )


# The contract's numbers; rule 1 (the token has code) only a chain can check. Each: number, what holds, what to say if it does
# not.
_RULES: list[tuple[int, Callable[[Terms], bool], Callable[[Terms, Show], str]]] = [
    (1, lambda t: t.token != ZERO_ADDRESS, lambda t, _: "token: give the address of an ERC-20"),
    (2, lambda t: t.sponsor != ZERO_ADDRESS, lambda t, _: "sponsor: give an address"),
    (3, lambda t: max(t.no_reveal_slash, t.no_scores_slash) <= t.min_stake // 4, _silence),
    (
        4,
        lambda t: t.admission == ZERO_ADDRESS or not any(t.allowlist),
        lambda t, _: "admission and allowlist: give one of them at most",
    ),
    (5, lambda t: any(t.manifest), lambda t, _: "manifest: give its sha256"),
    (6, lambda t: any(t.genesis), lambda t, _: "genesis: give the first model's root"),
    (7, lambda t: 0 <= t.depth <= 22, lambda t, _: f"depth {t.depth}: give 0 to 22"),
    (8, lambda t: 0 <= t.max_exponent <= 23, lambda t, _: f"max_exponent {t.max_exponent}: give 0 to 23"),
    (9, lambda t: 0 <= t.trim <= 64, lambda t, _: f"trim {t.trim}: give 0 to 64"),
    (10, lambda t: 1 <= t.max_seats <= 128, lambda t, _: f"max_seats {t.max_seats}: give 1 to 128"),
    (
        11,
        lambda t: t.committee % 2 == 1 and 3 <= t.committee <= 15,
        lambda t, _: f"committee {t.committee}: give an odd number from 3 to 15",
    ),
    (
        12,
        lambda t: t.committee <= t.min_reveals <= t.max_seats,
        lambda t, _: (
            f"min_reveals {t.min_reveals}: give at least the committee, {t.committee}, at most max_seats, {t.max_seats}"
        ),
    ),
    (13, lambda t: 1 <= t.max_attempts <= 8, lambda t, _: f"max_attempts {t.max_attempts}: give 1 to 8"),
    (14, lambda t: all(MIN_WINDOW <= getattr(t, w) <= MAX_WINDOW for w in WINDOWS), _windows),
    (15, lambda t: t.challenge_window >= (t.depth + 3) * t.answer_window, _walk),
    (16, lambda t: all(0 <= getattr(t, a) <= MAX_AMOUNT for a in AMOUNTS), _amounts),
    (
        17,
        lambda t: (
            min(t.no_reveal_slash, t.no_scores_slash, t.fraud_slash) >= 1
            and t.min_stake >= t.no_reveal_slash + t.no_scores_slash + t.fraud_slash
        ),
        _slashes,
    ),
    (18, lambda t: t.challenge_fee + (t.depth + 1) * t.demand_deposit < t.fraud_slash, _fraud),
    (19, lambda t: 0 <= t.strictness <= 65535, lambda t, _: f"strictness {t.strictness}: give 0 to 65535"),
    (20, lambda t: t.longest_round() <= MAX_ROUND, _longest),
    (
        21,
        lambda t: MIN_DRAW_DELAY <= t.draw_delay <= MAX_DRAW_DELAY,
        lambda t, _: f"draw_delay {t.draw_delay}: give 2 to 7200 blocks",
    ),
]


def check(terms: Terms, show: Show = str) -> list[tuple[int, str]]:
    """The rules that the terms break, as (number, what is wrong and what to give), in the order the contract checks them."""
    return [(number, say(terms, show)) for number, holds, say in _RULES if not holds(terms)]
