"""A fallen seat's index

Tries: joins during a round, proposes a wrong model and leaves at once, so that the next owner of that seat index cannot propose
Attacker pays: 50
Victim pays: cannot propose until the round ends
"""

from attacks.gallery import Money, files, judge
from support.evm import refused
from support.system import CHALLENGER, System, operator, owner


def test_whoever_takes_the_index__may_propose_again_next_round():
    s = System.create().join(4).fund()
    s.open().commit(files(4))
    s.join(1)
    money = Money(s, attacker=owner(4), victim=owner(9))
    s.skip()
    s.reveal()
    judge(s)
    s.propose(b"\x01" * 1024, 4)
    s.do("challenge", 0, 0, s.proof(), by=CHALLENGER)
    s.do("exit", 4, by=owner(4))
    s.do("withdraw", 4, owner(4), by=owner(4))
    assert money.change("attacker") == -s.terms.fraud_slash
    s.rich(owner(9))
    money = Money(s, victim=owner(9))
    s.do("join", owner(9), operator(4), s.terms.min_stake, b"", by=owner(9))
    with refused("ProposerFell", 4):
        s.propose(s.aggregate(), 4)
    s.propose(s.aggregate(), 0).finish()
    s.to_challenge(files(4, seed=8), proposer=4).finish()
    assert money.change("victim") == s.terms.proposer_fee
