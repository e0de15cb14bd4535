"""What cheats send: each does what its name says, keeps to the bound where it must, and reads the gate as it stands."""

from dataclasses import replace

import numpy as np
import pytest

from fl.learning.data.partition import Part
from fl.learning.research import attacks
from fl.learning.research.attacks import ATTACKS, BACKDOORS, Sight, attends, change_of, poison, shifted, stamped, trigger_of

RNG = np.random.default_rng(0)
COMMON = RNG.normal(size=50)
OTHERS = COMMON + RNG.normal(size=(7, 50))
MIDDLE = OTHERS.mean(axis=0)
OWN = COMMON + RNG.normal(size=50)


def sight(**options) -> Sight:
    facts = {"own": OWN, "honest": COMMON, "last": MIDDLE, "others": OTHERS, "seats": 10, "accomplices": 3, "round": 9}
    return Sight(**{**facts, "rng": np.random.default_rng(1), "rounds": 15, "bound": 10.0, **options})


def cosine(a, b) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.mark.parametrize("kind", ["best_response", "reverse_response", "late_comer", "fitted_trigger"])
def test_response__is_the_lowest_agreement_that_passes__as_long_as_the_bound_allows(kind):
    tried = []

    def passes(change):
        tried.append(cosine(change, MIDDLE))
        return tried[-1] > -0.35

    sent = change_of(kind, sight(passes=passes))
    assert cosine(sent, MIDDLE) == pytest.approx(-0.3) and np.linalg.norm(sent) == pytest.approx(9.8)
    assert tried == sorted(tried)


@pytest.mark.parametrize("kind", ["best_response", "capture", "evict", "opportunist"])
def test_who_fits_to_the_gate__is_honest_if_nothing_else_passes(kind):
    assert change_of(kind, sight(passes=lambda change: False)) is COMMON


def test_capture__leaves_the_fewest_others_inside():
    seen = {}

    def company(change):
        return seen.setdefault(change.tobytes(), 5 + len(seen) % 3)

    sent = change_of("capture", sight(company=company))
    assert seen[sent.tobytes()] == min(seen.values()) and len(seen) > 30


def test_evict__pulls_against_the_one_who_agrees_least():
    others = np.vstack([OTHERS, -COMMON])
    assert cosine(change_of("evict", sight(others=others)), -COMMON) == pytest.approx(-1.0)


@pytest.mark.parametrize("kind", ["burst", "burst_flip", "burst_response"])
def test_burst__is_honest_until_the_last_four_rounds(kind):
    sent = [change_of(kind, sight(round=number)) for number in range(1, 16)]
    assert [change is COMMON for change in sent] == [True] * 11 + [False] * 4
    assert np.linalg.norm(sent[-1]) == pytest.approx(9.8)


def test_burst__where_the_end_is_not_known__begins_with_a_good_name():
    sent = [change_of("burst", sight(round=number, rounds=0)) for number in range(1, 9)]
    assert [change is COMMON for change in sent] == [True] * 5 + [False] * 3


@pytest.mark.parametrize("kind", ["race", "label_shift", "one_trigger", "distributed_trigger", "burst_flip"])
def test_race__is_as_long_as_the_bound__or_a_little_longer_than_others_while_there_is_none(kind):
    assert np.linalg.norm(change_of(kind, sight(round=15))) == pytest.approx(9.8)
    unknown = change_of(kind, sight(round=15, bound=None))
    assert np.linalg.norm(unknown) == pytest.approx(1.25 * np.median(np.linalg.norm(OTHERS, axis=1)))


def test_shrink__is_small__and_race_burst_turns_at_the_end():
    assert np.linalg.norm(change_of("shrink", sight())) < 0.03 * np.linalg.norm(OWN)
    assert cosine(change_of("race_burst", sight()), OWN) == pytest.approx(1)
    assert cosine(change_of("race_burst", sight(round=12)), MIDDLE) == pytest.approx(-1)


