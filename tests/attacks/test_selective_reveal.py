"""Selective reveal

Tries: commits from several seats and reveals only those that profit from what the others revealed
Attacker pays: 10 for each seat that does not reveal
Victim pays: nothing
"""

from attacks.gallery import Money, files, judge
from support.system import System, owner


def test_each_silence__costs_a_slash():
    s = System.create().join(7).fund()
    money = Money(s, attacker=[owner(i) for i in (4, 5)], honest=owner(0))
    s.open().commit(files(6))
    s.skip()
    s.reveal(0, 1, 2, 3)
    judge(s)
    assert money.change("attacker") == -2 * s.terms.no_reveal_slash
    assert money.change("honest") > 0
