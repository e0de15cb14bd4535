"""Splits: every row exactly once, in one place, by the seed; owners keep their own; what is too small to share is refused."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.errors import TaskError
from fl.learning.data.partition import MIN_ROWS, Part, split
from fl.learning.task import Data

SEEDS = st.integers(0, 2**32)


def table(labels, **facts) -> Data:
    """Row i holds the number i, so that rows can be told apart."""
    y = np.asarray(labels)
    return Data(np.arange(len(y), dtype=np.float32)[:, None], y, **facts)


def cycle(rows: int, labels: int) -> Data:
    return table(np.arange(rows) % labels)


def rows_of(part: Part) -> list[int]:
    return part.x[:, 0].astype(int).tolist()


def parts_of(dealt) -> list[Part]:
    return [dealt.test, *(p for s in dealt.shards for p in (s.train, s.held_out))]


def dealing(dealt) -> list[list[int]]:
    return [rows_of(p) for p in parts_of(dealt)]


def assert_every_row_once(data: Data, dealt) -> None:
    assert sorted(r for rows in dealing(dealt) for r in rows) == list(range(len(data.x)))
    for part in parts_of(dealt):
        assert (part.y == data.y[rows_of(part)]).all()


@given(st.integers(1, 6), st.integers(1, 5), st.integers(90, 200), SEEDS)
def test_even__every_row_exactly_once__in_shards_of_like_size(seats, labels, rows, seed):
    data = cycle(rows, labels)
    dealt = split(data, seats, None, seed)
    assert_every_row_once(data, dealt)
    sizes = [len(s.train) + len(s.held_out) for s in dealt.shards]
    assert len(sizes) == seats and max(sizes) - min(sizes) <= 1


@given(st.integers(1, 6), st.integers(1, 5), st.floats(2, 100), SEEDS)
def test_dirichlet__every_row_exactly_once__with_enough_for_everybody(seats, labels, alpha, seed):
    data = cycle(400, labels)
    dealt = split(data, seats, alpha, seed)
    assert_every_row_once(data, dealt)
    assert len(dealt.shards) == seats
    assert min(len(s.train) + len(s.held_out) for s in dealt.shards) >= MIN_ROWS


@given(st.lists(st.integers(40, 80), min_size=1, max_size=4), st.integers(0, 2), SEEDS)
def test_owners__keep_their_own_rows__and_the_largest_is_halved_for_further_seats(sizes, more, seed):
    owner = np.repeat(np.arange(len(sizes)), sizes)
    names = tuple(f"owner{i}" for i in range(len(sizes)))
    data = table(np.arange(len(owner)) % 2, owner=owner, owners=names)
    dealt = split(data, len(sizes) + more, None, seed)
    assert_every_row_once(data, dealt)
    assert len(dealt.shards) == len(sizes) + more
    for shard in dealt.shards:
        held_by = {names[owner[r]] for r in rows_of(shard.train) + rows_of(shard.held_out)}
        assert held_by == {shard.name.split()[0]}
    if more:
        assert f"owner{int(np.argmax(sizes))} I" in " ".join(s.name for s in dealt.shards)


@pytest.mark.parametrize("alpha", [None, 1.0])
def test_every_label__gives_a_quarter_to_the_test__and_each_shard_a_quarter_to_its_held_out_rows(alpha):
    data = table([0] * 300 + [1] * 100)
    dealt = split(data, 3, alpha, 4)
    assert Counter(dealt.test.y.tolist()) == {0: 75, 1: 25}
    for shard in dealt.shards:
        held, own = Counter(shard.held_out.y.tolist()), Counter(shard.held_out.y.tolist() + shard.train.y.tolist())
        assert all(abs(held[label] - own[label] / 4) <= 0.5 for label in own)


@pytest.mark.parametrize("alpha, owned", [(None, False), (0.5, False), (None, True)], ids=["even", "dirichlet", "owners"])
def test_seed__decides_all__and_nothing_else_does(alpha, owned):
    facts = {"owner": np.repeat([0, 1], 150), "owners": ("a", "b")} if owned else {}
    data = table(np.arange(300) % 3, **facts)
    np.random.seed(1)
    first = dealing(split(data, 3, alpha, 7))
    np.random.seed(2)
    assert dealing(split(data, 3, alpha, 7)) == first
    assert dealing(split(data, 3, alpha, 8)) != first


def test_dirichlet__the_smaller_alpha__the_fewer_labels_a_seat_sees():
    def share_of_the_most_frequent_label(alpha: float) -> float:
        shards = [s for seed in range(10) for s in split(cycle(1000, 5), 4, alpha, seed).shards]
        return float(np.mean([max(Counter(s.train.y.tolist()).values()) / len(s.train) for s in shards]))

    shares = [share_of_the_most_frequent_label(alpha) for alpha in (0.1, 1.0, 100.0)]
    assert shares[0] > shares[1] + 0.1 > shares[2] + 0.2
    assert abs(shares[2] - 1 / 5) < 0.05


@given(st.integers(1, 9))
def test_public__everybody_scores_and_tests_on_all__and_trains_on_a_part(seats):
    dealt = split(table(np.arange(5.0), public=True), seats, None, 0)
    whole = list(range(5))
    assert [rows_of(s.held_out) for s in dealt.shards] == [whole] * seats and rows_of(dealt.test) == whole
    trained = [r for s in dealt.shards for r in rows_of(s.train)]
    assert len(dealt.shards) == seats and all(len(s.train) for s in dealt.shards)
    assert set(trained) == set(whole) and (seats > 5 or len(trained) == 5)


@pytest.mark.parametrize(
    "seats, alpha, remedy",
    [
        (0, None, "0 seats: a federation needs at least one participant"),
        (20, None, r"seat \d+ would hold \d rows, fewer than 8: take fewer seats"),
        (20, 1.0, r"no Dirichlet\(1.0\) split over 20 seats.*raise alpha"),
        (5, 1e-9, r"no Dirichlet\(1e-09\) split over 5 seats.*raise alpha"),
        (3, -1.0, "alpha -1.0: give a positive number"),
    ],
)
def test_too_little_to_share__is_refused_with_a_remedy(seats, alpha, remedy):
    with pytest.raises(TaskError, match=remedy):
        split(cycle(150, 2), seats, alpha, 0)


def test_fewer_seats_than_owners__are_refused__unless_alpha_deals_anew():
    data = table(np.arange(300) % 2, owner=np.repeat([0, 1, 2], 100), owners=("a", "b", "c"))
    with pytest.raises(TaskError, match="2 seats for 3 owners: take at least 3, or give alpha"):
        split(data, 2, None, 0)
    dealt = split(data, 2, 5.0, 0)
    assert_every_row_once(data, dealt)
    assert [s.name for s in dealt.shards] == ["seat 0", "seat 1"]


def test_alpha_zero__is_refused():
    with pytest.raises(TaskError, match="give a positive number"):
        split(cycle(150, 2), 3, 0.0, 0)


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)], ids=["flat", "column"])
def test_regression__leaves_rows_to_test_and_to_score_with(shape):
    data = table(np.arange(80, dtype=np.float32).reshape(shape) / 80)
    dealt = split(data, 3, None, 0)
    assert_every_row_once(data, dealt)
    assert min(map(len, parts_of(dealt))) >= 2
