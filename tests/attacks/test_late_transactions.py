"""Late transactions

Tries: holds back what an honest seat signed in one round or attempt, and has it mined in a later one, where it is wrong
Attacker pays: gas of a refused call
Victim pays: nothing: commitments name their round, proposals and demands their attempt too, and count nowhere else
"""

import pytest
from attacks.gallery import Money, files, root
from support.evm import refused
from support.system import CHALLENGER, System, operator, owner

from fl.protocol.artifact import Kind


def held_back(s: System) -> tuple:
    """What seat 1 signed for the first proposal of round 1, which its node then lost."""
    return (1, 1, 1, root(s.aggregate(), Kind.MODEL), b"")


@pytest.fixture
def s() -> System:
    return System.create().join(5).fund().to_propose(files(5))


def test_a_right_proposal_of_an_earlier_round__is_no_fraud_in_the_next(s):
    late, money = held_back(s), Money(s, victim=owner(1))
    s.propose(s.aggregate(), 0).finish()
    s.to_propose(files(5, seed=8))
    paid = money.change("victim")
    with refused("WrongRound", 1, 2):
        s.federation.send("propose", *late, by=operator(1))
    s.propose(s.aggregate(), 0).finish()
    assert money.change("victim") == paid


def test_a_proposal_signed_for_the_first_attempt__does_not_become_the_second(s):
    late = held_back(s)
    s.propose(b"\x01" * 1024, 0)
    s.do("challenge", 0, 0, s.proof())
    with refused("WrongAttempt", 1, 2):
        s.federation.send("propose", *late, by=operator(1))


def test_a_demand_against_one_proposal__takes_no_deposit_against_the_next(s):
    s.rich(CHALLENGER)
    s.propose(b"\x01" * 1024, 0)
    s.do("challenge", 0, 0, s.proof())
    s.propose(s.aggregate(), 1)
    s.do("topUp", 0, s.terms.fraud_slash, by=owner(0))
    with refused("WrongAttempt", 1, 2):
        s.federation.send("demand", 1, 1, 0, 0, 0, by=CHALLENGER)
    s.finish()
    s.to_propose(files(5, seed=8)).propose(s.aggregate(), 0)
    with refused("WrongRound", 1, 2):
        s.federation.send("demand", 1, 1, 0, 0, 0, by=CHALLENGER)


def test_commitments_of_an_earlier_round__bind_nobody_in_the_next(s):
    sealed = s.commitment(0, root(s.updates[0]))
    s.propose(s.aggregate(), 0).finish()
    s.open()
    with refused("WrongRound", 1, 2):
        s.federation.send("commit", 1, 0, sealed, by=operator(0))
    s.commit(files(5, seed=8)).skip()
    s.reveal().skip()
    drawn = s.draw()[0]
    with refused("WrongRound", 1, 2):
        s.federation.send("commitScores", 1, drawn, sealed, by=operator(drawn))
