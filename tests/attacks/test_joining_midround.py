"""Joining during a round

Tries: takes seats after it has seen who commits, to be drawn into this round's committee
Attacker pays: a stake that has to wait for the next round
Victim pays: nothing
"""

from attacks.gallery import Money, files
from support.evm import refused
from support.system import System, operator, owner


def test_a_late_seat__neither_commits_nor_is_drawn():
    s = System.create().join(4).fund()
    s.open().commit(files(4))
    s.join(3)
    money = Money(s, attacker=[owner(i) for i in (4, 5, 6)])
    with refused("NotActive", 1, 4):
        s.do("commit", 4, b"\x01" * 32, by=operator(4))
    s.skip()
    s.reveal()
    s.skip()
    assert set(s.draw()) <= set(range(4))
    with refused("NotDrawn", 1, 4):
        s.do("commitScores", 4, b"\x01" * 32, by=operator(4))
    assert money.change("attacker") == 0
