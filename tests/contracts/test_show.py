"""Show: reportMissing, reportMissingMany, reportInfo

when at most half of those who revealed report an update     then it stays accepted
when more than half of them do                               then it leaves the accepted set, and nobody is slashed or unpaid
when somebody else reports, or nothing new, or out of time   then the call is refused
when others send what operators signed                       then each entry counts as if its operator had called
"""

from __future__ import annotations

import numpy as np
import pytest
from support.evm import refused
from support.keys import Key, key_of
from support.relays import batch, signed, with_keys
from support.system import STRANGER, UNIT, System, operator, owner, random_update

from fl.protocol.enums import Artifact
from fl.protocol.phases import Phase
from fl.protocol.seats import to_bitmap
from fl.protocol.signatures import ActKind

MISSING = ActKind.MISSING


def only(*seats: int) -> int:
    return to_bitmap(list(seats))


def word(*seats: int) -> bytes:
    return only(*seats).to_bytes(32, "big")


def said(seat: int, *missing: int) -> tuple[str, dict]:
    return "MissingReported", {"round": 1, "seat": seat, "missing": only(*missing)}


def left(*accepted: int) -> tuple[str, dict]:
    return "Excluded", {"round": 1, "accepted": only(*accepted)}


@pytest.fixture
def showing(system, updates) -> System:
    """Five seats that revealed, whose updates are all accepted; Show has just begun."""
    system.to_settle(updates).settle()
    return system


@pytest.fixture
def keyed(showing) -> System:
    """The same with keys as operators."""
    return with_keys(showing, 5)


# ---- the phase


def test_show__lasts_its_window_after_the_settlement__and_nobody_proposes_in_it(showing):
    settled = showing.round.settledAt
    assert showing.phase is Phase.SHOW and showing.see("phaseEnd") == settled + showing.terms.show_window
    assert showing.round.proposeFrom == settled + showing.terms.show_window
    with refused("WrongPhase", Phase.PROPOSE, Phase.SHOW):
        showing.propose(showing.aggregate())
    showing.evm.warp(showing.round.proposeFrom - 1)
    assert showing.phase is Phase.SHOW
    showing.evm.warp(showing.round.proposeFrom)
    assert (
        showing.phase is Phase.PROPOSE and showing.see("phaseEnd") == showing.round.proposeFrom + showing.terms.propose_window
    )


def test_show__does_not_come_again_after_a_proposal_fell(showing):
    showing.skip()
    showing.propose(showing.model)
    showing.do("challenge", 0, 0, showing.proof())
    assert showing.phase is Phase.PROPOSE
    with refused("WrongPhase", Phase.SHOW, Phase.PROPOSE):
        showing.do("reportMissing", 0, only(1), by=operator(0))


@pytest.mark.parametrize("phase", [Phase.SETTLE, Phase.PROPOSE, Phase.CHALLENGE, Phase.FINAL])
def test_report__in_another_phase__is_refused(system, updates, phase):
    system.to_settle(updates)
    if phase > Phase.SETTLE:
        system.settle()
        system.skip()
    if phase > Phase.PROPOSE:
        system.propose(system.aggregate())
    if phase > Phase.CHALLENGE:
        system.skip()
    with refused("WrongPhase", Phase.SHOW, phase):
        system.do("reportMissing", 0, only(1), by=operator(0))
    with refused("WrongPhase", Phase.SHOW, phase):
        system.do("reportMissingMany", 1, [])


# ---- one report


def test_report__is_written_down__and_excludes_nothing_alone(showing):
    assert showing.do("reportMissing", 0, only(1, 3), by=operator(0)) == [said(0, 1, 3)]
    assert showing.see("reportInfo", 0) == (only(1, 3), 0)
    assert showing.see("reportInfo", 1) == showing.see("reportInfo", 3) == (0, 1)
    assert showing.round.accepted == only(0, 1, 2, 3, 4)


