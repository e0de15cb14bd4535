"""A participant's privacy budget: its settings, what it has spent over all rounds, and what this guarantees.

The accountant composes every release of the participant's history with privacy loss distributions (dp-accounting), whose
discretisation is pessimistic: the epsilon reported is never too small. The mechanisms themselves are in mechanisms.py.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import version
from math import inf, isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fl.errors import PrivacyError

if TYPE_CHECKING:  # a task loads torch, which reading a record does without
    from fl.learning.task import LocalTraining

Steps = tuple[tuple[tuple[float, float], int], ...]  # ((noise, rate), how many) ...

MECHANISMS = ("sgd", "update")
LEDGER = "privacy.json"  # in the participant's journal, or in the folder that it names
INTERVAL = 1e-3  # of the discretised privacy loss; a finer one differs in the fourth digit and takes ten times as long
MIN_NOISE, MAX_NOISE = 0.2, 1024.0
BEYOND = 1000.0  # a mean privacy loss beyond any budget, whose distribution would not fit into memory


@dataclass(frozen=True)
class Privacy:
    """A participant's privacy settings.

    mechanism: "sgd" noises every gradient step and protects each training row (Abadi et al., "Deep learning with
    differential privacy", 2016); "update" clips and noises the whole update and protects the whole table (McMahan et al.,
    "Learning differentially private recurrent language models", 2018).
    clip: the largest norm that one row's gradient (sgd) or the update (update) may have.
    noise: standard deviation over sensitivity; None: the smallest with which the budget lasts `rounds` rounds.
    """

    epsilon: float
    delta: float = 1e-5
    mechanism: str = "sgd"
    clip: float = 1.0
    noise: float | None = None
    rounds: int = 10

    def __post_init__(self) -> None:
        if self.mechanism not in MECHANISMS:
            raise PrivacyError(f"privacy mechanism {self.mechanism!r}: choose from {', '.join(MECHANISMS)}")
        for name, value in [
            ("epsilon", self.epsilon),
            ("clip", self.clip),
            ("noise", 1.0 if self.noise is None else self.noise),
        ]:
            if not (isfinite(value) and value > 0):
                raise PrivacyError(f"{name} {value}: give a number above 0")
        if self.noise is not None and self.noise < MIN_NOISE:
            raise PrivacyError(f"noise {self.noise} hides nothing: give at least {MIN_NOISE}")
        if not 0 < self.delta < 1:
            raise PrivacyError(f"delta {self.delta}: give a number between 0 and 1, well below one over the number of rows")
        if self.rounds < 1:
            raise PrivacyError(f"{self.rounds} rounds: the budget must last at least one")


def wanted(
    private: str | None, epsilon: float | None, delta: float, clip: float, noise: float | None, rounds: int
) -> Privacy | None:
    """The settings given on a command line; None if they ask for no privacy."""
    if epsilon is None:
        if private or noise:
            raise PrivacyError("privacy needs a budget: give --epsilon, such as --epsilon 8")
        return None
    return Privacy(epsilon, delta, private or "sgd", clip, noise, rounds)


@dataclass(frozen=True)
class Spending:
    """One round's release, as the accountant sees it: `steps` Gaussian mechanisms of multiplier `noise`, each on a Poisson
    sample of rate `rate`. For "update": one step, rate 1."""

    federation: str
    round: int
    mechanism: str
    noise: float
    rate: float
    steps: int
    seat: int = 0


def schedule(training: LocalTraining, rows: int) -> tuple[float, int]:
    """(sampling rate, steps) of a private round over `rows` rows: as many steps as training without privacy would take."""
    return min(1.0, training.batch_size / rows), training.steps


def spending(privacy: Privacy, training: LocalTraining, rows: int, federation: str, round_: int, seat: int = 0) -> Spending:
    """What a round will spend. Raises PrivacyError if the settings guarantee nothing for so few rows."""
    if privacy.delta * rows >= 1:
        raise PrivacyError(
            f"delta {privacy.delta} with {rows} rows would allow one row to be shown: take less than {1 / rows:g}"
        )
    rate, steps = schedule(training, rows) if privacy.mechanism == "sgd" else (1.0, 1)
    noise = privacy.noise or least_noise(privacy.epsilon, privacy.delta, rate, steps * privacy.rounds)
    return Spending(federation, round_, privacy.mechanism, noise, rate, steps, seat)


def epsilon_of(history: tuple[Spending, ...], delta: float) -> float:
    """The epsilon, for this delta, of everything in the history together; rounds may depend on each other's results."""
    return _epsilon(_steps(history), delta)


