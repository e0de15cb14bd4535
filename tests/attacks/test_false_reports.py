"""False reports

Tries: reports honest updates that everybody can fetch, so that the model is made without them
Attacker pays: gas; more than half of all seats that revealed must lie, each by its own name, on the chain for good
Victim pays: nothing, whatever half of the seats say. To a majority, its update's part in a round's model; its pay stays
"""

import pytest
from attacks.gallery import Money, files, judge
from support.evm import refused
from support.relays import batch, signed, with_keys
from support.system import CHALLENGER, STRANGER, UNIT, System, operator, owner

from fl.protocol.signatures import ActKind

HONEST = (0, 1, 2, 3, 4)
LIARS = (5, 6, 7, 8, 9)
TARGETS = sum(1 << seat for seat in HONEST)


def showing() -> tuple[System, Money]:
    s = System.create().join(10, stake=200 * UNIT).fund().to_settle(files(10))
    s.settle()
    return s, Money(s, honest=[owner(i) for i in HONEST], liars=[owner(i) for i in LIARS])


def test_half_of_all_who_revealed__exclude_nobody():
    s, money = showing()
    for seat in LIARS:
        s.do("reportMissing", seat, TARGETS, by=operator(seat))
    assert s.round.accepted == (1 << 10) - 1
    s.skip()
    s.propose(s.aggregate()).finish()
    assert money.change("honest") == s.terms.proposer_fee and money.change("liars") == 0


def test_half__cannot_raise_its_part__by_shrinking_the_set_first():
    """Counted against those still accepted, five of ten could drop their own seats, and then the honest ones."""
    s, _ = showing()
    for seat in LIARS:
        s.do("reportMissing", seat, ((1 << 10) - 1) & ~TARGETS, by=operator(seat))
        s.do("reportMissing", seat, TARGETS, by=operator(seat))
    assert s.round.accepted == (1 << 10) - 1


def test_half__gains_no_vote__by_new_operators_owners_and_old_signatures():
    s, _ = showing()
    with_keys(s, 10)
    votes = [signed(s, seat, TARGETS.to_bytes(32, "big"), ActKind.MISSING) for seat in LIARS]
    assert batch(s, "reportMissingMany", 1, [*votes, *votes])[0] == 0b11111
    for seat in LIARS:
        s.do("setOperator", seat, STRANGER, by=owner(seat))
        with refused("ReportUnchanged", 1, seat):
            s.do("reportMissing", seat, TARGETS, by=STRANGER)
    assert batch(s, "reportMissingMany", 1, votes) == (0, [])
    assert s.round.accepted == (1 << 10) - 1


def test_seats_that_did_not_reveal__have_no_vote():
    """So that a crowd of seats that never train cannot trim what others trained."""
    s = System.create().join(5).fund()
    s.join(6)  # eleven seats, of which six commit to nothing
    s.open().commit(files(5))
    s.skip()
    s.reveal()
    s.skip()
    s.commit_scores({seat: bytes([200] * 5) for seat in s.draw()})
    s.skip()
    s.reveal_scores()
    s.skip()
    s.settle()
    for seat in range(5, 11):
        with refused("NotRevealed", 1, seat):
            s.do("reportMissing", seat, 1, by=operator(seat))
    assert s.round.accepted == 0b11111


@pytest.mark.parametrize("targets", [0b1, TARGETS])
def test_a_majority__trims_the_model__by_name_and_without_touching_pay(targets):
    s, money = showing()
    told = []
    for seat in (*LIARS, 4):
        told += s.do("reportMissing", seat, targets, by=operator(seat))
    kept = (1 << 10) - 1 & ~targets
    assert [fields["seat"] for name, fields in told if name == "MissingReported"] == [*LIARS, 4]
    assert told[-1] == ("Excluded", {"round": 1, "accepted": kept})
    s.skip()
    s.propose(s.model, 9)  # nor may they choose what the rest gives
    s.do("challenge", 0, 0, s.proof(), by=CHALLENGER)
    s.propose(s.aggregate(), 0).finish()
    assert money.change("honest") == s.terms.proposer_fee and money.change("liars") == -s.terms.fraud_slash
    s.open().commit(files(10, seed=8))  # and the next round is whole again
    s.skip()
    s.reveal()
    judge(s)
    assert s.round.accepted == (1 << 10) - 1
