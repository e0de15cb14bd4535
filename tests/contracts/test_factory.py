"""create

when terms keep every rule   then a federation is deployed under them, listed and known
when a rule is broken        then refused with its number, the same that the Python twin names
when blocks have no beacon   then refused, since nobody could draw a committee there
when there is no code        then no factory
"""

from dataclasses import replace

import pytest
from support.evm import LocalEvm, refused
from support.system import STRANGER, System

from fl.protocol.terms import AMOUNTS, check

ZERO = "0x" + "00" * 20
ONE = b"\x01" * 32

WINDOWS = ["commit", "reveal", "draw", "score_commit", "score_reveal", "settle", "propose", "challenge", "answer"]
BROKEN = [
    (1, {"token": ZERO}),
    (2, {"sponsor": ZERO}),
    *[(3, {f"no_{what}_slash": 25 * 10**18 + 1}) for what in ("reveal", "scores")],
    (4, {"admission": STRANGER, "allowlist": ONE}),
    (5, {"manifest": bytes(32)}),
    (6, {"genesis": bytes(32)}),
    (7, {"depth": 23}),
    (8, {"max_exponent": 24}),
    (9, {"trim": 65}),
    (10, {"max_seats": 0}),
    (10, {"max_seats": 129}),
    (11, {"committee": 1}),
    (11, {"committee": 4}),
    (11, {"committee": 17}),
    (12, {"min_reveals": 2}),
    (12, {"max_seats": 3, "min_reveals": 4}),
    (13, {"max_attempts": 0}),
    (13, {"max_attempts": 9}),
    *[(14, {f"{w}_window": 59}) for w in WINDOWS],
    *[(14, {f"{w}_window": 30 * 86400 + 1}) for w in WINDOWS[:-2]],
    (15, {"challenge_window": 179}),
    (15, {"depth": 18}),
    *[(3 if a in ("no_reveal_slash", "no_scores_slash") else 16, {a: 2**88 + 1}) for a in AMOUNTS],
    (17, {"min_stake": 70 * 10**18 - 1}),
    (17, {"no_reveal_slash": 0}),
    (17, {"no_scores_slash": 0}),
    (17, {"fraud_slash": 0, "challenge_fee": 0}),
    *[(3, {a: 2**88}) for a in ("no_reveal_slash", "no_scores_slash")],
    (17, {"fraud_slash": 2**88}),
    *[(18, {a: 2**88}) for a in ("challenge_fee", "demand_deposit")],
    (18, {"challenge_fee": 49 * 10**18}),
    (18, {"depth": 4, "demand_deposit": 9 * 10**18}),
    (19, {"strictness": 65536}),
    (20, {"commit_window": 30 * 86400, "reveal_window": 30 * 86400, "draw_window": 30 * 86400}),
    (20, {"max_attempts": 3, "challenge_window": 30 * 86400}),
    (21, {"draw_delay": 1}),
    (21, {"draw_delay": 7201}),
    (21, {"draw_delay": 2**256 - 1}),
]
KEPT = [
    {"depth": 17, "challenge_window": 1200},
    {"depth": 22, "challenge_window": 1500},
    {"max_exponent": 23, "trim": 64},
    {"committee": 15, "min_reveals": 15},
    {"max_seats": 3},
    {"min_stake": 70 * 10**18},
    {"challenge_fee": 49 * 10**18 - 1},
    {"depth": 4, "demand_deposit": 9 * 10**18 - 1},
    {"strictness": 65535, "max_exponent": 0, "max_attempts": 1},
    {"strictness": 0, "admission": STRANGER},
    {"allowlist": ONE},
    {"no_reveal_slash": 1, "no_scores_slash": 1, "fraud_slash": 1, "challenge_fee": 0, "demand_deposit": 0},
    {"commit_window": 30 * 86400, "reveal_window": 30 * 86400},
    {"no_reveal_slash": 25 * 10**18, "no_scores_slash": 25 * 10**18},
    {f"{w}_window": 60 for w in WINDOWS[:-2]} | {"challenge_window": 180, "answer_window": 60},
    {"max_attempts": 8, "trainer_rate": 2**88, "demand_deposit": 0, "proposer_fee": 0, "validator_rate": 0},
    {"proposer_fee": 2**88, "validator_rate": 2**88, "min_stake": 2**88},
    {"draw_delay": 2},
    {"draw_delay": 7200},
]