def most_auc(history: tuple[Spending, ...]) -> float:
    """The largest area under the curve that any test for a row can reach, whatever it knows: from the whole trade-off between
    false and true positives that the history allows (Dong et al., "Gaussian differential privacy", 2022)."""
    accountant = _accountant(_steps(history))
    epsilons = np.linspace(0, 30, 121)
    deltas = np.array([accountant.get_delta(float(e)) for e in epsilons])
    false = np.linspace(0, 1, 10_001)
    true = np.minimum(1.0, (np.exp(epsilons)[:, None] * false + deltas[:, None]).min(axis=0))
    # The other direction of the same claim: 1 - false <= e^epsilon (1 - true) + delta.
    other = 1 - np.maximum(0.0, (np.exp(-epsilons)[:, None] * (1 - false - deltas[:, None])).max(axis=0))
    return float(np.minimum(true, other)[1:].mean())  # a sum from above


def _steps(history: tuple[Spending, ...]) -> Steps:
    steps: Counter[tuple[float, float]] = Counter()
    for s in history:
        steps[s.noise, s.rate] += s.steps
    return tuple(sorted(steps.items()))


@lru_cache(maxsize=4096)
def _epsilon(steps: Steps, delta: float) -> float:
    if sum(count * rate / (2 * noise**2) for (noise, rate), count in steps) > BEYOND:
        return inf
    return float(_accountant(steps).get_epsilon(delta))


def _accountant(steps: Steps) -> Any:
    # takes seconds to import, and only private training needs it
    from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent  # takes seconds; only private training needs it
    from dp_accounting.pld import PLDAccountant  # likewise

    accountant = PLDAccountant(value_discretization_interval=INTERVAL)
    for (noise, rate), count in steps:
        gaussian = GaussianDpEvent(noise)
        accountant.compose(PoissonSampledDpEvent(rate, gaussian) if rate < 1 else gaussian, count)
    return accountant


@lru_cache(maxsize=1024)
def least_noise(epsilon: float, delta: float, rate: float, steps: int) -> float:
    """The smallest noise multiplier, to three digits, with which so many steps stay within (epsilon, delta)."""
    high = MAX_NOISE
    if _epsilon((((high, rate), steps),), delta) > epsilon:
        raise PrivacyError(f"epsilon {epsilon} for {steps} steps needs noise beyond {high:g}: take fewer rounds or steps")
    low = high / 2  # from above, since accounting for little noise takes long
    while low > MIN_NOISE and _epsilon((((low, rate), steps),), delta) <= epsilon:
        low, high = low / 2, low
    while high - low > high / 1000:
        middle = (low + high) / 2
        low, high = (middle, high) if _epsilon((((middle, rate), steps),), delta) > epsilon else (low, middle)
    return high


