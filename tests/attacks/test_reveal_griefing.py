"""Reveal griefing

Tries: reveals for another seat first, with the data of the pending transaction, so that the owner's own call reverts
Attacker pays: gas of one reveal
Victim pays: gas of one reverted call; the seat counts as revealed
"""

from attacks.gallery import Money, files, judge, root
from support.evm import refused
from support.system import STRANGER, System, owner, salt


def test_whoever_reveals_first__does_the_victim_s_work():
    s, data = System.create().join(4).fund(), files(4)
    money = Money(s, attacker=STRANGER, victim=owner(0))
    s.open().commit(data)
    s.skip()
    s.do("reveal", 0, root(data[0]), salt(0), b"", by=STRANGER)
    with refused("AlreadyRevealed", 1, 0):
        s.reveal(0)
    s.reveal(1, 2, 3)
    judge(s)
    assert s.round.accepted == 0b1111
    assert money.change("attacker") == 0 and money.change("victim") > 0
