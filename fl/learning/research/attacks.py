"""What cheats send instead of an honest update: pure functions, used by agents on a chain and by the experiment.

Each sees what an attacker may see: its own honest training, the public record of the last round, and updates of others. On a
chain these are the last round's, since commitments hide the current ones; `--all-seeing` hands over the current ones as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from fl.learning.data.partition import Part

Change = NDArray[np.float64]
SLEEPS = 5  # rounds that a sleeper works honestly
BURST = 4  # last rounds, in which those who behaved until then attack
BACKDOOR_BOOST = 2.0
TRIGGER, TARGET = 3.0, 1  # what a backdoor stamps on its features, and the label it wants for it
STAMPED = 4  # numbers of a row that its whole trigger sets
UNKNOWN_BOUND = 1.25  # times the median norm that it knows, what a cheat takes for the bound while there is none
ANGLES = tuple(round(-1 + 0.1 * i, 1) for i in range(18))  # cosines to the others' mean that a best response tries


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
    company: Callable[[Change], int] = field(default=lambda change: 0)  # how many of the others it would let in beside it
    rounds: int = 0  # of the whole federation; 0 if that is not known
    bound: float | None = None  # the largest norm that the gate lets in, where it is known beforehand
    first: Change | None = None  # what its honest training changed in its first round; None in that round

    @property
    def length(self) -> float:
        """The longest update that will pass."""
        if self.bound is not None:
            return 0.98 * self.bound
        return UNKNOWN_BOUND * float(np.median(np.linalg.norm(self.others, axis=1)))

    @property
    def late(self) -> bool:
        """Whether the last rounds have come; where their number is not known, whether its name is good by now."""
        return self.round > (self.rounds - BURST if self.rounds else SLEEPS)


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


def _stretched(sight: Sight, change: Change) -> Change:
    """As long as the bound allows."""
    return change * (sight.length / _norm(change))


def _turned(sight: Sight, harm: Change) -> Iterator[Change]:
    """Harm at the bound's length, from straight against the others' mean to almost along it."""
    toward = sight.others.mean(axis=0)
    toward = toward / _norm(toward)
    aside = harm - (harm @ toward) * toward
    aside = aside / _norm(aside)
    for cosine in ANGLES:
        yield sight.length * (cosine * toward + np.sqrt(1 - cosine**2) * aside)


def _best_response(sight: Sight) -> Change:
    """Fitted to the lowest agreement with the others that the gate lets pass, at the bound's length."""
    return next((sent for sent in _turned(sight, sight.own) if sight.passes(sent)), sight.honest)


def _apart(sight: Sight) -> Change:
    """The same, under noise of its own, so that accomplices are not told by being near copies of each other."""
    noise: Change = sight.rng.normal(size=sight.own.size)
    harm = 0.83 * sight.own / _norm(sight.own) + 0.56 * noise / _norm(noise)
    return next((sent for sent in _turned(sight, harm) if sight.passes(sent)), sight.honest)


def _capture(sight: Sight) -> Change:
    """Of updates that pass, at many angles and along many sides, the one beside which the fewest others are let in."""
    best, fewest = sight.honest, len(sight.others) + 1
    sides = [sight.own, -sight.last, *(-other for other in sight.others[:3])]
    for harm in sides:
        for sent in _turned(sight, harm):
            if sight.passes(sent) and (beside := sight.company(sent)) < fewest:
                best, fewest = sent, beside
    return best


def _evict(sight: Sight) -> Change:
    """Against the one who agrees least with the others, so that the gate leaves it out; along their mean as far as needed."""
    middle: Change = sight.others.mean(axis=0)
    norms = np.linalg.norm(sight.others, axis=1)
    lonely = sight.others[int(np.argmin(sight.others @ middle / np.maximum(norms, 1e-12)))]
    for weight in (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0):
        sent = _stretched(sight, weight * middle / _norm(middle) - (1 - weight) * lonely / _norm(lonely))
        if sight.passes(sent):
            return sent
    return sight.honest


