"""close, draw

when reveals ended                       then close fixes the revealed set and slashes who committed and stayed silent
when two blocks passed                   then draw takes its seed from the block after close
when that block's hash is out of reach   then a new block is recorded
when too few revealed, or nobody draws   then the round is void
"""

from support.evm import refused
from support.system import SINK, UNIT, System, operator, owner

from fl.protocol import committee
from fl.protocol.phases import Phase


def at_draw(system, updates, silent=()):
    system.open().commit(updates)
    system.skip()
    system.reveal(*[s for s in updates if s not in silent])
    system.skip()
    return system


def test_close__records_and_emits(system, updates):
    at_draw(system, updates)
    block = system.evm.block
    assert system.do("close") == [("Closed", {"round": 1, "revealed": 0b11111, "closeBlock": block})]
    assert (system.round.revealed, system.round.closeBlock) == (0b11111, block)


def test_close__slashes_only_who_committed_and_did_not_reveal(system, updates):
    at_draw(system, {s: updates[s] for s in (0, 1, 2, 3)}, silent=(1,))  # seat 4 never committed
    events = system.do("close")
    slash, minimum = system.terms.no_reveal_slash, system.terms.min_stake
    assert events[0] == ("Slashed", {"seat": 1, "offence": 0, "amount": slash, "stake": minimum - slash})
    assert [e[0] for e in events] == ["Slashed", "Closed"]
    assert system.round.revealed == 0b01101
    assert system.seat(4).stake == minimum
    assert system.accounting()["slashed"] == slash


def test_close__refusals(system, updates):
    with refused("WrongPhase", Phase.DRAW, Phase.IDLE):
        system.do("close")
    system.open()
    with refused("WrongPhase", Phase.DRAW, Phase.COMMIT):
        system.do("close")
    system.commit(updates)
    system.skip()
    system.reveal()
    end = system.see("phaseEnd")
    system.evm.warp(end - 1)
    with refused("WrongPhase", Phase.DRAW, Phase.REVEAL):
        system.do("close")
    system.evm.warp(end)
    system.do("close")
    with refused("AlreadyClosed", 1):
        system.do("close")


def test_close__with_too_few_reveals__voids_the_round_and_still_slashes(system, updates):
    at_draw(system, updates, silent=(0, 1, 2))
    events = system.do("close")
    assert [e[0] for e in events] == ["Slashed"] * 3 + ["Closed", "Voided"]
    assert events[-1] == ("Voided", {"round": 1})
    assert system.phase is Phase.VOID
    pot = system.accounting()["pot"]
    pool = system.accounting()["pool"]
    events = system.do("finalize")
    assert events == [("Finalized", {"round": 1, "model": system.terms.genesis, "adopted": False})]
    after = system.accounting()  # two have shown what they trained: the sponsor does not get their pay back
    assert (after["pool"], after["kept"], after["pot"]) == (pool, pot, 0)


def test_finalize__where_nobody_revealed__gives_the_pot_back_to_the_pool(system, updates):
    before = system.accounting()
    system.open().commit(updates).skip()
    system.skip()
    system.do("close")
    system.do("finalize")
    after = system.accounting()
    assert (after["pool"], after["kept"], after["pot"]) == (before["pool"], 0, 0)


def test_draw__takes_the_twin_s_committee(system, updates):
    at_draw(system, updates)
    system.do("close")
    block_hash = bytes.fromhex(system.evm.vm.block_hash(system.round.closeBlock + 1).hex())
    seed = committee.seed(block_hash, system.evm.chain_id, system.federation.address, 1)
    expected = committee.draw(seed, range(5), 3)
    system.evm.mine(1)
    events = system.do("draw")
    assert events == [("Drawn", {"round": 1, "seed": seed, "committee": committee.pack(expected)})]
    assert system.committee() == expected
    assert system.phase is Phase.SCORE_COMMIT


def test_draw__refusals(system, updates):
    at_draw(system, updates)
    with refused("NotClosed", 1):
        system.do("draw")
    system.do("close")
    closed = system.round.closeBlock
    assert system.evm.block == closed + 1
    with refused("DrawTooEarly", closed + 1, closed + 2):
        system.do("draw")
    system.evm.mine()
    system.do("draw")
    with refused("WrongPhase", Phase.DRAW, Phase.SCORE_COMMIT):
        system.do("draw")


def test_draw__when_the_hash_is_out_of_reach__records_the_block_anew(system, updates):
    at_draw(system, updates)
    system.do("close")
    closed = system.round.closeBlock
    system.evm.mine(closed + 1 + 257 - system.evm.block)
    block = system.evm.block
    assert system.do("draw") == [("DrawPostponed", {"round": 1, "closeBlock": block})]
    assert system.phase is Phase.DRAW
    system.evm.mine(2)
    assert system.do("draw")[0][0] == "Drawn"


def test_draw__at_256_blocks__still_reaches_the_hash(system, updates):
    at_draw(system, updates)
    system.do("close")
    system.evm.mine(system.round.closeBlock + 1 + 256 - system.evm.block)
    assert system.do("draw")[0][0] == "Drawn"


def test_draw__by_nobody__voids_the_round_by_the_clock(system, updates):
    at_draw(system, updates, silent=(4,))
    end = system.see("phaseEnd")
    system.evm.warp(end - 1)
    assert system.phase is Phase.DRAW
    system.evm.warp(end)
    assert system.phase is Phase.VOID
    with refused("WrongPhase", Phase.DRAW, Phase.VOID):
        system.do("close")
    # What close would have recorded, finalize records: waiting saves nobody.
    events = [e[0] for e in system.do("finalize")]
    assert events == ["Slashed", "Closed", "Voided", "Finalized"]
    assert system.round.voided
    assert system.seat(4).stake == system.terms.min_stake - system.terms.no_reveal_slash


def test_draw__by_nobody__asks_nothing_of_the_last_round_s_committee(system, updates):
    system.to_challenge(updates).finish()
    at_draw(system, updates)
    system.evm.warp(system.see("phaseEnd"))
    assert [e[0] for e in system.do("finalize")] == ["Closed", "Voided", "Finalized"]
    assert system.accounting()["stakes"] == 5 * system.terms.min_stake


def test_close__slashes_by_the_term_for_silence_at_the_reveal(updates):
    system = System.create(no_reveal_slash=11 * UNIT).join(5).fund()
    at_draw(system, updates, silent=(4,))
    assert system.do("close")[0][1]["amount"] == 11 * UNIT


def test_sweep__sends_what_was_slashed_to_the_sink(system, updates):
    with refused("NothingToPay"):
        system.do("sweep")
    at_draw(system, updates, silent=(4,))
    system.do("close")
    amount = system.terms.no_reveal_slash
    assert system.do("sweep")[0] == ("Swept", {"amount": amount})
    assert system.token.call("balanceOf", SINK) == amount
    assert system.accounting()["slashed"] == 0


def test_slash__of_a_round_that_the_clock_ended__is_taken_before_the_seat_leaves():
    system = System.create(min_stake=40 * UNIT, no_reveal_slash=10 * UNIT, no_scores_slash=10 * UNIT, fraud_slash=20 * UNIT)
    system.join(5).fund()
    system.open()
    system.do("commit", 0, b"\x01" * 32, by=operator(0))
    system.evm.warp(system.evm.time + 10**6)
    system.do("exit", 0, by=owner(0))
    system.do("withdraw", 0, owner(0), by=owner(0))
    assert system.token.call("balanceOf", owner(0)) == 10**9 * UNIT - 10 * UNIT
