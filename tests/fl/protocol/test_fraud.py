"""The fraud proof in Python alone, on a tree of four leaves: what falls, what stands, what is no proof.

when one number is wrong           then its proof topples the proposal, and at no other place does one
when a proof is not what it says   then ArtifactError names it
"""

from dataclasses import dataclass

import numpy as np
import pytest
from support.proofs import find_wrong

from fl.errors import ArtifactError
from fl.protocol import fraud
from fl.protocol.aggregate import aggregate
from fl.protocol.artifact import Kind, pack_model, pack_update, parse_update
from fl.protocol.fraud import Opened

DEPTH, EXPONENT, SIZE = 2, 16, 1024


@dataclass
class Case:
    """Three updates, a model, and a proposal that is wrong at one place."""

    seed: int = 0
    wrong_at: int | None = 700
    trim: int = 0

    def __post_init__(self):
        rng = np.random.default_rng(self.seed)
        files = [
            pack_update(rng.integers(-127, 128, SIZE).astype(np.int8), rng.integers(0, 9, 32).astype(np.uint8))
            for _ in range(3)
        ]
        self.previous = rng.integers(-(2**20), 2**20, SIZE).astype(np.int32)
        self.columns = [parse_update(f, DEPTH, EXPONENT) for f in files]
        self.proposed = aggregate(self.previous, self.columns, self.trim)
        if self.wrong_at is not None:
            self.proposed[self.wrong_at] += 1
        self.updates = [Opened.of(f, Kind.UPDATE) for f in files]
        self.models = [Opened.of(pack_model(m), Kind.MODEL) for m in (self.previous, self.proposed)]

    def proof(self, leaf: int) -> bytes:
        return fraud.challenge_proof(leaf, self.updates, *self.models)

    def falls(self, leaf: int, coordinate: int, proof: bytes | None = None) -> bool:
        roots = [u.tree.root for u in self.updates]
        before, after = (m.tree.root for m in self.models)
        shown = self.proof(leaf) if proof is None else proof
        return fraud.check_challenge(
            leaf,
            coordinate,
            shown,
            depth=DEPTH,
            max_exponent=EXPONENT,
            trim=self.trim,
            update_roots=roots,
            previous_root=before,
            proposed_root=after,
        )


@pytest.mark.parametrize("trim", [0, 1])
@pytest.mark.parametrize("at", [0, 255, 256, 700, 1023])
def test_one_wrong_number__falls_where_it_is_and_nowhere_else(at, trim):
    case = Case(at, at, trim)
    assert find_wrong(case.previous, case.columns, case.proposed, trim) == divmod(at, 256)
    assert [
        (leaf, c) for leaf in range(4) for c in (0, 1, 188, 254, 255) if case.falls(leaf, c) != (256 * leaf + c == at)
    ] == []
    assert case.falls(*divmod(at, 256))


def test_right_model__has_no_wrong_place():
    case = Case(wrong_at=None)
    assert find_wrong(case.previous, case.columns, case.proposed, 0) is None


@pytest.mark.parametrize("leaf, coordinate", [(-1, 0), (4, 0), (0, -1), (0, 256)])
def test_place_that_there_is_not__is_refused(leaf, coordinate):
    with pytest.raises(ArtifactError, match=f"leaf {leaf} or coordinate {coordinate}"):
        Case().falls(leaf, coordinate, Case().proof(0))


@pytest.mark.parametrize("cut", [slice(0, -1), slice(0, -32), slice(32, None)])
def test_proof_of_a_wrong_length__is_refused(cut):
    with pytest.raises(ArtifactError, match="has the wrong length"):
        Case().falls(0, 0, Case().proof(0)[cut])


@pytest.mark.parametrize("place", [0, 263, 264, 327, 328, 3 * 328, 3 * 328 + 1023, -1, -65])
def test_proof_with_one_byte_changed__is_no_proof(place):
    proof = bytearray(Case().proof(1))
    proof[place] ^= 1
    with pytest.raises(ArtifactError):
        Case().falls(1, 0, bytes(proof))


def test_proof_of_another_leaf__is_no_proof():
    with pytest.raises(ArtifactError):
        Case().falls(1, 0, Case().proof(2))