def test_create__lists_knows_and_emits(system):
    factory, terms = system.factory, replace(system.terms, strictness=9)
    events = factory.send("create", terms.as_tuple(), by=STRANGER)
    facts = {"federation": factory.call("federations", 1), "sponsor": terms.sponsor, "manifest": terms.manifest}
    assert events == [("Created", facts)]
    assert factory.call("count") == 2
    assert factory.call("federations", 1) == facts["federation"]
    assert factory.call("bornAt", facts["federation"]) == system.evm.block - 1
    assert factory.call("bornAt", STRANGER) == 0
    made = system.evm.at("Federation", facts["federation"])
    assert tuple(made.call("terms").values()) == terms.as_tuple()
    assert made.call("model") == terms.genesis


def test_worst__is_what_a_seat_can_lose_and_how_long_a_round_holds_its_stake(system):
    for changes in ({}, {"no_reveal_slash": 20 * 10**18}, {"max_attempts": 8, "settle_window": 1, "show_window": 7}):
        terms = replace(system.terms, **changes)
        loss, lock = system.factory.call("worst", terms.as_tuple())
        assert (loss, lock) == (terms.worst_loss(), terms.longest_round())
    assert system.factory.call("worst", system.terms.as_tuple()) == (60 * 10**18, 6 * 600 + 300 + 3 * (600 + 1200))


@pytest.mark.parametrize("rule, changes", BROKEN)
def test_create__with_a_broken_rule__is_refused(system, rule, changes):
    terms = replace(system.terms, **changes)
    assert check(terms)[0][0] == rule
    with refused("BadTerms", rule):
        system.factory.send("create", terms.as_tuple(), by=STRANGER)


def test_create__with_a_token_without_code__is_refused(system):
    with refused("BadTerms", 1):
        system.factory.send("create", replace(system.terms, token=STRANGER).as_tuple(), by=STRANGER)


@pytest.mark.parametrize("given", [0, 1, 2, 2500000000000000, 2**64 - 1])
def test_create__where_blocks_carry_a_constant_or_a_difficulty__is_refused(system, monkeypatch, given):
    monkeypatch.setattr(LocalEvm, "randao", lambda evm, number: given.to_bytes(32, "big"))
    system.evm.mine()
    terms = replace(system.terms, label=ONE)
    with refused("NoRandomness", given):
        system.factory.send("create", terms.as_tuple(), by=STRANGER)
    monkeypatch.setattr(LocalEvm, "randao", lambda evm, number: (2**64).to_bytes(32, "big"))
    system.evm.mine()
    assert system.factory.send("create", terms.as_tuple(), by=STRANGER)[0][0] == "Created"


@pytest.mark.parametrize("changes", KEPT)
def test_create__at_every_limit__is_taken(system, changes):
    terms = replace(system.terms, **changes)
    assert check(terms) == []
    system.factory.send("create", terms.as_tuple(), by=STRANGER)


def test_two_federations_of_one_token__keep_separate_books(system, updates):
    other = System.create(system.evm).join(3).fund()
    twin = replace(system.terms, strictness=9)
    address = system.factory.send("create", twin.as_tuple(), by=STRANGER)[0][1]["federation"]
    sister = System(system.evm, system.token, system.factory, system.evm.at("Federation", address), twin, system.model)
    sister.join(3).fund()
    system.to_challenge(updates)
    sister.to_challenge({s: updates[s] for s in range(3)})
    for one in (system, other, sister):
        assert sum(one.accounting().values()) == one.held()


def test_factory__needs_code_to_clone():
    with refused("NoCode", STRANGER):
        LocalEvm().deploy("FederationFactory", STRANGER)


def test_create__again__changes_nothing_and_returns_the_same_address(system):
    factory = system.factory
    before = factory.call("count"), factory.call("bornAt", system.federation.address)
    assert factory.call("create", system.terms.as_tuple()).lower() == system.federation.address.lower()
    assert factory.send("create", system.terms.as_tuple(), by=STRANGER) == []
    assert (factory.call("count"), factory.call("bornAt", system.federation.address)) == before


def test_create__with_another_label__makes_another_federation(system):
    terms = replace(system.terms, label=b"second".ljust(32, b"\0"))
    ((name, facts),) = system.factory.send("create", terms.as_tuple(), by=STRANGER)
    assert name == "Created" and facts["federation"] != system.federation.address
    assert system.evm.at("Federation", facts["federation"]).call("terms").label == terms.label
