"""Malformed blocks

Tries: fills blocks with -128 and with exponents above the limit, so that decoding fails and no challenge or proposal works
Attacker pays: nothing, but it earns nothing either: such blocks count as zeros
Victim pays: nothing
"""

import numpy as np
from attacks.gallery import files
from support.evm import refused
from support.system import CHALLENGER, System

from fl.protocol.artifact import parse_model


def test_malformed_blocks__count_as_zeros_on_both_sides():
    bad = bytearray(files(1)[0])
    bad[0] = 255  # block 0: exponent out of range
    bad[8 + 32] = 0x80  # block 1: q = -128
    clean = bytearray(bad)
    clean[8 : 8 + 64] = bytes(64)
    s = System.create().join(4).fund()
    honest = files(3, seed=9)
    s.to_challenge({**honest, 3: bytes(bad)})
    result = parse_model(s.proposal, 0)
    for coordinate in (0, 31, 32, 63, 64):
        with refused("CoordinateCorrect", int(result[coordinate])):
            s.do("challenge", 0, coordinate, s.proof(), by=CHALLENGER)
    s.finish()
    twin = System.create().join(4).fund().to_challenge({**honest, 3: bytes(clean)})
    assert np.array_equal(result[:64], parse_model(twin.proposal, 0)[:64])
