"""Tokens with a vice: what they can do to a federation, and what they cannot."""

import numpy as np
import pytest
from quality.guards.error_matrix import GUARD, reachable
from support.evm import refused, revert_of
from support.system import BURN, CHALLENGER, SPONSOR, STRANGER, UNIT, System, operator, owner, random_update


def files(n=4):
    rng = np.random.default_rng(0)
    return {seat: random_update(rng) for seat in range(n)}


def test_fee_on_transfer__is_refused_wherever_tokens_come_in():
    s = System.create(token="FeeOnTransferToken")
    stake = s.terms.min_stake
    s.rich(owner(0))
    with refused("WrongAmountReceived", stake, stake - stake // 100):
        s.do("join", owner(0), operator(0), stake, b"", by=owner(0))
    with refused("WrongAmountReceived", UNIT, UNIT - UNIT // 100):
        s.do("fund", UNIT, by=owner(0))
    assert s.held() == 0
    s.token.send("setPercent", 0, by=STRANGER)
    s.join(4).fund().to_challenge(files())
    s.token.send("setPercent", 1, by=STRANGER)  # a token that turns later
    before = s.accounting()
    with refused("WrongAmountReceived", UNIT, UNIT - UNIT // 100):
        s.do("topUp", 0, UNIT, by=owner(0))
    with refused("WrongAmountReceived", UNIT, UNIT - UNIT // 100):
        s.do("give", operator(0), UNIT, by=owner(0))
    with refused("WrongAmountReceived", UNIT, UNIT - UNIT // 100):
        s.do("demand", 0, 0, 0, by=owner(0))
    assert s.accounting() == before


def test_rebasing__changes_what_is_held_and_no_book():
    """The accounting counts what came in: a gain belongs to nobody, and after a loss the last to leave find too little."""
    s = System.create(token="RebasingToken").join(4).fund()
    before, held = s.accounting(), s.held()
    s.token.send("rebase", 110, by=STRANGER)
    assert s.accounting() == before and s.held() == held * 110 // 100
    s.token.send("rebase", 100, by=STRANGER)
    s.to_challenge(files()).finish()
    for seat in range(4):
        s.do("exit", seat, by=owner(seat))
        s.do("withdraw", seat, owner(seat), by=owner(seat))
    assert sum(s.accounting().values()) == s.held()


def test_rebasing__that_takes_away__falls_on_the_last_to_leave_who_loses_no_claim():
    s = System.create(token="RebasingToken").join(4).fund()
    s.to_challenge(files()).finish()
    s.token.send("lose", s.federation.address, s.accounting()["pool"] + s.accounting()["kept"] + 1, by=STRANGER)
    for seat in range(4):
        s.do("exit", seat, by=owner(seat))
    for seat in range(3):
        s.do("withdraw", seat, owner(seat), by=owner(seat))
    owed, left = sum(s.seat(3)[part] for part in ("stake", "earned")), s.held()
    assert left == owed - 1
    with refused("ERC20InsufficientBalance", s.federation.address, left, owed):
        s.do("withdraw", 3, owner(3), by=owner(3))
    assert s.sets()[0] == 0b1000 and s.seat(3).stake > 0  # the seat keeps its claim until somebody makes it whole
    s.token.send("mint", s.federation.address, 1, by=STRANGER)
    s.do("withdraw", 3, owner(3), by=owner(3))
    assert s.held() == 0


def test_token_that_says_false__is_refused():
    s = System.create(token="FalseToken")
    s.rich(owner(0))
    with refused("SafeERC20FailedOperation", s.token.address):
        s.do("fund", UNIT, by=owner(0))


def test_token_that_says_nothing__works():
    s = System.create(token="NoReturnToken").join(4).fund()
    s.to_challenge(files()).finish()
    s.do("claim", 0, owner(0), by=owner(0))
    assert sum(s.accounting().values()) == s.held()


def test_blocked_account__harms_nobody_else_and_can_be_paid_elsewhere():
    s = System.create(token="BlocklistToken").join(4).fund()
    s.to_challenge(files()).finish()
    s.token.send("setBlocked", owner(0), True, by=STRANGER)
    with refused("Blocked", owner(0)):
        s.do("claim", 0, owner(0), by=owner(0))
    s.do("claim", 1, owner(1), by=owner(1))
    s.do("claim", 0, STRANGER, by=owner(0))
    s.token.send("setBlocked", BURN, True, by=STRANGER)
    s.to_propose(files())
    s.propose(b"\x01" * 1024, 1)
    s.do("challenge", 0, 0, s.proof(), by=CHALLENGER)  # burnt later, so that no transfer can block a slash
    with refused("Blocked", BURN):
        s.do("sweep")
    assert sum(s.accounting().values()) == s.held()


def calls(s: System) -> dict[str, tuple[str, tuple, str]]:
    """Every call that moves tokens: (function, arguments, caller), ready to be made."""
    return {
        "join": ("join", (owner(9), operator(9), s.terms.min_stake, b""), owner(9)),
        "topUp": ("topUp", (1, UNIT), owner(9)),
        "fund": ("fund", (UNIT,), owner(9)),
        "give": ("give", (operator(9), UNIT), owner(9)),
        "claim": ("claim", (1, owner(1)), owner(1)),
        "withdraw": ("withdraw", (3, owner(3)), owner(3)),
        "claimCredit": ("claimCredit", (CHALLENGER,), CHALLENGER),
        "sweep": ("sweep", (), STRANGER),
        "demand": ("demand", (0, 0, 0), owner(9)),
    }


def test_every_guarded_function__is_among_these_calls():
    guarded = {function for function, errors in reachable().items() if GUARD in errors}
    assert guarded == {function for function, _, _ in calls(System.create()).values()}


def prepared() -> System:
    """Idle or in challenge as each call wants: pay earned, a credit, a slash, a seat that left, a standing proposal."""
    s = System.create(token="ReentrantToken").join(4).fund()
    s.do("exit", 3, by=owner(3))
    s.rich(owner(9))
    s.to_propose(files(3))
    s.propose(b"\x01" * 1024, 2)
    s.do("challenge", 0, 0, s.proof(), by=CHALLENGER)
    s.propose(s.aggregate(), 1)
    return s


@pytest.mark.parametrize("inner", list(calls(System.create())))
@pytest.mark.parametrize("outer", list(calls(System.create())))
def test_reentry__from_every_transfer_into_every_money_call__is_refused(outer, inner):
    s = prepared()
    function, args, _ = calls(s)[inner]
    s.token.send("setCall", s.federation.address, s.federation.data(function, *s.named(function), *args), by=STRANGER)
    function, args, by = calls(s)[outer]
    s.do(function, *args, by=by)
    assert s.token.call("target") == "0x" + "00" * 20, "the token never called back"
    assert s.token.call("succeeded") is False
    assert revert_of(s.token.call("answer")).name == GUARD
    assert sum(s.accounting().values()) == s.held()


@pytest.mark.parametrize("outer", list(calls(System.create())))
def test_reentry__a_view_from_inside_a_transfer__already_sees_the_end(outer):
    s = prepared()
    s.token.send("setCall", s.federation.address, s.federation.data("accounting"), by=STRANGER)
    function, args, by = calls(s)[outer]
    s.do(function, *args, by=by)
    assert s.token.call("succeeded") is True
    seen = s.federation.type.decode("accounting", s.token.call("answer"))
    assert seen == tuple(s.accounting().values())


def test_guard__itself_is_what_stops_a_thief_that_owns_the_seat():
    s = prepared()
    thief = s.token.address  # the token itself owns a seat, so that ownership does not stop it
    s.do("join", thief, operator(8), s.terms.min_stake, b"", by=owner(9))
    seat = 4
    assert s.seat(seat).owner == thief
    s.token.send("setCall", s.federation.address, s.federation.data("exit", seat), by=STRANGER)
    s.do("fund", 1, by=owner(9))
    assert s.token.call("succeeded") is True  # no tokens move in exit: harmless
    s.token.send("setCall", s.federation.address, s.federation.data("withdraw", seat, thief), by=STRANGER)
    before = s.held()
    s.do("claim", 1, owner(1), by=owner(1))
    assert s.token.call("succeeded") is False
    assert revert_of(s.token.call("answer")).name == "ReentrancyGuardReentrantCall"
    assert before - s.held() == s.token.call("balanceOf", owner(1)) - (10**9 * UNIT - s.terms.min_stake)


def test_huge_supply__at_the_limits_of_every_field():
    s = System.create(min_stake=2**88).join(4, stake=2**96 - 1)
    s.fund(2**128 - 1)
    s.to_challenge(files()).finish()
    assert sum(s.accounting().values()) == s.held() == 2**128 - 1 + 4 * (2**96 - 1)
    s.do("conclude", by=SPONSOR)
    s.do("refund")
    s.do("claimCredit", SPONSOR, by=SPONSOR)


def test_donation__changes_nobody_s_account():
    s = System.create().join(4).fund()
    before = s.accounting()
    s.token.send("mint", s.federation.address, 777, by=STRANGER)
    assert s.accounting() == before
    s.to_challenge(files()).finish()
    assert s.held() - sum(s.accounting().values()) == 777
