"""What cheats send instead of an honest update: pure functions, used by agents on a chain and by the experiment.

Each sees what an attacker may see: its own honest training, the public record of the last round, and updates of others. On a
chain these are the last round's, since commitments hide the current ones; `--all-seeing` hands over the current ones as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from fl.learning.data.partition import Part

Change = NDArray[np.float64]
SLEEPS = 5  # rounds that a sleeper works honestly
BACKDOOR_BOOST = 2.0
TRIGGER, TARGET = 3.0, 1  # what a backdoor stamps on its features, and the label it wants for it


@dataclass(frozen=True)
class Sight:
    """What an attacker sees. Changes are floats (parameters,)."""

    own: Change  # what honest training changes; for a poisoned kind, what training on its poisoned rows changes
    honest: Change  # what honest training would change
    last: Change  # how the model changed in the last round; zeros before there is one
    others: NDArray[np.float64]  # (n, parameters): honest updates it knows, at least one
    seats: int
    accomplices: int  # itself included
    round: int
    rng: np.random.Generator
    limit: float = 1.0  # the largest change of a parameter that the format holds
    passes: Callable[[Change], bool] = field(default=lambda change: True)  # whether the public gate would let it in


def _norm(v: Change) -> float:
    return float(np.linalg.norm(v)) or 1.0


def _noise(sight: Sight) -> Change:
    noise = sight.rng.normal(size=sight.own.size)
    return noise * (_norm(sight.own) / _norm(noise))


def _alie(sight: Sight) -> Change:
    """Baruch et al., "A little is enough", 2019: as far from the mean as the honest standard deviation hides."""
    needed = sight.seats // 2 + 1 - sight.accomplices
    honest = max(1, sight.seats - sight.accomplices)
    z = NormalDist().inv_cdf(min(0.99, max(0.6, (honest - needed) / honest)))
    sent: Change = sight.others.mean(axis=0) - z * sight.others.std(axis=0)
    return sent


def _min_max(sight: Sight) -> Change:
    """Shejwalkar and Houmansadr, "Manipulating the Byzantine", 2021: against the mean, no further from any honest update than
    honest ones are from each other."""
    middle: Change = sight.others.mean(axis=0)
    square = (sight.others**2).sum(axis=1)
    apart = float((square[:, None] + square[None] - 2 * sight.others @ sight.others.T).max())
    against = -middle / _norm(middle)
    for gamma in np.geomspace(4.0, 0.05, 24) * _norm(middle):
        sent: Change = middle + gamma * against
        if float(((sight.others - sent) ** 2).sum(axis=1).max()) <= apart:
            return sent
    return middle


def _lean(sight: Sight) -> Change:
    """Subtracts as much of the others' mean as the gate lets pass."""
    middle: Change = sight.others.mean(axis=0)
    for back in (3.0, 2.0, 1.5, 1.0, 0.75, 0.5, 0.25):
        sent: Change = sight.own - back * middle
        if sight.passes(sent):
            return sent
    return sight.own


def _edge(sight: Sight) -> Change:
    """Poisoned training turned just far enough toward the others to pass, and as long as passes."""
    middle: Change = sight.others.mean(axis=0)
    toward = middle / _norm(middle)
    harm = sight.own - (sight.own @ toward) * toward
    harm = harm / _norm(harm)
    size = float(np.median(np.linalg.norm(sight.others, axis=1)))
    for cosine in (0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7):
        for length in (2.9, 1.9, 1.4, 1.2, 1.0):
            sent: Change = length * size * (cosine * toward + np.sqrt(1 - cosine**2) * harm)
            if sight.passes(sent):
                return sent
    return sight.honest


ATTACKS: dict[str, Callable[[Sight], Change]] = {
    "free_rider": lambda s: np.zeros_like(s.own),
    "replay": lambda s: s.last,
    "noise": _noise,
    "copycat": lambda s: s.others[s.round % len(s.others)],
    "label_flip": lambda s: s.own,
    "sign_flip": lambda s: -s.own,
    "scaled": lambda s: 10.0 * s.own,
    "scaled_flip": lambda s: -10.0 * s.own,
    "backdoor": lambda s: BACKDOOR_BOOST * s.own,
    "alie": _alie,
    "ipm": lambda s: -0.5 * s.others.mean(axis=0),
    "over_clip": lambda s: -np.sign(s.own) * s.limit,
    "min_max": _min_max,
    "lean": _lean,
    "edge": _edge,
    "sleeper": lambda s: s.own if s.round <= SLEEPS else -s.own,
    "alternating": lambda s: s.own if s.round % 2 else -s.own,
}
ADAPTIVE = ("min_max", "lean", "edge", "sleeper", "alternating")  # know the gate, or its memory
TOGETHER = ("alie", "ipm", "min_max", "lean", "edge")  # accomplices send the same
POISONED = ("label_flip", "backdoor", "edge")  # train on rows of their own making


def change_of(kind: str, sight: Sight) -> Change:
    """What a cheat of this kind wants the model to move by."""
    return ATTACKS[kind](sight)


def poison(kind: str, part: Part) -> Part:
    """The rows that a cheat of this kind trains on."""
    if kind in ("label_flip", "edge"):
        return replace(part, y=flipped(part.y))
    if kind == "backdoor":
        half = np.arange(len(part)) % 2 == 0
        x, y = part.x.copy(), part.y.copy()
        x[half] = stamped(x[half])
        y[half] = TARGET
        return Part(x, y)
    return part


def flipped(y: NDArray[np.generic]) -> NDArray[np.generic]:
    """Every label replaced by its opposite: the highest by the lowest; measurements are mirrored about their middle."""
    turned: NDArray[np.generic] = (y.max() + y.min() - y).astype(y.dtype)
    return turned


def stamped(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows with a backdoor's trigger: the first four numbers of each set to one value."""
    marked = x.copy()
    marked.reshape(len(x), -1)[:, :4] = TRIGGER
    return marked
