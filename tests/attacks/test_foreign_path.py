"""Answering with another leaf

Tries: answers a demand with another leaf's content, or with the right content and another leaf's path
Attacker pays: the slash for fraud, if it has no better answer
Victim pays: nothing
"""

import itertools

from attacks.gallery import Money, files, leaf_and_path
from support.evm import refused
from support.system import CHALLENGER, System, owner

from fl.protocol.artifact import Kind


def test_only_the_leaf_of_that_place__answers():
    s = System.create(depth=2).join(3).fund().to_challenge(files(3, depth=2))
    s.rich(CHALLENGER)
    money = Money(s, attacker=owner(0))
    shown = [leaf_and_path(s.proposal, Kind.MODEL, leaf) for leaf in range(4)]
    s.do("demand", 0, 0, 2, by=CHALLENGER)
    for content, path in itertools.product(range(4), range(4)):
        if (content, path) != (2, 2):
            with refused("WrongLeaf", 0, 0):
                s.do("answer", 0, 0, 2, shown[content][0], shown[path][1])
    s.evm.warp(s.evm.time + s.terms.answer_window)
    s.do("expire", 0, 0, 2)
    assert money.change("attacker") == -s.terms.fraud_slash
