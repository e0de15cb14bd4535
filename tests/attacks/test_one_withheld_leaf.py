"""One withheld leaf

Tries: hides one wrong leaf of four and answers every demand but that one
Attacker pays: 50, less the deposits of the demands it answered: 49
Victim pays: nothing: the challenger gets 5 for two demands, one of them answered
"""

from attacks.gallery import Money, files, leaf_and_path
from support.system import CHALLENGER, System, operator, owner

from fl.protocol.artifact import Kind, pack_model, parse_model
from fl.protocol.fraud import Opened


def test_an_answer_s_path__points_at_the_hidden_leaf():
    s = System.create(depth=2).join(4).fund().to_propose(files(4, depth=2))
    s.rich(CHALLENGER)
    money = Money(s, attacker=[owner(3), operator(3)], challenger=CHALLENGER)
    right, wrong = s.aggregate(), parse_model(s.aggregate(), 2).copy()
    wrong[2 * 256 + 9] += 1
    s.propose(pack_model(wrong), 3)
    s.do("demand", 0, 0, 0, by=CHALLENGER)
    content, path = leaf_and_path(s.proposal, Kind.MODEL, 0)
    s.do("answer", 0, 0, 0, content, path, by=operator(3))
    tree = Opened.of(right, Kind.MODEL).tree
    height = next(i for i in range(2) if path[32 * i : 32 * i + 32] != tree.path(0)[i])
    assert height == 1  # the wrong leaf is 2 or 3
    s.do("demand", 0, 0, 2, by=CHALLENGER)
    s.evm.warp(s.evm.time + s.terms.answer_window)
    s.do("expire", 0, 0, 2)
    assert money.change("attacker") == s.terms.demand_deposit - s.terms.fraud_slash
    assert money.change("challenger") == s.terms.challenge_fee - s.terms.demand_deposit
