"""openRound, commit, reveal

when idle, funded, enough seats   then a round opens over the eligible seats
when a phase begins or ends       then its calls are taken from the first second to the last, and refused outside
"""

from dataclasses import replace

from support.evm import refused
from support.system import SPONSOR, STRANGER, UNIT, System, operator, owner, salt

from fl.protocol.artifact import Kind
from fl.protocol.fraud import ROOT_KEPT, Opened
from fl.protocol.phases import Phase

C, S = b"\xaa" * 32, b"\xbb" * 32


def test_open__sets_the_pot_aside_and_emits(system):
    pool = system.accounting()["pool"]
    cost = system.terms.round_cost(5)
    events = system.do("openRound")
    facts = {"round": 1, "active": 0b11111, "base": system.terms.genesis, "pot": cost, "openedAt": system.evm.time}
    assert events == [("RoundOpened", facts)]
    assert (system.accounting()["pool"], system.accounting()["pot"]) == (pool - cost, cost)
    assert system.phase is Phase.COMMIT


def test_open__with_the_pool_one_short__is_refused():
    poor = System.create().join(3)
    cost = poor.terms.round_cost(3)
    poor.fund(cost - 1)
    with refused("PoolTooSmall", cost - 1, cost):
        poor.do("openRound")
    poor.fund(1).do("openRound")
    assert poor.accounting()["pool"] == 0


def test_open__with_too_few_seats__is_refused():
    small = System.create().join(2).fund()
    with refused("TooFewSeats", 2, 3):
        small.do("openRound")
    small.join(1).do("openRound")


def test_open__while_a_round_is_live__is_refused(system):
    system.open()
    with refused("WrongPhase", Phase.IDLE, Phase.COMMIT):
        system.do("openRound")


def test_open__after_notice__is_refused(system):
    system.do("conclude", by=SPONSOR)
    with refused("AlreadyConcluded"):
        system.do("openRound")


def test_open__forgets_the_last_round(system, updates):
    system.to_challenge(updates).finish()
    system.open()
    r = system.round
    assert (r.number, r.active, r.live) == (2, 0b11111, True)
    rest = {k: v for k, v in r.items() if k not in ("number", "active", "live", "openedAt")}
    assert not any(v if not isinstance(v, bytes) else any(v) for v in rest.values())
    assert system.see("recordOf", 0) == (0, bytes(28))


def test_open__after_a_void_round__is_a_round_like_any_other(system, updates):
    system.open()
    while system.skip() is not Phase.VOID:
        pass
    assert system.do("finalize")[-1] == ("Finalized", {"round": 1, "model": system.terms.genesis, "adopted": False})
    assert system.round.voided
    system.open().commit(updates)
    assert not system.round.voided
    system.skip()
    system.reveal()
    assert system.skip() is Phase.DRAW


WINDOWS = {
    "commit_window": 1000,
    "reveal_window": 700,
    "draw_window": 500,
    "score_commit_window": 900,
    "score_reveal_window": 800,
    "settle_window": 400,
    "show_window": 200,
    "propose_window": 300,
    "challenge_window": 1200,
}


def test_phases__each_last_as_long_as_their_own_window(updates):
    system = System.create(**WINDOWS).join(5).fund()
    system.open().commit(updates)
    begin = system.round.openedAt
    assert system.see("phaseEnd") == begin + 1000
    assert system.skip() is Phase.REVEAL and system.see("phaseEnd") == begin + 1700
    system.reveal()
    assert system.skip() is Phase.DRAW and system.see("phaseEnd") == begin + 2200
    committee = system.draw()
    begin = system.round.drawnAt
    system.commit_scores({seat: bytes([200]) * 5 for seat in committee})
    assert system.phase is Phase.SCORE_COMMIT and system.see("phaseEnd") == begin + 900
    assert system.skip() is Phase.SCORE_REVEAL and system.see("phaseEnd") == begin + 1700
    system.reveal_scores()
    assert system.skip() is Phase.SETTLE and system.see("phaseEnd") == begin + 2100
    system.settle()
    assert system.phase is Phase.SHOW and system.see("phaseEnd") == system.round.settledAt + 200
    assert system.skip() is Phase.PROPOSE and system.see("phaseEnd") == system.round.settledAt + 500
    system.propose(system.aggregate())
    assert system.phase is Phase.CHALLENGE and system.see("phaseEnd") == system.round.proposedAt + 1200
    assert system.skip() is Phase.FINAL and system.see("phaseEnd") == 0


def test_phases__that_the_clock_does_not_end__have_no_end(updates):
    system = System.create().join(5, 1000 * UNIT).fund()
    assert system.phase is Phase.IDLE and system.see("phaseEnd") == 0
    system.open().commit(updates)
    for _ in range(3):  # commit, reveal, draw
        phase = system.skip()
    assert phase is Phase.VOID and system.see("phaseEnd") == 0
    system.do("finalize")
    system.to_settle(updates)
    assert system.skip() is Phase.VOID and system.see("phaseEnd") == 0
    system.do("finalize")
    system.open()
    system.skip()
    system.skip()
    system.do("close")
    assert system.phase is Phase.VOID and system.see("phaseEnd") == 0
    system.do("finalize")
    system.to_propose(updates)
    assert system.skip() is Phase.FINAL and system.see("phaseEnd") == 0


