"""A relay that sleeps

Tries: takes what operators signed and sends it late, or never; or sends commitments, and then no reveals
Attacker pays: nothing while it sends nothing; 18,500 gas for each commitment that it leaves unrevealed
Victim pays: gas: its daemon acts itself at half of each window. Without ether the round's pay, and 10 if left unrevealed
"""

from attacks.gallery import Money, files, judge
from support.keys import key_of
from support.relays import batch, commitments, with_keys
from support.system import System, operator, owner

VICTIM = 4


def begun() -> System:
    return with_keys(System.create().join(5).fund(), 5).open()


def judged(s: System) -> None:
    """The rest of the round, by the accounts that the gallery uses."""
    for seat in range(5):
        s.do("setOperator", seat, operator(seat), by=owner(seat))
    judge(s)


def test_a_relay_that_sends_nothing__costs_a_transaction():
    s, data = begun(), files(5)
    entries = commitments(s, data)
    money = Money(s, victim=owner(VICTIM))
    batch(s, "commitMany", 1, entries[:VICTIM])
    s.evm.warp(s.see("phaseEnd") - s.terms.commit_window // 2)
    s.do("commit", VICTIM, entries[VICTIM][1], by=key_of(VICTIM).address)
    assert batch(s, "commitMany", 1, entries) == (0, [])  # it wakes up, and changes nothing
    s.skip()
    s.reveal()
    judged(s)
    assert s.round.accepted == 0b11111 and money.change("victim") > 0


def test_a_seat_that_was_never_sent__loses_no_stake():
    s, data = begun(), files(5)
    money = Money(s, victim=owner(VICTIM))
    batch(s, "commitMany", 1, commitments(s, data)[:VICTIM])
    s.skip()
    del s.updates[VICTIM]
    s.reveal()
    judged(s)
    assert s.round.accepted == 0b01111 and money.change("victim") == 0


def test_a_commitment_that_nobody_reveals__costs_its_slash__and_anybody_can_prevent_that():
    for helped in (False, True):
        s, data = begun(), files(5)
        money = Money(s, victim=owner(VICTIM))
        batch(s, "commitMany", 1, commitments(s, data))
        s.skip()
        s.reveal(*range(VICTIM), *([VICTIM] if helped else []))  # who holds root and salt needs no signature
        s.skip()
        s.do("close")
        assert money.change("victim") == (0 if helped else -s.terms.no_reveal_slash)
