"""Bytes from strangers: no length, exponent or -128 harms; what comes out is bounded, finite, and the same for everybody."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.manifests import manifest
from support.system import BASE_TERMS, random_update

from fl.agents.record.history import History, Reveal, RoundLog
from fl.agents.record.public_record import Record
from fl.errors import ArtifactError
from fl.network.stores.local import LocalStore
from fl.protocol.aggregate import aggregate
from fl.protocol.artifact import (
    MAX_DEPTH,
    Kind,
    pack_model,
    parse_model,
    parse_update,
    size_of,
    update_is_canonical,
)
from fl.protocol.fixed_point import to_float
from fl.protocol.leaves import Tree, root_of

E_MAX, PARAMETERS = 16, 200
HONEST = random_update(np.random.default_rng(1), max_exponent=E_MAX)[: 8 + PARAMETERS] + bytes(256 - PARAMETERS)
LEAVES = st.binary(min_size=264, max_size=264)


def with_byte(at: int, value: int) -> bytes:
    return HONEST[:at] + bytes([value]) + HONEST[at + 1 :]


# name: (an update's file, which of its 8 blocks must count as zeros)
HOSTILE = {
    "exponent one too large": (with_byte(3, E_MAX + 1), {3}),
    "largest exponent": (with_byte(0, 255), {0}),
    "q = -128 first": (with_byte(8, 128), {0}),
    "q = -128 last": (with_byte(8 + PARAMETERS - 1, 128), {6}),
    "a number behind the model": (with_byte(8 + PARAMETERS, 1), set()),
    "all ones": (b"\xff" * 264, set(range(8))),
    "all -128": (bytes(8) + b"\x80" * 256, set(range(8))),
}
EACH = pytest.mark.parametrize("data, dead", HOSTILE.values(), ids=HOSTILE.keys())


def judged(folder, files: dict[int, bytes]):
    """(who counts as well-formed, the verdict) of a round in which seats revealed these files."""
    store = LocalStore(folder)
    for data in files.values():
        store.put(data, Kind.UPDATE)
    log = RoundLog(1, sorted(files), bytes(32), 0, 0, revealed=sorted(files))
    log.reveals = {seat: Reveal(root_of(data, Kind.UPDATE), bytes(32), b"") for seat, data in files.items()}
    history = History(3)
    history.rounds.append(log)
    terms = replace(BASE_TERMS, max_exponent=E_MAX, manifest=store.put_manifest(manifest(PARAMETERS)))
    record = Record(terms, manifest(PARAMETERS), store)
    return sorted(record.well_formed(log)), record.judged(history, log)


@pytest.mark.parametrize(
    "kind, parse", [(Kind.MODEL, parse_model), (Kind.UPDATE, lambda d, depth: parse_update(d, depth, E_MAX))]
)
@pytest.mark.parametrize("depth", [0, 3])
def test_parse__any_other_length__is_refused(kind, parse, depth):
    right = size_of(kind, depth)
    assert parse(bytes(right), depth).size == 256 << depth
    for wrong in (0, 1, right - 1, right + 1, right // 2, right * 2, right - kind.value, right + kind.value):
        with pytest.raises(ArtifactError, match=f"{kind.name.lower()} of {wrong:,} bytes; depth {depth} needs {right:,}"):
            parse(bytes(wrong), depth)
    for other in {0, 1, depth + 1, MAX_DEPTH} - {depth}:
        with pytest.raises(ArtifactError):
            parse(bytes(right), other)


@given(st.binary(max_size=600).filter(lambda data: len(data) != 264), st.integers(0, 23))
def test_canonical__another_length__is_not(data, maximum):
    assert not update_is_canonical(data, 0, maximum, PARAMETERS)


@given(LEAVES, LEAVES, st.integers(0, 23))
def test_update__of_any_bytes__moves_within_the_bound__and_the_model_stays_finite(first, second, maximum):
    updates = [parse_update(leaf, 0, maximum) for leaf in (first, second)]
    for update in updates:
        assert update.dtype == np.int32 and np.abs(update.astype(np.int64)).max() <= 127 << maximum
    for edge in (2**31 - 1, -(2**31)):
        moved = to_float(aggregate(np.full(256, edge, np.int32), updates, 0))
        assert np.isfinite(moved).all() and moved.min() >= -128 and moved.max() < 128


@given(st.binary(min_size=1024, max_size=1024))
def test_model__of_any_bytes__is_finite_and_there_and_back(data):
    floats = to_float(parse_model(data, 0))
    assert np.isfinite(floats).all() and np.abs(floats).max() <= 128
    assert pack_model(parse_model(data, 0)) == data


@pytest.mark.parametrize("pattern", ["7fc00000", "7f800000", "ff800000", "80000000", "00000001"])
def test_model__has_no_nan__whatever_floats_its_bytes_would_be(pattern):
    floats = to_float(parse_model(bytes.fromhex(pattern) * 256, 0))
    assert floats[0] == int.from_bytes(bytes.fromhex(pattern), signed=True) * 2.0**-24
    assert np.isfinite(floats).all()


@EACH
def test_hostile_block__counts_as_zeros__and_its_neighbours_as_they_are(data, dead):
    result, honest = (parse_update(d, 0, E_MAX).reshape(8, 32) for d in (data, HONEST))
    for block in range(8):
        if block in dead:
            assert not result[block].any()
        elif data != HOSTILE["a number behind the model"][0]:
            assert (result[block] == honest[block]).all()


@EACH
def test_hostile_update__is_no_canonical_one(data, dead):
    assert update_is_canonical(HONEST, 0, E_MAX, PARAMETERS)
    assert not update_is_canonical(data, 0, E_MAX, PARAMETERS)


@EACH
def test_hostile_update__revealed_and_published__is_left_out_by_everybody(tmp_path, data, dead):
    well_formed, result = judged(tmp_path, {0: HONEST, 1: data, 2: HONEST})
    assert well_formed == sorted(result.inside) == [0, 2]


def test_hostile_update__of_another_length__is_left_out_by_everybody(tmp_path):
    assert judged(tmp_path, {0: HONEST, 1: HONEST * 2, 2: HONEST})[0] == [0, 2]


def test_random_leaves__are_judged_without_harm_to_the_others(tmp_path):
    rng, verdicts = np.random.default_rng(0), set()
    for case in range(60):
        exponents = rng.integers(0, E_MAX + 2, 8, dtype=np.uint8).tobytes()
        leaf = exponents + rng.bytes(PARAMETERS) + bytes(256 - PARAMETERS)
        well_formed, result = judged(tmp_path / str(case), {0: HONEST, 1: leaf, 2: HONEST})
        assert {0, 2} <= result.inside and (1 in well_formed) is (max(exponents) <= E_MAX and b"\x80" not in leaf[8:])
        verdicts.add((1 in well_formed, 1 in result.inside))
    assert verdicts == {(False, False), (True, False), (True, True)}


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("leaves", [0, 3, 5, 6, 0.5, 1.5])
def test_tree__of_a_file_that_is_no_power_of_two_of_leaves__is_refused(kind, leaves):
    with pytest.raises(ArtifactError, match="not a power of two"):
        Tree.build(bytes(int(leaves * kind.value)), kind)