def test_report__only_adds(showing):
    showing.do("reportMissing", 0, only(1), by=operator(0))
    assert showing.do("reportMissing", 0, only(1, 2), by=operator(0)) == [said(0, 2)]
    assert showing.see("reportInfo", 0) == (only(1, 2), 0)
    assert showing.see("reportInfo", 1) == showing.see("reportInfo", 2) == (0, 1)
    for again in (only(1), only(2), only(1, 2), 0):
        with refused("ReportUnchanged", 1, 0):
            showing.do("reportMissing", 0, again, by=operator(0))


def test_report__by_another_account__is_refused(showing):
    for account in (owner(0), operator(1), STRANGER):
        with refused("NotOperator", 0, operator(0), account):
            showing.do("reportMissing", 0, only(1), by=account)
    for beyond in (100, 128, 2**256 - 1):
        with refused("NotOperator", beyond, "0x" + "00" * 20, operator(0)):
            showing.do("reportMissing", beyond, only(1), by=operator(0))


def test_report__of_another_round__is_refused(showing):
    for other in (0, 2, 2**256 - 1):
        with refused("WrongRound", other, 1):
            showing.federation.send("reportMissing", other, 0, only(1), by=operator(0))
        with refused("WrongRound", other, 1):
            showing.do("reportMissingMany", other, [])


def test_report__by_a_seat_that_did_not_reveal__is_refused(system, updates):
    system.join(1)
    system.to_settle(updates).settle()
    assert system.round.active == only(*range(6))
    with refused("NotRevealed", 1, 5):
        system.do("reportMissing", 5, only(1), by=operator(5))


def test_report__by_a_seat_whose_update_was_rejected__counts(system, updates):
    """More than half of all who revealed, not of those accepted: otherwise whoever accepts also decides who may object."""
    system.open().commit(updates)
    system.skip()
    system.reveal()
    system.skip()
    system.commit_scores({seat: bytes([9, 9, 9, 0, 0]) for seat in system.draw()})
    system.skip()
    system.reveal_scores()
    system.skip()
    system.settle()
    accepted = system.round.accepted
    assert accepted & only(0, 1, 2) == only(0, 1, 2)
    rejected = [seat for seat in (3, 4) if not accepted >> seat & 1]
    assert rejected
    for seat in (rejected[0], 0):
        system.do("reportMissing", seat, only(1), by=operator(seat))
    assert system.do("reportMissing", 2, only(1), by=operator(2))[-1][0] == "Excluded"
    assert system.round.accepted == accepted & ~only(1)
    with refused("ReportUnchanged", 1, 1):
        system.do("reportMissing", 1, only(rejected[0]), by=operator(1))


def test_report__of_ones_own_update__counts_as_one_like_any_other(showing):
    assert showing.do("reportMissing", 1, only(1), by=operator(1)) == [said(1, 1)]
    assert showing.see("reportInfo", 1) == (only(1), 1)
    showing.do("reportMissing", 0, only(1), by=operator(0))
    assert showing.do("reportMissing", 2, only(1), by=operator(2)) == [
        ("MissingReported", {"round": 1, "seat": 2, "missing": 0b00010}),
        ("Excluded", {"round": 1, "accepted": 0b11101}),
    ]


def test_report__of_what_left_the_set_meanwhile__loses_nothing_of_the_rest(showing):
    for seat in (0, 2, 3):
        showing.do("reportMissing", seat, only(1), by=operator(seat))
    assert showing.do("reportMissing", 4, only(1, 2, 100), by=operator(4)) == [said(4, 2)]
    with refused("ReportUnchanged", 1, 4):
        showing.do("reportMissing", 4, only(1), by=operator(4))


# ---- the majority


