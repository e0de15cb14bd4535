"""close, draw

when reveals ended                       then close fixes the revealed set and slashes who committed and stayed silent
when draw_delay blocks passed            then draw takes its seed from that block's randomness, which its header proves
when that block's hash is out of reach   then a new block is recorded
when too few revealed, or nobody draws   then the round is void
"""

import pytest
from eth_hash.auto import keccak
from support.evm import AnvilEvm, refused
from support.system import BURN, UNIT, System, operator, owner

from fl.protocol import committee
from fl.protocol.artifact import Kind
from fl.protocol.fraud import Opened
from fl.protocol.header import prev_randao
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
    at_draw(system, updates, silent=(4,))
    committed = {seat: system.commitment(seat, Opened.of(data, Kind.UPDATE).tree.root) for seat, data in updates.items()}
    roots = {seat: Opened.of(updates[seat], Kind.UPDATE).tree.root for seat in range(4)}
    system.do("close")
    mix = committee.mix(1, committed, roots)
    assert system.round.mix == mix
    header = system.seeding_header()
    randao = system.evm.randao(system.round.closeBlock + system.terms.draw_delay)
    assert prev_randao(header) == randao
    seed = committee.seed(randao, mix, system.evm.chain_id, system.federation.address, 1)
    expected = committee.draw(seed, range(4), 3)
    events = system.do("draw", header)
    assert events == [("Drawn", {"round": 1, "prevRandao": randao, "seed": seed, "committee": committee.pack(expected)})]
    assert system.committee() == expected
    assert system.phase is Phase.SCORE_COMMIT


def test_mix__is_of_this_round_alone__and_shown_once_it_is_closed(system, updates):
    system.to_challenge(updates).finish()
    before = system.round.mix
    at_draw(system, {seat: updates[seat] for seat in (0, 1, 2)})
    assert system.round.mix == bytes(32) != before
    system.do("close")
    roots = {seat: Opened.of(updates[seat], Kind.UPDATE).tree.root for seat in (0, 1, 2)}
    assert system.round.mix == committee.mix(2, roots, roots)


def test_draw__refusals(system, updates):
    at_draw(system, updates)
    with refused("NotClosed", 1):
        system.do("draw", b"")
    system.do("close")
    seeding = system.seeding
    assert system.evm.block == seeding - 1
    for block in (seeding - 1, seeding):
        with refused("DrawTooEarly", block, seeding + 1):
            system.do("draw", b"")
        system.evm.mine()
    header = system.evm.header(seeding)
    for wrong in (b"", header[:-1], header + b"\0", system.evm.header(seeding - 1)):
        with refused("WrongHeader", seeding, keccak(header), keccak(wrong)):
            system.do("draw", wrong)
    system.do("draw", header)
    with refused("WrongPhase", Phase.DRAW, Phase.SCORE_COMMIT):
        system.do("draw", header)


def test_draw__on_a_chain_whose_headers_have_another_form__is_refused(system, updates, monkeypatch):
    at_draw(system, updates)
    system.do("close")
    monkeypatch.setattr("support.evm.encode_header", lambda facts: b"\xf8 another form")
    with refused("MalformedHeader", 14):
        system.do("draw", system.seeding_header())


@pytest.mark.parametrize("delay", [2, 3, 128])
def test_draw__waits_for_the_delay_of_the_terms(updates, delay):
    system = System.create(draw_delay=delay).join(5).fund()
    at_draw(system, updates)
    closed = system.evm.block
    system.do("close")
    system.evm.mine(delay - 1)
    assert system.evm.block == closed + delay
    with refused("DrawTooEarly", closed + delay, closed + delay + 1):
        system.do("draw", b"")
    system.evm.mine()
    assert system.do("draw", system.evm.header(closed + delay))[0][0] == "Drawn"


def test_draw__when_the_hash_is_out_of_reach__records_the_block_anew(system, updates):
    at_draw(system, updates)
    system.do("close")
    header = system.seeding_header()
    system.evm.mine(system.seeding + 8192 - system.evm.block)
    block = system.evm.block
    assert system.do("draw", header) == [("DrawPostponed", {"round": 1, "closeBlock": block})]
    assert system.phase is Phase.DRAW
    with refused("DrawTooEarly", block + 1, block + system.terms.draw_delay + 1):
        system.do("draw", header)
    assert system.do("draw", system.seeding_header())[0][0] == "Drawn"


@pytest.mark.parametrize("blocks", [1, 256, 257, 8191])
def test_draw__as_long_as_the_history_contract_knows_the_hash__draws(system, updates, blocks):
    at_draw(system, updates)
    system.do("close")
    header = system.seeding_header()
    system.evm.mine(system.seeding + blocks - system.evm.block)
    assert system.do("draw", header)[0][0] == "Drawn"


@pytest.mark.parametrize("fork", ["cancun", "osaka"])
@pytest.mark.parametrize("blocks", [1, 256, 257])
def test_draw__on_a_node_with_and_without_a_history_contract(updates, fork, blocks):
    """The opcode tells 256 hashes. Where there is nothing else, a new block is recorded after that."""
    evm = AnvilEvm(fork=fork)
    try:
        system = System.create(evm).join(5).fund()
        at_draw(system, updates)
        system.do("close")
        header = system.seeding_header()
        system.evm.mine(system.seeding + blocks - system.evm.block)
        late = fork == "cancun" and blocks == 257
        assert system.do("draw", header)[0][0] == ("DrawPostponed" if late else "Drawn")
        if late:
            assert system.do("draw", system.seeding_header())[0][0] == "Drawn"
        seed = committee.seed(
            prev_randao(system.evm.header(system.seeding)), system.round.mix, evm.chain_id, system.federation.address, 1
        )
        assert system.committee() == committee.draw(seed, range(5), 3)
    finally:
        evm.close()


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


def test_sweep__burns_what_was_slashed(system, updates):
    with refused("NothingToPay"):
        system.do("sweep")
    at_draw(system, updates, silent=(4,))
    system.do("close")
    amount = system.terms.no_reveal_slash
    assert system.do("sweep")[0] == ("Swept", {"amount": amount})
    assert system.token.call("balanceOf", BURN) == amount
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
