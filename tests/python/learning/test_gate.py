"""The gate: exact integers whatever order and thread, against a plain reference; who is left out, who is not."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from math import isqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.learning.gate import ONE, GateState, cosine, dot, gate

INT32 = st.integers(-(2**31), 2**31 - 1)
UNITS = st.integers(-127 * 2**23, 127 * 2**23)  # what an update can hold
PAIRS = st.lists(st.tuples(INT32, INT32), min_size=1, max_size=40)


@st.composite
def rounds(draw) -> dict[int, np.ndarray]:
    """A round's updates by seat, large and small."""
    width = draw(st.integers(1, 6))
    numbers = st.one_of(UNITS, st.integers(-3, 3))
    rows = draw(st.lists(st.lists(numbers, min_size=width, max_size=width), min_size=1, max_size=7))
    return {3 * seat: np.array(row, np.int32) for seat, row in enumerate(rows)}


def plain_dot(a, b) -> int:
    return sum(int(x) * int(y) for x, y in zip(a, b, strict=True))


def plain_middle(column: list[int]) -> int:
    """The median; of an even number the mean of the two middles, toward zero."""
    lower, upper = sorted(column)[(len(column) - 1) // 2], sorted(column)[len(column) // 2]
    return abs(lower + upper) // 2 * (1 if lower + upper >= 0 else -1)


def plain_gate(averages: dict[int, int], updates: dict[int, list[int]]) -> tuple[set[int], dict[int, int]]:
    """The rule in plain numbers, as its first paragraph says it."""
    middle = [plain_middle(list(column)) for column in zip(*updates.values(), strict=True)]
    squares = {seat: plain_dot(v, v) for seat, v in updates.items()}
    median_square = sorted(squares.values())[len(squares) // 2]
    inside, after = set(), dict(averages)
    for seat, v in updates.items():
        scale = isqrt(squares[seat] * plain_dot(middle, middle))
        now = plain_dot(v, middle) * 2**30 // scale if scale else 0
        after[seat] = (7 * averages[seat] + 3 * now) // 10 if seat in averages else now
        if after[seat] > 0 and squares[seat] <= 9 * median_square:
            inside.add(seat)
    return inside, after


def honest(count: int, size: int = 300, spread: float = 1.0, seed: int = 0) -> dict[int, np.ndarray]:
    """Updates that share a direction, each with noise of `spread` times its size."""
    rng = np.random.default_rng(seed)
    common = rng.normal(0, 1e6, size)
    return {seat: (common + spread * rng.normal(0, 1e6, size)).astype(np.int32) for seat in range(count)}


def inside(updates, state: GateState | None = None) -> list[int]:
    return sorted(gate(state or GateState(), updates)[0])


@given(PAIRS)
def test_dot__is_exact(pairs):
    a, b = (np.array(side, np.int32) for side in zip(*pairs, strict=True))
    assert dot(a, b) == plain_dot(a, b)


@pytest.mark.parametrize("x, y", [(-(2**31), -(2**31)), (2**31 - 1, -(2**31)), (2**31 - 1, 2**31 - 1), (-1, -(2**31))])
def test_dot__needs_more_than_64_bits__and_has_them(x, y):
    n = 1 << 20
    assert dot(np.full(n, x, np.int32), np.full(n, y, np.int32)) == n * x * y


@given(st.lists(st.tuples(UNITS, UNITS), min_size=1, max_size=20))
def test_cosine__lies_between_minus_one_and_one__and_is_one_of_a_vector_with_itself(pairs):
    a, b = (np.array(side, np.int32) for side in zip(*pairs, strict=True))
    aa, bb, ab = dot(a, a), dot(b, b), dot(a, b)
    if aa and bb:
        # The root below is rounded down, so that a short vector's cosine may pass 1 by a little.
        assert abs(cosine(ab, aa, bb) / ONE - ab / (aa * bb) ** 0.5) <= 2 / (aa * bb) ** 0.5 + 1e-9
    assert cosine(aa, aa, aa) == (ONE if aa else 0)
    assert cosine(-aa, aa, aa) == -cosine(aa, aa, aa)


@given(rounds(), st.dictionaries(st.sampled_from([0, 3, 6, 9, 40]), st.integers(-ONE, ONE)))
def test_gate__is_the_plain_rule(updates, averages):
    let_in, state = gate(GateState(averages), updates)
    expected, after = plain_gate(averages, {seat: v.tolist() for seat, v in updates.items()})
    assert (set(let_in), dict(state.averages)) == (expected, after)
    assert {type(v) for v in state.averages.values()} <= {int}


@given(rounds(), st.randoms(use_true_random=False))
def test_gate__does_not_care_about_order(updates, random):
    shuffled = list(updates)
    random.shuffle(shuffled)
    assert gate(GateState(), {seat: updates[seat] for seat in shuffled}) == gate(GateState(), updates)


def test_gate__says_the_same_in_every_thread():
    updates = honest(9, size=20_000, spread=8.0)
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda _: gate(GateState(), updates), range(8)))
    assert all(one == told[0] for one in told)


