"""join, topUp, setOperator, exit

when terms are met           then the lowest free seat is taken, and counts from the next round
when the stake is too small, too large, the owner not admitted, or all seats are taken   then refused
when not the owner           then no exit, no new operator
"""

import pytest
from eth_abi import encode
from eth_hash.auto import keccak
from support.evm import refused
from support.system import PLENTY, STRANGER, UNIT, System, address, operator, owner

from fl.protocol import seats
from fl.protocol.allowlist import Allowlist


def test_join__takes_the_lowest_free_seat_and_emits(system):
    amount = system.terms.min_stake + 7
    system.rich(owner(9))
    events = system.do("join", owner(9), operator(9), amount, b"", by=owner(9))
    assert events[0] == ("Joined", {"seat": 5, "owner": owner(9), "operator": operator(9), "stake": amount})
    assert system.seat(5) == {"owner": owner(9), "stake": amount, "operator": operator(9), "earned": 0}
    assert system.sets() == (0b111111, 0b111111, 0)


def test_join__fills_the_seat_that_somebody_left(system):
    system.do("exit", 2, by=owner(2))
    system.do("withdraw", 2, owner(2), by=owner(2))
    system.rich(owner(9))
    assert system.do("join", owner(9), operator(9), system.terms.min_stake, b"", by=owner(9))[0][1]["seat"] == 2


def test_join__somebody_else_may_pay(system):
    payer = system.rich(address("payer"))
    system.do("join", owner(9), operator(9), system.terms.min_stake, b"", by=payer)
    assert system.seat(5).owner == owner(9)
    assert system.token.call("balanceOf", payer) == PLENTY - system.terms.min_stake


def test_join__below_the_minimum__is_refused(system):
    minimum = system.terms.min_stake
    system.rich(owner(9))
    with refused("StakeTooSmall", minimum - 1, minimum):
        system.do("join", owner(9), operator(9), minimum - 1, b"", by=owner(9))
    system.do("join", owner(9), operator(9), minimum, b"", by=owner(9))


def test_join__beyond_96_bits__is_refused(system):
    most = 2**96 - 1
    system.rich(owner(9), 2**200)
    with refused("AmountTooLarge", most + 1, most):
        system.do("join", owner(9), operator(9), most + 1, b"", by=owner(9))
    system.do("join", owner(9), operator(9), most, b"", by=owner(9))


@pytest.mark.parametrize("who", [0, 1])
def test_join__without_owner_or_operator__is_refused(system, who):
    pair = [owner(9), operator(9)]
    pair[who] = "0x" + "00" * 20
    with refused("ZeroAddress"):
        system.do("join", *pair, system.terms.min_stake, b"", by=owner(0))


def test_join__when_all_seats_are_taken__is_refused():
    full = System.create(max_seats=3).join(3)
    full.rich(owner(9))
    with refused("SeatsFull", 3):
        full.do("join", owner(9), operator(9), full.terms.min_stake, b"", by=owner(9))


def test_join__at_128_seats__is_refused():
    full = System.create().join(128)
    full.rich(owner(128))
    with refused("SeatsFull", 128):
        full.do("join", owner(128), operator(128), full.terms.min_stake, b"", by=owner(128))
    assert seats.from_bitmap(full.sets()[0]) == list(range(128))


def test_join__without_allowance__is_refused_by_the_token(system):
    minimum = system.terms.min_stake
    with refused("ERC20InsufficientAllowance", system.federation.address, 0, minimum):
        system.do("join", STRANGER, STRANGER, minimum, b"", by=STRANGER)


def leaf(account):
    return keccak(keccak(encode(["address"], [account])))


