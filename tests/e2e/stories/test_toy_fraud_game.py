"""The whole fraud game on numbers that can be added by hand.

A model of four numbers (the other 252 are padding), in units: it begins as 10, 20, 30, 40. Three participants add
    seat 0:   3,  -1,  0,  100
    seat 1:   3,  -1,  0,  100
    seat 2:   3,  -3,  1, -126
so the mean adds 9/3 = 3, -5/3 = -1 (toward zero, not -2), 1/3 = 0 and 74/3 = 24, and the next model is 13, 19, 30, 64.
"""

import numpy as np
import pytest
from support.evm import refused
from support.system import CHALLENGER, System

from fl.protocol.artifact import pack_model, pack_update
from fl.protocol.phases import Phase


def model(*numbers: int) -> bytes:
    return pack_model(np.array([*numbers, *[0] * 252], np.int32))


def update(*numbers: int) -> bytes:
    return pack_update(np.array([*numbers, *[0] * 252], np.int8), np.zeros(8, np.uint8))


UPDATES = {0: update(3, -1, 0, 100), 1: update(3, -1, 0, 100), 2: update(3, -3, 1, -126)}


@pytest.fixture
def game():
    return System.create(model=model(10, 20, 30, 40)).join(3).fund().to_propose(UPDATES)


def test_the_right_model__cannot_be_refuted(game):
    game.propose(model(13, 19, 30, 64))
    for coordinate, number in enumerate((13, 19, 30, 64, 0, 0)):
        with refused("CoordinateCorrect", number):
            game.do("challenge", 0, coordinate, game.proof(), by=CHALLENGER)
    assert game.finish().see("model") != game.terms.genesis


@pytest.mark.parametrize(
    "coordinate, proposed",
    [
        (0, (12, 19, 30, 64)),  # one too low
        (1, (13, 18, 30, 64)),  # rounded down instead of toward zero
        (2, (13, 19, 31, 64)),  # rounded up
        (3, (13, 19, 30, 114)),  # seat 2 left out: 40 + (100 + 100) / 2 would be 140; 114 is nothing at all
        (4, (13, 19, 30, 64, 1)),  # a padding number is a number
    ],
)
def test_one_wrong_number__falls_to_one_transaction(game, coordinate, proposed):
    numbers = (*proposed, *[0] * (256 - len(proposed)))
    game.propose(pack_model(np.array(numbers, np.int32)), 1)
    before = game.seat(1).stake
    game.do("challenge", 0, coordinate, game.proof(), by=CHALLENGER)
    assert game.phase is Phase.PROPOSE
    assert game.seat(1).stake == before - game.terms.fraud_slash
    game.propose(model(13, 19, 30, 64), 0).finish()


def test_the_median__of_the_same_numbers():
    game = System.create(model=model(10, 20, 30, 40), trim=64).join(3).fund().to_propose(UPDATES)
    # medians: 3, -1, 0, 100
    game.propose(model(13, 19, 30, 140)).finish()


def test_a_malformed_block__counts_as_zeros():
    broken = dict(UPDATES)
    broken[2] = update(3, -3, 1, -128)  # q = -128 is not a number of the format: the whole block is zeros
    game = System.create(model=model(10, 20, 30, 40)).join(3).fund().to_propose(broken)
    # means of (3, 3, 0), (-1, -1, 0), (0, 0, 0), (100, 100, 0): 2, 0, 0, 66
    game.propose(model(12, 20, 30, 106)).finish()


def test_nobody_accepted__and_the_model_stays():
    game = System.create(model=model(10, 20, 30, 40)).join(3).fund().to_settle(UPDATES, score=0)
    game.settle()
    game.skip()
    game.propose(model(13, 19, 30, 64), 1)
    game.do("challenge", 0, 0, game.proof(), by=CHALLENGER)
    game.propose(model(10, 20, 30, 40)).finish()
