"""Floats to updates and back: the bound on what rounding loses, error feedback that brings it later, and what is refused."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from fl.errors import NumberError
from fl.learning.codec import depth_of, encode_update, floats_of, load_floats, load_vector, parameters_of, to_vector
from fl.protocol.artifact import Kind, depth_for, parse_update, size_of, update_is_canonical
from fl.protocol.blocks import BLOCK, Q_MAX
from fl.protocol.fixed_point import UNIT, to_float

DELTAS = st.lists(st.floats(-0.375, 0.375, width=32), min_size=1, max_size=600)
E_MAX = 16  # holds 127 * 2^16 units, which is just below 0.5


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(16, 20))


def encode(delta, residual=None, max_exponent: int = E_MAX, seed: int = 0):
    """(what arrives, what rounding lost, the file)."""
    delta = np.asarray(delta, float)
    depth = depth_for(delta.size)
    data, lost = encode_update(delta, residual, depth, max_exponent, np.random.default_rng(seed))
    return to_float(parse_update(data, depth, max_exponent)), lost, data


def steps(delta: np.ndarray) -> np.ndarray:
    """A number next to each of `delta`: the size of one step of its block, bound by the block's largest."""
    padded = np.append(delta, np.zeros(-delta.size % BLOCK)).reshape(-1, BLOCK)
    return np.repeat(np.maximum(2 * np.abs(padded).max(axis=1) / Q_MAX, UNIT), BLOCK)[: delta.size]


@given(DELTAS, st.integers(0, 2**32))
def test_encode__loses_less_than_a_step_of_the_block__and_tells_exactly_what(delta, seed):
    delta = np.array(delta)
    arrived, lost, data = encode(delta, seed=seed)
    assert (np.abs(arrived[: delta.size] - delta) <= steps(delta)).all()
    assert np.abs(arrived[: delta.size] + lost - delta).max() < 1e-12
    assert not arrived[delta.size :].any()
    depth = depth_for(delta.size)
    assert len(data) == size_of(Kind.UPDATE, depth) and update_is_canonical(data, depth, E_MAX, delta.size)


@given(DELTAS, DELTAS, st.integers(0, 2**32))
def test_residue__is_added_to_the_next_change(delta, residual, seed):
    n = min(len(delta), len(residual))
    delta, residual = np.array(delta[:n]) / 2, np.array(residual[:n]) / 2
    assert encode(delta, residual, seed=seed)[2] == encode(delta + residual, seed=seed)[2]


def rounds(count: int, delta: np.ndarray, feedback: bool) -> np.ndarray:
    """What arrived in all when the same change is sent again and again."""
    arrived, residual = np.zeros(delta.size), None
    for number in range(count):
        now, lost, _ = encode(delta, residual, seed=number)
        arrived += now[: delta.size]
        residual = lost if feedback else None
    return arrived


def test_residue__carries_what_rounding_lost__so_that_errors_do_not_add_up():
    delta = np.random.default_rng(0).normal(0, 0.01, BLOCK)
    off = {feedback: np.abs(rounds(400, delta, feedback) - 400 * delta).max() / steps(delta)[0] for feedback in (True, False)}
    assert off[True] <= 1 < 4 < off[False]


def test_residue__carries_what_was_clipped__until_all_has_arrived():
    most = Q_MAX * 2**4 * UNIT  # what an update can move by with E = 4
    wanted, arrived, lost = np.full(BLOCK, 2.5 * most), [], None
    for number in range(3):
        now, lost, _ = encode(wanted if number == 0 else 0 * wanted, lost, max_exponent=4)
        arrived.append(now[0] / most)
    assert arrived == pytest.approx([1, 1, 0.5], abs=1e-2)
    assert np.abs(lost).max() < 2**4 * UNIT


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["change", "residual"])
def test_nan_and_infinity__are_refused_with_a_remedy(bad, where):
    good, spoilt = np.zeros(3), np.array([0, bad, 0])
    with pytest.raises(NumberError, match="NaN or Inf: lower the learning rate or check the data"):
        encode(*((spoilt, good) if where == "change" else (good, spoilt)))


def test_model__there_and_back__every_parameter_in_its_place():
    model, other = network(), network()
    with torch.no_grad():
        for p in other.parameters():
            p.zero_()
    vector = to_vector(model)
    assert (parameters_of(model), depth_of(model), vector.size) == (4 * 9 + 4 + 16 * 20 + 20, 1, 512)
    assert not vector[380:].any()
    load_vector(other, vector)
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        assert p.shape == q.shape and (p - q).abs().max().item() <= UNIT / 2
    assert (to_vector(other) == vector).all()


def test_load_floats__takes_padding_and_leaves_it():
    model = network()
    wanted = np.arange(380) / 512
    load_floats(model, np.append(wanted, np.full(132, 9.0)))
    assert (floats_of(model) == wanted).all()
    assert model[0].weight[1, 0, 0, 2].item() == 11 / 512 and model[2].bias[-1].item() == 379 / 512


@pytest.mark.parametrize(
    "bad, message", [(float("nan"), "NaN or infinite"), (float("inf"), "NaN or infinite"), (128.0, "outside")]
)
def test_model__that_no_integer_holds__is_refused(bad, message):
    model = network()
    with torch.no_grad():
        model[2].bias[7] = bad
    with pytest.raises(NumberError, match=message):
        to_vector(model)