def test_join__with_an_allowlist__wants_a_proof():
    pair = sorted([leaf(owner(0)), leaf(owner(1))])
    listed = System.create(allowlist=keccak(b"".join(pair)))
    for who in (0, 2):
        listed.rich(owner(who))
    stake = listed.terms.min_stake
    for evidence in (b"", leaf(owner(0)), b"\x01" * 31):
        with refused("NotAdmitted", owner(2)):
            listed.do("join", owner(2), operator(2), stake, evidence, by=owner(2))
    listed.do("join", owner(0), operator(0), stake, leaf(owner(1)), by=owner(0))
    with refused("NotAdmitted", owner(0)):
        listed.do("join", owner(0), operator(0), stake, leaf(owner(0)), by=owner(0))
    with refused("AlreadySeated", owner(0), 0):
        listed.do("join", owner(0), operator(0), stake, leaf(owner(1)), by=owner(0))
    with refused("NotAdmitted", owner(0)):  # nobody seats an operator under another's name
        listed.do("join", owner(1), operator(0), stake, leaf(owner(0)), by=owner(0))
    listed.do("exit", 0, by=owner(0))
    listed.do("withdraw", 0, owner(0), by=owner(0))
    listed.do("join", owner(0), operator(0), stake, leaf(owner(1)), by=owner(0))


def test_join__with_an_allowlist__once_each__whichever_seat_one_holds():
    names = [owner(i) for i in range(4)]
    names_of = Allowlist.of(names)
    listed = System.create(allowlist=names_of.root)
    stake = listed.terms.min_stake
    for i, name in enumerate(names):
        listed.rich(name)
        listed.do("join", name, operator(i), stake, names_of.proof(name), by=name)
    for i, name in enumerate(names):
        with refused("AlreadySeated", name, i):
            listed.do("join", name, operator(i), stake, names_of.proof(name), by=name)


def test_join__with_an_admission_contract__asks_it():
    from support.evm import LocalEvm

    evm = LocalEvm()
    desk = evm.deploy("AdmissionDesk")
    asked = System.create(evm, admission=desk.address)
    asked.rich(owner(0))
    stake = asked.terms.min_stake
    with refused("NotAdmitted", owner(0)):
        asked.do("join", owner(0), operator(0), stake, b"wrong", by=owner(0))
    asked.do("join", owner(0), operator(0), stake, b"password", by=owner(0))


def test_join__during_a_round__counts_from_the_next(system, updates):
    system.open()
    system.join(1)
    assert system.round.active == 0b11111
    with refused("NotActive", 1, 5):
        system.do("commit", 5, b"\x01" * 32, by=operator(5))
    system.evm.warp(system.evm.time + 10**6)
    system.do("finalize")
    system.open()
    assert system.round.active == 0b111111


def test_topup__adds_to_the_stake_and_emits(system):
    payer = system.rich(address("payer"))
    least = system.terms.min_stake // 100
    events = system.do("topUp", 1, least, by=payer)
    stake = system.terms.min_stake + least
    assert events[0] == ("ToppedUp", {"seat": 1, "from": payer, "amount": least, "stake": stake})
    assert system.seat(1).stake == stake


def test_topup__refusals(system):
    payer = system.rich(address("payer"), 2**200)
    with refused("ZeroAmount"):
        system.do("topUp", 1, 0, by=payer)
    with refused("SeatNotTaken", 5):
        system.do("topUp", 5, 1, by=payer)
    with refused("SeatNotTaken", 200):
        system.do("topUp", 200, 1, by=payer)
    least = system.terms.min_stake // 100
    with refused("TopUpTooSmall", least - 1, least):
        system.do("topUp", 1, least - 1, by=payer)
    most = 2**96 - 1 - system.terms.min_stake
    with refused("AmountTooLarge", most + 1, most):
        system.do("topUp", 1, most + 1, by=payer)
    system.do("exit", 1, by=owner(1))
    with refused("AlreadyLeaving", 1):
        system.do("topUp", 1, 1, by=payer)


def test_set_operator__replaces_it_at_once_and_emits(system):
    system.open()
    assert system.do("setOperator", 0, STRANGER, by=owner(0)) == [("OperatorReplaced", {"seat": 0, "operator": STRANGER})]
    with refused("NotOperator", 0, STRANGER, operator(0)):
        system.do("commit", 0, b"\x01" * 32, by=operator(0))
    system.do("commit", 0, b"\x01" * 32, by=STRANGER)


