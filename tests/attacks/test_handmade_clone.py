"""A clone made by hand

Tries: makes a clone with the honest code and terms, whose books begin with a credit of its own, and waits for stakes
Attacker pays: gas of a creation
Victim pays: nothing with this program: every command and page that pays or stakes recomputes the address; else its stake
"""

import pytest
from eth_abi import encode
from eth_hash.auto import keccak
from support.evm import refused
from support.in_process import InProcessChain
from support.system import UNIT, System, address, owner

from fl.errors import ChainError
from fl.network.federation import FederationReader
from fl.network.identity import Maker

THIEF = address("thief")
LOOT = 400 * UNIT


def handmade(s: System) -> str:
    """The honest clone's code behind creation code that first writes a credit, in the mapping and in the sum."""
    code = Maker.own().code(s.terms)
    books = {keccak(encode(["address", "uint256"], [THIEF, slot("credits")])): LOOT, slot("_credit").to_bytes(32): LOOT}
    writes = b"".join(b"\x7f" + value.to_bytes(32) + b"\x7f" + place + b"\x55" for place, value in books.items())
    end = len(writes) + 13
    copies = b"\x61" + len(code).to_bytes(2) + b"\x80\x61" + end.to_bytes(2) + b"\x5f\x39\x5f\xf3"
    return s.evm.create(writes + copies.ljust(13, b"\0") + code, THIEF)


def slot(name: str) -> int:
    """Where the contract keeps a book; `test_the_theft_works` fails if it moves."""
    return {"credits": 1, "_credit": 5}[name]


@pytest.fixture
def s() -> System:
    return System.create(InProcessChain())


def test_the_theft_works__where_nobody_recomputes_the_address(s):
    false = System(s.evm, s.token, s.factory, s.evm.at("Federation", handmade(s)), s.terms, s.model)
    assert tuple(false.see("terms").values()) == s.terms.as_tuple() and false.see("credits", THIEF) == LOOT
    false.join(4)
    false.do("claimCredit", THIEF, by=THIEF)
    assert s.token.call("balanceOf", THIEF) == LOOT and false.held() == 0
    false.do("exit", 0, by=owner(0))
    with refused("ERC20InsufficientBalance", false.federation.address.lower(), 0, s.terms.min_stake):
        false.do("withdraw", 0, owner(0), by=owner(0))


def test_the_clone__is_refused__before_anything_is_paid(s):
    with pytest.raises(ChainError, match="false books or do anything with what you pay"):
        FederationReader.open(s.evm, handmade(s)).check_identity()
    FederationReader.open(s.evm, s.federation.address).check_identity()
