"""commitMany, commitScoresMany, revealMany, revealScoresMany, attempt

when others send what operators signed    then each entry counts as if its operator had called, if its record was empty
when an entry is at fault                 then it is skipped without an event, and its neighbours are done
when phase, round or length is wrong      then the whole batch is refused
"""

from __future__ import annotations

import pytest
from support.evm import refused
from support.keys import Key, key_of
from support.relays import batch, commitments, openings, score_commitments, score_openings, signed, with_keys
from support.system import CHALLENGER, STRANGER, UNIT, System, owner

from fl.protocol.artifact import Kind
from fl.protocol.enums import Artifact
from fl.protocol.fraud import Opened
from fl.protocol.phases import Phase
from fl.protocol.signatures import ActKind, Signature, act

C, D, E = b"\xaa" * 32, b"\xbb" * 32, b"\xcc" * 32
SCORES = ActKind.COMMIT_SCORES


@pytest.fixture
def keyed(system) -> System:
    """Five seats with keys, a round open."""
    return with_keys(system, 5).open()


@pytest.fixture
def scoring(system, updates) -> System:
    """Five seats with keys, the committee drawn."""
    with_keys(system, 5).open()
    batch(system, "commitMany", 1, commitments(system, updates))
    system.skip()
    system.reveal()
    system.skip()
    system.draw()
    return system


def record(system: System, seat: int) -> tuple[int, bytes]:
    return system.see("recordOf", seat)


# ---- commitMany


def test_commit_many__is_as_if_each_operator_had_called(keyed):
    done, events = batch(keyed, "commitMany", 1, [signed(keyed, seat, C) for seat in (3, 0, 4)])
    assert done == 0b111
    assert events == [("Committed", {"round": 1, "seat": seat, "commitment": C}) for seat in (3, 0, 4)]
    assert [record(keyed, seat) for seat in range(5)] == [(1, C[:28]), (0, bytes(28)), (0, bytes(28)), (1, C[:28]), (1, C[:28])]
    assert keyed.do("commit", 1, C, by=key_of(1).address) == [("Committed", {"round": 1, "seat": 1, "commitment": C})]


def test_commit_many__of_nothing__does_nothing(keyed):
    assert batch(keyed, "commitMany", 1, []) == (0, [])


def turned(entry: tuple) -> tuple:
    """The entry with the other parity."""
    seat, value, r, vs = entry
    return seat, value, r, bytes([vs[0] ^ 0x80]) + vs[1:]


