"""claim, claimCredit, fund, permit, conclude, refund

when earned     then the owner takes it, once
when concluded  then no round opens any more, the live one ends as it would, and the sponsor gets the pool back
"""

from eth_account import Account
from eth_account.messages import encode_typed_data
from support.evm import LocalEvm, refused
from support.system import CHALLENGER, SPONSOR, STRANGER, UNIT, System, address, operator, owner

from fl.protocol.phases import Phase

ZERO = "0x" + "00" * 20


def test_claim__pays_the_seat_s_pay_and_emits(system, updates):
    system.to_propose(updates)
    earned = system.seat(1).earned
    assert earned > 0
    events = system.do("claim", 1, address("vault"), by=owner(1))
    assert events[0] == ("Claimed", {"seat": 1, "to": address("vault"), "amount": earned})
    assert system.token.call("balanceOf", address("vault")) == earned
    assert system.seat(1).earned == 0
    assert system.seat(1).stake == system.terms.min_stake


def test_claim__refusals(system, updates):
    with refused("NothingToPay"):
        system.do("claim", 1, owner(1), by=owner(1))
    system.to_propose(updates)
    with refused("NotOwner", 1, owner(1), operator(1)):
        system.do("claim", 1, operator(1), by=operator(1))
    with refused("ZeroAddress"):
        system.do("claim", 1, ZERO, by=owner(1))
    system.do("claim", 1, owner(1), by=owner(1))
    with refused("NothingToPay"):
        system.do("claim", 1, owner(1), by=owner(1))


def test_claim_credit__pays_and_refuses(system, updates):
    system.to_propose(updates)
    system.propose(b"\x01" * 1024, 0)
    system.do("challenge", 0, 0, system.proof(), by=CHALLENGER)
    fee = system.terms.challenge_fee
    with refused("ZeroAddress"):
        system.do("claimCredit", ZERO, by=CHALLENGER)
    with refused("NothingToPay"):
        system.do("claimCredit", STRANGER, by=STRANGER)
    events = system.do("claimCredit", address("vault"), by=CHALLENGER)
    assert events[0] == ("CreditClaimed", {"account": CHALLENGER, "to": address("vault"), "amount": fee})
    assert system.token.call("balanceOf", address("vault")) == fee
    with refused("NothingToPay"):
        system.do("claimCredit", CHALLENGER, by=CHALLENGER)


def test_give__adds_to_anybody_s_credit_and_refuses(system):
    payer, hot, credit = system.rich(address("payer"), 2**200), operator(2), system.accounting()["credit"]
    assert system.do("give", hot, 7, by=payer)[:2] == [
        ("Given", {"from": payer, "account": hot, "amount": 7}),
        ("Credited", {"account": hot, "amount": 7}),
    ]
    assert (system.see("credits", hot), system.accounting()["credit"]) == (7, credit + 7)
    with refused("ZeroAddress"):
        system.do("give", ZERO, 7, by=payer)
    with refused("ZeroAmount"):
        system.do("give", hot, 0, by=payer)
    with refused("AmountTooLarge", 2**128, 2**128 - 1):
        system.do("give", hot, 2**128, by=payer)
    for _ in range(2):  # the limit is on one gift: the sum never gets near 2^256
        system.do("give", hot, 2**128 - 1, by=payer)
    system.do("claimCredit", address("vault"), by=hot)
    assert system.token.call("balanceOf", address("vault")) == 2**129 + 5


def test_fund__adds_to_the_pool_and_refuses(system):
    payer, pool = system.rich(address("payer"), 2**200), system.accounting()["pool"]
    assert system.do("fund", 5, by=payer)[0] == ("Funded", {"from": payer, "amount": 5, "pool": pool + 5})
    with refused("ZeroAmount"):
        system.do("fund", 0, by=payer)
    most = 2**128 - 1 - pool - 5
    with refused("AmountTooLarge", most + 1, most):
        system.do("fund", most + 1, by=payer)
    system.do("fund", most, by=payer)
    system.open()
    with refused("AmountTooLarge", 1, 0):  # pot and pool together must fit, so that the pot can come back
        system.do("fund", 1, by=payer)
    system.evm.warp(system.evm.time + 10**6)
    system.do("finalize")


