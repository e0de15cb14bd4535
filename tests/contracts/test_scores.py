"""commitScores, revealScores, settle

when drawn              then one may score; a byte per revealed seat, ascending
when a majority scored  then medians decide who is in and who earns what
when not                then the round is void and the silent are slashed
"""

import numpy as np
import pytest
from support.evm import refused
from support.system import STRANGER, System, operator, owner, random_update, salt

from fl.protocol import scores as twin
from fl.protocol.commitment import score_commitment
from fl.protocol.phases import Phase


def at_scores(system, updates):
    system.open().commit(updates)
    system.skip()
    system.reveal()
    system.skip()
    return system.draw()


def test_commit_scores__stores_and_emits(system, updates):
    seat = at_scores(system, updates)[1]
    facts = {"round": 1, "seat": seat, "commitment": b"\x05" * 32}
    assert system.do("commitScores", seat, b"\x05" * 32, by=operator(seat)) == [("ScoresCommitted", facts)]
    with refused("CommitmentUnchanged", 1, seat):
        system.do("commitScores", seat, b"\x05" * 32, by=operator(seat))
    assert system.see("scoreRecordOf", 1) == (1, b"\x05" * 28)


def test_commit_scores__refusals(system, updates):
    with refused("WrongPhase", Phase.SCORE_COMMIT, Phase.IDLE):
        system.do("commitScores", 0, b"\x05" * 32, by=operator(0))
    drawn = at_scores(system, updates)
    out = next(s for s in range(5) if s not in drawn)
    with refused("NotDrawn", 1, out):
        system.do("commitScores", out, b"\x05" * 32, by=operator(out))
    with refused("NotOperator", drawn[0], operator(drawn[0]), STRANGER):
        system.do("commitScores", drawn[0], b"\x05" * 32, by=STRANGER)
    end = system.see("phaseEnd")
    assert end == system.round.drawnAt + system.terms.score_commit_window
    system.evm.warp(end - 1)
    system.do("commitScores", drawn[0], b"\x05" * 32, by=operator(drawn[0]))
    system.evm.warp(end)
    with refused("WrongPhase", Phase.SCORE_COMMIT, Phase.SCORE_REVEAL):
        system.do("commitScores", drawn[0], b"\x05" * 32, by=operator(drawn[0]))


def test_reveal_scores__stores_and_emits(system, updates):
    seat = at_scores(system, updates)[0]
    system.commit_scores({seat: b"abcde"})
    system.skip()
    facts = {"round": 1, "seat": seat, "scores": b"abcde", "salt": salt(seat, "scores")}
    assert system.do("revealScores", seat, b"abcde", salt(seat, "scores")) == [("ScoresRevealed", facts)]
    assert system.see("scoreRecordOf", 0)[0] == 2


def test_reveal_scores__refusals(system, updates):
    drawn = at_scores(system, updates)
    out = next(s for s in range(5) if s not in drawn)
    system.commit_scores({drawn[0]: b"abcde"})
    with refused("WrongPhase", Phase.SCORE_REVEAL, Phase.SCORE_COMMIT):
        system.reveal_scores(drawn[0])
    system.skip()
    with refused("NotDrawn", 1, out):
        system.do("revealScores", out, b"abcde", salt(out, "scores"))
    with refused("NothingCommitted", 1, drawn[1]):
        system.do("revealScores", drawn[1], b"abcde", salt(drawn[1], "scores"))
    for wrong in (b"abcd", b"abcdef", b""):
        with refused("WrongScoresLength", 5, len(wrong)):
            system.do("revealScores", drawn[0], wrong, salt(drawn[0], "scores"))
    args = system.evm.chain_id, system.federation.address, 1, drawn[0]
    right = score_commitment(*args, b"abcde", salt(drawn[0], "scores"))
    wrong = score_commitment(*args, b"abcdf", salt(drawn[0], "scores"))
    with refused("WrongOpening", right[:28], wrong):
        system.do("revealScores", drawn[0], b"abcdf", salt(drawn[0], "scores"))
    system.evm.warp(system.see("phaseEnd") - 1)
    system.reveal_scores(drawn[0])
    with refused("AlreadyRevealed", 1, drawn[0]):
        system.reveal_scores(drawn[0])
    system.skip()
    with refused("WrongPhase", Phase.SCORE_REVEAL, Phase.SETTLE):
        system.reveal_scores(drawn[0])


def test_settle__pays_by_medians_and_emits(system, updates):
    drawn = at_scores(system, updates)
    vectors = {drawn[0]: bytes([10, 0, 255, 40, 1]), drawn[1]: bytes([20, 0, 200, 41, 0]), drawn[2]: bytes([30, 9, 0, 42, 0])}
    system.commit_scores(vectors)
    system.skip()
    system.reveal_scores()
    system.skip()
    medians = twin.medians(range(5), vectors)
    far = twin.distances(range(5), vectors)
    pay = [twin.validator_pay(system.terms.validator_rate, 4, far[s], 4) for s in drawn]
    trainer = [twin.trainer_pay(system.terms.trainer_rate, m) for m in medians]
    accepted = sum(1 << s for s in twin.accepted(range(5), medians))
    pot = system.accounting()["pot"]
    events = system.settle()
    paid = sum(pay) + sum(trainer)
    facts = {"round": 1, "accepted": accepted, "medians": medians, "validatorPay": tuple(pay), "paid": paid}
    assert events == [("Settled", facts)]
    for seat in range(5):
        assert system.seat(seat).earned == trainer[seat] + (pay[drawn.index(seat)] if seat in drawn else 0)
    assert system.accounting()["earned"] == paid
    assert system.accounting()["pot"] == pot - paid
    assert system.round.accepted == accepted


