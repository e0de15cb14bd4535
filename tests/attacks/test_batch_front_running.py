"""Front-running a batch

Tries: reveals one seat of a relay's batch first, so that the whole multicall reverts
Attacker pays: gas of one reveal each time, and each time one seat of the batch is done
Victim pays: with `revealMany` the gas of one skipped entry; with `multicall` that of a reverted batch, which is sent again
"""

from attacks.gallery import Money, files, judge, root
from support.evm import refused
from support.relays import batch, openings
from support.system import STRANGER, System, owner, salt


def test_a_spoilt_batch__goes_through_without_the_spoiler_s_seat():
    s, data = System.create().join(5).fund(), files(5)
    money = Money(s, victims=[owner(i) for i in range(5)])
    s.open().commit(data)
    s.skip()
    calls = [s.federation.data("reveal", i, root(d), salt(i), b"") for i, d in data.items()]
    s.reveal(2)
    with refused("AlreadyRevealed", 1, 2):
        s.do("multicall", calls, by=STRANGER)
    s.do("multicall", calls[:2] + calls[3:], by=STRANGER)
    judge(s)
    assert s.round.accepted == 0b11111
    assert money.change("burnt") == 0 and money.change("victims") > 0


def test_a_spoilt_batch_of_reveals__is_done_all_the_same():
    s, data = System.create().join(5).fund(), files(5)
    s.open().commit(data)
    s.skip()
    s.reveal(2)
    done, events = batch(s, "revealMany", openings(s))
    assert done == 0b11011 and len(events) == 4
    judge(s)
    assert s.round.accepted == 0b11111
