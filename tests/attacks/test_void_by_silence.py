"""Voiding a round

Tries: a majority of the committee reveals no scores, so that nobody is paid
Attacker pays: 10 for each validator that does not reveal: 20
Victim pays: a round's pay and work; the pot pays for a later round
"""

from attacks.gallery import Money, files
from support.system import System, owner

from fl.protocol.phases import Phase


def test_two_silent_of_three__void_the_round_and_pay_for_it():
    s = System.create().join(5).fund()
    s.open().commit(files(5))
    s.skip()
    s.reveal()
    s.skip()
    first, *silent = s.draw()
    money = Money(s, attackers=[owner(i) for i in silent], validator=owner(first))
    s.commit_scores({first: bytes([200] * 5)})
    s.skip()
    s.reveal_scores()
    s.skip()
    s.settle()
    assert s.phase is Phase.VOID
    assert money.change("attackers") == -2 * s.terms.no_scores_slash == -money.change("burnt")
    assert money.change("validator") == 0