def test_attendance__some_come_and_go__some_come_late__all_others_always_come():
    assert [n for n in range(1, 10) if attends("comes_and_goes", n)] == [1, 4, 5, 8, 9]
    assert [n for n in range(1, 10) if attends("late_comer", n)] == [6, 7, 8, 9]
    assert all(attends(kind, n) for kind in ATTACKS if kind not in ("comes_and_goes", "late_comer") for n in range(1, 10))
    assert cosine(change_of("comes_and_goes", sight(round=8)), MIDDLE) == pytest.approx(-1)
    assert change_of("comes_and_goes", sight(round=9)) is OWN


def test_min_sum_and_min_max__are_no_further_from_the_honest_than_these_are_from_each_other():
    apart = ((OTHERS[:, None] - OTHERS[None]) ** 2).sum(axis=2)
    summed, spread = change_of("min_sum", sight()), change_of("min_max_spread", sight())
    assert ((OTHERS - summed) ** 2).sum() <= apart.sum(axis=1).max()
    assert ((OTHERS - spread) ** 2).sum(axis=1).max() <= apart.max()
    assert not np.allclose(summed, MIDDLE) and cosine(spread, MIDDLE) < 1


def test_opportunist__is_against_all_when_that_passes():
    assert cosine(change_of("opportunist", sight()), MIDDLE) == pytest.approx(-1)


def test_mimic__repeats_the_one_furthest_from_the_mean():
    others = np.vstack([OTHERS, 5 * RNG.normal(size=50)])
    assert (change_of("mimic", sight(others=others)) == others[-1]).all()


def test_who_trained_once__is_honest_in_its_first_round__and_then_sends_what_all_know():
    for kind in ("retired", "pensioner"):
        assert change_of(kind, sight()) is OWN
    later = sight(first=OWN)
    mixed = change_of("retired", later)
    public = np.stack([*OTHERS, MIDDLE])
    weights = np.linalg.lstsq(public.T, mixed, rcond=None)[0]
    assert public.T @ weights == pytest.approx(mixed)  # nothing but public changes
    other = replace(later, own=-OWN, honest=-OWN, rng=np.random.default_rng(1))
    assert (change_of("retired", other) == mixed).all()  # whatever its rows would say now
    assert cosine(change_of("pensioner", replace(later, rng=np.random.default_rng(1))), mixed) == pytest.approx(0.86, abs=0.02)


def test_distributed_trigger__each_sets_its_part__together_the_whole():
    x = np.zeros((2, 1, 3, 3), np.float32)
    parts = [stamped(x, trigger_of("distributed_trigger", place, 3)) for place in range(3)]
    assert [int((part[0] != 0).sum()) for part in parts] == [2, 1, 1]
    assert (sum(parts) == stamped(x, trigger_of("distributed_trigger"))).all()
    assert int((stamped(x, trigger_of("one_trigger"))[0] != 0).sum()) == 1 and not x.any()


@pytest.mark.parametrize("kind", BACKDOORS)
def test_backdoor__every_second_row_bears_the_trigger_and_its_target(kind):
    part = Part(np.zeros((6, 8), np.float32), np.zeros(6, np.int64))
    marked = poison(kind, part, 1, 3)
    assert (marked.y == [attacks.TARGET, 0] * 3).all() and marked.x[::2].any(axis=1).all() and not marked.x[1::2].any()
    assert not part.x.any()


def test_shifted__every_label_is_another_one__and_measurements_move_within_bounds():
    assert shifted(np.array([0, 1, 9])).tolist() == [1, 2, 0] and shifted(np.array([3, 4])).tolist() == [4, 3]
    assert shifted(np.array([0.0, 4.0], np.float32)).tolist() == [1.0, 5.0]
    part = Part(np.zeros((3, 2), np.float32), np.array([0, 1, 2]))
    assert poison("label_shift", part).y.tolist() == [1, 2, 0]