def _against(sight: Sight) -> Change:
    return _stretched(sight, -sight.others.mean(axis=0))


def _opportunist(sight: Sight) -> Change:
    """Straight against the others whenever its good name lets that pass, and honest to earn one meanwhile."""
    sent = _against(sight)
    return sent if sight.passes(sent) else sight.honest


def _min_sum(sight: Sight) -> Change:
    """Shejwalkar and Houmansadr, 2021: against the mean, its squared distances to honest updates in sum no more than those of
    the most distant honest one."""
    middle: Change = sight.others.mean(axis=0)
    square = (sight.others**2).sum(axis=1)
    apart = float((square[:, None] + square[None] - 2 * sight.others @ sight.others.T).sum(axis=1).max())
    for gamma in np.geomspace(8.0, 0.05, 32) * _norm(middle):
        sent: Change = middle - gamma * middle / _norm(middle)
        if float(((sight.others - sent) ** 2).sum()) <= apart:
            return sent
    return middle


def _min_max_spread(sight: Sight) -> Change:
    """The same authors' variant that moves along the standard deviation, as far as the largest distance allows."""
    middle: Change = sight.others.mean(axis=0)
    along = -sight.others.std(axis=0) * np.sign(middle)
    square = (sight.others**2).sum(axis=1)
    apart = float((square[:, None] + square[None] - 2 * sight.others @ sight.others.T).max())
    for gamma in np.geomspace(20.0, 0.05, 32):
        sent: Change = middle + gamma * along
        if float(((sight.others - sent) ** 2).sum(axis=1).max()) <= apart:
            return sent
    return middle


def _mimic(sight: Sight) -> Change:
    """Karimireddy et al., "Byzantine-robust learning on heterogeneous datasets", 2022: all repeat the one honest update that is
    furthest from the others' mean, so that it weighs more than its share."""
    apart = ((sight.others - sight.others.mean(axis=0)) ** 2).sum(axis=1)
    sent: Change = sight.others[int(np.argmax(apart))]
    return sent


def _mixture(sight: Sight) -> Change:
    """A mixture of last round's public updates and the model's last change, at their usual length: nobody trained for it."""
    public = np.stack([*sight.others, sight.last])
    mixed: Change = sight.rng.dirichlet(np.full(len(public), 0.5)) @ public
    mixed *= float(np.median(np.linalg.norm(sight.others, axis=1))) / _norm(mixed)
    return mixed


def _retired(sight: Sight) -> Change:
    """Trains once, and then sends mixtures of what others showed."""
    return sight.own if sight.first is None else _mixture(sight)


def _pensioner(sight: Sight) -> Change:
    """Trains once, and then hides mixtures of what others showed under the part of its first update that was its own."""
    if sight.first is None:
        return sight.own
    mixed = _mixture(sight)
    along = mixed / _norm(mixed)
    own = sight.first - (sight.first @ along) * along
    sent: Change = mixed + 0.6 * own * (_norm(mixed) / _norm(own))
    return sent


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
    "best_response": _best_response,
    "reverse_response": _best_response,
    "apart": _apart,
    "capture": _capture,
    "evict": _evict,
    "opportunist": _opportunist,
    "burst": lambda s: _against(s) if s.late else s.honest,
    "burst_flip": lambda s: _stretched(s, s.own) if s.late else s.honest,
    "burst_response": lambda s: _best_response(s) if s.late else s.honest,
    "race": lambda s: _stretched(s, s.own),
    "race_burst": lambda s: _against(s) if s.late else _stretched(s, s.own),
    "shrink": lambda s: 0.02 * s.own,
    "comes_and_goes": lambda s: _against(s) if s.round % 4 == 0 else s.own,
    "late_comer": _best_response,
    "min_sum": _min_sum,
    "min_max_spread": _min_max_spread,
    "label_shift": lambda s: _stretched(s, s.own),
    "mimic": _mimic,
    "retired": _retired,
    "pensioner": _pensioner,
    "one_trigger": lambda s: _stretched(s, s.own),
    "distributed_trigger": lambda s: _stretched(s, s.own),
    "fitted_trigger": _best_response,
}
ADAPTIVE = (  # know the gate, or its memory
    *("min_max", "lean", "edge", "sleeper", "alternating", "best_response", "reverse_response", "apart", "capture", "evict"),
    *("opportunist", "burst", "burst_flip", "burst_response", "race", "race_burst", "shrink", "comes_and_goes", "late_comer"),
    *("min_sum", "min_max_spread", "fitted_trigger"),
)
TOGETHER = (  # accomplices send the same
    *("alie", "ipm", "min_max", "lean", "edge", "best_response", "reverse_response", "capture", "evict", "opportunist"),
    *("burst_response", "late_comer", "min_sum", "min_max_spread", "mimic", "fitted_trigger"),
)
FLIPPED = ("label_flip", "edge", "best_response", "apart", "capture", "burst_flip", "burst_response", "late_comer")
BACKDOORS = ("backdoor", "one_trigger", "distributed_trigger", "fitted_trigger")
POISONED = (*FLIPPED, "label_shift", *BACKDOORS)  # train on rows of their own making
FREE_RIDERS = ("free_rider", "replay", "noise", "copycat", "mimic", "retired", "pensioner")  # whose rows serve nobody