def test_settle__with_one_of_three_silent__slashes_it_and_counts_the_others(system, updates):
    drawn = at_scores(system, updates)
    system.commit_scores({s: bytes([9] * 5) for s in drawn})
    system.skip()
    system.reveal_scores(drawn[0], drawn[2])
    system.skip()
    events = system.settle()
    slash = system.terms.no_scores_slash
    stake = system.terms.min_stake - slash
    assert events[0] == ("Slashed", {"seat": drawn[1], "offence": 1, "amount": slash, "stake": stake})
    assert events[1][0] == "Settled"


def test_settle__without_a_majority__voids_and_slashes_the_silent(system, updates):
    drawn = at_scores(system, updates)
    system.commit_scores({s: bytes([9] * 5) for s in drawn})
    system.skip()
    system.reveal_scores(drawn[0])
    system.skip()
    events = system.settle()
    assert [e[0] for e in events] == ["Slashed", "Slashed", "Voided"]
    assert system.phase is Phase.VOID
    assert system.accounting()["earned"] == 0
    assert [e[0] for e in system.do("finalize")] == ["Finalized"]


@pytest.mark.parametrize("revealing, ends", [(2, "Voided"), (3, "Settled")])
def test_settle__by_two_of_five__is_no_majority__by_three_it_is(revealing, ends):
    system, rng = System.create(committee=5, min_reveals=5).join(5).fund(), np.random.default_rng(3)
    drawn = at_scores(system, {seat: random_update(rng) for seat in range(5)})
    system.commit_scores({s: bytes([9] * 5) for s in drawn})
    system.skip()
    system.reveal_scores(*drawn[:revealing])
    system.skip()
    result = [name for name, _ in system.settle()]
    assert result.count("Slashed") == 5 - revealing and result[-1] == ends


def test_settle__refusals(system, updates):
    drawn = at_scores(system, updates)
    vectors = {s: bytes([i + 1] * 5) for i, s in enumerate(drawn)}
    system.commit_scores(vectors)
    system.skip()
    system.reveal_scores()
    end = system.see("phaseEnd")
    system.evm.warp(end - 1)
    right = [vectors[s] for s in drawn]
    with refused("WrongPhase", Phase.SETTLE, Phase.SCORE_REVEAL):
        system.do("settle", right)
    system.evm.warp(end)
    with refused("WrongScores", 1):
        system.do("settle", [right[0], right[2], right[1]])
    with refused("WrongScores", 2):
        system.do("settle", right[:2])
    with refused("WrongScores", 3):
        system.do("settle", [*right, right[0]])
    with refused("WrongScores", 0):
        system.do("settle", [])
    system.do("settle", right)
    with refused("WrongPhase", Phase.SETTLE, Phase.SHOW):
        system.do("settle", right)


def test_settle__by_nobody__voids_by_the_clock_and_slashes_the_silent(system, updates):
    drawn = at_scores(system, updates)
    system.commit_scores({s: bytes([9] * 5) for s in drawn})
    system.skip()
    system.reveal_scores(drawn[0], drawn[1])
    system.skip()
    end = system.see("phaseEnd")
    system.evm.warp(end - 1)
    assert system.phase is Phase.SETTLE
    system.evm.warp(end)
    assert system.phase is Phase.VOID
    events = system.do("finalize")
    assert [e[0] for e in events] == ["Slashed", "Voided", "Finalized"]
    assert events[0][1]["seat"] == drawn[2]
    assert system.round.voided


def test_settle__when_all_scores_are_zero__leaves_everybody_out_and_keeps_the_model(system, updates):
    system.to_settle(updates, score=0).settle()
    assert system.round.accepted == 0
    system.skip()
    system.propose(b"\x01" * 1024)
    system.do("challenge", 0, 0, system.proof())
    system.propose(system.model, 1)
    with refused("CoordinateCorrect", 0):
        system.do("challenge", 0, 0, system.proof())
    system.finish()
    assert system.see("model") == system.terms.genesis


def test_pay__that_no_longer_fits_a_purse__goes_to_the_owner_s_credit():
    rate = 2**88
    rich = System.create(trainer_rate=rate).join(3).fund(2**100)
    rng = np.random.default_rng(1)
    files = {s: random_update(rng) for s in range(3)}
    for _ in range(256):  # 256 times the whole rate is one more than 96 bits hold
        rich.to_settle(files, score=255).settle()
        rich.skip()
        rich.skip()
        rich.do("finalize")
    assert rich.accounting()["credit"] >= 3 * rate
    assert rich.see("credits", owner(0)) >= rate
    assert rich.seat(0).earned < 2**96
    assert sum(rich.accounting().values()) == rich.held()
