"""Who made a federation is recomputed from packaged code and its terms; everything else is refused in the same words."""

from dataclasses import replace

import pytest
from eth_abi import encode
from eth_account import Account
from eth_hash.auto import keccak
from eth_utils import to_checksum_address
from support.evm import DEPLOYER_CODE, Contract
from support.in_process import InProcessChain, reader_of
from support.system import DEPLOYER, STRANGER, System, address

from fl.errors import ChainError
from fl.network import identity
from fl.network.federation import FederationReader
from fl.network.identity import Maker
from fl.protocol.mode import Mode

THIEF = address("thief")
REFUSED = "is not a federation of this program's version, made by the factory .*false books.*nothing was sent"


@pytest.fixture
def s() -> System:
    return System.create(InProcessChain())


def put(evm, code: bytes) -> str:
    """Leaves this code on the chain, by creation code written by hand."""
    size = len(code).to_bytes(2)
    return evm.create(b"\x61" + size + b"\x80\x60\x0a\x3d\x39\x3d\xf3" + code, THIEF)


def made_by(factory: Contract) -> Maker:
    return Maker(*map(to_checksum_address, (factory.address, factory.call("implementation"))))


def without_deployer(mode: Mode = Mode.OPEN, **terms) -> System:
    """A chain that lacks the deployer: implementation and factory are wherever they came to be."""
    evm = InProcessChain()
    token, made = evm.deploy("TestToken", by=DEPLOYER), {}
    for name in identity.contracts(mode):
        others = [made[other].address for other in identity.ARGUMENTS[name]]
        made[name] = evm.deploy(identity.CODE.get(name, name), *others, by=DEPLOYER)
    honest = System._of(evm, token, made[identity.FACTORIES[mode]], System.create().model, terms, mode)
    evm.vm.insert_account_info(identity.DEPLOYER, type(evm.vm.basic(STRANGER))())
    return honest


@pytest.mark.parametrize("mode", Mode)
def test_addresses__follow_from_code_and_terms_alone(mode):
    s = System.create(InProcessChain(), mode=mode)
    maker = reader_of(s).check_identity()
    assert maker == Maker.own(mode) == made_by(s.factory)
    assert maker.address(s.terms).lower() == s.federation.address
    assert s.evm.code(s.factory.address) == maker.factory_code
    assert System.create(InProcessChain(), mode=mode).federation.address == s.federation.address


def test_the_other_mode_under_the_same_terms__is_another_federation(s):
    assert Maker.own(Mode.OPEN).address(s.terms) != Maker.own(Mode.MASKED).address(s.terms)
    with pytest.raises(ChainError, match=REFUSED):
        identity.check_identity(s.evm, s.federation.address, s.terms, mode=Mode.MASKED)


def test_label__makes_another_address(s):
    other = replace(s.terms, label=b"second".ljust(32, b"\0"))
    assert Maker.own().address(other).lower() != s.federation.address
    assert s.another(label=other.label).federation.address == Maker.own().address(other).lower()


def test_clone_made_by_hand__is_refused__though_code_and_terms_are_the_honest_ones(s):
    there = put(s.evm, Maker.own().code(s.terms))
    reader = FederationReader.open(s.evm, there)
    assert reader.terms.as_tuple()[3:] == s.terms.as_tuple()[3:] and s.evm.code(there) == s.evm.code(s.federation.address)
    with pytest.raises(ChainError, match=REFUSED):
        reader.check_identity()
    with pytest.raises(ChainError, match=REFUSED):
        FederationReader.open(s.evm, there, s.factory.address).check_identity()


def test_other_code_behind_the_terms__is_refused(s):
    maker = replace(Maker.own(), implementation=put(s.evm, b"\x00"))
    there = put(s.evm, maker.code(s.terms))
    with pytest.raises(ChainError, match=REFUSED):
        identity.check_identity(s.evm, there, s.terms)


def test_federation_that_is_still_to_be_created__is_refused(s):
    later = replace(s.terms, strictness=9)
    with pytest.raises(ChainError, match=REFUSED):
        identity.check_identity(s.evm, Maker.own().address(later), later)


@pytest.mark.parametrize("mode", Mode)
def test_chain_without_the_deployer__needs_a_factory_that_the_user_knows(mode):
    s = without_deployer(mode)
    with pytest.raises(ChainError, match=r"cannot be recomputed here.*name a factory that you know with --factory"):
        reader_of(s).check_identity()
    reader = FederationReader.open(s.evm, s.federation.address, s.factory.address)
    assert reader.check_identity() == made_by(s.factory)
    assert reader.start == s.factory.call("bornAt", s.federation.address) > 0


@pytest.mark.parametrize("wrong", [STRANGER, "implementation", "another"])
def test_factory_that_is_none__is_refused(s, wrong):
    named = s.factory.call("implementation") if wrong == "implementation" else wrong
    if wrong == "another":  # this version's factory, over an implementation of somebody else's
        named = s.evm.deploy("FederationFactory", put(s.evm, b"\x00"), by=THIEF).address
    with pytest.raises(ChainError, match="no factory of this program's version stands there"):
        identity.check_identity(s.evm, s.federation.address, s.terms, named)


def test_factory_that_is_no_address__is_refused(s):
    with pytest.raises(ChainError, match="--factory 'x' is not a valid address"):
        identity.check_identity(s.evm, s.federation.address, s.terms, "x")


def test_birth__is_where_reading_begins(s):
    assert reader_of(s).start == s.factory.call("bornAt", s.federation.address) > 0
    assert identity.born_at(s.evm, STRANGER) == 0


def test_create2__is_eip_1014s():
    assert identity.create2("0x" + "00" * 20, bytes(32), b"\0") == "0x4D1A2e2bB4F88F0250f26Ffff098B0b30B26BF38"
    assert identity.create2("0xdeadbeef" + "00" * 16, bytes(32), b"\0") == "0xB928f69Bb1D91Cd65274e3c79d8986362984fDA3"


def test_terms__are_encoded_as_the_contract_keeps_them(s):
    kinds = ["address"] * 3 + ["bytes32"] * 3 + ["uint256"] * 28 + ["bytes32"]
    assert identity.encoded(s.terms) == encode(kinds, s.terms.as_tuple())
    assert keccak(identity.encoded(s.terms)) == keccak(s.evm.code(s.federation.address)[45:])


def test_transaction_that_makes_the_deployer__makes_it_at_its_address__and_nobody_has_its_key():
    """The signature is a made-up number, and binds no chain; what it recovers to is whoever must pay."""
    assert Account.recover_transaction(identity.DEPLOYER_TRANSACTION) == identity.DEPLOYER_MAKER
    word = b"\xd6\x94" + bytes.fromhex(identity.DEPLOYER_MAKER[2:]) + b"\x80"  # RLP of [maker, nonce 0]
    assert keccak(word)[12:].hex() == identity.DEPLOYER[2:].lower()
    assert DEPLOYER_CODE in identity.DEPLOYER_TRANSACTION
    assert identity.DEPLOYER_COST == 100_000 * 10**11  # its gas, at its price
