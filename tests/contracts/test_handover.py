"""handover

when the owner sends what an admitted new owner signed    then the seat, its stake and its pay are the new owner's
when a fact is not what was signed, or was signed before  then it is refused
"""

from __future__ import annotations

from typing import Any

import pytest
from support.evm import refused
from support.keys import Key, key_of
from support.relays import batch, signed
from support.system import STRANGER, UNIT, System, operator, owner

from fl.protocol import signatures
from fl.protocol.allowlist import Allowlist

NEW, HOT, OTHER = Key(0xA), Key(0xB), Key(0xC)
NOBODY = "0x" + "00" * 20
LATER = 10_000
C = b"\xaa" * 32


def asked(system: System, seat: int = 1, **other: Any) -> dict[str, Any]:
    """What the new owner of a seat is asked to sign."""
    facts = {"owner": owner(seat), "new_owner": NEW.address, "new_operator": HOT.address, "stake": 100 * UNIT}
    facts |= {"chain_id": system.evm.chain_id, "federation": system.federation.address}
    return facts | {"seat": seat, "deadline": system.evm.time + LATER} | other


def digest(facts: dict[str, Any]) -> bytes:
    return signatures.handover(**facts).digest


def call(facts: dict[str, Any], signature: bytes | None = None, evidence: bytes = b"") -> tuple:
    """The arguments of the call, with the new owner's signature."""
    signature = NEW.sign_typed(signatures.handover(**facts)) if signature is None else signature
    named = ("seat", "new_owner", "new_operator", "stake", "deadline")
    return *(facts[name] for name in named), signature, evidence


def test_handover__gives_seat__stake_and_pay_to_the_new_owner(system, updates):
    system.to_challenge(updates).finish()
    before, books = system.seat(1), system.accounting()
    assert before.earned > 0
    events = system.do("handover", *call(asked(system)), by=owner(1))
    people = {"from": owner(1), "owner": NEW.address.lower(), "operator": HOT.address.lower()}
    assert events == [("HandedOver", {"seat": 1, **people})]
    now = system.seat(1)
    assert (now.owner, now.operator) == (NEW.address.lower(), HOT.address.lower())
    assert (now.stake, now.earned, system.accounting()) == (before.stake, before.earned, books)
    with refused("NotOwner", 1, NEW.address.lower(), owner(1)):
        system.do("claim", 1, owner(1), by=owner(1))
    system.do("claim", 1, NEW.address, by=NEW.address)
    system.do("exit", 1, by=NEW.address)
    system.do("withdraw", 1, NEW.address, by=NEW.address)
    assert system.token.call("balanceOf", NEW.address) == before.stake + before.earned


def test_handover__in_a_live_round__goes_on_with_the_new_operator(system):
    system.do("setOperator", 1, key_of(1).address, by=owner(1))
    system.open()
    old = signed(system, 1, C)
    system.do("handover", *call(asked(system)), by=owner(1))
    assert batch(system, "commitMany", 1, [old]) == (0, [])
    assert batch(system, "commitMany", 1, [signed(system, 1, C, key=HOT)])[0] == 1


def test_handover__is_the_owner_s_alone(system):
    for who in (operator(1), NEW.address.lower(), owner(2), STRANGER):
        with refused("NotOwner", 1, owner(1), who):
            system.do("handover", *call(asked(system)), by=who)
    with refused("NotOwner", 100, NOBODY, owner(1)):
        system.do("handover", *call(asked(system, 100, owner=owner(1))), by=owner(1))


@pytest.mark.parametrize(
    "other",
    [
        {"chain_id": 1},
        {"federation": STRANGER},
        {"seat": 2},
        {"owner": owner(2)},
        {"new_owner": OTHER.address},
        {"new_operator": OTHER.address},
        {"stake": 99 * UNIT},
        {"deadline": 2**40},
    ],
    ids=lambda other: next(iter(other)),
)
def test_handover__of_what_was_not_signed__is_refused(system, other):
    facts = asked(system)
    signature = NEW.sign_typed(signatures.handover(**facts | other))
    with refused("WrongSignature", NEW.address.lower(), digest(facts)):
        system.do("handover", *call(facts, signature), by=owner(1))
    assert system.seat(1).owner == owner(1)


