"""Front-running a batch

Tries: reveals one seat of a relayer's batch first, so that the whole multicall reverts
Attacker pays: gas of one reveal each time, and each time one seat of the batch is done
Victim pays: gas of a reverted batch; the rest is sent again, nobody is slashed
"""

from attacks.gallery import Money, files, judge, root
from support.evm import refused
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
    assert money.change("sink") == 0 and money.change("victims") > 0
