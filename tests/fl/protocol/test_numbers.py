"""Numbers and files: encode, decode, refuse; every promise of the byte format."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.proofs import verify

from fl.errors import ArtifactError, NumberError
from fl.protocol import leaves
from fl.protocol.aggregate import aggregate, aggregate_coordinate, trim_of
from fl.protocol.artifact import (
    Kind,
    UpdateNumbers,
    depth_for,
    leaf_bytes,
    pack_model,
    pack_update,
    pad,
    parse_model,
    parse_update,
    size_of,
    update_is_canonical,
)
from fl.protocol.blocks import dequantize, quantize
from fl.protocol.fixed_point import UNIT, to_fixed, to_float
from fl.protocol.leaves import Tree, root_of

FLOATS = st.floats(-127.5, 127.5, allow_nan=False, width=32)


@given(st.lists(FLOATS, min_size=1))
def test_fixed_point__there_and_back__loses_at_most_half_a_unit(values):
    x = np.array(values)
    assert np.abs(to_float(to_fixed(x)) - x).max() <= UNIT / 2


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 128.0, -128.1])
def test_fixed_point__what_it_cannot_hold__is_refused(bad):
    with pytest.raises(NumberError):
        to_fixed(np.array([0.0, bad]))


def test_fixed_point__limits_are_held():
    assert to_fixed(np.array([-128.0, 128.0 - UNIT])).tolist() == [-(2**31), 2**31 - 1]


@given(st.lists(st.floats(-30, 30, width=32), min_size=32, max_size=32), st.integers(0, 2**32))
def test_quantize__is_within_one_step_and_canonical(values, seed):
    delta = np.array(values)
    q, e = quantize(delta, 23, np.random.default_rng(seed))
    back = to_float(dequantize(q, e, 23))
    step = 2.0 ** int(e[0]) * UNIT
    assert (q != -128).all() and (e <= 23).all()
    assert np.abs(back - delta).max() <= step
    nearest, e2 = quantize(delta, 23, None)
    assert np.abs(to_float(dequantize(nearest, e2, 23)) - delta).max() <= 2.0 ** int(e2[0]) * UNIT / 2 + 1e-15


def test_quantize__takes_the_least_exponent_that_holds_the_largest():
    for largest, exponent in ((127, 0), (127.001, 1), (128, 1), (254, 1), (255, 2), (127 * 2**23, 23), (2**31, 23)):
        delta = np.zeros(32)
        delta[5] = largest * UNIT
        assert quantize(delta, 23, None)[1][0] == exponent, largest


def test_quantize__beyond_the_largest_exponent__clips():
    q, e = quantize(np.full(32, 100.0), 4, None)
    assert (q == 127).all() and e[0] == 4


def test_quantize__is_right_on_average():
    delta = np.full(32, 0.3 * UNIT)
    rng = np.random.default_rng(0)
    mean = np.mean([dequantize(*quantize(delta, 23, rng), 23) for _ in range(500)])
    assert abs(mean - 0.3) < 0.02


def test_quantize__of_nan__is_refused():
    with pytest.raises(NumberError):
        quantize(np.array([np.nan] * 32), 23, None)


@pytest.mark.parametrize("e, q, expected", [(3, 127, 1016), (3, -127, -1016), (4, 127, 0), (3, -128, 0), (255, 1, 0)])
def test_dequantize__is_total__and_a_malformed_block_is_zeros(e, q, expected):
    values = np.zeros(32, np.int8)
    values[[0, 31]] = (1, q)
    out = dequantize(values, np.array([e], np.uint8), 3)
    assert out[31] == expected
    assert out[0] == (8 if expected else 0)


@given(st.binary(min_size=264 * 2, max_size=264 * 2), st.integers(0, 23))
def test_parse_update__takes_any_bytes_of_the_right_length(data, maximum):
    values = parse_update(data, 1, maximum)
    assert values.shape == (512,) and np.abs(values.astype(np.int64)).max() <= 127 << maximum


PLACES = st.none() | st.integers(-1100, 1100)


@given(st.binary(min_size=264 * 4, max_size=264 * 4), PLACES, PLACES)
def test_update_numbers__any_part__is_that_of_the_whole(data, start, stop):
    numbers, whole = UpdateNumbers(data, 2, 23), parse_update(data, 2, 23)
    assert numbers.size == whole.size == 1024
    assert np.array_equal(numbers[start:stop], whole[start:stop]) and numbers[start:stop].dtype == np.int32


@pytest.mark.parametrize("data", [b"", b"\0" * 263, b"\0" * 265, b"\0" * 528])
def test_parse_update__of_a_wrong_length__is_refused(data):
    with pytest.raises(ArtifactError, match="depth 0 needs 264"):
        parse_update(data, 0, 23)


def test_model__there_and_back():
    values = np.random.default_rng(0).integers(-(2**31), 2**31, 512).astype(np.int32)
    assert (parse_model(pack_model(values), 1) == values).all()
    assert pack_model(np.array([1, -1], np.int32)) == b"\x00\x00\x00\x01\xff\xff\xff\xff"
    with pytest.raises(ArtifactError):
        parse_model(pack_model(values), 0)


def test_update__there_and_back__and_leaf_layout():
    rng = np.random.default_rng(0)
    q, e = rng.integers(-127, 128, 512, dtype=np.int8), rng.integers(0, 8, 16, dtype=np.uint8)
    data = pack_update(q, e)
    assert (parse_update(data, 1, 23) == dequantize(q, e, 23)).all()
    second = leaf_bytes(data, Kind.UPDATE, 1)
    assert second[:8] == e[8:].tobytes() and second[8:] == q[256:].tobytes()


def test_canonical__refuses_what_no_honest_encoder_writes():
    q, e = np.zeros(256, np.int8), np.zeros(8, np.uint8)
    good = pack_update(q, e)
    assert update_is_canonical(good, 0, 5, 100)
    for at, value in ((100, 1), (0, -128)):
        bad = q.copy()
        bad[at] = value
        assert not update_is_canonical(pack_update(bad, e), 0, 5, 100)
    assert not update_is_canonical(pack_update(q, e + 6), 0, 5, 100)
    assert not update_is_canonical(good + b"\0", 0, 5, 100)


@pytest.mark.parametrize("n, depth", [(1, 0), (256, 0), (257, 1), (512, 1), (513, 2), (25_000_000, 17), (1 << 30, 22)])
def test_depth__is_the_least_that_fits(n, depth):
    assert depth_for(n) == depth
    assert size_of(Kind.MODEL, depth) == 1024 << depth


def test_depth__beyond_the_limit__is_refused():
    for bad in (0, (1 << 30) + 1):
        with pytest.raises(ArtifactError):
            depth_for(bad)
    with pytest.raises(ArtifactError):
        pad(np.zeros(257), 0)


@given(st.lists(st.lists(st.integers(-(2**30), 2**30), min_size=9, max_size=9), max_size=12), st.integers(0, 64))
def test_aggregate__is_the_plain_rule_at_every_coordinate(rows, trim):
    previous = np.arange(-4, 5, dtype=np.int32) * (2**29)
    result = aggregate(previous, [np.array(r, np.int32) for r in rows], trim)
    for i in range(9):
        assert result[i] == aggregate_coordinate(int(previous[i]), [r[i] for r in rows], trim)


def test_aggregate__truncates_toward_zero_and_not_down():
    assert aggregate_coordinate(0, [-1, 0], 0) == 0
    assert aggregate(np.zeros(1, np.int32), [np.array([-1], np.int32), np.array([0], np.int32)], 0)[0] == 0


@pytest.mark.parametrize("n, k, kept", [(0, 5, 0), (1, 5, 0), (2, 5, 0), (3, 5, 1), (10, 2, 2), (10, 64, 4), (128, 64, 63)])
def test_trim__always_leaves_one(n, k, kept):
    assert trim_of(k, n) == kept


def test_aggregate__does_not_care_about_order():
    rng = np.random.default_rng(1)
    updates = [rng.integers(-(2**30), 2**30, 300).astype(np.int32) for _ in range(7)]
    base = np.zeros(300, np.int32)
    for trim in (0, 2, 64):
        assert (aggregate(base, updates, trim) == aggregate(base, updates[::-1], trim)).all()


def test_verify__refuses_another_size_range_or_length_of_path():
    data = np.random.default_rng(0).bytes(1024 * 4)
    tree = Tree.build(data, Kind.MODEL)
    leaf, path = data[1024:2048], tree.path(1)
    assert verify(leaf, 1, path, 2, Kind.MODEL, tree.root)
    assert not verify(leaf, 2, path, 2, Kind.MODEL, tree.root)
    assert not verify(leaf, 5, path, 2, Kind.MODEL, tree.root)  # 5 = 1 + 4: the same low bits
    assert not verify(leaf, 1, path[:1], 2, Kind.MODEL, tree.root)
    assert not verify(leaf[:-1], 1, path, 2, Kind.MODEL, tree.root)
    inner = b"\x01" + tree.levels[0][0] + tree.levels[0][1]
    assert not verify(inner, 0, path[1:], 2, Kind.MODEL, tree.root)


@pytest.mark.parametrize("size", [0, 1023, 1024 * 3, 1025])
def test_tree__of_a_ragged_file__is_refused(size):
    for refuses in (Tree.build, root_of):
        with pytest.raises(ArtifactError, match=f"^{size:,} bytes are not a power of two of 1024-byte leaves$"):
            refuses(b"\0" * size, Kind.MODEL)


@pytest.mark.parametrize("levels", range(6))
@pytest.mark.parametrize("kind", Kind)
def test_root__by_parts_of_the_tree__is_the_trees(kind, levels, monkeypatch):
    monkeypatch.setattr(leaves, "SUBTREE", levels)
    for depth in range(5):
        data = np.random.default_rng(depth).bytes(size_of(kind, depth))
        assert root_of(data, kind) == root_of(memoryview(data), kind) == Tree.build(data, kind).root
