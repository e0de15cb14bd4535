"""Federations without a chain, many in lockstep, with the code that agents run: training, encoding, gate, score, aggregation
and the contract's rules of pay. The experiment's tables are computed here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fl.learning import scoring
from fl.learning.batched import train_many
from fl.learning.codec import encode_update, parameters_of, to_vector
from fl.learning.data.partition import Part, Split
from fl.learning.evaluator import Evaluator
from fl.learning.gate import GateState
from fl.learning.research import robust_rules
from fl.learning.research.attacks import TOGETHER, Sight, attends, change_of, poison
from fl.learning.research.median_cosine import COMPARED
from fl.learning.task import Task, build
from fl.learning.trainer import generator
from fl.protocol import scores
from fl.protocol.aggregate import aggregate
from fl.protocol.artifact import depth_for, pad, parse_update
from fl.protocol.fixed_point import to_float

Vector = NDArray[np.int32]
# How cheats judge: 255 for themselves and 1 for others, or the worst that an honest validator might say, so that no distance
# to the medians gives the liar away.
SCORERS = ("honest", "colluding", "shading")
RATE = 10**9  # of pay, in units small enough that rounding down does not show
# Which honest seats are away: by name, whether a seat of so many takes part in a round.
ABSENCES: dict[str, Callable[[int, int, int], bool]] = {
    "": lambda seat, seats, number: True,
    "a third joins in round 8": lambda seat, seats, number: seat < seats - seats // 3 or number >= 8,
    "most are away in round 8": lambda seat, seats, number: number != 8 or seat < max(1, seats * 2 // 7),
    "each misses every third round": lambda seat, seats, number: (seat + number) % 3 > 0,
}


@dataclass(frozen=True)
class Cell:
    """One federation: how many cheat and how, which gate and trim. Validators are drawn and paid if `committee` is not 0."""

    kind: str
    bad: int
    gate: str
    trim: int
    seed: int
    committee: int = 0
    scorers: str = "honest"  # one of SCORERS
    strictness: int = 2
    omniscient: bool = False  # whether the cheats see the current round's honest updates, which commitments hide
    absences: str = ""  # of honest seats: one of ABSENCES


@dataclass
class Play:
    """A running federation, honest seats first. Pay is in whole rates: 1.0 a round is the most that a trainer can earn."""

    cell: Cell
    split: Split
    poisoned: list[Part]
    vector: Vector
    residuals: list[NDArray[np.float64] | None]
    state: GateState = field(default_factory=GateState)
    earlier: Vector | None = None  # the model before; None in the first round
    seen: NDArray[np.float64] | None = None  # last round's honest updates
    first: dict[int, NDArray[np.float64]] = field(default_factory=dict)  # what cheats' first honest training changed
    present: list[list[int]] = field(default_factory=list)  # the seats that took part, by round
    inside: list[frozenset[int]] = field(default_factory=list)
    rounds: list[scoring.PublicRound] = field(default_factory=list)
    memories: list[dict[int, float]] = field(default_factory=list)  # of every honest seat as a scorer
    public: dict[int, int] = field(default_factory=dict)  # the public prior
    scored: list[scoring.ScoredRound] = field(default_factory=list)
    trained_pay: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    judged_pay: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    judged_times: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    @property
    def honest(self) -> int:
        return len(self.split.shards)

    @property
    def seats(self) -> int:
        return self.honest + self.cell.bad


def play(task: Task, splits: dict[int, Split], cells: Sequence[Cell], rounds: int) -> list[Play]:
    """All cells over `rounds`; splits: the honest seats' data by seed, as many seats in each."""
    plays = [_begin(task, splits[cell.seed], cell) for cell in cells]
    evaluator = Evaluator(task)
    depth = depth_for(parameters_of(evaluator.module))
    for number in range(1, rounds + 1):
        bases, parts, rngs = [], [], []
        for p in plays:
            rows = [shard.train for shard in p.split.shards] + p.poisoned
            parts += rows
            bases += [p.vector] * len(rows)
            rngs += [generator(p.cell.seed, number, seat) for seat in range(p.seats)]
        changes = np.stack(train_many(task, np.stack(bases), parts, rngs))
        at = 0
        for p in plays:
            _round(task, p, number, rounds, changes[at : at + p.seats], depth)
            at += p.seats
        _score([p for p in plays if p.cell.committee], evaluator, number)
    return plays


def _begin(task: Task, split: Split, cell: Cell) -> Play:
    shards = split.shards
    poisoned = [poison(cell.kind, shards[b % len(shards)].train, b, cell.bad) for b in range(cell.bad)]
    seats = len(shards) + cell.bad
    pay = [np.zeros(seats) for _ in range(3)]
    start = to_vector(build(task, cell.seed))
    return Play(
        cell,
        split,
        poisoned,
        start,
        [None] * len(shards),
        memories=[{} for _ in shards],
        trained_pay=pay[0],
        judged_pay=pay[1],
        judged_times=pay[2],
    )


