"""Duplicate update

Tries: commits an update of the last round, which everybody can read, and hopes to be paid for it again
Attacker pays: gas; it earns at most a share of a round's pay, if the committee does not notice
Victim pays: nothing while the committee scores it 0
"""

from attacks.gallery import Money, files, judge
from support.system import System, owner


def test_a_replayed_update__scored_0__is_neither_paid_nor_used():
    s, old = System.create().join(5).fund(), files(5)
    s.to_challenge(old).finish()
    money = Money(s, attacker=owner(4))
    s.open().commit({**files(4, seed=8), 4: old[0]})
    s.skip()
    s.reveal()
    s.skip()
    drawn = s.draw()
    s.commit_scores({seat: bytes([200] * 4 + [0]) for seat in drawn if seat != 4})
    s.skip()
    s.reveal_scores()
    s.skip()
    s.settle()
    assert s.round.accepted == 0b01111
    assert money.change("attacker") == (-s.terms.no_scores_slash if 4 in drawn else 0)


def test_a_copy_within_the_round__cannot_be_made_before_the_original_is_shown():
    s, data = System.create().join(4).fund(), files(4)
    s.open().commit({i: data[i] for i in range(3)})
    s.skip()
    s.reveal()
    judge(s)
    assert s.round.revealed == 0b0111  # seat 3 saw the others' updates too late to commit to one
