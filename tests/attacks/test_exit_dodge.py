"""Exit dodge

Tries: leaves between the offence and its slash, or waits until the round is forgotten
Attacker pays: the slash nevertheless: 10
Victim pays: nothing
"""

from attacks.gallery import Money, files
from support.evm import refused
from support.system import System, owner


def test_leaving_first__does_not_dodge_the_slash():
    s = System.create().join(5).fund()
    money = Money(s, attacker=owner(4))
    s.open().commit(files(5))
    s.do("exit", 4, by=owner(4))
    s.skip()
    s.reveal(0, 1, 2, 3)
    s.skip()
    with refused("StillEngaged", 4, 1):
        s.do("withdraw", 4, owner(4), by=owner(4))
    s.evm.warp(s.evm.time + 10**6)  # nobody ever called close
    s.do("withdraw", 4, owner(4), by=owner(4))  # this records the round, and its slash
    assert money.change("attacker") == -s.terms.no_reveal_slash == -money.change("burnt")