ELSEWHERE = """
import numpy as np
from fl.learning.gate import GateState, gate
updates = {s: np.random.default_rng(s).integers(-2**30, 2**30, 20_000).astype(np.int32) for s in range(9)}
print(sorted(gate(GateState(), updates)[1].averages.items()))
"""


def test_gate__says_the_same_in_a_process_of_two_threads():
    def told(threads: str) -> str:
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        return subprocess.run([sys.executable, "-c", ELSEWHERE], env=environment, check=True, capture_output=True).stdout

    assert told("1") == told("2") != b""


@pytest.mark.parametrize("count", [1, 2, 3, 4, 10])
@pytest.mark.parametrize("spread", [0.0, 0.5, 2.0])
def test_alike__nobody_is_left_out(count, spread):
    assert inside(honest(count, spread=spread)) == list(range(count))


def sign_flipped(v):
    return -v


def scaled(v):
    return 10 * v


def scaled_and_flipped(v):
    return -10 * v


def zeros(v):
    return 0 * v


@pytest.mark.parametrize("cheat", [sign_flipped, scaled, scaled_and_flipped, zeros])
@pytest.mark.parametrize("bad", [{0}, {2, 5}, {0, 4, 9}], ids=str)
def test_cheats__up_to_three_of_ten__are_left_out_and_nobody_else_is(cheat, bad):
    updates = {seat: cheat(v) if seat in bad else v for seat, v in honest(10).items()}
    assert inside(updates) == sorted(set(range(10)) - bad)


@pytest.mark.parametrize("factor, kept", [(300, True), (301, False)])
def test_norm__three_times_the_median_is_in__and_more_is_out(factor, kept):
    updates = {seat: np.array([100, 0], np.int32) for seat in range(4)} | {4: np.array([factor, 0], np.int32)}
    assert (4 in inside(updates)) is kept


def test_moving_average__one_bad_round_is_forgiven__and_three_are_not():
    updates = honest(5, spread=0.0)
    state, seen = gate(GateState(), updates)[1], []
    for _ in range(3):
        let_in, state = gate(state, {**updates, 4: -updates[4]})
        seen.append((4 in let_in, round(state.averages[4] / ONE, 2)))
    assert seen == [(True, 0.4), (False, -0.02), (False, -0.31)]
    assert state.averages[0] == pytest.approx(ONE, abs=10)


def test_absent__are_left_out_and_remembered_as_they_were():
    before = GateState({0: 5, 7: -9})
    let_in, after = gate(before, honest(3))
    assert 7 not in let_in and after.averages[7] == -9
    assert before.averages == {0: 5, 7: -9}


def test_nobody_there__nobody_in__and_nothing_forgotten():
    state = GateState({3: 1})
    assert gate(state, {}) == (frozenset(), state)
