"""A masked federation: Announce, the company, the vote, the sum

when a round opens                                then eligible seats announce keys in the first half of commitWindow
when its seats have announced                     then they alone commit, and the round is void unless all of them reveal
when more than two thirds of the committee accept then all are paid alike, and the model is the clamped mean of the sum
when fewer do                                     then nobody is paid for an update, and the model stays
when the proposal differs from the sum's          then one transaction disproves it
"""

from __future__ import annotations

import numpy as np
import pytest
from support.evm import refused
from support.keys import key_of
from support.masked import (
    announce,
    masked_files,
    masked_system,
    propose,
    random_steps,
    round_key,
    to_commit,
    to_settle,
)
from support.relays import batch, commitments, openings, signed
from support.system import STRANGER, UNIT, System, operator, owner

from fl.protocol.artifact import Kind, pack_model
from fl.protocol.fraud import check_challenge
from fl.protocol.leaves import root_of
from fl.protocol.masks import RoundKey, next_parameter, steps_of
from fl.protocol.mode import Mode
from fl.protocol.phases import Phase
from fl.protocol.seats import from_bitmap, to_bitmap
from fl.protocol.signatures import ActKind

SEATS = 4
KEYS = {seat: round_key(seat) for seat in range(SEATS)}


@pytest.fixture
def masked() -> System:
    return masked_system(SEATS)


@pytest.fixture
def steps() -> dict[int, np.ndarray]:
    rng = np.random.default_rng(3)
    return {seat: random_steps(rng) for seat in range(SEATS)}


def events(happened: list[tuple[str, dict]], name: str) -> list[dict]:
    return [fields for kind, fields in happened if kind == name]


def earned(system: System, seat: int) -> int:
    return system.seat(seat)["earned"]


# ---- Announce