@pytest.mark.parametrize("signature", [b"", bytes(64), bytes(65), b"\xff" * 65, bytes(200)], ids=len)
def test_handover__without_a_signature__is_refused(system, signature):
    facts = asked(system)
    with refused("WrongSignature", NEW.address.lower(), digest(facts)):
        system.do("handover", *call(facts, signature), by=owner(1))


def test_handover__signed_by_somebody_else__is_refused(system):
    facts = asked(system)
    for other in (OTHER, HOT):
        with refused("WrongSignature", NEW.address.lower(), digest(facts)):
            system.do("handover", *call(facts, other.sign_typed(signatures.handover(**facts))), by=owner(1))


def test_handover__of_an_act_s_signature__is_refused(system):
    facts = asked(system)
    other = signatures.act(signatures.ActKind.COMMIT, facts["chain_id"], facts["federation"], 1, 1, digest(facts))
    with refused("WrongSignature", NEW.address.lower(), digest(facts)):
        system.do("handover", *call(facts, NEW.sign_typed(other)), by=owner(1))


def test_handover__to_nobody_or_to_the_owner_itself__is_refused(system):
    for name in ("new_owner", "new_operator"):
        with refused("ZeroAddress"):
            system.do("handover", *call(asked(system, **{name: NOBODY})), by=owner(1))
    with refused("OwnerUnchanged", 1, owner(1)):
        system.do("handover", *call(asked(system, new_owner=owner(1))), by=owner(1))


def test_handover__of_a_leaving_seat__is_refused(system):
    system.do("exit", 1, by=owner(1))
    with refused("AlreadyLeaving", 1):
        system.do("handover", *call(asked(system)), by=owner(1))


def test_handover__after_its_deadline__is_refused(system):
    facts = asked(system)
    system.evm.warp(facts["deadline"])
    mark = system.evm.mark()
    system.do("handover", *call(facts), by=owner(1))  # the last second
    system.evm.back(mark)
    system.evm.warp(facts["deadline"] + 1)
    with refused("SignatureExpired", facts["deadline"] + 1, facts["deadline"]):
        system.do("handover", *call(facts), by=owner(1))


def test_handover__of_a_seat_that_lost_stake_since__is_refused(system, updates):
    facts = asked(system)
    system.open().commit(updates)
    system.skip()
    system.reveal(0, 2, 3, 4)
    system.skip()
    system.do("close")
    assert system.seat(1).stake == 90 * UNIT
    with refused("StakeTooSmall", 90 * UNIT, 100 * UNIT):
        system.do("handover", *call(facts), by=owner(1))
    system.do("handover", *call(asked(system, stake=90 * UNIT)), by=owner(1))


def test_handover__is_done_once_with_one_signature(system):
    """The old owner gets its seat back, and cannot press it on the same account a second time, in no form of the signature."""
    facts = asked(system)
    arguments = call(facts)
    system.do("handover", *arguments, by=owner(1))
    with refused("NotOwner", 1, NEW.address.lower(), owner(1)):
        system.do("handover", *arguments, by=owner(1))
    there = asked(system, owner=NEW.address, new_owner=OTHER.address, new_operator=OTHER.address)
    system.do("handover", *call(there, OTHER.sign_typed(signatures.handover(**there))), by=NEW.address)
    again = asked(system, owner=OTHER.address)
    system.do("handover", *call(again), by=OTHER.address)
    once_more = there | {"deadline": there["deadline"] + 1}
    system.do("handover", *call(once_more, OTHER.sign_typed(signatures.handover(**once_more))), by=NEW.address)
    n = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    whole = call(again)[5]
    turned = whole[:32] + (n - int.from_bytes(whole[32:64], "big")).to_bytes(32, "big") + bytes([55 - whole[64]])
    for signature in (whole, turned):
        with refused("SignatureUsed", digest(again)):
            system.do("handover", *call(again, signature), by=OTHER.address)
    assert system.seat(1).owner == OTHER.address.lower()


