"""Operators and sponsors that change in the middle of a round; replays; owners that are contracts; a full house."""

import numpy as np
import pytest
from attacks.gallery import Money, files, judge, root
from support.evm import refused
from support.system import CHALLENGER, SPONSOR, STRANGER, System, operator, owner, salt

from fl.protocol.artifact import pack_model, parse_model
from fl.protocol.commitment import score_commitment, update_commitment
from fl.protocol.phases import Phase


def test_operator_replaced_after_committing__the_round_goes_on_for_the_seat():
    s = System.create().join(4).fund()
    money = Money(s, seat=owner(0))
    s.open().commit(files(4))
    s.do("setOperator", 0, STRANGER, by=owner(0))
    s.skip()
    s.reveal()
    judge_as(s, {0: STRANGER})
    with refused("NotOperator", 0, STRANGER, operator(0)):
        s.propose(s.aggregate(), 0)
    s.do("propose", 0, root_of(s), b"", by=STRANGER)
    s.proposal = s.aggregate()
    s.finish()
    assert money.change("seat") >= s.terms.trainer_rate * 200 // 255 + s.terms.proposer_fee


def root_of(s: System) -> bytes:
    from fl.protocol.artifact import Kind

    return root(s.aggregate(), Kind.MODEL)


def judge_as(s: System, operators: dict[int, str]) -> None:
    """Scores 200 for everybody, each validator by its present operator."""
    s.skip()
    facts = s.evm.chain_id, s.federation.address, s.round.number
    for seat in s.draw():
        s.scores[seat] = bytes([200] * 4)
        sealed = score_commitment(*facts, seat, s.scores[seat], salt(seat, "scores"))
        s.do("commitScores", seat, sealed, by=operators.get(seat, operator(seat)))
    s.skip()
    s.reveal_scores()
    s.skip()
    s.settle()
    s.skip()


@pytest.mark.parametrize("stage", range(7))
def test_sponsor_concludes_at_any_stage__the_round_ends_as_it_would(stage):
    s = System.create().join(4).fund()
    steps = [
        lambda: s.commit(files(4)),
        s.skip,
        s.reveal,
        lambda: judge(s),
        lambda: s.propose(s.aggregate()),
        s.finish,
    ]
    s.open()
    money = Money(s, seats=[owner(i) for i in range(4)])
    for number, step in enumerate(steps):
        if number == stage:
            s.do("conclude", by=SPONSOR)
        step()
    if stage == 6:
        s.do("conclude", by=SPONSOR)
    t = s.terms
    assert money.change("seats") == 4 * (t.trainer_rate * 200 // 255) + 3 * t.validator_rate + t.proposer_fee
    assert s.see("model") != t.genesis
    with refused("AlreadyConcluded"):
        s.do("openRound")


def test_replays__over_contracts_rounds_and_seats__open_nothing():
    s = System.create().join(4).fund()
    other = s.another().join(0).fund()
    for seat in range(4):
        other.rich(owner(seat))
        other.do("join", owner(seat), operator(seat), s.terms.min_stake, b"", by=owner(seat))
    data, chain = root(files(4)[0]), s.evm.chain_id
    s.to_challenge(files(4)).finish()
    s.open()
    other.open()
    for place, number, seat in ((other, 1, 0), (s, 1, 0), (s, 2, 3)):
        result = update_commitment(chain, place.federation.address, number, seat, data, salt(0))
        s.do("commit", 0, result, by=operator(0))
        s.evm.mine()
        right = update_commitment(chain, s.federation.address, 2, 0, data, salt(0))
        held = s.see("recordOf", 0)[1]
        assert held == result[:28] != right[:28]
    s.skip()
    with refused("WrongOpening", result[:28], right):
        s.do("reveal", 0, data, salt(0), b"")


def test_a_contract_as_owner__joins_claims_and_leaves():
    s = System.create().join(3).fund()
    wallet = s.evm.deploy("ContractWallet", by=STRANGER)
    stake = s.terms.min_stake

    def through(target, function, *args):
        return wallet.send("execute", target.address, target.data(function, *args), by=STRANGER)

    s.token.send("mint", wallet.address, stake, by=STRANGER)
    with refused("PermitFailed", 0, stake):  # a permit wants a key; a wallet approves instead
        through(s.federation, "permit", stake, 2**40, 27, b"\x01" * 32, b"\x01" * 32)
    through(s.token, "approve", s.federation.address, stake)
    through(s.federation, "join", wallet.address, operator(3), stake, b"")
    s.to_challenge(files(4)).finish()
    with refused("NotOwner", 3, wallet.address, STRANGER):
        s.do("claim", 3, STRANGER, by=STRANGER)
    earned = s.seat(3).earned
    through(s.federation, "claim", 3, wallet.address)
    through(s.federation, "exit", 3)
    through(s.federation, "withdraw", 3, wallet.address)
    assert s.token.call("balanceOf", wallet.address) == stake + earned > stake


def test_128_seats__play_a_whole_round_with_a_fraud_in_it():
    s, data = System.create(committee=15, min_reveals=128).join(128).fund(), files(128)
    money = Money(s, cheat=owner(127), seats=[owner(i) for i in range(127)])
    s.to_propose(data)
    assert s.round.accepted == 2**128 - 1
    wrong = parse_model(s.aggregate(), 0).copy()
    wrong[255] -= 1
    s.propose(pack_model(wrong), 127)
    s.do("challenge", 0, 255, s.proof(), by=CHALLENGER)
    s.propose(s.aggregate(), 0).finish()
    assert np.array_equal(parse_model(s.model, 0)[:255], wrong[:255])
    drawn, pay = s.committee(), s.terms.trainer_rate * 200 // 255
    extra = s.terms.validator_rate * (127 in drawn)
    assert money.change("cheat") == pay + extra - s.terms.fraud_slash
    scored = s.terms.validator_rate * 15 - extra
    assert money.change("seats") == 127 * pay + scored + s.terms.proposer_fee
    assert s.phase is Phase.IDLE


def test_128_seats_all_silent__are_slashed_in_one_call():
    seats = 128
    s = System.create().join(seats).fund()
    s.open()
    for seat in range(seats):
        s.do("commit", seat, b"\x01" * 32, by=operator(seat))
    s.evm.warp(s.evm.time + 10**6)
    s.do("finalize")
    assert s.accounting()["slashed"] == seats * s.terms.no_reveal_slash
    assert s.sets()[1] == 0
