"""propose, challenge, finalize

when settled                   then an eligible seat proposes; a right model stands, a wrong one falls to one transaction
when a proposal fell           then the next attempt begins, without its proposer
when attempts or time run out  then the round ends with the model unchanged
"""

import numpy as np
import pytest
from support.evm import refused
from support.system import CHALLENGER, STRANGER, System, operator, owner, random_model, random_update

from fl.protocol.artifact import Kind, pack_model, parse_model
from fl.protocol.fraud import Opened
from fl.protocol.phases import Phase


def wrong(model: bytes, at: int = 0, by: int = 1) -> bytes:
    values = np.frombuffer(model, ">i4").astype(np.int64)
    values[at] += by if values[at] < 2**31 - 1 else -by
    return pack_model(values.astype(np.int32))


def root_of(model):
    return Opened.of(model, Kind.MODEL).tree.root


def test_propose__records_and_emits(system, updates):
    system.to_propose(updates)
    root = root_of(system.aggregate())
    longest = b"x" * 64
    facts = {"round": 1, "attempt": 1, "seat": 3, "root": root, "locator": longest}
    assert system.do("propose", 3, root, longest, by=operator(3)) == [("Proposed", facts)]
    r = system.round
    assert (r.proposal, r.proposer, r.attempts, r.proposedAt) == (root, 3, 1, system.evm.time)
    assert system.phase is Phase.CHALLENGE


def test_propose__refusals(system, updates):
    with refused("WrongPhase", Phase.PROPOSE, Phase.IDLE):
        system.do("propose", 0, b"\x01" * 32, b"", by=operator(0))
    system.to_propose(updates)
    with refused("NotOperator", 0, operator(0), STRANGER):
        system.do("propose", 0, b"\x01" * 32, b"", by=STRANGER)
    with refused("ZeroRoot"):
        system.do("propose", 0, bytes(32), b"", by=operator(0))
    with refused("LocatorTooLong", 65, 64):
        system.do("propose", 0, b"\x01" * 32, b"x" * 65, by=operator(0))
    system.do("exit", 0, by=owner(0))
    with refused("NotEligible", 0):
        system.do("propose", 0, b"\x01" * 32, b"", by=operator(0))
    end = system.see("phaseEnd")
    assert end == system.round.settledAt + system.terms.show_window + system.terms.propose_window
    system.evm.warp(end - 1)
    system.propose(system.aggregate(), 1)
    with refused("WrongPhase", Phase.PROPOSE, Phase.CHALLENGE):
        system.propose(system.aggregate(), 2)


def test_propose__by_nobody__ends_the_round_unchanged(system, updates):
    system.to_propose(updates)
    system.evm.warp(system.see("phaseEnd"))
    assert system.phase is Phase.FINAL
    with refused("WrongPhase", Phase.PROPOSE, Phase.FINAL):
        system.propose(system.aggregate())
    events = system.do("finalize")
    assert events == [("Finalized", {"round": 1, "model": system.terms.genesis, "adopted": False})]


def test_finalize__adopts_what_survived_and_pays_its_proposer(system, updates):
    system.to_challenge(updates, proposer=4)
    earned, accounting = system.seat(4).earned, system.accounting()
    end = system.see("phaseEnd")
    system.evm.warp(end - 1)
    with refused("WrongPhase", Phase.FINAL, Phase.CHALLENGE):
        system.do("finalize")
    system.evm.warp(end)
    with refused("WrongPhase", Phase.CHALLENGE, Phase.FINAL):
        system.do("challenge", 0, 0, b"", by=CHALLENGER)
    root = root_of(system.proposal)
    assert system.do("finalize") == [("Finalized", {"round": 1, "model": root, "adopted": True})]
    fee = system.terms.proposer_fee
    assert system.see("model") == root
    assert system.seat(4).earned == earned + fee
    after = system.accounting()
    assert (after["pot"], after["kept"], after["pool"]) == (0, accounting["pot"] - fee, accounting["pool"])
    with refused("WrongPhase", Phase.FINAL, Phase.IDLE):
        system.do("finalize")


def test_challenge__of_a_wrong_number__topples_and_pays_the_fee(system, updates):
    system.to_propose(updates)
    system.propose(wrong(system.aggregate(), 77), 2)
    terms = system.terms
    events = system.do("challenge", 0, 77, system.proof(), by=CHALLENGER)
    stake = terms.min_stake - terms.fraud_slash
    assert events == [
        ("ProposalFell", {"round": 1, "attempt": 1, "seat": 2, "by": CHALLENGER}),
        ("Slashed", {"seat": 2, "offence": 2, "amount": terms.fraud_slash, "stake": stake}),
        ("Credited", {"account": CHALLENGER, "amount": terms.challenge_fee}),
    ]
    assert system.accounting()["slashed"] == terms.fraud_slash - terms.challenge_fee
    assert system.round.fallen == 0b100
    assert system.phase is Phase.PROPOSE
    assert system.see("phaseEnd") == system.evm.time + terms.propose_window


