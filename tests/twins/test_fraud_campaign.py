"""Soundness and completeness of the fraud proof on a real federation of ten seats: a right model is never refuted, and any
single wrong number is, for the mean, a trim of 2 and the median. `--profile deep` plays more."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.evm import refused
from support.proofs import find_wrong
from support.system import CHALLENGER, System, random_model

from fl.protocol import fraud, seats
from fl.protocol.artifact import LEAF_PARAMETERS, Kind, pack_model, parse_model, parse_update
from fl.protocol.fraud import Opened

TRIMS = (0, 2, 64)
_systems: dict[int, System] = {}


def federation(trim: int) -> System:
    """Ten seats, one leaf; built once per trim and taken back to the proposal by a snapshot of the engine."""
    if trim not in _systems:
        rng = np.random.default_rng(trim)
        _systems[trim] = System.create(model=random_model(rng), trim=trim, max_exponent=23).join(10).fund()
    return _systems[trim]


def raw_update(rng: np.random.Generator) -> bytes:
    """Any bytes at all, malformed blocks included."""
    data = bytearray(rng.bytes(264))
    if rng.random() < 0.8:
        data[:8] = rng.integers(0, 24, 8, dtype=np.uint8).tobytes()
    return bytes(data)


def facts(s: System) -> dict:
    roots = [Opened.of(s.updates[i], Kind.UPDATE).tree.root[:28] for i in seats.from_bitmap(s.round.accepted)]
    return {
        "depth": 0,
        "max_exponent": 23,
        "trim": s.terms.trim,
        "update_roots": roots,
        "previous_root": Opened.of(s.model, Kind.MODEL).tree.root,
        "proposed_root": Opened.of(s.proposal, Kind.MODEL).tree.root,
    }


@pytest.mark.parametrize("trim", TRIMS)
@settings(max_examples=170)
@given(seed=st.integers(0, 2**32), coordinate=st.integers(0, 255), error=st.integers(1, 2**31 - 1))
def test_right_models_stand__and_one_wrong_number_falls(trim, seed, coordinate, error):
    rng = np.random.default_rng(seed)
    s = federation(trim)
    mark = s.evm.mark()
    try:
        s.to_propose({seat: raw_update(rng) for seat in range(int(rng.integers(3, 11)))})
        right = parse_model(s.aggregate(), 0)
        # Complete: one wrong number anywhere, by any amount, falls.
        wrong = right.copy()
        wrong[coordinate] = np.int64(right[coordinate]) + error - (2**32 if int(right[coordinate]) + error > 2**31 - 1 else 0)
        s.propose(pack_model(wrong), 0)
        updates = [parse_update(s.updates[i], 0, 23) for i in seats.from_bitmap(s.round.accepted)]
        assert find_wrong(parse_model(s.model, 0), updates, wrong, trim) == (0, coordinate)
        assert fraud.check_challenge(0, coordinate, s.proof(), **facts(s))
        s.do("challenge", 0, coordinate, s.proof(), by=CHALLENGER)
        # Sound: the right model survives a challenge at every coordinate tried.
        s.propose(pack_model(right), 1)
        for at in {0, 255, coordinate, *rng.integers(0, LEAF_PARAMETERS, 6).tolist()}:
            assert not fraud.check_challenge(0, at, s.proof(), **facts(s))
            with refused("CoordinateCorrect", int(right[at])):
                s.do("challenge", 0, at, s.proof(), by=CHALLENGER)
        s.finish()
    finally:
        s.evm.back(mark)
        s.evm._sync()
        s.model = _first_model(s, trim)


def _first_model(s: System, trim: int) -> bytes:
    model = random_model(np.random.default_rng(trim))
    assert s.see("model") == Opened.of(model, Kind.MODEL).tree.root
    return model