FAULTS = {
    "another key's": lambda s: signed(s, 1, C, key=Key(99)),
    "another seat's key": lambda s: signed(s, 1, C, key=key_of(2)),
    "the owner's key, who is not the operator": lambda s: signed(s, 1, C, key=Key(1)),
    "for another chain": lambda s: signed(s, 1, C, chain_id=1),
    "for another federation": lambda s: signed(s, 1, C, federation=s.another().federation.address),
    "for another round": lambda s: signed(s, 1, C, round_number=2),
    "for another seat": lambda s: signed(s, 1, C, seat=2),
    "of another kind": lambda s: signed(s, 1, C, SCORES),
    "for another value": lambda s: (1, D, *signed(s, 1, C)[2:]),
    "with the parity turned": lambda s: turned(signed(s, 1, C)),
    "of zeros": lambda s: (1, C, bytes(32), bytes(32)),
    "of ones": lambda s: (1, C, b"\xff" * 32, b"\xff" * 32),
    "for a free seat": lambda s: (100, C, bytes(32), bytes(32)),
    "for a free seat, by somebody": lambda s: signed(s, 100, C, key=Key(5)),
    "for a seat beyond all": lambda s: signed(s, 128, C, key=key_of(1)),
    "for a seat far beyond all": lambda s: signed(s, 2**256 - 1, C, key=key_of(1)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_commit_many__an_entry_at_fault__is_skipped_without_a_trace(keyed, fault):
    entries = [signed(keyed, 0, C), FAULTS[fault](keyed), signed(keyed, 4, C)]
    done, events = batch(keyed, "commitMany", 1, entries)
    assert done == 0b101
    assert [fields["seat"] for _, fields in events] == [0, 4]
    assert record(keyed, 1) == record(keyed, 2) == (0, bytes(28))


def test_commit_many__for_a_seat_that_came_later__is_skipped(keyed):
    keyed.join(1).do("setOperator", 5, key_of(5).address, by=owner(5))
    assert batch(keyed, "commitMany", 1, [signed(keyed, 5, C)]) == (0, [])


def test_commit_many__fills_an_empty_record_alone__and_the_operator_always_replaces(keyed):
    first, second = signed(keyed, 1, C), signed(keyed, 1, D)
    assert batch(keyed, "commitMany", 1, [first, second])[0] == 0b01  # of two for one seat the first
    for entry in (first, second):
        assert batch(keyed, "commitMany", 1, [entry]) == (0, [])  # the relay has no second choice
    keyed.do("commit", 1, E, by=key_of(1).address)
    for entry in (first, second):
        assert batch(keyed, "commitMany", 1, [entry]) == (0, [])  # an older signature does not undo the direct call
    assert record(keyed, 1) == (1, E[:28])


def test_commit_many__the_record_of_an_earlier_round__is_empty(keyed, updates):
    kept = [signed(keyed, seat, C) for seat in range(5)]
    assert batch(keyed, "commitMany", 1, kept)[0] == 0b11111
    while keyed.skip() is not Phase.VOID:
        pass
    keyed.do("finalize")
    keyed.fund().join(0)
    for seat in range(5):
        keyed.do("topUp", seat, 50 * UNIT, by=owner(seat))
    keyed.open()
    assert batch(keyed, "commitMany", 2, kept) == (0, [])
    assert batch(keyed, "commitMany", 2, [signed(keyed, seat, C) for seat in range(5)])[0] == 0b11111


def test_commit_many__whoever_was_the_operator_before__counts_for_nothing(keyed):
    old = [signed(keyed, seat, C) for seat in (1, 2)]
    new = Key(77)
    keyed.do("setOperator", 1, new.address, by=owner(1))
    assert batch(keyed, "commitMany", 1, old)[0] == 0b10
    assert batch(keyed, "commitMany", 1, [signed(keyed, 1, D, key=new)])[0] == 1


def test_commit_many__of_a_leaving_seat__counts_in_its_last_round(keyed):
    keyed.do("exit", 1, by=owner(1))
    assert batch(keyed, "commitMany", 1, [signed(keyed, 1, C)])[0] == 1


def test_commit_many__in_another_phase_or_round__is_refused(keyed):
    entries = [signed(keyed, 1, C)]
    for stale in (0, 2, 2**256 - 1):
        with refused("WrongRound", stale, 1):
            keyed.do("commitMany", stale, entries)
    keyed.evm.warp(keyed.see("phaseEnd") - 1)
    mark = keyed.evm.mark()
    assert batch(keyed, "commitMany", 1, entries)[0] == 1  # the last second
    keyed.evm.back(mark)
    keyed.skip()
    with refused("WrongPhase", Phase.COMMIT, Phase.REVEAL):
        keyed.do("commitMany", 1, entries)


def test_batches__hold_no_more_than_there_are_seats():
    system = with_keys(System.create(max_seats=4).join(4).fund(), 4).open()
    entries = [signed(system, seat, C) for seat in range(4)]
    with refused("TooManyEntries", 5, 4):
        system.do("commitMany", 1, [*entries, entries[0]])
    assert batch(system, "commitMany", 1, entries)[0] == 0b1111


# ---- revealMany


def test_reveal_many__is_as_if_each_had_been_revealed(keyed, updates):
    batch(keyed, "commitMany", 1, commitments(keyed, updates))
    keyed.skip()
    mark, opened = keyed.evm.mark(), openings(keyed)
    done, events = batch(keyed, "revealMany", opened)
    assert done == 0b11111
    records = [record(keyed, seat) for seat in range(5)]
    keyed.evm.back(mark)
    single = [keyed.do("reveal", *entry) for entry in opened]
    assert [[event] for event in events] == single
    assert records == [record(keyed, seat) for seat in range(5)]


def test_reveal_many__an_entry_at_fault__is_skipped(keyed, updates):
    batch(keyed, "commitMany", 1, commitments(keyed, {seat: updates[seat] for seat in range(4)}))
    keyed.skip()
    good = openings(keyed)
    seat, root, secret, place = good[1]
    faults = [
        (seat, bytes(32), secret, place),
        (seat, D, secret, place),
        (seat, root, D, place),
        (seat, root, secret, b"elsewhere"),
        (seat, root, secret, b"x" * 65),
        (seat, root, secret, b"x" * 5_000),
        (4, root, secret, place),  # committed to nothing
        (128, root, secret, place),
        (2**256 - 1, root, secret, place),
    ]
    for fault in faults:
        mark = keyed.evm.mark()
        done, events = batch(keyed, "revealMany", [good[0], fault, good[2]])
        assert done == 0b101 and [fields["seat"] for _, fields in events] == [0, 2]
        keyed.evm.back(mark)
    assert batch(keyed, "revealMany", [good[0], good[0], good[1]])[0] == 0b101
    assert batch(keyed, "revealMany", good)[0] == 0b1100  # somebody revealed two before


def test_reveal_many__in_another_phase_or_too_many__is_refused(keyed, updates):
    batch(keyed, "commitMany", 1, commitments(keyed, updates))
    with refused("WrongPhase", Phase.REVEAL, Phase.COMMIT):
        keyed.do("revealMany", openings(keyed))
    keyed.skip()
    with refused("TooManyEntries", 129, 128):
        keyed.do("revealMany", openings(keyed)[:1] * 129)


# ---- scores


def test_commit_scores_many__is_as_if_each_validator_had_called(scoring):
    drawn = scoring.committee()
    done, events = batch(scoring, "commitScoresMany", 1, [signed(scoring, seat, C, SCORES) for seat in drawn])
    assert done == 0b111
    assert events == [("ScoresCommitted", {"round": 1, "seat": seat, "commitment": C}) for seat in drawn]
    assert [scoring.see("scoreRecordOf", position) for position in range(3)] == [(1, C[:28])] * 3


def test_commit_scores_many__an_entry_at_fault__is_skipped(scoring):
    first, one, last = scoring.committee()
    outside = next(seat for seat in range(5) if seat not in (first, one, last))
    faults = [
        signed(scoring, one, C, ActKind.COMMIT),  # of another kind
        signed(scoring, one, C, SCORES, round_number=2),
        signed(scoring, one, C, SCORES, chain_id=1),
        signed(scoring, one, C, SCORES, federation=STRANGER),
        signed(scoring, one, C, SCORES, seat=first),
        signed(scoring, one, C, SCORES, key=key_of(first)),
        signed(scoring, outside, C, SCORES),  # not drawn
        signed(scoring, 128, C, SCORES, key=key_of(one)),
        signed(scoring, 2**256 - 1, C, SCORES, key=key_of(one)),
        (one, C, bytes(32), bytes(32)),
    ]
    for fault in faults:
        mark = scoring.evm.mark()
        entries = [signed(scoring, first, C, SCORES), fault, signed(scoring, last, C, SCORES)]
        done, events = batch(scoring, "commitScoresMany", 1, entries)
        assert done == 0b101 and [fields["seat"] for _, fields in events] == [first, last]
        scoring.evm.back(mark)


def test_commit_scores_many__fills_an_empty_record_alone__and_the_operator_always_replaces(scoring):
    seat = scoring.committee()[0]
    first, second = signed(scoring, seat, C, SCORES), signed(scoring, seat, D, SCORES)
    assert batch(scoring, "commitScoresMany", 1, [first, second])[0] == 0b01
    scoring.do("commitScores", seat, E, by=key_of(seat).address)
    assert batch(scoring, "commitScoresMany", 1, [first, second]) == (0, [])
    assert scoring.see("scoreRecordOf", 0) == (1, E[:28])


def test_commit_scores_many__in_another_phase_or_round_or_too_many__is_refused(scoring):
    entries = [signed(scoring, seat, C, SCORES) for seat in scoring.committee()]
    with refused("WrongRound", 2, 1):
        scoring.do("commitScoresMany", 2, entries)
    with refused("TooManyEntries", 129, 128):
        scoring.do("commitScoresMany", 1, entries * 43)
    scoring.skip()
    with refused("WrongPhase", Phase.SCORE_COMMIT, Phase.SCORE_REVEAL):
        scoring.do("commitScoresMany", 1, entries)


def test_reveal_scores_many__is_as_if_each_had_been_revealed(scoring):
    vectors = {seat: bytes([200 - seat]) * 5 for seat in scoring.committee()}
    assert batch(scoring, "commitScoresMany", 1, score_commitments(scoring, vectors))[0] == 0b111
    scoring.skip()
    mark, opened = scoring.evm.mark(), score_openings(scoring)
    done, events = batch(scoring, "revealScoresMany", opened)
    assert done == 0b111
    records = [scoring.see("scoreRecordOf", position) for position in range(3)]
    scoring.evm.back(mark)
    single = [scoring.do("revealScores", *entry) for entry in opened]
    assert [[event] for event in events] == single
    assert records == [scoring.see("scoreRecordOf", position) for position in range(3)]
    scoring.skip()
    assert scoring.settle()[-1][0] == "Settled"


def test_reveal_scores_many__an_entry_at_fault__is_skipped(scoring):
    vectors = {seat: bytes([200 - seat]) * 5 for seat in scoring.committee()}
    batch(scoring, "commitScoresMany", 1, score_commitments(scoring, vectors)[:2])
    scoring.skip()
    good = score_openings(scoring)
    (first, _, _), (one, vector, secret), (last, *_) = good
    outside = next(seat for seat in range(5) if seat not in vectors)
    faults = [
        (one, vector[:-1], secret),
        (one, vector + b"\0", secret),
        (one, bytes(5), secret),
        (one, vector, D),
        (outside, vector, secret),
        (128, vector, secret),
        (2**256 - 1, vector, secret),
        good[2],  # committed to nothing
    ]
    for fault in faults:
        mark = scoring.evm.mark()
        done, events = batch(scoring, "revealScoresMany", [good[0], fault])
        assert done == 0b01 and [fields["seat"] for _, fields in events] == [first]
        scoring.evm.back(mark)
    assert batch(scoring, "revealScoresMany", [good[0], good[0], good[1]])[0] == 0b101
    assert last in vectors


def test_reveal_scores_many__in_another_phase_or_too_many__is_refused(scoring):
    vectors = dict.fromkeys(scoring.committee(), b"\x01" * 5)
    batch(scoring, "commitScoresMany", 1, score_commitments(scoring, vectors))
    with refused("WrongPhase", Phase.SCORE_REVEAL, Phase.SCORE_COMMIT):
        scoring.do("revealScoresMany", score_openings(scoring))
    scoring.skip()
    with refused("TooManyEntries", 129, 128):
        scoring.do("revealScoresMany", score_openings(scoring) * 43)


# ---- attempt


def test_attempt__does_what_can_be_done__for_the_caller(system, updates):
    system.to_challenge(updates)
    system.rich(CHALLENGER)
    leaf = Artifact.PROPOSED, 0, 0
    system.do("demand", *leaf, by=CHALLENGER)
    shown = Opened.of(system.proposal, Kind.MODEL).show(0)
    answer = system.federation.data("answer", *leaf, shown, b"")
    wrong = system.federation.data("answer", *leaf, bytes(1024), b"")
    calls = [wrong, answer, answer, b"", b"\xde\xad\xbe\xef", system.federation.data("finalize")]
    done, events = batch(system, "attempt", 500_000, calls, by=STRANGER)
    assert done == 0b10
    assert [name for name, _ in events] == ["Answered", "Credited"]
    assert events[0][1]["by"] == STRANGER and system.see("credits", STRANGER) == system.terms.demand_deposit


def test_attempt__acts_for_nobody_else(keyed):
    call = keyed.federation.data("commit", 1, 1, C)
    assert batch(keyed, "attempt", 200_000, [call], by=STRANGER) == (0, [])
    assert keyed.do("attempt", 200_000, [call], by=key_of(1).address) == [
        ("Committed", {"round": 1, "seat": 1, "commitment": C})
    ]


def test_attempt__inside_a_batch_and_around_one__is_no_different(keyed):
    f = keyed.federation
    one, other = (f.data("commit", 1, seat, C) for seat in (1, 2))
    for calls in ([one, other], [other, one]):
        inner = f.data("attempt", 150_000, calls)
        mark = keyed.evm.mark()
        for outer in (f.data("attempt", 600_000, [inner]), f.data("multicall", [inner])):
            events = keyed.evm.write(f.address, outer, key_of(1).address)
            assert [fields["seat"] for _, fields in events] == [1]
            keyed.evm.back(mark)
            mark = keyed.evm.mark()
    all_or_none = f.data("multicall", [one, other])
    assert keyed.do("attempt", 600_000, [all_or_none, one], by=key_of(1).address)[0][1]["seat"] == 1
    assert record(keyed, 2) == (0, bytes(28))


def test_attempt__a_call_that_burns_its_gas__leaves_the_others_theirs(keyed):
    wallet = keyed.evm.deploy("OddWallet")
    wallet.send("set", 3, STRANGER, b"", by=STRANGER)  # burns gas
    keyed.do("setOperator", 4, wallet.address, by=owner(4))
    greedy = keyed.federation.data("commitMany", 1, [(4, C, bytes(32), bytes(32))] * 100)
    calls = [greedy, keyed.federation.data("commit", 1, 1, C), greedy]
    keyed.evm.gas = 1_000_000
    assert [fields["seat"] for _, fields in keyed.do("attempt", 200_000, calls, by=key_of(1).address)] == [1]
    keyed.evm.gas = 500_000  # not enough for all three, so none is done
    with refused("GasTooLow", 200_000):
        keyed.do("attempt", 200_000, calls, by=key_of(1).address)
    keyed.evm.gas = None
    with refused("GasTooLow", 2**256 - 1):
        keyed.do("attempt", 2**256 - 1, calls)


def test_attempt__of_more_calls_than_a_word_has_bits__is_refused(system):
    with refused("TooManyEntries", 257, 256):
        system.do("attempt", 0, [b""] * 257)
    assert batch(system, "attempt", 0, [b""] * 256) == (0, [])


def test_attempt__from_inside_a_transfer__cannot_re_enter():
    """The guard refuses the inner call, and `attempt` hides that; nothing is done twice."""
    system = System.create(token="ReentrantToken").join(3)
    f = system.federation
    system.rich(CHALLENGER)
    inner = f.data("attempt", 300_000, [f.data("fund", 5), f.data("claimCredit", CHALLENGER), f.data("sweep")])
    system.token.send("setCall", f.address, inner, by=STRANGER)
    system.do("fund", 7, by=CHALLENGER)
    assert system.token.call("succeeded") and int.from_bytes(system.token.call("answer"), "big") == 0
    assert system.accounting()["pool"] == 7
    assert system.held() == sum(system.accounting().values())


# ---- contract wallets


def test_wallet__that_agrees__is_an_operator_like_any_other(keyed):
    master = Key(55)
    wallet = keyed.evm.deploy("SigningWallet", by=master.address)
    keyed.do("setOperator", 1, wallet.address, by=owner(1))
    entries = [signed(keyed, 1, C, key=Key(56)), signed(keyed, 1, C, key=master), signed(keyed, 2, C)]
    assert batch(keyed, "commitMany", 1, entries)[0] == 0b110
    assert record(keyed, 1) == (1, C[:28])


def test_wallet__an_account_with_code__signs_with_its_own_key(keyed):
    """As an account under EIP-7702 does: its code refuses, and is not even asked."""
    wallet = keyed.evm.deploy("OddWallet")
    code = keyed.evm.vm.get_code(wallet.address)
    account = keyed.evm.vm.basic(key_of(1).address)
    account_info = type(account)(balance=account.balance, nonce=account.nonce, code=code)
    keyed.evm.vm.insert_account_info(key_of(1).address, account_info)
    assert batch(keyed, "commitMany", 1, [signed(keyed, 1, C)])[0] == 1


@pytest.mark.parametrize("manner", range(9))
def test_wallet__whatever_it_does__its_neighbours_are_done(keyed, manner):
    wallet = keyed.evm.deploy("OddWallet")
    again = keyed.federation.data("commitMany", 1, [signed(keyed, 3, D)])
    wallet.send("set", manner, keyed.federation.address, again, by=STRANGER)
    keyed.do("setOperator", 1, wallet.address, by=owner(1))
    keyed.evm.gas = 500_000
    entries = [signed(keyed, 0, C), (1, C, bytes(32), bytes(32)), signed(keyed, 4, C)]
    agrees = manner in (0, 4)
    assert batch(keyed, "commitMany", 1, entries)[0] == (0b111 if agrees else 0b101)
    assert record(keyed, 3) == (0, bytes(28))  # what it re-entered was static
    assert record(keyed, 1) == ((1, C[:28]) if agrees else (0, bytes(28)))


@pytest.mark.parametrize("function, phase", [("commitMany", 0), ("commitScoresMany", 1)])
def test_wallet__with_too_little_gas_to_ask_it__takes_the_batch_down(system, updates, function, phase):
    """Otherwise whoever pays for the gas would decide that a wallet did not sign, and a node's estimate would be too low."""
    master = Key(55)
    wallet = system.evm.deploy("SigningWallet", by=master.address)
    with_keys(system, 5).open()
    kind, seat = ActKind.COMMIT, 1
    if phase:
        batch(system, "commitMany", 1, commitments(system, updates))
        system.skip()
        system.reveal()
        system.skip()
        kind, seat = SCORES, system.draw()[0]
    system.do("setOperator", seat, wallet.address, by=owner(seat))
    needed = 100_000 * 64 // 63 + 1_000
    system.evm.gas = 100_000
    entries = [signed(system, seat, C, kind, key=master)]
    with refused("GasTooLow", needed):
        if phase:
            system.do("commitScoresMany", 1, entries)
        else:
            system.do("commitMany", 1, entries)
    system.evm.gas = 200_000
    assert batch(system, function, 1, entries)[0] == 1


def test_malleable_signature__is_no_second_signature(keyed):
    """The record is full: whatever form it comes in, nothing more happens."""
    entry = signed(keyed, 1, C)
    assert batch(keyed, "commitMany", 1, [entry])[0] == 1
    whole = Signature(*entry[2:]).whole
    n = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    other = (n - int.from_bytes(whole[32:64], "big")).to_bytes(32, "big")
    for parity in (0, 0x80):
        vs = bytes([other[0] & 0x7F | parity]) + other[1:]
        assert batch(keyed, "commitMany", 1, [(1, C, entry[2], vs)]) == (0, [])


def test_a_signature_made_by_a_wallet__is_the_one_that_counts(keyed):
    """Typed data as wallets take it, end to end."""
    data = act(ActKind.COMMIT, keyed.evm.chain_id, keyed.federation.address, 1, 1, C)
    assert data.message == {"round": 1, "seat": 1, "value": C}
    signature = Signature.of(key_of(1).sign_typed(data))
    assert batch(keyed, "commitMany", 1, [(1, C, signature.r, signature.vs)])[0] == 1