def test_set_operator__refusals(system):
    with refused("NotOwner", 0, owner(0), operator(0)):
        system.do("setOperator", 0, operator(0), by=operator(0))
    with refused("ZeroAddress"):
        system.do("setOperator", 0, "0x" + "00" * 20, by=owner(0))
    with refused("OperatorUnchanged", 0, operator(0)):
        system.do("setOperator", 0, operator(0), by=owner(0))
    with refused("NotOwner", 77, "0x" + "00" * 20, STRANGER):
        system.do("setOperator", 77, STRANGER, by=STRANGER)


def test_exit__takes_the_seat_out_of_the_next_round(system):
    assert system.do("exit", 4, by=owner(4)) == [("Leaving", {"seat": 4})]
    assert system.sets() == (0b11111, 0b01111, 0b10000)
    assert system.open().round.active == 0b01111


def test_exit__refusals(system):
    with refused("NotOwner", 4, owner(4), operator(4)):
        system.do("exit", 4, by=operator(4))
    system.do("exit", 4, by=owner(4))
    with refused("AlreadyLeaving", 4):
        system.do("exit", 4, by=owner(4))


def test_withdraw__pays_stake_and_pay_and_frees_the_seat(system, updates):
    system.to_challenge(updates).finish()
    system.do("exit", 0, by=owner(0))
    earned, stake = system.seat(0).earned, system.seat(0).stake
    assert earned > 0
    events = system.do("withdraw", 0, address("vault"), by=owner(0))
    assert events[0] == ("Withdrawn", {"seat": 0, "to": address("vault"), "stake": stake, "earned": earned})
    assert system.token.call("balanceOf", address("vault")) == stake + earned
    assert system.seat(0) == {"owner": "0x" + "00" * 20, "stake": 0, "operator": "0x" + "00" * 20, "earned": 0}
    assert system.sets() == (0b11110, 0b11110, 0)


def test_withdraw__refusals(system):
    with refused("NotLeaving", 0):
        system.do("withdraw", 0, owner(0), by=owner(0))
    system.do("exit", 0, by=owner(0))
    with refused("NotOwner", 0, owner(0), STRANGER):
        system.do("withdraw", 0, STRANGER, by=STRANGER)
    with refused("ZeroAddress"):
        system.do("withdraw", 0, "0x" + "00" * 20, by=owner(0))
    system.open()  # seat 0 is not active in it: it may go at once
    system.do("withdraw", 0, owner(0), by=owner(0))


def test_withdraw__while_its_round_is_live__is_refused(system, updates):
    system.open()
    system.do("exit", 0, by=owner(0))
    with refused("StillEngaged", 0, 1):
        system.do("withdraw", 0, owner(0), by=owner(0))
    system.evm.warp(system.evm.time + 10**6)
    system.do("withdraw", 0, owner(0), by=owner(0))  # the clock ended the round; nobody was waited for
    assert not system.round.live


def test_withdraw__where_the_stake_is_the_least_that_the_slashes_allow__frees_the_seat():
    poor = System.create(min_stake=70 * UNIT, no_reveal_slash=10 * UNIT).join(4).fund()
    poor.do("exit", 3, by=owner(3))
    poor.do("withdraw", 3, owner(3), by=owner(3))
    assert poor.sets()[0] == 0b111


def test_seat_slashed_to_the_minimum_exactly__plays_on(updates):
    system = System.create().join(4).join(1, 110 * UNIT).fund()
    system.open().commit(updates)
    system.skip()
    system.reveal(0, 1, 2, 3)
    system.skip()
    system.do("close")
    assert system.seat(4).stake == system.terms.min_stake
    assert system.sets()[1] == 0b11111


def test_seat_below_the_minimum__sits_out_until_topped_up(system, updates):
    system.open().commit(updates)
    system.skip()
    system.reveal(0, 1, 2, 3)
    system.skip()
    system.do("close")
    assert system.seat(4).stake == system.terms.min_stake - system.terms.no_reveal_slash
    assert system.sets()[1] == 0b01111
    payer = system.rich(address("payer"))
    system.do("topUp", 4, system.terms.no_reveal_slash - 1, by=payer)
    assert system.sets()[1] == 0b01111
    system.do("topUp", 4, 1, by=payer)  # dust, but the seat's last missing part
    assert system.sets()[1] == 0b11111
    with refused("TopUpTooSmall", 1, system.terms.min_stake // 100):
        system.do("topUp", 4, 1, by=payer)
