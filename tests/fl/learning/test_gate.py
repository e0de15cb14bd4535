"""The gate: exact integers whatever order and thread, against a plain reference; who is left out, who is not."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from math import isqrt

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.system import random_update

from fl.learning import gate as rules
from fl.learning.codec import encode_update
from fl.learning.gate import CAP, GATES, ONE, GateState, after, agreement, cosine, dot, gram, memory_of, own_vote, state_of
from fl.learning.research.median_cosine import COMPARED, Averages, median_cosine
from fl.protocol import manifest
from fl.protocol.artifact import UpdateNumbers, parse_update

INT32 = st.integers(-(2**31), 2**31 - 1)
UNITS = st.integers(-127 * 2**23, 127 * 2**23)  # what an update can hold
PAIRS = st.lists(st.tuples(INT32, INT32), min_size=1, max_size=40)


@st.composite
def rounds(draw) -> dict[int, np.ndarray]:
    """A round's updates by seat, large and small."""
    width = draw(st.integers(1, 6))
    numbers = st.one_of(UNITS, st.integers(-3, 3), st.integers(-12, 12))
    rows = draw(st.lists(st.lists(numbers, min_size=width, max_size=width), min_size=1, max_size=7))
    return {3 * seat: np.array(row, np.int32) for seat, row in enumerate(rows)}


def plain_dot(a, b) -> int:
    return sum(int(x) * int(y) for x, y in zip(a, b, strict=True))


