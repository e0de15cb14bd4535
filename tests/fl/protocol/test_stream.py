"""Aggregation from files: the same bytes as the rule in plain integers, whatever the files hold, the range, the threads."""

import itertools
import mmap
import random
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.errors import ArtifactError
from fl.protocol import stream
from fl.protocol.aggregate import aggregate, aggregate_coordinate, trim_of
from fl.protocol.artifact import pack_model, pack_update, parse_model, parse_update
from fl.protocol.sorting import comparators, middle
from fl.protocol.stream import aggregate_files

E = 23


def model(rng: np.random.Generator, leaves: int, size: int = 1 << 31) -> bytes:
    return pack_model(rng.integers(-size, size, 256 * leaves).astype(np.int32))


def update(rng: np.random.Generator, leaves: int, low: int, high: int) -> bytes:
    """Exponents low..high-1, numbers -127..127, some blocks of zeros."""
    q = rng.integers(-127, 128, (8 * leaves, 32)).astype(np.int8)
    q[rng.random(8 * leaves) < 0.1] = 0
    return pack_update(q.reshape(-1), rng.integers(low, high, 8 * leaves).astype(np.uint8))


def by_the_rule(previous: bytes, updates: list[bytes], trim: int, max_exponent: int) -> bytes:
    depth = (len(previous) // 1024 - 1).bit_length()
    columns = [parse_update(u, depth, max_exponent).tolist() for u in updates]
    before = parse_model(previous, depth).tolist()
    return pack_model(np.array([aggregate_coordinate(b, c, trim) for b, *c in zip(before, *columns, strict=True)], np.int32))


@given(st.integers(0, 2**32), st.integers(0, 9), st.integers(0, 5), st.integers(0, E), st.integers(1, 24), st.data())
def test_files__give_the_bytes_of_the_rule__whatever_exponents(seed, n, trim, low, span, data):
    rng = np.random.default_rng(seed)
    updates = [update(rng, 2, low, min(low + span, E + 1)) for _ in range(n)]
    previous = model(rng, 2, data.draw(st.sampled_from([1 << 31, 1 << 20, 1])))
    assert aggregate_files(previous, updates, trim, E, threads=1) == by_the_rule(previous, updates, trim, E)


@given(st.lists(st.binary(min_size=264, max_size=264), max_size=6), st.integers(0, 3), st.integers(0, E), st.booleans())
def test_files__of_any_bytes__give_the_bytes_of_the_rule(updates, trim, most, tame):
    if tame:  # exponents that E allows: only the numbers are strange
        updates = [bytes(b % (most + 1) for b in u[:8]) + u[8:] for u in updates]
    previous = model(np.random.default_rng(1), 1)
    assert aggregate_files(previous, updates, trim, most) == by_the_rule(previous, updates, trim, most)


@pytest.mark.parametrize("n", [2, 63, 128])
@pytest.mark.parametrize("value", [-127, 127, -128])
@pytest.mark.parametrize(
    "exponents", [(0,), (16,), (23,), (0, 8), (0, 0, 8), (0, 0, 0, 8), (0, 7), (3, 4, 5, 6), (0, 9)], ids=str
)
def test_files__at_the_limits_of_every_sum__give_the_bytes_of_the_rule(n, value, exponents):
    q = np.full(256, value, np.int8)
    updates = [pack_update(q, np.full(8, exponents[i % len(exponents)], np.uint8)) for i in range(n)]
    for previous in (pack_model(np.full(256, end, np.int32)) for end in (-(2**31), 0, 2**31 - 1)):
        for trim in (0, 1, 64):
            assert aggregate_files(previous, updates, trim, E) == by_the_rule(previous, updates, trim, E)


@pytest.mark.parametrize("n, trim", [(1, 0), (5, 0), (5, 1), (40, 0), (40, 64)])
def test_files__in_ranges_and_threads__give_one_answer(n, trim, monkeypatch):
    rng = np.random.default_rng(n)
    updates = [update(rng, 16, 3, 6) for _ in range(n - 1)] + [update(rng, 16, 0, 20)]
    previous = model(rng, 16)
    depth, result = 4, set()
    for memory, wide, threads in ((1 << 24, 1 << 21, 1), (3 << 14, 1 << 12, 1), (1, 256, 2), (5 << 13, 1 << 14, 4)):
        monkeypatch.setattr(stream, "MEMORY", memory)
        monkeypatch.setattr(stream, "WIDE_VALUES", wide)
        result.add(bytes(aggregate_files(previous, updates, trim, E, threads=threads)))
        result.add(bytes(aggregate_files(previous, updates[::-1], trim, E, threads=threads)))
    assert result == {pack_model(aggregate(parse_model(previous, depth), [parse_update(u, depth, E) for u in updates], trim))}


@pytest.mark.parametrize("place", range(32))
def test_files__a_block_with_one_number_that_is_not_zero__counts__however_far_its_exponent(place):
    q = np.zeros(256, np.int8)
    q[place] = 5
    updates = [pack_update(np.full(256, 100, np.int8), np.full(8, 20, np.uint8)), pack_update(q, np.zeros(8, np.uint8))]
    previous = pack_model(np.zeros(256, np.int32))
    for trim in (0, 1):
        assert aggregate_files(previous, updates, trim, E) == by_the_rule(previous, updates, trim, E)


@pytest.mark.parametrize("trim", [0, 2])
def test_files__whose_exponents_are_eight_apart__take_the_fast_way(trim, monkeypatch):
    monkeypatch.setattr(stream._Job, "_plainly", lambda *_: pytest.fail("the plain way"))
    rng = np.random.default_rng(0)
    updates = [update(rng, 4, 4 + 8 * (i == 0), 5 + 8 * (i == 0)) for i in range(5)]
    previous = model(rng, 4, 1 << 20)
    assert aggregate_files(previous, updates, trim, E) == by_the_rule(previous, updates, trim, E)


@pytest.mark.parametrize(
    "exponents, times", [((0,) * 128, 1), ((0, 0, 8), 1), ((0, 0, 0, 8), 2), ((8, 0, 0, 0), 2), ((8, 0, 0, 8, 0, 0, 0), 3)]
)
def test_files__lanes_are_emptied_when_they_are_full__not_before(exponents, times, monkeypatch):
    emptied = []
    whole = stream._empty
    monkeypatch.setattr(stream, "_empty", lambda *lanes: (emptied.append(1), whole(*lanes)))
    q = np.full(256, 127, np.int8)
    aggregate_files(model(np.random.default_rng(0), 1), [pack_update(q, np.full(8, e, np.uint8)) for e in exponents], 0, E)
    assert len(emptied) == times


@pytest.mark.parametrize("k, n, least", [(0, 3, 0.7), (0, 40, 0.5), (1, 40, 0.9), (9, 40, 0.9)])
def test_buffers__take_most_of_a_thread_s_memory__and_no_more(k, n, least):
    held = [b for kept in vars(stream._Buffers(k, n)).values() for b in (kept if isinstance(kept, list) else [kept])]
    assert least * stream.MEMORY < sum(b.nbytes for b in held) <= stream.MEMORY


def test_leaves_at_a_time__are_one_at_least__however_little_memory(monkeypatch):
    monkeypatch.setattr(stream, "MEMORY", 1)
    assert stream.leaves_at_a_time(0, 5) == stream.leaves_at_a_time(2, 5) == 1


def test_cores__are_those_of_this_process__else_of_the_machine__else_one(monkeypatch):
    monkeypatch.setattr(stream.os, "sched_getaffinity", {0: {3, 5, 7}, 1: {1}}.get, raising=False)
    assert stream.cores() == 3
    monkeypatch.delattr(stream.os, "sched_getaffinity")
    monkeypatch.setattr(stream.os, "cpu_count", lambda: 6)
    assert stream.cores() == 6
    monkeypatch.setattr(stream.os, "cpu_count", lambda: None)
    assert stream.cores() == 1


@pytest.mark.parametrize("trim", [0, 2])
def test_files__the_plain_way_is_rare(trim, monkeypatch):
    """Honest updates of like size, zeros among them, take the fast way: otherwise a figure means nothing."""
    monkeypatch.setattr(stream._Job, "_plainly", lambda *_: pytest.fail("the plain way"))
    rng = np.random.default_rng(0)
    updates = [update(rng, 4, 8, 12) for _ in range(5)] + [pack_update(np.zeros(1024, np.int8), np.zeros(32, np.uint8))]
    aggregate_files(model(rng, 4), updates, trim, E)


def test_files__need_no_more_memory_for_more_or_larger_updates():
    rng = np.random.default_rng(0)

    def most(n: int, leaves: int, low: int, trim: int) -> int:
        updates = [update(rng, leaves, low, 12) for _ in range(n)]
        previous = model(rng, leaves)
        out = bytearray(len(previous))
        tracemalloc.start()
        aggregate_files(previous, updates, trim, E, out, threads=1)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert max(itertools.starmap(most, [(3, 4096, 10, 0), (40, 2048, 10, 0), (128, 2048, 10, 0), (40, 2048, 10, 9)])) < 16 << 20
    assert most(40, 2048, 0, 0) < 64 << 20  # the plain way, in 64 bits


def test_files__that_are_memory_mapped__into_one_that_is(tmp_path):
    rng = np.random.default_rng(0)
    files = [model(rng, 8), *(update(rng, 8, 2, 6) for _ in range(3)), bytes(8 * 1024)]
    views = []
    for i, data in enumerate(files):
        (tmp_path / str(i)).write_bytes(data)
        with (tmp_path / str(i)).open("r+b") as file:
            views.append(memoryview(mmap.mmap(file.fileno(), 0)))
    previous, *updates, out = views
    aggregate_files(previous, updates, 0, E, out)
    assert (tmp_path / "4").read_bytes() == aggregate_files(files[0], files[1:-1], 0, E)


def test_files__into_room_that_was_given__and_without_updates():
    previous = model(np.random.default_rng(0), 2)
    room = bytearray(len(previous))
    assert aggregate_files(previous, [], 0, E, room) is room and room == previous
    assert aggregate_files(previous, [], 3, E) == previous


@pytest.mark.parametrize(
    "model_bytes, update_bytes, room", [(1023, 264, None), (1024, 263, None), (2048, 264, None), (1024, 264, 1)]
)
def test_files__that_do_not_belong_together__are_refused(model_bytes, update_bytes, room):
    out = None if room is None else bytearray(room)
    with pytest.raises(ArtifactError, match="bytes"):
        aggregate_files(bytes(model_bytes), [bytes(update_bytes)], 0, E, out)


@pytest.mark.parametrize("n", [*range(1, 14), 50, 127, 128])
def test_network__puts_the_lowest_and_highest_outside(n):
    order = random.Random(n)
    for k in {0, 1, n // 4, trim_of(n, n)}:
        for _ in range(20):
            values = [order.randrange(-5, 5) * 3000 for _ in range(n)]
            wanted = sorted(values)[k : n - k]
            rows = [np.array([v], np.int16) for v in values]
            assert sorted(int(row[0]) for row in middle(rows, k, np.empty(1, np.int16))) == wanted


@pytest.mark.parametrize("n", range(2, 9))
def test_network__by_the_zero_one_principle__sorts_everything(n):
    """A network that is right on all zeros and ones is right on all values (Knuth, 5.3.4)."""
    for k in range(trim_of(n, n) + 1):
        for bits in itertools.product((0, 1), repeat=n):
            wires = list(bits)
            for i, j in comparators(n, k):
                wires[i], wires[j] = min(wires[i], wires[j]), max(wires[i], wires[j])
            assert sorted(wires[k : n - k]) == sorted(bits)[k : n - k]


def test_network__is_cut_where_order_says_nothing():
    assert comparators(50, 0) == ()
    assert [len(comparators(n, k)) for n, k in ((4, 1), (8, 3), (16, 7))] == [4, 16, 52]  # of 5, 19, 63
    assert len(comparators(10, 4)) == 29  # of 32
    assert len(comparators(50, 24)) == 330  # of 403


@pytest.mark.parametrize("trim", [0, 1])
def test_files__exponents_just_above_the_term__are_zeros_on_the_fast_way(trim):
    rng = np.random.default_rng(3)
    updates = [update(rng, 2, 3, 8) for _ in range(6)]
    previous = model(rng, 2)
    assert aggregate_files(previous, updates, trim, 5) == by_the_rule(previous, updates, trim, 5)
    assert aggregate_files(previous, updates, trim, 5) != aggregate_files(previous, updates, trim, 8)
