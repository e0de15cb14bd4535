"""Commitment copying

Tries: sends another seat's commitment as its own, and opens it once the other has revealed root and salt
Attacker pays: the slash for not revealing: 10
Victim pays: nothing
"""

from attacks.gallery import Money, files, judge, root
from support.evm import refused
from support.system import System, operator, owner, salt

from fl.protocol.commitment import update_commitment


def test_a_copied_commitment__opens_to_nothing():
    s, data = System.create().join(5).fund(), files(4)
    money = Money(s, attacker=owner(4), victim=owner(0))
    s.open().commit(data)
    copied = s.commitment(0, root(data[0]))
    s.do("commit", 4, copied, by=operator(4))
    s.skip()
    s.reveal()
    opened = update_commitment(s.evm.chain_id, s.federation.address, 1, 4, root(data[0]), salt(0))
    with refused("WrongOpening", copied[:28], opened):
        s.do("reveal", 4, root(data[0]), salt(0), b"", by=operator(4))
    judge(s)
    assert money.change("attacker") == -s.terms.no_reveal_slash == -money.change("burnt")
    assert money.change("victim") > 0