def test_commit__stores_and_emits(system):
    system.open()
    assert system.do("commit", 2, C, by=operator(2)) == [("Committed", {"round": 1, "seat": 2, "commitment": C})]
    assert system.see("recordOf", 2) == (1, C[:28])


def test_commit__again__replaces(system):
    system.open()
    system.do("commit", 2, C, by=operator(2))
    system.do("commit", 2, S, by=operator(2))
    assert system.see("recordOf", 2) == (1, S[:28])
    with refused("CommitmentUnchanged", 1, 2):
        system.do("commit", 2, S, by=operator(2))


def test_commit__by_anybody_but_the_operator__is_refused(system):
    system.open()
    for caller in (owner(2), operator(1), STRANGER):
        with refused("NotOperator", 2, operator(2), caller):
            system.do("commit", 2, C, by=caller)


def test_commit__by_a_free_seat__is_refused(system):
    system.open()
    with refused("NotOperator", 9, "0x" + "00" * 20, STRANGER):
        system.do("commit", 9, C, by=STRANGER)


def test_commit__boundaries(system):
    with refused("WrongPhase", Phase.COMMIT, Phase.IDLE):
        system.do("commit", 0, C, by=operator(0))
    system.open()
    end = system.see("phaseEnd")
    assert end == system.round.openedAt + system.terms.commit_window
    system.evm.warp(end - 1)
    system.do("commit", 0, C, by=operator(0))
    system.evm.warp(end)
    with refused("WrongPhase", Phase.COMMIT, Phase.REVEAL):
        system.do("commit", 0, C, by=operator(0))


def test_reveal__stores_the_root_and_emits(system, updates):
    system.open().commit(updates)
    root, longest = Opened.of(updates[3], Kind.UPDATE).tree.root, b"x" * 64
    system.do("commit", 3, system.commitment(3, root, longest), by=operator(3))
    system.skip()
    facts = {"round": 1, "seat": 3, "root": root, "salt": salt(3), "locator": longest}
    assert system.do("reveal", 3, root, salt(3), longest) == [("Revealed", facts)]
    assert system.see("recordOf", 3) == (2, root[:ROOT_KEPT])


def test_reveal__refusals(system, updates):
    system.open().commit({0: updates[0]})
    root = Opened.of(updates[0], Kind.UPDATE).tree.root
    with refused("WrongPhase", Phase.REVEAL, Phase.COMMIT):
        system.do("reveal", 0, root, salt(0), b"")
    system.skip()
    with refused("ZeroRoot"):
        system.do("reveal", 0, bytes(32), salt(0), b"")
    with refused("LocatorTooLong", 65, 64):
        system.do("reveal", 0, root, salt(0), b"x" * 65)
    with refused("NothingCommitted", 1, 1):
        system.do("reveal", 1, root, salt(0), b"")
    wrong = system.commitment(0, b"\x07" * 32)
    with refused("WrongOpening", system.commitment(0, root)[:28], wrong):
        system.do("reveal", 0, b"\x07" * 32, salt(0), b"")
    with refused("WrongOpening", system.commitment(0, root)[:28], system.commitment(0, root, b"elsewhere")):
        system.do("reveal", 0, root, salt(0), b"elsewhere")
    system.do("reveal", 0, root, salt(0), b"")
    with refused("AlreadyRevealed", 1, 0):
        system.do("reveal", 0, root, salt(0), b"")


def test_reveal__boundaries(system, updates):
    system.open().commit(updates)
    end = system.see("phaseEnd") + system.terms.reveal_window
    system.skip()
    assert system.see("phaseEnd") == end
    system.evm.warp(end - 1)
    system.reveal(0)
    system.evm.warp(end)
    with refused("WrongPhase", Phase.REVEAL, Phase.DRAW):
        system.reveal(1)


def test_reveal__of_a_stale_commitment__is_refused(system, updates):
    system.to_challenge(updates).finish()
    system.open().commit({s: updates[s] for s in (0, 1, 2)})
    system.skip()
    with refused("NothingCommitted", 2, 3):
        system.do("reveal", 3, Opened.of(updates[3], Kind.UPDATE).tree.root, salt(3), b"")


def test_multicall__makes_several_calls_or_none(system, updates):
    system.open().commit(updates)
    roots = {s: Opened.of(d, Kind.UPDATE).tree.root for s, d in updates.items()}
    system.skip()
    calls = [system.federation.data("reveal", s, roots[s], salt(s), b"") for s in updates]
    events = system.do("multicall", calls)
    assert [e[0] for e in events] == ["Revealed"] * 5
    system.skip()
    with refused("DrawTooEarly", system.evm.block, system.evm.block + 1 + system.terms.draw_delay):
        system.do("multicall", [system.federation.data("close"), system.federation.data("draw", b"")])
    assert system.round.closeBlock == 0


def test_base_terms__are_what_the_contract_reads(system):
    result = system.see("terms")
    assert tuple(result.values()) == system.terms.as_tuple()
    assert replace(system.terms, token=result.token) == system.terms