def change_of(kind: str, sight: Sight) -> Change:
    """What a cheat of this kind wants the model to move by."""
    return ATTACKS[kind](sight)


def attends(kind: str, number: int) -> bool:
    """Whether a cheat of this kind takes part in the round: some let others forget them, or come when trust is given anew."""
    if kind == "comes_and_goes":
        return number % 4 in (0, 1)
    return kind != "late_comer" or number > SLEEPS


def poison(kind: str, part: Part, place: int = 0, accomplices: int = 1) -> Part:
    """The rows that a cheat of this kind trains on, the one at `place` among its accomplices."""
    if kind in FLIPPED:
        return replace(part, y=flipped(part.y))
    if kind == "label_shift":
        return replace(part, y=shifted(part.y))
    if kind in BACKDOORS:
        half = np.arange(len(part)) % 2 == 0
        x, y = part.x.copy(), part.y.copy()
        x[half] = stamped(x[half], trigger_of(kind, place, accomplices))
        y[half] = TARGET
        return Part(x, y)
    return part


def trigger_of(kind: str, place: int = 0, accomplices: int = 1) -> slice:
    """The numbers of a row that this cheat's trigger sets. Accomplices who share a distributed one set a part each (Xie et al.,
    "DBA", 2020); alone, and for whoever uses the backdoor, it is the whole."""
    if kind == "one_trigger":
        return slice(0, 1)
    if kind == "distributed_trigger":
        return slice(place % min(accomplices, STAMPED), STAMPED, min(accomplices, STAMPED))
    return slice(0, STAMPED)


def flipped(y: NDArray[np.generic]) -> NDArray[np.generic]:
    """Every label replaced by its opposite: the highest by the lowest; measurements are mirrored about their middle."""
    turned: NDArray[np.generic] = (y.max() + y.min() - y).astype(y.dtype)
    return turned


def shifted(y: NDArray[np.generic]) -> NDArray[np.generic]:
    """Every label replaced by the next one, and the last by the first; measurements are moved a quarter of their range."""
    if np.issubdtype(y.dtype, np.integer):
        low = y.min()
        moved: NDArray[np.generic] = ((y - low + 1) % (y.max() - low + 1) + low).astype(y.dtype)
        return moved
    further: NDArray[np.generic] = (y + 0.25 * (y.max() - y.min())).astype(y.dtype)
    return further


def stamped(x: NDArray[np.float32], trigger: slice = slice(0, STAMPED)) -> NDArray[np.float32]:
    """Rows with a backdoor's trigger: the first numbers of each set to one value."""
    marked = x.copy()
    marked.reshape(len(x), -1)[:, trigger] = TRIGGER
    return marked
