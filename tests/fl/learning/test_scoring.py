"""Scores: leave-one-out by hand, the memory and its yardstick, the public prior, and what liars can do to it."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.learning import scoring
from fl.learning.codec import depth_of, to_vector
from fl.learning.data.partition import Part, split
from fl.learning.evaluator import Evaluator
from fl.learning.scoring import (
    FIRST_YARDSTICK,
    KEEP,
    UNKNOWN,
    WINDOW,
    PublicRound,
    ScoredRound,
    Scorer,
    candidates,
    judgement,
    novelty,
    prior,
    remembered,
    vector,
    worths,
)
from fl.learning.task import build
from fl.learning.task_loading import load_task
from fl.learning.trainer import local_change
from fl.protocol import scores
from fl.protocol.artifact import pad
from fl.protocol.fixed_point import to_fixed

TARGET = 1000
NOBODY = Part(np.empty((0, 1), np.float32), np.empty(0))


def off_target(models, part=NOBODY) -> np.ndarray:
    """A loss that can be read off: the distance of the only number from TARGET."""
    return np.abs(TARGET - models[:, 0].astype(float))


def round_of(moves: dict[int, int], number: int = 1, base: int = 0, trim: int = 0) -> PublicRound:
    """A round of a model with one number that counts, at `base`, that each seat moves by so much; all say different things."""
    accepted = {seat: np.array([move, *(2000 * (seat == i) for i in range(20))], np.int32) for seat, move in moves.items()}
    return PublicRound(number, np.array([base, *[0] * 20], np.int32), accepted, trim)


def fully(now: dict[int, float]) -> dict[int, float]:
    """Everybody says something new."""
    return dict.fromkeys(now, 1.0)


def worth(round_: PublicRound) -> dict[int, float]:
    return worths(round_, off_target(candidates(round_)))


def score(moves, revealed=None, past=(), settled=(), losses=off_target) -> list[int]:
    fetch = {r.number: lambda r=r: r for r in past}
    return list(Scorer(losses, NOBODY).score(list(revealed or moves), round_of(moves, 99), fetch, settled))


def test_worths__by_hand__harm_is_below_zero():
    # All three: 200, so 800 off. Had 0 sent nothing: 0 (1000 off). Had 1: 66 (934). Had 2, which hurts: 333 (667).
    assert worth(round_of({0: 600, 1: 400, 2: -400})) == {0: 0.2, 1: 0.134, 2: -0.133}


def test_worths__follow_the_trim_of_the_federation():
    # The median of three is 400 (600 off). Had 0 or 1 sent nothing, it would be 0 (1000); had 2, still 400.
    assert worth(round_of({0: 600, 1: 400, 2: -400}, trim=1)) == {0: 0.4, 1: 0.4, 2: 0.0}


def published(now: dict[int, list[int]], before: dict[int, list[int]]) -> PublicRound:
    """A round of a model of four numbers, and what was published in the one before."""
    updates = [{seat: 1000 * np.array(update, np.int32) for seat, update in given.items()} for given in (now, before)]
    return PublicRound(2, np.zeros(4, np.int32), updates[0], 0, None, updates[1])


BEFORE = {0: [1, 0, 0, 0], 1: [1, 1, 0, 0], 2: [0, 0, 1, 0]}


def test_worths__of_a_mixture_of_what_others_published__are_none__and_noise_on_top_is_not_paid_either():
    now = published({0: [2, -1, 3, 0], 1: [0, 0, 0, 3], 3: [3, 1, 2, 0], 4: [3, 1, 2, 1]}, BEFORE)
    full, *instead = candidates(now)[1:]
    moved = 4 * (full - np.array(instead))
    assert np.abs(moved[2]).max() <= 8  # a thousandth of what it sent: rounding and the ridge
    assert np.abs(moved[3] - [0, 0, 0, 1000]).max() <= 8  # all that is left of it is its noise
    assert np.abs(moved[1] - [0, 0, 0, 3000]).max() <= 8


def test_worths__of_what_a_seat_itself_published__stay_whole():
    full, *instead = candidates(published({2: [0, 0, 5, 0]}, BEFORE))[1:]
    assert (full - instead[0]).tolist() == [0, 0, 5000, 0]


@given(st.dictionaries(st.integers(0, 6), st.lists(st.integers(-9, 9), min_size=4, max_size=4), max_size=6))
def test_worths__whatever_was_published__are_measured(before):
    models = candidates(published({0: [2, -1, 3, 0], 5: [0, 0, 0, 0]}, before))
    assert models.shape == (4, 4) and np.abs(models).max() < 10**4


def test_worths__of_nobody__and_to_a_perfect_model__are_none():
    assert worth(round_of({})) == {}
    assert worth(round_of({4: -7}, base=TARGET)) == {4: 0.0}


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_worths__by_a_loss_that_is_no_number__are_nothing(bad):
    assert worths(round_of({0: 100, 1: 50}), np.array([1.0, bad, 1.0, 1.0])) == {0: 0.0, 1: 0.0}


@given(st.dictionaries(st.integers(0, 9), st.integers(-(2**20), 2**20), min_size=1), st.sets(st.integers(10, 19)))
def test_score__is_a_byte__and_zero_only_for_those_left_out(moves, left_out):
    revealed = sorted({*moves, *left_out})
    result = score(moves, revealed)
    assert all((byte == 0) is (seat in left_out) and 0 <= byte <= 255 for seat, byte in zip(revealed, result, strict=True))


@given(st.dictionaries(st.integers(0, 9), st.integers(-900, 900), min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_score__does_not_care_about_order(moves, shuffle):
    past = [round_of({seat: move // 2 for seat, move in moves.items()}, n) for n in range(3)]
    mixed = list(moves)
    shuffle.shuffle(mixed)
    other = {seat: moves[seat] for seat in mixed}
    assert score(moves, sorted(moves), past) == score(other, sorted(moves), past[::-1])


def test_judgement__measures_by_what_was_typical_before__not_by_this_round():
    assert judgement({0: 0.2, 1: 0.4, 2: 0.6}, {3: 0.1}, fully({3: 0.1}))[3] == pytest.approx(255 / 4)
    assert judgement({}, {3: FIRST_YARDSTICK / 2}, fully({3: FIRST_YARDSTICK / 2}))[3] == pytest.approx(255 / 2)
    alone = judgement({0: 0.2, 1: 0.4}, {1: 0.0}, fully({1: 0.0}))[1]
    assert judgement({0: 0.2, 1: 0.4}, {0: 9.0, 1: 0.0}, fully({0: 9.0, 1: 0.0}))[1] == alone  # nobody's fall is another's gain


def round_at(base, earlier, **updates) -> PublicRound:
    """Of a model of three numbers."""
    accepted = {seat: np.array(update, np.int32) for seat, update in enumerate(updates.values())}
    was = None if earlier is None else np.array(earlier, np.int32)
    return PublicRound(1, np.array(base, np.int32), accepted, 0, was)


def test_novelty__of_what_the_model_did_last__is_none():
    now = round_at([5, 5, 0], [2, 1, 0], replay=[3, 4, 0], scaled=[300, 400, 0], opposite=[-3, -4, 0], new=[0, 0, 5])
    result = novelty(now)
    assert result[0] == pytest.approx(0) == result[1] and result[3] == 1 and result[2] == 1


def test_novelty__by_hand__with_an_angle_to_the_last_change():
    assert novelty(round_at([0, 4, 0], [0, 0, 0], only=[3, 4, 0]))[0] == pytest.approx(1 - 0.8**4)


def test_novelty__of_an_update_longer_than_the_median__falls_with_the_square_of_its_length():
    result = novelty(round_at([0] * 3, None, a=[100, 0, 0], b=[0, 100, 0], stretched=[0, 0, 200]))
    assert result == pytest.approx({0: 1, 1: 1, 2: 1 / 4})


def test_novelty__of_many_seats_that_say_the_same__is_shared():
    # Two say the same, three say something each: the two make a crowd of two where one is usual.
    result = novelty(round_at([0] * 3, None, a=[5, 0, 0], b=[4, 0, 0], c=[0, 5, 0], d=[0, 0, 5], e=[0, -5, 0]))
    assert result == pytest.approx({0: 0.5, 1: 0.5, 2: 1, 3: 1, 4: 1})


def test_novelty__where_all_agree__and_before_there_was_a_change__is_whole():
    assert novelty(round_at([0] * 3, None, a=[1, 2, 3], b=[1, 2, 3], c=[1, 2, 3])) == pytest.approx({0: 1, 1: 1, 2: 1})
    assert novelty(round_at([1] * 3, [1] * 3, a=[1, 2, 3])) == {0: 1}
    assert novelty(round_at([1] * 3, None)) == {}


def test_judgement__of_what_is_not_new__is_less():
    assert judgement({0: 1.0, 1: 1.0}, {0: 0.1, 1: 0.1}, {0: 0.25, 1: 1.0}) == {0: 255 / 4, 1: 255}


def test_score__of_an_old_change_sent_again__is_as_low_as_it_gets():
    moved = round_at([5, 5, 0], [2, 1, 0], replay=[3, 4, 0], other=[3, -4, 0])
    result = Scorer(lambda models, part: 1e3 - models.sum(1), NOBODY).score([0, 1], moved, {}, [])
    assert result[0] == round(UNKNOWN * 19 / 20)


def test_memory__goes_on_paying_honest_work_when_single_rounds_show_nothing():
    memory: dict[int, float] = {}
    for number in range(12):
        now = {0: 0.2 * 0.5**number, 1: -0.05}
        result = judgement(memory, now, fully(now))
        memory = remembered(memory, now)
    assert result[0] > 200 and result[1] == 0


def test_memory__forgets_a_tenth_a_round__those_absent_too():
    assert remembered({0: 1.0, 1: 2.0}, {0: 0.5}) == {0: KEEP + 0.5, 1: 2 * KEEP}


def vectors(*rows: list[int]) -> dict[int, bytes]:
    return {10 + i: bytes(row) for i, row in enumerate(rows)}


def scored(given: dict[int, bytes], seats=(0, 1, 2)) -> ScoredRound:
    return ScoredRound(seats, given, scores.medians(seats, given))


MIDDLE = dict.fromkeys(range(3), 128)  # what was said of three seats before


def test_prior__goes_four_times_as_far_as_those_nearest_to_the_medians():
    # In the mean they went from 128 to 125, 121 and 132; the third is too far off to be heard.
    given = vectors([122, 120, 130], [128, 122, 134], [255, 1, 255])
    assert prior([scored(given)], MIDDLE) == {0: 116, 1: 100, 2: 144}


def test_prior__stays_between_1_and_255():
    assert prior([scored(vectors([1, 255, 128], [1, 255, 128]))], MIDDLE) == {0: 1, 1: 255, 2: 128}


def test_prior__keeps_what_was_said_before_of_those_left_out_now():
    first, second = scored(vectors([120, 125, 130], [120, 125, 130])), scored(vectors([95, 0, 136], [95, 0, 136]))
    assert prior([first], MIDDLE) == {0: 96, 1: 116, 2: 136}
    assert prior([first, second], MIDDLE) == {0: 92, 1: 116, 2: 136} == prior([second], prior([first], MIDDLE))


@given(st.lists(st.lists(st.integers(0, 255), min_size=3, max_size=3), min_size=3, max_size=7), st.integers(0, 99))
def test_prior__does_not_care_in_which_order_vectors_come(rows, seed):
    given = vectors(*rows)
    mixed = list(given.items())
    random.Random(seed).shuffle(mixed)
    assert prior([scored(given)]) == prior([scored(dict(mixed))])
    assert all(type(value) is int for value in prior([scored(given)]).values())


def test_vector__begins_low__and_moves_a_twentieth_of_the_way_toward_ones_own_judgement():
    assert list(vector([0, 1, 2], {0: 255.0, 1: 0.0}, {})) == [
        round(UNKNOWN + (255 - UNKNOWN) / 20),
        round(UNKNOWN * 19 / 20),
        0,
    ]
    assert UNKNOWN == 64
    assert list(vector([0], {0: 0.0}, {0: 1})) == [1]


def test_three_liars_of_seven__move_medians_by_no_more_than_honest_judgements_differ():
    honest = [vector([0, 1], {0: 255.0 - 20 * v, 1: 20.0 * v}, {0: 200, 1: 20}) for v in range(4)]
    liars = [bytes([1, 255])] * 3
    result = scores.medians([0, 1], dict(enumerate([*honest, *liars], start=10)))
    assert min(h[0] for h in honest) <= result[0] and result[1] <= max(h[1] for h in honest)
    assert result[0] > 150 and result[1] < 40


def test_scorer__remembers_nothing_that_it_could_not_rebuild__and_fetches_a_round_once():
    rounds = [round_of({0: 100 * n, 1: 300}, n) for n in range(1, WINDOW + 5)]
    lasting, fetched = Scorer(off_target, NOBODY), []

    def fetch(r):
        fetched.append(r.number)
        return r

    for n, now in enumerate(rounds):
        past = {r.number: lambda r=r: fetch(r) for r in rounds[:n]}
        fresh = Scorer(off_target, NOBODY).score([0, 1], now, {r.number: lambda r=r: r for r in rounds[:n]}, [])
        assert lasting.score([0, 1], now, past, []) == fresh
    assert len(fetched) == len(set(fetched))


@pytest.mark.parametrize("most", [0, 42, 63])
def test_scorer__judges_a_few_models_at_a_time__as_all_at_once(most, monkeypatch):
    moves, seen = {seat: 100 * seat - 130 for seat in range(5)}, []

    def losses(models, part):
        seen.append(len(models))
        return off_target(models)

    once = score(moves, losses=losses)
    monkeypatch.setattr(scoring, "MODELS", most)
    assert score(moves, losses=losses) == once
    assert seen[0] == sum(seen[1:]) == 7 and max(seen[1:]) == max(1, most // 21)


def test_score__of_real_training__beats_its_opposite__and_all_at_once_is_one_by_one():
    task = load_task("heart")
    data = split(task.data(), 4, None, 0)
    base = to_vector(build(task, 0))
    changes = {
        seat: pad(local_change(task, base, shard.train, np.random.default_rng(seat)), depth_of(build(task, 0)))
        for seat, shard in enumerate(data.shards)
    }
    changes[4] = -changes[0]
    now = PublicRound(1, base, {seat: to_fixed(change) for seat, change in changes.items()}, 0)
    evaluator = Evaluator(task)
    result = [list(Scorer(evaluator.losses, shard.held_out).score(range(5), now, {}, [])) for shard in data.shards]
    mean = np.mean(result, axis=0)
    assert mean[4] == min(mean) < np.mean(mean[:4])
    held = data.shards[0].held_out
    models = candidates(now)
    parts = [candidates(now, slice(at, at + 2)) for at in range(0, 7, 2)]
    assert [len(part) for part in parts] == [2, 2, 2, 1] and np.array_equal(np.concatenate(parts), models)
    assert evaluator.losses(models, held) == pytest.approx([evaluator.loss(model, held) for model in models], rel=1e-5)
