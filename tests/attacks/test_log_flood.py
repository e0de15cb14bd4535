"""Flooding the log

Tries: fills the federation's log with calls that change nothing, so that readers behind nodes that cap answers see nothing
Attacker pays: gas of refused calls; whoever alternates between two operators still pays for each event, some 2,000 gas
Victim pays: nothing, where the reader splits the ranges that a node refuses
"""

import pytest
from support.evm import refused
from support.system import STRANGER, System, operator, owner, salt


@pytest.fixture
def s() -> System:
    return System.create().join(4).fund().open()


def test_the_same_operator_again__writes_no_event(s):
    same = s.federation.data("setOperator", 3, operator(3))
    with refused("OperatorUnchanged", 3, operator(3)):
        s.do("multicall", [same] * 100, by=owner(3))


def test_the_same_commitment_again__writes_no_event(s):
    once = s.federation.data("commit", 1, 3, salt(3))
    with refused("CommitmentUnchanged", 1, 3):
        s.do("multicall", [once, once], by=operator(3))


def test_dust__adds_to_no_stake(s):
    least = s.terms.min_stake // 100
    with refused("TopUpTooSmall", 1, least):
        s.do("topUp", 3, 1, by=s.rich(STRANGER))
    s.do("topUp", 3, least, by=STRANGER)