def test_a_round__begins_with_announce__for_half_of_the_commit_window(masked):
    masked.open()
    opened, window = masked.round.openedAt, masked.terms.commit_window
    assert masked.phase is Phase.ANNOUNCE and masked.see("phaseEnd") == opened + window // 2
    assert masked.round.active == 0
    masked.evm.warp(opened + window // 2 - 1)
    assert masked.phase is Phase.ANNOUNCE
    masked.evm.warp(opened + window // 2)
    assert masked.phase is Phase.COMMIT and masked.see("phaseEnd") == opened + window
    with refused("WrongPhase", Phase.ANNOUNCE, Phase.COMMIT):
        masked.federation.send("announceMany", 1, [], by=STRANGER)


def test_the_opening__names_who_may_announce(masked):
    happened = masked.do("openRound")
    assert events(happened, "RoundOpened")[0]["active"] == to_bitmap(range(SEATS))


def test_announcing__is_told_with_key_and_signature__and_makes_the_company(masked):
    masked.open()
    entry = signed(masked, 2, KEYS[2].public, ActKind.ANNOUNCE)
    done, happened = batch(masked, "announceMany", 1, [entry])
    said = {"round": 1, "seat": 2, "key": KEYS[2].public, "r": entry[2], "vs": entry[3]}
    assert (done, happened) == (1, [("Announced", said)])
    assert from_bitmap(masked.round.active) == [2]


def test_an_entry_at_fault__is_skipped__and_the_others_are_done(masked):
    masked.open()
    good = signed(masked, 0, KEYS[0].public, ActKind.ANNOUNCE)
    wrong = [
        signed(masked, 1, KEYS[1].public, ActKind.ANNOUNCE, key=key_of(3)),  # somebody else's signature
        signed(masked, 1, KEYS[1].public, ActKind.COMMIT),  # of another kind
        signed(masked, 1, KEYS[1].public, ActKind.ANNOUNCE, round_number=2),  # of another round
        signed(masked, 1, KEYS[1].public, ActKind.ANNOUNCE, federation=STRANGER),
        signed(masked, 1, KEYS[1].public, ActKind.ANNOUNCE, chain_id=1),
        (1, KEYS[1].public, *signed(masked, 1, KEYS[2].public, ActKind.ANNOUNCE)[2:]),  # over another key
        (77, *good[1:]),
        (200, *good[1:]),
    ]
    for entry in wrong:
        assert batch(masked, "announceMany", 1, [entry]) == (0, [])
    assert batch(masked, "announceMany", 1, [*wrong[:3], good])[0] == 0b1000
    assert from_bitmap(masked.round.active) == [0]


def test_a_seat__announces_once(masked):
    masked.open()
    first, second = (signed(masked, 0, KEYS[seat].public, ActKind.ANNOUNCE) for seat in (0, 1))
    assert batch(masked, "announceMany", 1, [first, second])[0] == 0b01
    assert batch(masked, "announceMany", 1, [second]) == (0, [])


def test_a_seat_that_was_not_eligible_at_the_opening__does_not_announce(masked):
    masked.open()
    masked.join(1)
    masked.do("setOperator", SEATS, key_of(SEATS).address, by=owner(SEATS))
    assert announce(masked, {SEATS: round_key(SEATS)}) == 0


def test_a_seat_that_leaves_meanwhile__does_not_announce__and_one_that_announced_is_engaged(masked):
    masked.open()
    masked.do("exit", 3, by=owner(3))
    assert announce(masked, KEYS) == 0b0111
    masked.do("withdraw", 3, owner(3), by=owner(3))
    masked.do("exit", 0, by=owner(0))
    with refused("StillEngaged", 0, 1):
        masked.do("withdraw", 0, owner(0), by=owner(0))


def test_announcing__names_its_round__and_at_most_as_many_entries_as_seats():
    masked = masked_system(SEATS, max_seats=SEATS).open()
    with refused("WrongRound", 2, 1):
        masked.federation.send("announceMany", 2, [], by=STRANGER)
    entry = signed(masked, 0, KEYS[0].public, ActKind.ANNOUNCE)
    with refused("TooManyEntries", SEATS + 1, SEATS):
        masked.federation.send("announceMany", 1, [entry] * (SEATS + 1), by=STRANGER)


def test_a_commitment__waits_for_the_end_of_announce(masked):
    masked.open()
    announce(masked, KEYS)
    for seat in range(SEATS):
        masked.do("setOperator", seat, operator(seat), by=owner(seat))
    with refused("WrongPhase", Phase.COMMIT, Phase.ANNOUNCE):
        masked.do("commit", 0, b"\x01" * 32, by=operator(0))
    with refused("WrongPhase", Phase.COMMIT, Phase.ANNOUNCE):
        masked.federation.send("commitMany", 1, [], by=STRANGER)
    masked.skip()
    masked.do("commit", 0, b"\x01" * 32, by=operator(0))
    assert masked.see("recordOf", 0)[0] == 1


# ---- the company


def test_a_seat_that_did_not_announce__does_not_commit(masked, steps):
    to_commit(masked, {seat: KEYS[seat] for seat in (0, 1, 2)})
    masked.do("setOperator", 3, operator(3), by=owner(3))
    with refused("NotActive", 1, 3):
        masked.do("commit", 3, b"\x01" * 32, by=operator(3))


def test_a_round__is_void_unless_the_whole_company_reveals__and_refusing_is_free(masked, steps):
    to_commit(masked, KEYS)
    files = masked_files(masked, KEYS, steps)
    batch(masked, "commitMany", 1, commitments(masked, {seat: files[seat] for seat in (0, 1, 2)}))
    masked.skip()
    batch(masked, "revealMany", openings(masked))
    masked.skip()
    happened = masked.do("close")
    assert [name for name, _ in happened] == ["Closed", "Voided"]
    assert masked.phase is Phase.VOID
    masked.do("finalize")
    assert {masked.seat(seat)["stake"] for seat in range(SEATS)} == {masked.terms.min_stake}
    assert masked.see("model") == masked.terms.genesis


def test_committing_and_not_revealing__is_slashed__and_voids(masked, steps):
    to_commit(masked, KEYS)
    batch(masked, "commitMany", 1, commitments(masked, masked_files(masked, KEYS, steps)))
    masked.skip()
    batch(masked, "revealMany", openings(masked)[:3])
    masked.skip()
    happened = masked.do("close")
    assert [fields["seat"] for fields in events(happened, "Slashed")] == [3]
    assert len(events(happened, "Voided")) == 1
    assert masked.seat(3)["stake"] == masked.terms.min_stake - masked.terms.no_reveal_slash


@pytest.mark.parametrize("announced", [0, 2])
def test_a_company_below_the_minimum__makes_a_void_round__told_once(masked, announced):
    masked.open()
    announce(masked, {seat: KEYS[seat] for seat in range(announced)})
    while masked.phase is not Phase.DRAW:
        masked.skip()
    happened = masked.do("close")
    assert len(events(happened, "Voided")) == 1 and masked.phase is Phase.VOID


def test_a_void_round_of_nobody__gives_the_pot_back_to_the_pool(masked):
    before = masked.accounting()["pool"]
    masked.open()
    while masked.phase is not Phase.VOID:
        masked.skip()
    masked.do("finalize")
    assert masked.accounting()["pool"] == before and masked.accounting()["kept"] == 0


def test_a_void_round_with_reveals__keeps_the_pot_for_later_rounds(masked, steps):
    to_commit(masked, KEYS)
    batch(masked, "commitMany", 1, commitments(masked, masked_files(masked, KEYS, steps)))
    masked.skip()
    batch(masked, "revealMany", openings(masked)[:3])
    masked.skip()
    masked.do("close")
    masked.do("finalize")
    assert masked.accounting()["kept"] == 4 * 10 * UNIT + 3 * 5 * UNIT + 2 * UNIT


def test_the_next_round__invites_anew(masked):
    to_commit(masked, KEYS)
    while masked.phase is not Phase.VOID:
        masked.skip()
    masked.do("finalize")
    masked.open()
    assert masked.round.active == 0
    assert announce(masked, {0: round_key(0, 2)}) == 1


# ---- the vote


@pytest.mark.parametrize(
    ("votes", "accepted"),
    [((255, 255, 255), True), ((1, 1, 1), True), ((255, 255, 0), False), ((0, 0, 255), False), ((0, 0, 0), False)],
)
def test_three_validators__accept_if_all_do__since_two_of_three_are_not_more_than_two_thirds(masked, steps, votes, accepted):
    to_commit(masked, KEYS)
    files = masked_files(masked, KEYS, steps)
    cast = {}

    class Votes(dict):
        def __missing__(self, seat: int) -> int:
            return cast.setdefault(seat, votes[len(cast)])

        def __contains__(self, seat: object) -> bool:
            return True

    to_settle(masked, files, Votes())
    happened = masked.settle()
    settled = events(happened, "Settled")[0]
    assert from_bitmap(settled["accepted"]) == ([*range(SEATS)] if accepted else [])
    assert settled["medians"] == (b"\xff" if accepted else b"\0") * SEATS


def test_five_validators__accept_if_four_do():
    for favourable, accepted in ((4, True), (3, False)):
        system = masked_system(5, committee=5, min_reveals=5)
        keys = {seat: round_key(seat) for seat in range(5)}
        to_commit(system, keys)
        rng = np.random.default_rng(1)
        files = masked_files(system, keys, {seat: random_steps(rng) for seat in keys})
        to_settle(system, files, {seat: 255 if seat < favourable else 0 for seat in range(5)})
        assert bool(events(system.settle(), "Settled")[0]["accepted"]) is accepted


def test_silence__is_no_vote_in_favour__and_is_slashed(masked, steps):
    to_commit(masked, KEYS)
    files = masked_files(masked, KEYS, steps)
    number = masked.round.number
    batch(masked, "commitMany", number, commitments(masked, files))
    masked.skip()
    batch(masked, "revealMany", openings(masked))
    masked.skip()
    committee = masked.draw()
    from support.relays import score_commitments, score_openings

    batch(masked, "commitScoresMany", number, score_commitments(masked, dict.fromkeys(committee[:2], b"\xff")))
    masked.skip()
    batch(masked, "revealScoresMany", score_openings(masked))
    masked.skip()
    happened = masked.settle()
    assert events(happened, "Settled")[0]["accepted"] == 0
    assert [fields["seat"] for fields in events(happened, "Slashed")] == [committee[2]]


@pytest.mark.parametrize("size", [0, 2, SEATS])
def test_a_vote__is_one_byte(masked, steps, size):
    to_commit(masked, KEYS)
    to_settle_until_reveal(masked, masked_files(masked, KEYS, steps))
    seat = masked.committee()[0]
    with refused("WrongScoresLength", 1, size):
        masked.do("revealScores", seat, b"\xff" * size, b"\0" * 32)


def to_settle_until_reveal(system: System, files: dict[int, bytes]) -> None:
    batch(system, "commitMany", system.round.number, commitments(system, files))
    system.skip()
    batch(system, "revealMany", openings(system))
    system.skip()
    system.draw()
    system.skip()
    assert system.phase is Phase.SCORE_REVEAL


def test_pay__is_the_whole_rate_for_all_of_an_accepted_round(masked, steps):
    to_commit(masked, KEYS)
    to_settle(masked, masked_files(masked, KEYS, steps))
    masked.settle()
    rates = masked.terms.trainer_rate, masked.terms.validator_rate
    committee = masked.committee()
    for seat in range(SEATS):
        assert earned(masked, seat) == rates[0] + rates[1] * (seat in committee)


def test_pay__is_nothing_for_updates_of_a_refused_round__and_validators_of_the_majority_have_theirs(masked, steps):
    to_commit(masked, KEYS)
    files = masked_files(masked, KEYS, steps)

    class Two(dict):
        def __init__(self) -> None:
            self.first: int | None = None

        def __contains__(self, seat: object) -> bool:
            return True

        def __missing__(self, seat: int) -> int:
            self.first = seat if self.first is None else self.first
            return 255 if seat == self.first else 0

    votes = Two()
    to_settle(masked, files, votes)
    masked.settle()
    rate = masked.terms.validator_rate
    for seat in range(SEATS):
        assert earned(masked, seat) == (rate if seat in masked.committee() and seat != votes.first else 0)


def test_a_majority_that_is_not_enough__costs_no_validator_its_pay_but_the_minority(masked, steps):
    to_commit(masked, KEYS)
    files = masked_files(masked, KEYS, steps)

    class One(dict):
        def __init__(self) -> None:
            self.first: int | None = None

        def __contains__(self, seat: object) -> bool:
            return True

        def __missing__(self, seat: int) -> int:
            self.first = seat if self.first is None else self.first
            return 0 if seat == self.first else 255

    votes = One()
    to_settle(masked, files, votes)
    assert events(masked.settle(), "Settled")[0]["accepted"] == 0
    for seat in masked.committee():
        assert earned(masked, seat) == (0 if seat == votes.first else masked.terms.validator_rate)


# ---- the sum


@pytest.fixture
def settled(masked, steps) -> System:
    to_commit(masked, KEYS)
    to_settle(masked, masked_files(masked, KEYS, steps)).settle()
    return masked


def test_the_model__is_the_mean_of_what_nobody_published(settled, steps):
    settled.skip()
    model = settled.aggregate()
    total = sum(values.astype(np.int64) for values in steps.values()) << settled.terms.max_exponent
    mean = np.abs(total) // SEATS * np.sign(total)
    assert model == pack_model(mean.astype(np.int32))
    propose(settled, model)
    with refused("CoordinateCorrect", int(mean[17])):
        settled.do("challenge", 0, 17, settled.proof())
    settled.skip()
    settled.do("finalize")
    assert settled.see("model") == root_of(model, Kind.MODEL)


def test_one_wrong_number__falls_by_one_transaction(settled):
    settled.skip()
    right = np.frombuffer(settled.aggregate(), ">i4").astype(np.int32)
    wrong = right.copy()
    wrong[200] += 1
    propose(settled, pack_model(wrong), seat=1)
    with refused("CoordinateCorrect", int(right[199])):
        settled.do("challenge", 0, 199, settled.proof())
    happened = settled.do("challenge", 0, 200, settled.proof())
    assert [name for name, _ in happened][:1] == ["ProposalFell"]
    assert settled.seat(1)["stake"] == settled.terms.min_stake - settled.terms.fraud_slash


def test_the_twin__finds_what_the_contract_finds(settled):
    settled.skip()
    wrong = np.frombuffer(settled.aggregate(), ">i4").astype(np.int32)
    wrong[3] -= 1
    propose(settled, pack_model(wrong))
    roots = [root_of(settled.updates[seat], Kind.MASKED)[:28] for seat in range(SEATS)]
    facts = {"depth": 0, "max_exponent": settled.terms.max_exponent, "trim": 0, "update_roots": roots}
    facts |= {"previous_root": settled.terms.genesis, "proposed_root": settled.round.proposal, "mode": Mode.MASKED}
    assert check_challenge(0, 3, settled.proof(), **facts)
    assert not check_challenge(0, 4, settled.proof(), **facts)


def test_garbage__moves_no_parameter_beyond_what_honest_seats_could(masked, steps):
    to_commit(masked, KEYS)
    files = masked_files(masked, KEYS, steps)
    files[2] = np.random.default_rng(9).bytes(len(files[2]))
    to_settle(masked, files).settle()
    masked.skip()
    model = np.frombuffer(masked.aggregate(), ">i4").astype(np.int64)
    assert np.abs(model).max() <= 255 << masked.terms.max_exponent
    propose(masked, masked.aggregate())
    for coordinate in (0, 100, 255):
        with refused("CoordinateCorrect", int(model[coordinate])):
            masked.do("challenge", 0, coordinate, masked.proof())


def test_a_leaf_of_an_update__is_demanded_and_answered_by_512_bytes(settled):
    settled.skip()
    propose(settled, settled.aggregate())
    settled.rich(STRANGER)
    settled.do("demand", 2, 1, 0, by=STRANGER)
    with refused("WrongProofLength", 512, 264):
        settled.do("answer", 2, 1, 0, settled.updates[1][:264], b"")
    assert [name for name, _ in settled.do("answer", 2, 1, 0, settled.updates[1], b"")] == ["Answered", "Credited"]


def test_one_missing_file__leaves_no_sum(settled):
    for seat in range(3):
        settled.do("reportMissing", seat, 0b1000, by=key_of(seat).address)
    assert settled.round.accepted == 0
    settled.skip()
    assert settled.aggregate() == settled.model
    propose(settled, settled.model)
    settled.skip()
    settled.do("finalize")
    assert settled.see("model") == settled.terms.genesis


def test_a_masked_round_over_real_training__ends_where_plain_sums_end(masked):
    rng = np.random.default_rng(5)
    deltas = {seat: rng.normal(0, 0.05, 256) for seat in range(SEATS)}
    steps = {seat: steps_of(delta, None, masked.terms.max_exponent, None)[0] for seat, delta in deltas.items()}
    to_commit(masked, KEYS)
    to_settle(masked, masked_files(masked, KEYS, steps)).settle()
    masked.skip()
    model = np.frombuffer(masked.aggregate(), ">i4") / 2**24
    assert np.abs(model - np.mean([*deltas.values()], axis=0)).max() < 2.0 ** (masked.terms.max_exponent - 24)


@pytest.mark.parametrize("count", [3, 20, 128])
def test_sums_are_exact__at_the_bounds__in_contract_and_twin(count):
    system = masked_system(count, min_reveals=3, max_exponent=23)
    keys = {seat: RoundKey(seat + 5) for seat in range(count)}
    to_commit(system, keys)
    rng = np.random.default_rng(count)
    steps = {seat: random_steps(rng) for seat in keys}
    for values in steps.values():
        values[0], values[1] = 255, -255
    to_settle(system, masked_files(system, keys, steps)).settle()
    system.skip()
    model = np.frombuffer(system.aggregate(), ">i4").astype(np.int64)
    assert model[0] == 255 << 23 and model[1] == -(255 << 23)
    propose(system, system.aggregate())
    for coordinate in (0, 1, 2):
        with refused("CoordinateCorrect", int(model[coordinate])):
            system.do("challenge", 0, coordinate, system.proof())
    assert int(model[2]) == next_parameter(0, [int(v[2]) & 0xFFFF for v in steps.values()], 23)


def test_the_open_sibling__knows_no_announcing():
    system = System.create().join(4).fund().open()
    asked = masked_system(3).federation.type.encode("announceMany", (1, []))
    with refused("Bare", b""):
        system.evm.write(system.federation.address, asked, STRANGER)
