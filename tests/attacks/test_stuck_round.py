"""Stuck round

Tries: everybody stops at the same point of a round: participants, committee, proposer, keepers
Attacker pays: the slashes for what they had committed to; their pay
Victim pays: the round's work; the pot pays for the next round, which opens
"""

import pytest
from attacks.gallery import Money, files
from support.system import STRANGER, System, owner


def silent_after(s: System, stage: int) -> None:
    s.open()
    if stage >= 1:
        s.commit(files(5))
    s.skip()
    if stage >= 2:
        s.reveal()
    s.skip()
    if stage >= 3:
        s.do("close")
    if stage >= 4:
        s.do("draw", s.seeding_header())
    if stage >= 5:
        s.commit_scores({seat: bytes([200] * 5) for seat in s.committee()})
        s.skip()
        s.reveal_scores()
        s.skip()
    if stage >= 6:
        s.settle()
    if stage >= 7:
        s.skip()
        s.propose(s.aggregate())


@pytest.mark.parametrize("stage", range(8))
def test_silence_at_any_stage__ends_the_round_and_the_next_one_opens(stage):
    s = System.create().join(5, stake=1000 * 10**18).fund()
    pool, cost = s.accounting()["pool"], s.terms.round_cost(5)
    money = Money(s, seats=[owner(i) for i in range(5)])
    silent_after(s, stage)
    s.evm.warp(s.evm.time + 10**6)
    s.do("finalize", by=STRANGER)
    t = s.terms
    slashed = {1: 5 * t.no_reveal_slash, 4: 3 * t.no_scores_slash}.get(stage, 0)
    assert money.change("burnt") == slashed
    now = s.accounting()
    paid = pool - now["pool"] - now["kept"]
    assert now["kept"] == (cost - paid if stage >= 2 else 0)  # somebody revealed
    assert (paid > 0) == (stage >= 6) and money.change("seats") == paid - slashed
    s.do("openRound")
