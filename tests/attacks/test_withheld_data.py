"""Withheld data

Tries: reveals the root of an update and shows the file to nobody
Attacker pays: trains for nothing: the update is scored 0 and unpaid
Victim pays: nothing: the model is made from the others' updates
"""

from attacks.gallery import Money, files
from support.system import System, owner


def test_a_file_that_nobody_can_fetch__is_left_out():
    s, data = System.create().join(5).fund(), files(5)
    s.open().commit(data)
    s.skip()
    s.reveal()
    s.skip()
    money = Money(s, attacker=owner(4))
    drawn = s.draw()
    s.commit_scores({seat: bytes([200] * 4 + [0]) for seat in drawn})
    s.skip()
    s.reveal_scores()
    s.skip()
    s.settle()
    s.skip()
    assert s.round.accepted == 0b01111
    assert money.change("attacker") == (s.terms.validator_rate if 4 in drawn else 0)
    del s.updates[4]  # nobody needs it
    s.propose(s.aggregate()).finish()
    assert s.see("model") != s.terms.genesis
