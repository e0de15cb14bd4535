"""Griefing challenges

Tries: challenges a correct proposal at correct numbers, with forged leaves, foreign paths, wrong sizes and indices out of range
Attacker pays: gas of reverted calls
Victim pays: nothing: no rejected challenge leaves a trace or extends a window
"""

from attacks.gallery import Money, files
from support.evm import refused
from support.system import CHALLENGER, System, owner

from fl.protocol.artifact import parse_model


def test_a_right_proposal__outlives_every_challenge():
    s = System.create(depth=1).join(3).fund().to_challenge(files(3, depth=1))
    money = Money(s, attacker=CHALLENGER, proposer=owner(0))
    before, proof = s.round, s.proof(0)
    part = 264 + 32
    with refused("CoordinateCorrect", int(parse_model(s.proposal, 1)[5])):
        s.do("challenge", 0, 5, proof, by=CHALLENGER)
    swapped = proof[part : 2 * part] + proof[:part] + proof[2 * part :]
    with refused("WrongLeaf", 2, 0):
        s.do("challenge", 0, 5, swapped, by=CHALLENGER)
    forged = proof[:-1056] + bytes(1024) + proof[-32:]
    with refused("WrongLeaf", 0, 0):
        s.do("challenge", 0, 5, forged, by=CHALLENGER)
    with refused("WrongLeaf", 2, 0):  # the leaf of another place
        s.do("challenge", 1, 5, proof, by=CHALLENGER)
    with refused("WrongProofLength", len(proof), len(proof) - 32):
        s.do("challenge", 0, 5, proof[:-32], by=CHALLENGER)
    with refused("CoordinateOutOfRange", 256):
        s.do("challenge", 0, 256, proof, by=CHALLENGER)
    with refused("LeafOutOfRange", 2, 2):
        s.do("challenge", 2, 5, proof, by=CHALLENGER)
    assert s.round == before
    s.finish()
    assert money.change("attacker") == 0 and money.change("proposer") == s.terms.proposer_fee
