"""Misplaced file

Tries: reveals for another seat first with a false locator, so that validators cannot find the update and score it 0
Attacker pays: gas of a reverted call
Victim pays: nothing: the commitment binds the locator
"""

from attacks.gallery import Money, files, judge, root
from support.evm import refused
from support.system import STRANGER, System, operator, owner, salt


def test_a_false_or_missing_locator__does_not_open_the_commitment():
    s, data, place = System.create().join(4).fund(), files(4), b"where the file is"
    money = Money(s, victim=owner(0))
    s.open().commit(data)
    kept = s.commitment(0, root(data[0]), place)
    s.do("commit", 0, kept, by=operator(0))
    s.skip()
    for false in (b"nowhere", b""):
        with refused("WrongOpening", kept[:28], s.commitment(0, root(data[0]), false)):
            s.do("reveal", 0, root(data[0]), salt(0), false, by=STRANGER)
    events = s.do("reveal", 0, root(data[0]), salt(0), place)
    assert events[0][1]["locator"] == place
    s.reveal(1, 2, 3)
    judge(s)
    assert money.change("victim") > 0
