"""Stale slot

Tries: sits a round out and opens what it committed to in an earlier one
Attacker pays: gas of a reverted call
Victim pays: nothing
"""

from attacks.gallery import files, judge, root
from support.evm import refused
from support.system import System, salt


def test_last_round_s_record__says_nothing_in_this_one():
    s, data = System.create().join(5).fund(), files(5)
    s.to_challenge(data).finish()
    s.open().commit(files(4, seed=8))  # seat 4 sits out
    assert s.see("recordOf", 4) == (0, bytes(28))
    s.skip()
    s.reveal()
    with refused("NothingCommitted", 2, 4):
        s.do("reveal", 4, root(data[4]), salt(4), b"")
    judge(s)
    assert s.round.revealed == 0b01111
