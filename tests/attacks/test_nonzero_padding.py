"""Non-zero padding

Tries: puts numbers where the model has no parameters, so that a proposer who leaves them out is slashed
Attacker pays: nothing; its update should be scored 0 (the file format does not allow it)
Victim pays: nothing: padding is aggregated like any leaf, and the exact sum stands
"""

import numpy as np
from attacks.gallery import Money, files
from support.evm import refused
from support.system import CHALLENGER, System, owner

from fl.protocol.artifact import pack_model, parse_model


def test_padding__is_an_ordinary_leaf():
    s = System.create(depth=1).join(4).fund()  # leaf 1 is padding to the learner
    s.to_propose(files(4, depth=1))
    money = Money(s, careless=owner(0), honest=owner(1))
    right = s.aggregate()
    zeroed = parse_model(right, 1).copy()
    zeroed[256:] = 0
    s.propose(pack_model(zeroed), 0)
    s.do("challenge", 1, int(np.flatnonzero(parse_model(right, 1)[256:])[0]), s.proof(1), by=CHALLENGER)
    assert money.change("careless") == -s.terms.fraud_slash
    s.propose(right, 1)
    for coordinate in (0, 17, 255):
        with refused("CoordinateCorrect", int(parse_model(right, 1)[256 + coordinate])):
            s.do("challenge", 1, coordinate, s.proof(1), by=CHALLENGER)
    s.finish()
    assert money.change("honest") == s.terms.proposer_fee