def signed(system, account, amount, deadline=2**40):
    domain = {"name": "Treaty Test Token", "version": "1", "chainId": system.evm.chain_id}
    domain["verifyingContract"] = system.token.address
    permit = [("owner", "address"), ("spender", "address"), ("value", "uint256"), ("nonce", "uint256"), ("deadline", "uint256")]
    message = {
        "owner": account.address,
        "spender": system.federation.address,
        "value": amount,
        "nonce": 0,
        "deadline": deadline,
    }
    types = {"Permit": [{"name": n, "type": t} for n, t in permit]}
    s = account.sign_message(encode_typed_data(domain, types, message))
    return amount, deadline, s.v, s.r.to_bytes(32, "big"), s.s.to_bytes(32, "big")


def test_permit_and_join__in_one_transaction(system):
    account, stake = Account.from_key(b"\x05" * 32), system.terms.min_stake
    system.token.send("mint", account.address, stake, by=STRANGER)
    join = system.federation.data("join", account.address, operator(7), stake, b"")
    calls = [system.federation.data("permit", *signed(system, account, stake)), join]
    events = system.do("multicall", calls, by=account.address)
    assert ("Joined", {"seat": 5, "owner": account.address.lower(), "operator": operator(7), "stake": stake}) in events


def test_permit_join_and_give__in_one_transaction(system):
    account, stake, deposits = Account.from_key(b"\x05" * 32), system.terms.min_stake, 2 * system.terms.demand_deposit
    system.token.send("mint", account.address, stake + deposits, by=STRANGER)
    join = system.federation.data("join", account.address, operator(7), stake, b"")
    give = system.federation.data("give", operator(7), deposits)
    permit = system.federation.data("permit", *signed(system, account, stake + deposits))
    system.do("multicall", [permit, join, give], by=account.address)
    assert (system.seat(5).operator, system.see("credits", operator(7))) == (operator(7), deposits)
    assert system.token.call("balanceOf", account.address) == 0


def test_permit__that_somebody_used_first__is_no_failure(system):
    account, stake = Account.from_key(b"\x05" * 32), system.terms.min_stake
    system.token.send("mint", account.address, stake, by=STRANGER)
    args = signed(system, account, stake)
    system.token.send("permit", account.address, system.federation.address, *args, by=STRANGER)
    system.do("permit", *args, by=account.address)
    system.do("join", account.address, operator(7), stake, b"", by=account.address)


def test_permit__with_a_wrong_signature__is_refused(system):
    account, stake = Account.from_key(b"\x05" * 32), system.terms.min_stake
    args = signed(system, account, stake)
    with refused("PermitFailed", 0, stake):
        system.do("permit", *args, by=STRANGER)


def test_conclude__stops_the_next_round_only(system, updates):
    system.to_propose(updates)
    assert system.do("conclude", by=SPONSOR) == [("Concluded", {})]
    assert system.see("concluded") is True
    system.propose(system.aggregate()).finish()
    with refused("AlreadyConcluded"):
        system.do("openRound")


def test_conclude__refusals(system):
    for caller in (STRANGER, owner(0)):
        with refused("NotSponsor", SPONSOR, caller):
            system.do("conclude", by=caller)
    system.do("conclude", by=SPONSOR)
    with refused("AlreadyConcluded"):
        system.do("conclude", by=SPONSOR)