def plain_middle(column: list[int]) -> int:
    """The median; of an even number the mean of the two middles, toward zero."""
    lower, upper = sorted(column)[(len(column) - 1) // 2], sorted(column)[len(column) // 2]
    return abs(lower + upper) // 2 * (1 if lower + upper >= 0 else -1)


def plain_cosine(a: list[int], b: list[int]) -> int:
    scale = isqrt(plain_dot(a, a) * plain_dot(b, b))
    return plain_dot(a, b) * 2**30 // scale if scale else 0


def plain_agreement(state: GateState, updates: dict[int, list[int]]) -> tuple[set[int], GateState]:
    """The default rule in plain numbers, seat by seat."""
    squares = {seat: plain_dot(v, v) for seat, v in updates.items()}
    upper = lambda values: sorted(values)[len(values) // 2] if values else 0  # noqa: E731
    # 1.05 times the median norm of the last rounds, 3 times that of a first one's updates
    bound = 21**2 * upper(state.squares) if state.squares else 60**2 * upper(list(squares.values()))
    fits = {seat for seat in updates if 0 < 20**2 * squares[seat] <= bound}
    own = min(CAP * (len(fits) - 1), 21 * ONE // 20 if len(fits) < 7 else max(6 * ONE // 5, len(fits) * (12 * ONE // 100)))
    score = {}
    for seat in fits:
        alike = [plain_cosine(updates[seat], updates[other]) for other in fits - {seat}]
        score[seat] = own + sum(0 if c > 7 * ONE // 10 else max(min(c, CAP), -CAP) for c in alike)
    ranked = sorted(fits, key=lambda seat: (-score[seat], seat))
    most_out = len(fits) * 2 // 5
    kept = {seat for place, seat in enumerate(ranked) if score[seat] > 0 or place < len(fits) - most_out}
    return kept, plain_memory(state, {s: updates[s] for s in kept})


def plain_memory(state: GateState, accepted: dict[int, list[int]]) -> GateState:
    """What is remembered of a settled round, in plain numbers."""
    lengths = sorted(plain_dot(v, v) for v in accepted.values())
    if not lengths or lengths[len(lengths) * 6 // 10] == 0:  # zeros only liars would accept
        return state
    return GateState((*state.squares, lengths[len(lengths) * 6 // 10])[-5:])


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


def inside(updates, rule, state: GateState | None = None) -> list[int]:
    return sorted(rule(state or GateState(), updates)[0])


BOUND = GATES["agreement"].bound
RULES = pytest.mark.parametrize("rule", [agreement, median_cosine], ids=lambda rule: rule.__name__)


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


@given(st.lists(st.lists(INT32, min_size=3, max_size=3), min_size=1, max_size=6))
def test_gram__is_exact(rows):
    assert gram([np.array(row, np.int32) for row in rows]) == [[plain_dot(a, b) for b in rows] for a in rows]


@pytest.mark.parametrize("values", [3, 4, 100, 1 << 19])
def test_gram__a_few_columns_at_a_time__is_exact__of_updates_in_files_too(values, monkeypatch):
    monkeypatch.setattr(rules, "VALUES", values)
    files = [random_update(np.random.default_rng(i), 1, 23) for i in range(3)]
    rows = [parse_update(data, 1, 23).tolist() for data in files]
    assert gram([UpdateNumbers(data, 1, 23) for data in files]) == [[plain_dot(a, b) for b in rows] for a in rows]


@example([{0: np.array([size], np.int32)} for size in (20, 21, 22, 23)])  # 1.05 times as long, and a little more
@given(st.lists(rounds(), min_size=1, max_size=4))
def test_agreement__is_the_plain_rule__round_after_round(history):
    state = plain = GateState()
    for updates in history:
        let_in, state = agreement(state, updates)
        expected, plain = plain_agreement(plain, {seat: v.tolist() for seat, v in updates.items()})
        assert (set(let_in), state) == (expected, plain)
        assert {type(v) for v in state.squares} <= {int}


@given(st.lists(rounds(), min_size=1, max_size=8))
def test_memory__is_the_plain_memory__of_what_a_committee_accepted(history):
    plain, heard = GateState(), []
    for accepted in history:
        plain = plain_memory(plain, {seat: v.tolist() for seat, v in accepted.items()})
        heard.append(memory_of(accepted))
    assert state_of([square for square in heard if square]) == plain


@given(rounds())
def test_memory__of_a_round_that_the_committee_judged_by_the_rule__is_that_of_its_verdict(updates):
    let_in, state = agreement(GateState(), updates)
    assert after(GateState(), memory_of({seat: updates[seat] for seat in let_in})) == state


def test_memory__reaches_back_five_rounds():
    heard = [memory_of(honest(3, seed=seed)) for seed in range(6)]
    assert state_of(heard) == state_of(heard[1:]) != state_of(heard[:5])


@given(rounds(), st.dictionaries(st.sampled_from([0, 3, 6, 9, 40]), st.integers(-ONE, ONE)))
def test_median_cosine__is_the_plain_rule(updates, averages):
    let_in, state = median_cosine(Averages(averages=averages), updates)
    expected, after = plain_gate(averages, {seat: v.tolist() for seat, v in updates.items()})
    assert (set(let_in), dict(state.averages)) == (expected, after)
    assert {type(v) for v in state.averages.values()} <= {int}


@RULES
@given(updates=rounds(), random=st.randoms(use_true_random=False))
def test_gate__does_not_care_about_order(rule, updates, random):
    shuffled = list(updates)
    random.shuffle(shuffled)
    assert rule(GateState(), {seat: updates[seat] for seat in shuffled}) == rule(GateState(), updates)


@RULES
def test_gate__says_the_same_in_every_thread(rule):
    updates = honest(9, size=200_000, spread=8.0)
    with ThreadPoolExecutor(4) as pool:
        result = list(pool.map(lambda _: rule(GateState(), updates), range(8)))
    assert all(one == result[0] for one in result)


ELSEWHERE = """
import numpy as np
from fl.learning.gate import GateState
from fl.learning.research.median_cosine import COMPARED as GATES
updates = {s: np.random.default_rng(s).integers(-2**30, 2**30, 200_000).astype(np.int32) for s in range(9)}
print([gate.judge(GateState(), updates)[1] for gate in GATES.values()])
"""


def test_gate__says_the_same_in_a_process_of_two_threads():
    def result(threads: str) -> str:
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        return subprocess.run([sys.executable, "-c", ELSEWHERE], env=environment, check=True, capture_output=True).stdout

    assert result("1") == result("2") != b""


@pytest.mark.parametrize("count", [1, 2, 3, 4, 10])
@pytest.mark.parametrize("spread", [0.0, 0.5, 2.0])
@RULES
def test_alike__nobody_is_left_out(rule, count, spread):
    assert inside(honest(count, spread=spread), rule) == list(range(count))


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
@RULES
def test_cheats__up_to_three_of_ten__are_left_out_and_nobody_else_is(rule, cheat, bad):
    updates = {seat: cheat(v) if seat in bad else v for seat, v in honest(10).items()}
    assert inside(updates, rule) == sorted(set(range(10)) - bad)


@pytest.mark.parametrize("factor, kept", [(300, True), (301, False)])
@RULES
def test_norm__of_a_first_round__three_times_the_median_is_in__and_more_is_out(rule, factor, kept):
    updates = {seat: np.array([100, 0], np.int32) for seat in range(4)} | {4: np.array([factor, 0], np.int32)}
    assert (4 in inside(updates, rule)) is kept


def test_median_cosine__one_bad_round_is_forgiven__and_three_are_not():
    updates = honest(5, spread=0.0)
    state, seen = median_cosine(GateState(), updates)[1], []
    for _ in range(3):
        let_in, state = median_cosine(state, {**updates, 4: -updates[4]})
        seen.append((4 in let_in, round(state.averages[4] / ONE, 2)))
    assert seen == [(True, 0.4), (False, -0.02), (False, -0.31)]
    assert state.averages[0] == pytest.approx(ONE, abs=10)


def test_agreement__later_rounds_are_bound_by_what_the_last_let_in__known_before_they_train():
    updates = {seat: np.array([100, 0], np.int32) for seat in range(4)}
    state = agreement(GateState(), updates)[1]
    assert BOUND(GateState()) is None
    assert BOUND(state) == 105
    for length, kept in [(105, True), (106, False)]:
        assert (4 in inside({**updates, 4: np.array([length, 0], np.int32)}, agreement, state)) is kept


def test_bound__when_most_are_away_for_two_rounds__stays():
    state = GateState()
    for _ in range(5):
        state = agreement(state, honest(7))[1]
    before = BOUND(state)
    for _ in range(2):
        state = agreement(state, {seat: v // 4000 for seat, v in honest(2).items()})[1]
    assert BOUND(state) == pytest.approx(before, rel=0.01)


def test_bound__when_four_of_seven_scale_to_it__grows_by_less_than_double_in_thirty_rounds():
    state, first = agreement(GateState(), honest(7))[1], BOUND(agreement(GateState(), honest(7))[1])
    for _ in range(30):
        length = 0.98 * BOUND(state)
        racing = {seat: (v * (length / dot(v, v) ** 0.5)).astype(np.int32) for seat, v in honest(4).items()}
        kept = {seat: v for seat, v in honest(7).items() if seat >= 4 and dot(v, v) <= BOUND(state) ** 2}
        state = agreement(state, {**kept, **racing})[1]
    assert BOUND(state) < 2 * first


def test_agreement__an_honest_update_that_keeps_to_the_bound_is_in__whatever_rounding_does():
    state = agreement(GateState(), honest(5))[1]
    bound = BOUND(state)
    change = 40 * honest(5)[0].astype(float) * 2.0**-24
    for seed in range(20):
        data, rest = encode_update(change, None, 1, 23, np.random.default_rng(seed), bound)
        sent = parse_update(data, 1, 23)
        assert 0.95 * bound < dot(sent, sent) ** 0.5 <= bound
        assert np.abs(rest).max() < 2 * np.abs(change).max() / 127  # what rounding lost, and nothing of what was cut


def test_agreement__one_who_pulls_alone_stays__one_who_pulls_against_all_goes():
    updates = honest(6)
    alone = np.random.default_rng(9).normal(0, 1e6, 300).astype(np.int32)
    against = (-0.6 * updates[0] + 0.8 * alone).astype(np.int32)
    assert 6 in inside({**updates, 6: alone}, agreement)
    assert 6 not in inside({**updates, 6: against}, agreement)


@pytest.mark.parametrize("seats", range(3, 12))
def test_agreement__one_against_all_others_is_out__among_however_many(seats):
    updates = honest(seats)
    assert inside({**updates, 0: -updates[0]}, agreement) == list(range(1, seats))


@given(st.integers(10, 30), st.integers(0, 99))
def test_agreement__fewer_than_four_tenths__cannot_put_out_one_whom_the_others_do_not_contradict(seats, seed):
    """Which is how a gate is captured: those let in decide who is let in."""
    rng = np.random.default_rng(seed)
    bad = (4 * seats - 1) // 10
    square = np.eye(200)[:seats] + 1e-9 * rng.normal(size=(seats, 200))  # the honest neither agree nor contradict each other
    against = -square[0] + 0.5 * rng.normal(size=(bad, 200)) / 200**0.5
    against /= np.linalg.norm(against, axis=1)[:, None]
    updates = {seat: (1e6 * v).astype(np.int32) for seat, v in enumerate([*square[: seats - bad], *against])}
    assert 0 in inside(updates, agreement)
    assert own_vote(seats) > bad * CAP


def test_agreement__who_was_left_out_for_long__is_back_at_once():
    state, updates = GateState(), honest(7)
    for _ in range(20):
        let_in, state = agreement(state, {**updates, 6: -updates[6]})
        assert 6 not in let_in
    assert 6 in agreement(state, updates)[0]


def test_agreement__many_good_rounds_buy_no_bad_one():
    state, updates = GateState(), honest(7, spread=0.5)
    for _ in range(20):
        state = agreement(state, updates)[1]
    against = {seat: -updates[seat] for seat in (5, 6)}
    assert inside({**updates, **against}, agreement, state) == list(range(5))


def test_agreement__where_each_points_against_all_others__two_fifths_are_left_out_at_most():
    updates = {seat: row.astype(np.int32) for seat, row in enumerate(100_000 * (4 * np.eye(4) - 1))}
    assert inside(updates, agreement) == [0, 1, 2]


def test_agreement__who_sends_the_same_does_not_vouch_for_each_other():
    against = -honest(7)[0]
    updates = {**honest(7), **dict.fromkeys(range(7, 10), against)}
    assert inside(updates, agreement) == list(range(7))


def test_absent__are_left_out_and_remembered_as_they_were():
    before = Averages(averages={0: 5, 7: -9})
    let_in, after = median_cosine(before, honest(3))
    assert 7 not in let_in and after.averages[7] == -9
    assert before.averages == {0: 5, 7: -9}


def test_nobody_there__nobody_in__and_nothing_forgotten():
    state = GateState((3,))
    assert {name: gate.judge(state, {}) for name, gate in COMPARED.items()} == dict.fromkeys(COMPARED, (frozenset(), state))


def test_gates__are_those_that_a_manifest_may_name():
    assert set(GATES) == set(manifest.GATES) and GATES[manifest.DEFAULT_GATE].judge is agreement
    assert GATES["none"].bound(GateState((1,))) is None