def test_challenge__where_the_fee_is_one_unit__pays_it(updates):
    system = System.create(challenge_fee=1).join(5).fund()
    system.to_propose(updates)
    system.propose(wrong(system.aggregate(), 77), 2)
    system.do("challenge", 0, 77, system.proof(), by=CHALLENGER)
    assert system.see("credits", CHALLENGER) == 1


def test_challenge__of_a_right_number__is_refused(system, updates):
    system.to_propose(updates)
    right = parse_model(system.aggregate(), 0)
    system.propose(wrong(system.aggregate(), 77), 2)
    for coordinate in (0, 76, 78, 255):
        with refused("CoordinateCorrect", int(right[coordinate])):
            system.do("challenge", 0, coordinate, system.proof(), by=CHALLENGER)


def test_challenge__refusals(updates):
    rng = np.random.default_rng(3)
    system = System.create(depth=2).join(5).fund()
    deep = {seat: random_update(rng, 2) for seat in range(5)}
    with refused("WrongPhase", Phase.CHALLENGE, Phase.IDLE):
        system.do("challenge", 0, 0, b"", by=CHALLENGER)
    system.to_propose(deep)
    system.propose(wrong(system.aggregate(), 256 * 3), 1)
    proof = system.proof(3)
    with refused("CoordinateOutOfRange", 256):
        system.do("challenge", 3, 256, proof, by=CHALLENGER)
    with refused("LeafOutOfRange", 4, 4):
        system.do("challenge", 4, 0, proof, by=CHALLENGER)
    for other in (proof[:-1], proof + b"\0", proof[32:], b""):
        with refused("WrongProofLength", len(proof), len(other)):
            system.do("challenge", 3, 0, other, by=CHALLENGER)
    with refused("WrongLeaf", 2, 0):  # the right leaf at another position
        system.do("challenge", 2, 0, proof, by=CHALLENGER)
    part = 264 + 64
    swapped = proof[part : 2 * part] + proof[:part] + proof[2 * part :]
    with refused("WrongLeaf", 2, 0):  # another seat's leaf
        system.do("challenge", 3, 0, swapped, by=CHALLENGER)
    for offset, artifact, seat in ((part * 4 + 9, 2, 4), (part * 5 + 9, 1, 0), (part * 5 + 1024 + 64 + 9, 0, 0)):
        forged = bytearray(proof)
        forged[offset] ^= 1
        with refused("WrongLeaf", artifact, seat):
            system.do("challenge", 3, 0, bytes(forged), by=CHALLENGER)
    system.do("challenge", 3, 0, proof, by=CHALLENGER)


def test_fallen_proposer__may_not_propose_again_this_round(system, updates):
    payer = system.rich(STRANGER)
    system.to_propose(updates)
    system.propose(wrong(system.aggregate()), 2)
    system.do("challenge", 0, 0, system.proof(), by=CHALLENGER)
    system.do("topUp", 2, system.terms.fraud_slash, by=payer)
    with refused("ProposerFell", 2):
        system.propose(system.aggregate(), 2)
    system.propose(system.aggregate(), 3).finish()
    system.to_challenge(updates, proposer=2)  # the next round is another round


def test_attempts__run_out__and_the_model_stays(system, updates):
    system.to_propose(updates)
    for seat in range(system.terms.max_attempts):
        system.propose(wrong(system.aggregate()), seat)
        system.do("challenge", 0, 0, system.proof(), by=CHALLENGER)
    assert system.phase is Phase.FINAL
    pot = system.accounting()["pot"]
    assert pot > 0
    assert system.do("finalize")[-1][1]["adopted"] is False
    assert system.see("model") == system.terms.genesis


@pytest.mark.parametrize("trim", [0, 1, 2, 64])
def test_wrong_model__falls_under_every_trim__and_the_right_one_never(trim):
    rng = np.random.default_rng(trim)
    system = System.create(model=random_model(rng), trim=trim, max_exponent=23).join(5).fund()
    files = {seat: random_update(rng, 0, 23) for seat in range(5)}
    system.to_propose(files)
    system.propose(wrong(system.aggregate(), 200, 5), 0)
    system.do("challenge", 0, 200, system.proof(), by=CHALLENGER)
    system.propose(system.aggregate(), 1)
    right = parse_model(system.proposal, 0)
    for coordinate in range(256):
        with refused("CoordinateCorrect", int(right[coordinate])):
            system.do("challenge", 0, coordinate, system.proof(), by=CHALLENGER)