def test_refund__credits_the_sponsor_and_refuses(system):
    with refused("NotConcluded"):
        system.do("refund")
    system.open()
    system.do("conclude", by=SPONSOR)
    with refused("WrongPhase", Phase.IDLE, Phase.COMMIT):
        system.do("refund")
    system.evm.warp(system.evm.time + 10**6)
    system.do("finalize")
    pool = system.accounting()["pool"]
    assert pool == 10**6 * UNIT
    assert system.do("refund") == [
        ("Refunded", {"sponsor": SPONSOR, "amount": pool, "burnt": 0}),
        ("Credited", {"account": SPONSOR, "amount": pool}),
    ]
    with refused("NothingToPay"):
        system.do("refund")
    system.do("claimCredit", SPONSOR, by=SPONSOR)
    assert system.token.call("balanceOf", SPONSOR) == pool


def test_what_rounds_did_not_pay__pays_for_later_rounds_and_is_burnt_after_notice(system, updates):
    cost, pool = system.terms.round_cost(5), system.accounting()["pool"]
    system.to_challenge(updates).finish()
    kept = system.accounting()["kept"]
    assert 0 < kept < cost and system.accounting()["pool"] == pool - cost
    system.open()
    assert (system.accounting()["kept"], system.accounting()["pool"]) == (0, pool - cost - (cost - kept))
    system.commit(updates).skip()
    system.reveal(0)  # one of five: the round is void, and the pot is kept all the same
    system.evm.warp(system.evm.time + 10**6)
    system.do("finalize")
    assert system.accounting()["kept"] == cost
    system.do("conclude", by=SPONSOR)
    left, slashed = system.accounting()["pool"], system.accounting()["slashed"]
    refunded = {"sponsor": SPONSOR, "amount": left, "burnt": cost}
    assert system.do("refund") == [("Refunded", refunded), ("Credited", {"account": SPONSOR, "amount": left})]
    assert system.accounting()["slashed"] == slashed + cost and system.accounting()["kept"] == 0


def test_open_round__with_more_kept_than_it_costs__leaves_the_pool_alone(system, updates):
    system.open().commit(updates).skip()
    system.reveal(0)
    system.evm.warp(system.evm.time + 10**6)
    system.do("exit", 4, by=owner(4))
    system.do("finalize")
    before = system.accounting()
    for seat in range(4):
        system.do("topUp", seat, system.terms.min_stake, by=owner(seat))
    system.open()
    after = system.accounting()
    assert after["pool"] == before["pool"]
    assert after["kept"] == before["kept"] - system.terms.round_cost(4) > 0


def test_fund__after_notice__is_refused_since_no_round_can_spend_it(system):
    system.do("conclude", by=SPONSOR)
    with refused("AlreadyConcluded"):
        system.do("fund", 1, by=system.rich(STRANGER))


def test_refund__with_an_empty_pool__burns_what_was_kept(updates):
    system = System.create().join(5)
    system.fund(system.terms.round_cost(5)).open().commit(updates).skip()
    system.reveal(0)
    system.evm.warp(system.evm.time + 10**6)
    system.do("finalize")
    system.do("conclude", by=SPONSOR)
    assert system.do("refund") == [("Refunded", {"sponsor": SPONSOR, "amount": 0, "burnt": system.terms.round_cost(5)})]


def test_sponsor__can_take_no_stake_and_no_pot(system, updates):
    system.to_propose(updates)
    before = system.accounting()
    for function, args in (
        ("withdraw", (0, SPONSOR)),
        ("claim", (0, SPONSOR)),
        ("exit", (0,)),
        ("setOperator", (0, SPONSOR)),
    ):
        with refused("NotOwner", 0, owner(0), SPONSOR):
            system.do(function, *args, by=SPONSOR)
    with refused("NothingToPay"):
        system.do("claimCredit", SPONSOR, by=SPONSOR)
    assert system.accounting() == before