@pytest.mark.parametrize("seats, needed", [(3, 2), (4, 3), (5, 3), (6, 4), (7, 4)])
def test_exclusion__takes_more_than_half_of_all_who_revealed(system, seats, needed):
    rng = np.random.default_rng(8)
    system.join(max(0, seats - 5)).to_settle({seat: random_update(rng) for seat in range(seats)}).settle()
    for seat in range(needed - 1):
        assert system.do("reportMissing", seat, only(seats - 1), by=operator(seat)) == [said(seat, seats - 1)]
    kept = tuple(range(seats - 1))
    assert system.do("reportMissing", needed - 1, only(seats - 1), by=operator(needed - 1)) == [
        said(needed - 1, seats - 1),
        left(*kept),
    ]
    assert system.round.accepted == only(*kept)


def test_exclusion__counts_each_update_by_itself(showing):
    showing.do("reportMissing", 0, only(1, 2), by=operator(0))
    showing.do("reportMissing", 1, only(2, 3), by=operator(1))
    assert showing.do("reportMissing", 4, only(1, 2, 3), by=operator(4)) == [said(4, 1, 2, 3), left(0, 1, 3, 4)]
    assert showing.do("reportMissing", 3, only(1, 3, 2), by=operator(3)) == [said(3, 1, 3), left(0, 4)]


def test_exclusion__changes_neither_stakes_nor_pay(showing):
    before = [(showing.seat(seat)["stake"], showing.seat(seat)["earned"]) for seat in range(5)], showing.accounting()
    for seat in (0, 2, 3):
        showing.do("reportMissing", seat, only(1), by=operator(seat))
    assert ([(showing.seat(seat)["stake"], showing.seat(seat)["earned"]) for seat in range(5)], showing.accounting()) == before


def test_exclusion__the_model_is_that_of_the_others__and_the_old_one_is_refuted(showing):
    whole = showing.aggregate()
    for seat in (0, 2, 3):
        showing.do("reportMissing", seat, only(1), by=operator(seat))
    trimmed = showing.aggregate()
    assert trimmed != whole
    showing.skip()
    showing.propose(whole, 0)
    with refused("NotAccepted", 1):
        showing.do("demand", Artifact.UPDATE, 1, 0, by=showing.rich(STRANGER))
    showing.do(
        "challenge", 0, next(i for i in range(256) if whole[4 * i : 4 * i + 4] != trimmed[4 * i : 4 * i + 4]), showing.proof()
    )
    showing.propose(trimmed, 1).finish()
    assert showing.see("model") == showing.see("roundInfo").proposal


def test_exclusion__of_all__leaves_the_model_as_it_was(showing):
    """Such as when everybody shares one store, and it is down."""
    everything = only(*range(5))
    for seat in (0, 1):
        showing.do("reportMissing", seat, everything, by=operator(seat))
    assert showing.do("reportMissing", 2, everything, by=operator(2))[-1] == left()
    with refused("ReportUnchanged", 1, 3):
        showing.do("reportMissing", 3, everything, by=operator(3))
    showing.skip()
    showing.propose(showing.model).finish()
    assert showing.see("model") == showing.terms.genesis


def test_exclusion__of_all_128__costs_each_reporter_little(updates):
    """The heaviest round there can be: every report names everybody, and the first one pays for the counts' slots."""
    system = System.create().join(128).fund()
    system.to_settle(dict.fromkeys(range(128), updates[0])).settle()
    everything = 2**128 - 1
    for seat in range(65):
        assert system.round.accepted == everything
        system.evm.gas = 300_000 if seat == 0 else 230_000
        system.do("reportMissing", seat, everything, by=operator(seat))
        system.evm.gas = None
    assert system.round.accepted == 0


def test_next_round__begins_without_reports(showing, updates):
    showing.do("reportMissing", 0, only(1), by=operator(0))
    showing.do("reportMissing", 2, only(1), by=operator(2))
    showing.skip()
    showing.propose(showing.aggregate()).finish()
    assert showing.see("reportInfo", 0) == showing.see("reportInfo", 1) == (0, 0)
    showing.to_settle(updates).settle()
    assert showing.see("reportInfo", 0) == showing.see("reportInfo", 1) == (0, 0)
    assert showing.do("reportMissing", 3, only(1), by=operator(3)) == [
        ("MissingReported", {"round": 2, "seat": 3, "missing": only(1)})
    ]
    assert showing.round.accepted == only(*range(5))