def test_handover__with_an_allowlist__needs_a_new_owner_on_it__with_one_seat():
    listed = Allowlist.of([owner(0), owner(1), NEW.address.lower()])
    system = System.create(allowlist=listed.root)
    for seat in (0, 1):
        system.rich(owner(seat))
        proof = listed.proof(owner(seat))
        system.do("join", owner(seat), operator(seat), system.terms.min_stake, proof, by=owner(seat))
    proof = listed.proof(NEW.address.lower())
    for evidence in (b"", listed.proof(owner(1)), proof[:-32]):
        with refused("NotAdmitted", NEW.address.lower()):
            system.do("handover", *call(asked(system), evidence=evidence), by=owner(1))
    stranger = asked(system, new_owner=OTHER.address)
    signature = OTHER.sign_typed(signatures.handover(**stranger))
    with refused("NotAdmitted", OTHER.address.lower()):
        system.do("handover", *call(stranger, signature, proof), by=owner(1))
    system.do("handover", *call(asked(system), evidence=proof), by=owner(1))
    with refused("AlreadySeated", NEW.address.lower(), 1):
        system.do("handover", *call(asked(system, 0), evidence=proof), by=owner(0))
    system.do("join", owner(1), operator(1), system.terms.min_stake, listed.proof(owner(1)), by=owner(1))  # it is free to


def test_handover__with_an_admission_contract__asks_it():
    desk = System.create().evm
    system = System.create(desk, admission=desk.deploy("AdmissionDesk").address)
    system.rich(owner(0))
    system.do("join", owner(0), operator(0), system.terms.min_stake, b"password", by=owner(0))
    with refused("NotAdmitted", NEW.address.lower()):
        system.do("handover", *call(asked(system, 0)), by=owner(0))
    system.do("handover", *call(asked(system, 0), evidence=b"password"), by=owner(0))


def test_handover__to_a_contract__asks_it(system):
    wallet = system.evm.deploy("SigningWallet", by=NEW.address)
    facts = asked(system, new_owner=wallet.address)
    with refused("WrongSignature", wallet.address, digest(facts)):
        system.do("handover", *call(facts, OTHER.sign_typed(signatures.handover(**facts))), by=owner(1))
    system.do("handover", *call(facts), by=owner(1))
    assert system.seat(1).owner == wallet.address


@pytest.mark.parametrize("manner", [1, 2, 5, 6, 7, 8])
def test_handover__to_a_contract_that_does_not_agree__is_refused(system, manner):
    wallet = system.evm.deploy("OddWallet")
    facts = asked(system, new_owner=wallet.address)
    again = system.federation.data("openRound")
    wallet.send("set", manner, system.federation.address, again, by=STRANGER)
    with refused("WrongSignature", wallet.address, digest(facts)):
        system.do("handover", *call(facts, b"any"), by=owner(1))


def test_handover__by_a_contract__works_as_for_a_key(system):
    """A Safe owns a seat, and hands it over through its own transaction."""
    safe = system.evm.deploy("ContractWallet", by=STRANGER)
    first = asked(system, new_owner=safe.address)
    with refused("WrongSignature", safe.address, digest(first)):
        system.do("handover", *call(first), by=owner(1))  # this kind cannot sign
    signing = system.evm.deploy("SigningWallet", by=NEW.address)
    system.do("handover", *call(asked(system, new_owner=signing.address)), by=owner(1))
    on = asked(system, owner=signing.address, new_owner=OTHER.address)
    data = system.federation.data("handover", *call(on, OTHER.sign_typed(signatures.handover(**on))))
    signing.send("execute", system.federation.address, data, by=NEW.address)
    assert system.seat(1).owner == OTHER.address.lower()