def drain(system):
    """Time passes, everybody leaves, all is claimed; returns what is left behind."""
    system.evm.warp(system.evm.time + 10**7)
    if system.round.live:
        system.do("finalize")
    if not system.see("concluded"):
        system.do("conclude", by=SPONSOR)
    for seat in range(128):
        holder = system.seat(seat).owner
        if holder != ZERO:
            if not system.sets()[2] >> seat & 1:
                system.do("exit", seat, by=holder)
            system.do("withdraw", seat, holder, by=holder)
    if system.accounting()["pool"] + system.accounting()["kept"]:
        system.do("refund")
    for account in (SPONSOR, CHALLENGER, STRANGER):
        if system.see("credits", account):
            system.do("claimCredit", account, by=account)
    if system.accounting()["slashed"]:
        system.do("sweep")
    return system.held()


def stages(system, updates):
    """The federation at every stage of a round, one after the other."""
    yield "idle"
    system.open()
    yield "commit"
    system.commit(updates)
    yield "committed"
    system.skip()
    yield "reveal"
    system.reveal(0, 1, 2, 3)
    yield "revealed"
    system.skip()
    yield "draw"
    drawn = system.draw()
    yield "drawn"
    system.commit_scores(dict.fromkeys(drawn, b"\t" * 4))
    yield "scored"
    system.skip()
    system.reveal_scores(*drawn[:2])
    yield "scores revealed"
    system.skip()
    yield "settle"
    system.settle()
    yield "settled"
    system.do("reportMissing", 0, 0b10, by=operator(0))
    yield "reported"
    system.skip()
    yield "propose"
    system.propose(b"\x01" * 1024, next(s for s in range(4) if s not in drawn[2:]))
    yield "wrong proposal"
    system.do("demand", 0, 0, 0, by=system.rich(CHALLENGER))
    yield "demanded"
    system.do("challenge", 0, 0, system.proof(), by=CHALLENGER)
    system.do("reclaim", 1, 1, 0, 0, 0)
    yield "fallen"


def test_everybody_can_leave__from_every_stage__and_nothing_is_left_behind(updates):
    names = list(stages(System.create().join(5).fund(), updates))
    for stop in names:
        system = System.create().join(5).fund()
        for name in stages(system, updates):
            if name == stop:
                break
        assert sum(system.accounting().values()) == system.held()
        open_deposits = system.accounting()["deposits"]
        system.evm.warp(system.evm.time + 10**7)
        if open_deposits:
            system.do("finalize")
            system.do("reclaim", 1, 1, 0, 0, 0)
        assert drain(system) == 0, stop


def test_every_seat_can_leave__when_nobody_else_ever_calls_again(updates):
    for stop in list(stages(System.create().join(5).fund(), updates)):
        system = System.create().join(5).fund()
        for name in stages(system, updates):
            if name == stop:
                break
        system.evm.warp(system.evm.time + 10**7)
        fee = system.terms.proposer_fee
        for seat in range(5):
            before = system.token.call("balanceOf", owner(seat))
            expected = system.seat(seat)
            system.do("exit", seat, by=owner(seat))
            system.do("withdraw", seat, owner(seat), by=owner(seat))
            gained = system.token.call("balanceOf", owner(seat)) - before
            most = system.terms.no_reveal_slash + system.terms.no_scores_slash + system.terms.fraud_slash
            assert expected.stake + expected.earned - most <= gained <= sum((expected.stake, expected.earned, fee)), stop
        assert system.accounting()["stakes"] == 0


def test_replay__of_a_commitment_on_another_chain__is_refused(updates):
    from support.system import salt

    from fl.protocol.artifact import Kind
    from fl.protocol.fraud import Opened

    here, there = System.create().join(3).fund(), System.create(LocalEvm(chain_id=10)).join(3).fund()
    assert here.federation.address == there.federation.address
    root = Opened.of(updates[0], Kind.UPDATE).tree.root
    here.open()
    commitment = here.commitment(0, root)
    there.open()
    there.do("commit", 0, commitment, by=operator(0))
    there.skip()
    with refused("WrongOpening", commitment[:28], there.commitment(0, root)):
        there.do("reveal", 0, root, salt(0), b"")