def _round(task: Task, p: Play, number: int, rounds: int, changes: NDArray[np.float64], depth: int) -> None:
    cell, honest, size = p.cell, p.honest, changes.shape[1]
    rngs = [np.random.default_rng([cell.seed, number, seat, 1]) for seat in range(p.seats)]
    combine = robust_rules.rule(cell.gate) if cell.gate.startswith(robust_rules.PREFIX) else None
    gate = COMPARED["none" if combine else cell.gate]
    bound = gate.bound(p.state)
    updates: dict[int, Vector] = {}
    for seat in range(honest):
        if not ABSENCES[cell.absences](seat, honest, number):
            continue
        data, p.residuals[seat] = encode_update(changes[seat], p.residuals[seat], depth, task.max_exponent, rngs[seat], bound)
        updates[seat] = parse_update(data, depth, task.max_exponent)
    present = np.stack([to_float(update)[:size] for update in updates.values()])
    others = present if cell.omniscient else p.seen if p.seen is not None else changes[honest:]
    seats_of = sorted(updates) if cell.omniscient or not p.present else [s for s in p.present[-1] if s < honest]
    known = {seat: _sent(other, depth) for seat, other in zip(seats_of, others, strict=False)}
    p.seen = present
    last = np.zeros(size) if p.earlier is None else to_float(p.vector)[:size] - to_float(p.earlier)[:size]
    bad = [seat for seat in range(honest, p.seats) if attends(cell.kind, number)]

    def inside(change: NDArray[np.float64]) -> frozenset[int]:
        return gate.judge(p.state, {**known, **dict.fromkeys(bad, _sent(change, depth))})[0]

    def passes(seat: int, change: NDArray[np.float64]) -> bool:
        return seat in inside(change)

    for seat in bad:
        if seat > honest and cell.kind in TOGETHER:
            updates[seat] = updates[honest]
            continue
        own = changes[(seat - honest) % honest]
        sight = Sight(
            own=changes[seat],
            honest=own,
            last=last,
            others=others,
            seats=p.seats,
            accomplices=cell.bad,
            round=number,
            rng=rngs[seat],
            limit=127 * 2.0 ** (task.max_exponent - 24),
            passes=partial(passes, seat),
            company=lambda change: len(inside(change).difference(bad)),
            rounds=rounds,
            bound=None if bound is None else bound / 2**24,
            first=p.first.get(seat),
        )
        data, _ = encode_update(change_of(cell.kind, sight), None, depth, task.max_exponent, rngs[seat])
        updates[seat] = parse_update(data, depth, task.max_exponent)
        p.first.setdefault(seat, own)
    verdict, p.state = gate.judge(p.state, updates)
    p.inside.append(verdict)
    p.present.append(sorted(updates))
    accepted = {seat: updates[seat] for seat in sorted(verdict)}
    published = p.rounds[-1].accepted if p.rounds else {}
    p.rounds.append(scoring.PublicRound(number, p.vector, accepted, cell.trim, p.earlier, published))
    if combine is None:
        after = aggregate(p.vector, list(accepted.values()), cell.trim)
    else:
        moved = combine(np.stack([to_float(update)[:size] for update in accepted.values()]), last)
        after = p.vector + _sent(moved, depth)
    p.earlier, p.vector = p.vector, after


def _sent(change: NDArray[np.float64], depth: int) -> Vector:
    """A change in units, as exactly as an update might hold it."""
    return pad(np.clip(np.rint(change * 2.0**24), -(2**30), 2**30), depth).astype(np.int32)


def _score(plays: Sequence[Play], evaluator: Evaluator, number: int) -> None:
    """Scores, medians and pay of one round. Every honest seat judges every round, as its daemon would from the record."""
    for seed in sorted({p.cell.seed for p in plays}):
        alike = [p for p in plays if p.cell.seed == seed]
        models = [scoring.candidates(p.rounds[-1]) for p in alike]
        stack = np.concatenate(models)
        result = [evaluator.losses(stack, shard.held_out) for shard in alike[0].split.shards]
        at = 0
        for p, own in zip(alike, models, strict=True):
            _settle(p, [losses[at : at + len(own)] for losses in result], number)
            at += len(own)


def _settle(p: Play, losses: Sequence[NDArray[np.float64]], number: int) -> None:
    seats = p.present[-1]
    here = set(seats)
    drawn = [int(v) for v in np.random.default_rng([p.cell.seed, number, 2]).permutation(p.seats) if v in here]
    before = scoring.prior(p.scored[-1:], p.public)
    fresh = scoring.novelty(p.rounds[-1])
    honestly = []
    for judge, loss in enumerate(losses):
        now = scoring.worths(p.rounds[-1], loss)
        honestly.append(scoring.vector(seats, scoring.judgement(p.memories[judge], now, fresh), before))
        p.memories[judge] = scoring.remembered(p.memories[judge], now)
    wish = {seat: 1 if seat < p.honest else 255 for seat in seats}
    lies = {"colluding": bytes(wish.values()), "shading": scoring.vector(seats, {s: float(wish[s]) for s in fresh}, before)}
    vectors = {
        v: lies[p.cell.scorers]
        if v >= p.honest and p.cell.scorers in lies
        else honestly[v if v < p.honest else (v - p.honest) % p.honest]
        for v in sorted(drawn[: p.cell.committee])
    }
    medians = scores.medians(seats, vectors)
    p.public = before
    p.scored.append(scoring.ScoredRound(seats, vectors, medians))
    p.trained_pay[seats] += [scores.trainer_pay(RATE, m) / RATE for m in medians]
    for v, distance in scores.distances(seats, vectors).items():
        p.judged_pay[v] += scores.validator_pay(RATE, p.cell.strictness, distance, len(seats) - 1) / RATE
        p.judged_times[v] += 1


def small_digits() -> Task:
    """The digits with a quarter of the shipped network, so that a grid of thousands of federations stays affordable."""
    from torch import nn  # only this task needs it

    from fl.learning.tasks.digits import Digits  # loads scikit-learn

    class Small(Digits):
        name = "digits_small"

        def model(self) -> nn.Module:
            return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))

    return Small()
