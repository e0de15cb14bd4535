"""What the federation is compared with: the ways agree where they must, and differ where the table says so."""

from copy import copy
from dataclasses import replace

import numpy as np
import pytest

from fl.learning.data.partition import Part, Shard, Split, split
from fl.learning.research.baselines import alone, exact_fedavg, float_fedavg, generator, pooled
from fl.learning.task_loading import load_task

LINEAR, HEART = load_task("linear"), load_task("heart")


@pytest.fixture(scope="module")
def hospitals() -> Split:
    return split(HEART.data(), 4, None, 0)


@pytest.fixture(scope="module")
def devices() -> Split:
    return split(LINEAR.data(), 3, None, 0)


def test_generator__is_a_stream_for_each_seed_round_and_seat():
    first = {key: generator(*key).integers(2**60) for key in [(s, r, p) for s in range(3) for r in range(3) for p in range(3)]}
    assert len(set(first.values())) == 27
    assert first[1, 2, 0] == generator(1, 2, 0).integers(2**60)


def test_federation_of_one__is_that_one_alone(hospitals):
    one = Split(hospitals.shards[:1], hospitals.test)
    expected = alone(HEART, one.shards[0].train, one.test, 2, 7)
    assert float_fedavg(HEART, one, 2, 7) == expected == pooled(HEART, one, 2, 7)


def test_pooled__is_one_participant_with_everybody_s_rows_and_steps(hospitals):
    parts = [s.train for s in hospitals.shards]
    whole = Part(np.concatenate([p.x for p in parts]), np.concatenate([p.y for p in parts]))
    assert len(whole) == sum(map(len, parts))
    longer = copy(HEART)
    longer.training = replace(HEART.training, steps=4 * HEART.training.steps)
    assert pooled(HEART, hospitals, 1, 3) == alone(longer, whole, hospitals.test, 1, 3)


@pytest.mark.parametrize("way", [float_fedavg, exact_fedavg, pooled])
def test_ways__follow_the_seed(hospitals, way):
    assert way(HEART, hospitals, 1, 1) == way(HEART, hospitals, 1, 1) != way(HEART, hospitals, 1, 2)


def test_linear__every_way_finds_two_and_zero(devices):
    ways = [way(LINEAR, devices, 15, 0) for way in (exact_fedavg, float_fedavg, pooled)]
    assert max(ways) < 0.02 < 1 < pooled(LINEAR, devices, 0, 0)


def test_heart__eight_bits_cost_nothing__and_together_beats_alone(hospitals):
    exact, plain = exact_fedavg(HEART, hospitals, 3, 0), float_fedavg(HEART, hospitals, 3, 0)
    by_themselves = [alone(HEART, s.train, hospitals.test, 3, 0, i) for i, s in enumerate(hospitals.shards)]
    assert abs(exact - plain) < 0.005
    assert exact > np.mean(by_themselves) + 0.03
    assert pooled(HEART, hospitals, 3, 0) > np.mean(by_themselves) + 0.03


def test_exact__trimmed__withstands_a_participant_with_wrong_answers__and_the_mean_does_not(devices):
    liar = devices.shards[0]
    shards = (Shard("liar", Part(liar.train.x, -liar.train.y), liar.held_out), *devices.shards[1:])
    poisoned = Split(shards, devices.test)
    mean, median = (exact_fedavg(LINEAR, poisoned, 10, 0, trim) for trim in (0, 1))
    assert median < 0.1 < 1 < mean
