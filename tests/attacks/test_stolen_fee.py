"""Stealing the challenger's fee

Tries: copies a pending challenge and gets it included first
Attacker pays: gas
Victim pays: the fee of 5 and the gas of a reverted call; the cheat is slashed anyway. Send proofs privately where it matters
"""

from attacks.gallery import Money, files
from support.evm import refused
from support.system import CHALLENGER, STRANGER, System, owner

from fl.protocol.phases import Phase


def test_a_copied_proof__takes_the_fee_and_not_the_justice():
    s = System.create().join(4).fund().to_challenge(files(4), b"\x01" * 1024, proposer=3)
    money = Money(s, cheat=owner(3), thief=STRANGER, challenger=CHALLENGER)
    proof = s.proof()
    s.do("challenge", 0, 0, proof, by=STRANGER)
    with refused("WrongPhase", Phase.CHALLENGE, Phase.PROPOSE):
        s.do("challenge", 0, 0, proof, by=CHALLENGER)
    assert money.change("cheat") == -s.terms.fraud_slash
    assert money.change("thief") == s.terms.challenge_fee and money.change("challenger") == 0
