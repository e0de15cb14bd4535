"""Small rules of the protocol, each by hand: what a file's reader, a committee and a round begin with."""

from dataclasses import astuple

import numpy as np
import pytest
from support.proofs import verify

from fl.errors import ArtifactError
from fl.protocol import committee, scores
from fl.protocol.aggregate import aggregate
from fl.protocol.artifact import Kind, depth_for, leaf_bytes, pack_update, pad, update_is_canonical
from fl.protocol.blocks import quantize
from fl.protocol.commitment import update_commitment
from fl.protocol.leaves import Tree
from fl.protocol.phases import Phase, RoundFacts, phase_and_end
from fl.protocol.terms import ZERO_ADDRESS


def test_pad__fills_up_with_zeros__and_refuses_what_does_not_fit():
    assert pad(np.array([1, 2], np.int32), 0).tolist() == [1, 2] + [0] * 254
    assert pad(np.ones(512, np.int32), 1).tolist() == [1] * 512
    with pytest.raises(ArtifactError, match=r"513 parameters do not fit depth 1 \(512\)"):
        pad(np.ones(513), 1)


def test_depth__beyond_the_deepest_tree__is_refused_with_its_size():
    with pytest.raises(ArtifactError, match="1,073,741,825 parameters exceed 1,073,741,824"):
        depth_for(2**30 + 1)


def test_update__with_the_largest_exponent__is_canonical__with_one_more_it_is_not():
    def written(exponent: int) -> bytes:
        return pack_update(np.ones(256, np.int8), np.full(8, exponent, np.uint8))

    assert update_is_canonical(written(9), 0, 9, 256) and not update_is_canonical(written(10), 0, 9, 256)


@pytest.mark.parametrize("q, canonical", [(-128, False), (-127, True), (127, True)])
def test_update__with_the_least_number__is_canonical__with_one_less_it_is_not(q, canonical):
    data = pack_update(np.full(256, q, np.int8), np.zeros(8, np.uint8))
    assert update_is_canonical(data, 0, 9, 256) is canonical


def test_quantize__of_negatives__mirrors__and_blocks_do_not_know_of_each_other():
    rng = np.random.default_rng(0)
    delta = rng.normal(size=32 * 4100) * np.repeat(2.0 ** rng.integers(-12, 4, 4100), 32)
    q, e = quantize(delta, 23, None)
    for block in (0, 1, 2047, 2048, 4095, 4096, 4099):
        part = slice(32 * block, 32 * block + 32)
        alone, exponent = quantize(delta[part], 23, None)
        assert (alone == q[part]).all() and exponent[0] == e[block]
    mirrored = quantize(-np.abs(delta), 23, None), quantize(np.abs(delta), 23, None)
    assert (mirrored[0][0] == -mirrored[1][0]).all() and (mirrored[0][1] == mirrored[1][1]).all()


def test_aggregate__of_no_updates__is_the_model__without_a_division_by_zero():
    previous = np.arange(256, dtype=np.int32)
    with np.errstate(all="raise"):
        after = aggregate(previous, [], 0)
    assert (after == previous).all() and after is not previous


def test_committee__packed_and_unpacked():
    assert committee.pack([7, 0, 127]) == 7 << 112 | 127 << 96
    assert committee.unpack(committee.pack([7, 0, 127]), 3) == [7, 0, 127]


def test_accepted__is_every_score_above_zero():
    assert scores.accepted([3, 5, 8], bytes([0, 1, 255])) == [5, 8]


def test_commitment__without_a_locator__is_of_an_empty_one():
    facts = 1, ZERO_ADDRESS, 2, 3, bytes(32), bytes(32)
    assert update_commitment(*facts) == update_commitment(*facts, b"") != update_commitment(*facts, b"x")


def test_tree__knows_its_depth__and_shows_every_leaf():
    data = bytes(range(256)) * 16
    for depth in range(3):
        part = data[: 1024 << depth]
        tree = Tree.build(part, Kind.MODEL)
        assert tree.depth == depth
        for leaf in range(1 << depth):
            content = leaf_bytes(part, Kind.MODEL, leaf)
            assert verify(content, leaf, tree.path(leaf), depth, Kind.MODEL, tree.root)
        for leaf in (-1, 1 << depth):
            assert not verify(content, leaf, tree.path(0), depth, Kind.MODEL, tree.root)


def test_round__of_which_nothing_is_known__is_none():
    assert {field for field in astuple(RoundFacts()) if field not in (0, False)} == {bytes(32)}
    assert phase_and_end(RoundFacts(), None, 0) == (Phase.IDLE, 0)
