"""A seat that is sold too late

Tries: hands a seat over, for money outside the contract, right after its operator has proposed a wrong model
Attacker pays: the price that it asked for, if the buyer pays only once the round is over
Victim pays: the buyer, up to 60: it signed for the stake at the handover, and a live round goes on; between rounds, nothing
"""

from attacks.gallery import Money, files
from support.evm import refused
from support.keys import Key
from support.system import CHALLENGER, System, owner

from fl.protocol.signatures import handover

BUYER = Key(0xB1)


def sold(s: System, seat: int) -> tuple:
    """The arguments of the call, with the buyer's signature for the whole stake."""
    facts = (seat, owner(seat), BUYER.address, BUYER.address, s.terms.min_stake, s.evm.time + 10_000)
    typed = handover(s.evm.chain_id, s.federation.address, *facts)
    return seat, *facts[2:], BUYER.sign_typed(typed), b""


def test_a_seat_handed_over_in_a_round__brings_its_slash_along():
    s = System.create().join(5).fund().to_propose(files(5))
    offer = sold(s, 4)
    s.propose(b"\x01" * 1024, 4)
    s.do("handover", *offer, by=owner(4))
    money = Money(s, buyer=BUYER.address.lower(), seller=owner(4))
    s.do("challenge", 0, 0, s.proof(), by=CHALLENGER)
    assert money.change("buyer") == -s.terms.fraud_slash and money.change("seller") == 0


def test_a_seat_that_was_slashed_before__is_not_what_the_buyer_signed_for():
    s = System.create().join(5).fund().to_propose(files(5))
    offer = sold(s, 4)
    s.propose(b"\x01" * 1024, 4)
    s.do("challenge", 0, 0, s.proof(), by=CHALLENGER)
    with refused("StakeTooSmall", s.terms.min_stake - s.terms.fraud_slash, s.terms.min_stake):
        s.do("handover", *offer, by=owner(4))