@dataclass(frozen=True)
class Ledger:
    """Everything that a participant has released about its rows, on disk before a commitment is sent.

    A round is entered once, before its update is written: nobody has seen an update that was lost in a crash before that.
    """

    history: tuple[Spending, ...] = ()

    def with_(self, release: Spending) -> Ledger:
        return self if release in self.history else Ledger((*self.history, release))

    def allows(self, release: Spending, privacy: Privacy) -> bool:
        """Whether the chosen budget still holds after `release`."""
        return self.with_(release).epsilon(privacy.delta) <= privacy.epsilon

    def rounds(self, federation: str, seat: int) -> list[int]:
        """The rounds of a federation that this ledger counts for a seat."""
        return sorted({s.round for s in self.history if (s.federation, s.seat) == (federation, seat)})

    def epsilon(self, delta: float) -> float:
        """Spent so far."""
        return epsilon_of(self.history, delta) if self.history else 0.0

    def series(self, federation: str, seat: int, delta: float) -> dict[int, float]:
        """What was spent after each round of a federation in which this seat released, releases elsewhere included."""
        releases = enumerate(self.history, 1)
        return {
            s.round: epsilon_of(self.history[:i], delta) for i, s in releases if (s.federation, s.seat) == (federation, seat)
        }

    def to_json(self) -> bytes:
        return json.dumps({"version": 1, "history": [asdict(s) for s in self.history]}, indent=1).encode()

    @classmethod
    def read(cls, journal: Path) -> Ledger:
        """The ledger in a journal; an empty one where nothing private was released yet. Raises PrivacyError if it is lost."""
        path = journal / LEDGER
        if not path.is_file():
            if any(journal.glob("*.privacy.json")):
                raise PrivacyError(f"{path} is lost: restore it from a copy; what was spent cannot be known otherwise")
            return cls()
        try:
            facts = json.loads(path.read_bytes())
            history = tuple(Spending(**entry) for entry in facts["history"])
            sound = facts["version"] == 1 and all(_is_sound(s) for s in history)
        except (ValueError, KeyError, TypeError) as error:
            raise PrivacyError(
                f"{path} is damaged ({error}): restore it from a copy; what was spent cannot be known otherwise"
            ) from error
        if not sound:
            raise PrivacyError(f"{path} holds entries that no release could have written: restore it from a copy")
        return cls(history)


def _is_sound(s: Spending) -> bool:
    numbers = all(type(v) in (int, float) and isfinite(v) and v > 0 for v in (s.noise, s.rate, s.steps))
    whole = all(type(v) is int and v >= 0 for v in (s.steps, s.round, s.seat))
    return numbers and whole and s.rate <= 1 and s.mechanism in MECHANISMS


ROW = "one training row added to or removed from the participant's table; how many rows there are is taken to be public"
TABLE = "the participant's whole training table exchanged for any other"
SGD = "DP-SGD: Poisson sample of the rows, every row's gradient clipped, Gaussian noise on their sum, at every step"
UPDATE = (
    "the whole update clipped, Gaussian noise on it; sensitivity twice the clip, since any other table may give its opposite"
)
ASSUMES = (
    "noise multipliers, rates, steps and clip were not chosen by looking at the rows",
    "rounds may depend on all earlier results (adaptive composition); the stop depends on the ledger alone",
    "batches, noise and dropout come from a source that nobody else can predict: see noise_source",
    "Gaussian noise is drawn in floating point, each number the sum of four, against attacks on its low bits",
    "the same rows are released nowhere but in this ledger: not in another federation, not by another participant",
)
NOT_COVERED = (
    "held-out rows: score bytes of a drawn validator, and metrics published, depend on them without noise",
    "the choice of task, learning rate, clip and rounds, if it was made by looking at the rows",
    "properties of the table or of the population that no single row decides",
    "the fact of taking part, its times, and the number of rows",
)


def statement(
    privacy: Privacy, ledger: Ledger, release: Spending, noise_source: str, seat: int, update: bytes
) -> dict[str, Any]:
    """The owner's public statement about its update. It is only a claim, since nobody else sees the noise."""
    participant = all(s.mechanism == "update" for s in ledger.history)
    return {
        "version": 1,
        "federation": release.federation,
        "round": release.round,
        "seat": seat,
        "update": update.hex(),
        "mechanism": SGD if release.mechanism == "sgd" else UPDATE,
        "release": {**asdict(release), "clip": privacy.clip},
        "guarantee": {
            "epsilon": ledger.epsilon(privacy.delta),
            "delta": privacy.delta,
            "neighbours": TABLE if participant else ROW,
            "rounds": ledger.rounds(release.federation, seat),
            "elsewhere": sum((s.federation, s.seat) != (release.federation, seat) for s in ledger.history),
        },
        "budget": {"epsilon": privacy.epsilon, "delta": privacy.delta},
        "accountant": f"dp-accounting {version('dp-accounting')}, privacy loss distributions, pessimistic by {INTERVAL:g}",
        "noise_source": noise_source,
        "after_the_noise": "error feedback and 8-bit rounding see only noised updates: post-processing, free of charge",
        "assumes": list(ASSUMES),
        "not_covered": list(NOT_COVERED),
    }