def test_report_info__of_no_seat__is_zero(showing):
    for beyond in (5, 127, 128, 2**256 - 1):
        assert showing.see("reportInfo", beyond) == (0, 0)


def test_handover__does_not_give_a_seat_a_second_vote(showing):
    showing.do("reportMissing", 0, only(1), by=operator(0))
    showing.do("setOperator", 0, STRANGER, by=owner(0))
    with refused("ReportUnchanged", 1, 0):
        showing.do("reportMissing", 0, only(1), by=STRANGER)
    assert showing.see("reportInfo", 1) == (0, 1)


# ---- reportMissingMany


def test_report_many__is_as_if_each_operator_had_called(keyed):
    entries = [signed(keyed, seat, word(1), MISSING) for seat in (4, 0, 3)]
    assert batch(keyed, "reportMissingMany", 1, entries) == (0b111, [said(4, 1), said(0, 1), said(3, 1), left(0, 2, 3, 4)])
    assert keyed.see("reportInfo", 1) == (0, 3)


def test_report_many__of_nothing__does_nothing(keyed):
    assert batch(keyed, "reportMissingMany", 1, []) == (0, [])


FAULTS = {
    "another key's": lambda s: signed(s, 1, word(2), MISSING, key=Key(99)),
    "another seat's key": lambda s: signed(s, 1, word(2), MISSING, key=key_of(2)),
    "the owner's key, who is not the operator": lambda s: signed(s, 1, word(2), MISSING, key=Key(1)),
    "for another chain": lambda s: signed(s, 1, word(2), MISSING, chain_id=1),
    "for another federation": lambda s: signed(s, 1, word(2), MISSING, federation=s.another().federation.address),
    "for another round": lambda s: signed(s, 1, word(2), MISSING, round_number=2),
    "for another seat": lambda s: signed(s, 1, word(2), MISSING, seat=2),
    "a commitment": lambda s: signed(s, 1, word(2), ActKind.COMMIT),
    "a commitment to scores": lambda s: signed(s, 1, word(2), ActKind.COMMIT_SCORES),
    "for another set": lambda s: (1, word(3), *signed(s, 1, word(2), MISSING)[2:]),
    "of zeros": lambda s: (1, word(2), bytes(32), bytes(32)),
    "of nothing": lambda s: signed(s, 1, bytes(32), MISSING),
    "of none that is accepted": lambda s: signed(s, 1, word(77), MISSING),
    "of more than a set of seats": lambda s: signed(s, 1, b"\x01" + word(2)[1:], MISSING),
    "for a free seat": lambda s: (100, word(2), bytes(32), bytes(32)),
    "for a free seat, by somebody": lambda s: signed(s, 100, word(2), MISSING, key=Key(5)),
    "for a seat beyond all": lambda s: signed(s, 128, word(2), MISSING, key=key_of(1)),
    "for a seat far beyond all": lambda s: signed(s, 2**256 - 1, word(2), MISSING, key=key_of(1)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_report_many__an_entry_at_fault__is_skipped_without_a_trace(keyed, fault):
    entries = [signed(keyed, 0, word(3), MISSING), FAULTS[fault](keyed), signed(keyed, 4, word(3), MISSING)]
    assert batch(keyed, "reportMissingMany", 1, entries) == (0b101, [said(0, 3), said(4, 3)])
    assert keyed.see("reportInfo", 1) == keyed.see("reportInfo", 2) == (0, 0)


def test_report__is_no_commitment(keyed):
    """The other direction of the kinds: what was signed as a report fills no record."""
    while keyed.skip() is not Phase.FINAL:
        pass
    keyed.do("finalize")
    keyed.open()
    assert batch(keyed, "commitMany", 2, [signed(keyed, 1, word(2), MISSING)]) == (0, [])


def test_report_many__an_old_signature__does_nothing_in_the_next_round(keyed, updates):
    old = signed(keyed, 0, word(1), MISSING)
    assert batch(keyed, "reportMissingMany", 1, [old]) == (1, [said(0, 1)])
    assert batch(keyed, "reportMissingMany", 1, [old, old]) == (0, [])
    while keyed.skip() is not Phase.FINAL:
        pass
    keyed.do("finalize")
    for seat in range(5):
        keyed.do("setOperator", seat, operator(seat), by=owner(seat))
    keyed.to_settle(updates).settle()
    with_keys(keyed, 5)
    with refused("WrongRound", 1, 2):
        keyed.do("reportMissingMany", 1, [old])
    assert batch(keyed, "reportMissingMany", 2, [old]) == (0, [])


def test_report_many__two_of_one_seat__both_add(keyed):
    first, second = signed(keyed, 0, word(1), MISSING), signed(keyed, 0, word(1, 2), MISSING)
    assert batch(keyed, "reportMissingMany", 1, [first, second]) == (0b11, [said(0, 1), said(0, 2)])
    keyed.evm.mine(1)
    assert batch(keyed, "reportMissingMany", 1, [second, first]) == (0, [])


def test_report_many__by_a_seat_that_did_not_reveal__is_skipped(system, updates):
    system.join(1)
    system.to_settle(updates).settle()
    with_keys(system, 6)
    assert batch(system, "reportMissingMany", 1, [signed(system, 5, word(1), MISSING)]) == (0, [])


def test_report_many__too_many__is_refused(keyed):
    with refused("TooManyEntries", 129, 128):
        keyed.do("reportMissingMany", 1, [signed(keyed, 0, word(1), MISSING)] * 129)


def test_report_many__by_a_wallet__counts_where_its_code_agrees(keyed):
    master = Key(55)
    wallet = keyed.evm.deploy("SigningWallet", by=master.address)
    keyed.do("setOperator", 0, wallet.address, by=owner(0))
    wrong, right = (signed(keyed, 0, word(1), MISSING, key=key) for key in (Key(56), master))
    assert batch(keyed, "reportMissingMany", 1, [wrong, right]) == (0b10, [said(0, 1)])


def test_report_many__with_too_little_gas_to_ask_a_wallet__is_refused(keyed):
    master = Key(55)
    wallet = keyed.evm.deploy("SigningWallet", by=master.address)
    keyed.do("setOperator", 0, wallet.address, by=owner(0))
    entries = [signed(keyed, 0, word(1), MISSING, key=master)]
    keyed.evm.gas = 100_000
    with refused("GasTooLow", 100_000 * 64 // 63 + 1_000):
        keyed.do("reportMissingMany", 1, entries)


def test_malleable_signature__is_no_second_vote(keyed):
    seat, value, r, vs = signed(keyed, 0, word(1), MISSING)
    n = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    s = (n - int.from_bytes(bytes([vs[0] & 0x7F]) + vs[1:], "big")).to_bytes(32, "big")
    assert batch(keyed, "reportMissingMany", 1, [(seat, value, r, vs)]) == (1, [said(0, 1)])
    for parity in (0, 0x80):
        assert batch(keyed, "reportMissingMany", 1, [(seat, value, r, bytes([s[0] & 0x7F | parity]) + s[1:])]) == (0, [])
    assert keyed.see("reportInfo", 1) == (0, 1)


def test_amounts__stay(keyed):
    """A report costs nothing but gas."""
    before = keyed.accounting(), keyed.held()
    batch(keyed, "reportMissingMany", 1, [signed(keyed, seat, word(1), MISSING) for seat in range(4)])
    assert (keyed.accounting(), keyed.held()) == before and before[0]["stakes"] == 500 * UNIT
