"""Which contract stands at an address: everything that a federation consists of is at an address that anybody can recompute.

The implementation and the factory are created through a deployer that stands at one address on almost every chain, the
federation by the factory; each address is a hash of the creation code (EIP-1014), and the federation's of its terms too. So an
address that fits was created by this very code under these very terms, with empty books, whoever paid for it. A clone that was
made by hand may run the same code over false books; its address does not fit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import Any

from eth_abi.abi import encode
from eth_hash.auto import keccak
from eth_utils.address import is_hex_address, to_checksum_address

from fl.errors import ChainError, ContractError
from fl.network.abi import Interface
from fl.network.calls import code_at, view
from fl.network.chain import Chain
from fl.protocol.mode import Mode
from fl.protocol.terms import Terms

DEPLOYER = "0x4e59b44847b379578588920cA78FbF26c0B4956C"  # takes salt and creation code, knows no owner, keeps nothing
# Who created the deployer, and the transaction that does it on any chain: its signature is made up, and nobody has the key.
DEPLOYER_MAKER, DEPLOYER_COST = "0x3fAB184622Dc19b6109349B94811493BF2a45362", 10**16
DEPLOYER_TRANSACTION = (
    "0xf8a58085174876e800830186a08080b853604580600e600039806000f350fe"
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f580151560395781"
    "82fd5b8082525050506014600cf3"
    "1ba0" + "22" * 32 + "a0" + "22" * 32
)
SALT = bytes(32)
# The contracts in the order in which they are created, each with those whose addresses its constructor takes.
ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "Disputes": (),
    "Federation": ("Disputes",),
    "FederationFactory": ("Federation",),
    "MaskedDisputes": (),
    "MaskedFederation": ("MaskedDisputes",),
    "MaskedFactory": ("MaskedFederation",),
}
CODE = {"MaskedFactory": "FederationFactory"}  # where one contract stands at two addresses, over two others
IMPLEMENTATIONS = {Mode.OPEN: "Federation", Mode.MASKED: "MaskedFederation"}
FACTORIES = {Mode.OPEN: "FederationFactory", Mode.MASKED: "MaskedFactory"}
# The proxy before and after the implementation's address (EIP-1167), and what creates it, after the length.
PROXY = bytes.fromhex("363d3d373d3d3d363d73"), bytes.fromhex("5af43d82803e903d91602b57fd5bf3")
CREATES = bytes.fromhex("3d81600a3d39f3")
HOLE = re.compile(b"\x7f" + bytes(32))  # what a constructor fills in: the argument of a PUSH32
FACTORY_ABI: list[dict[str, Any]] = [
    {"type": "function", "name": name, "inputs": [{"type": t} for t in given], "outputs": [{"type": out}]}
    for name, given, out in [("bornAt", ("address",), "uint256")]
]
KINDS = {"str": "address", "bytes": "bytes32", "Label": "bytes32"}


@dataclass(frozen=True)
class Code:
    """What the compiler made of a contract. creation: without arguments. runtime: what it leaves on the chain, with zeros for
    what the constructor fills in."""

    creation: bytes
    runtime: bytes

    def filled(self, code: bytes) -> set[str] | None:
        """The addresses that were filled in where a chain shows this code; None if it is another."""
        if len(code) != len(self.runtime):
            return None
        holes = [hole.end() - 32 for hole in HOLE.finditer(self.runtime)]
        plain = bytearray(code)
        for start in holes:
            plain[start : start + 32] = bytes(32)
        if plain != self.runtime:
            return None
        values = {code[start : start + 32] for start in holes}
        return {to_checksum_address(value[12:]) for value in values if not any(value[:12])}


@cache
def compiled() -> Mapping[str, Code]:
    """This version's contracts (`python tooling/abi.py` updates them)."""
    packaged: dict[str, Any] = json.loads(files("fl.network").joinpath("bytecode.json").read_text())
    creation = {name: (bytes.fromhex(facts["creation"]), int(facts["runtime"])) for name, facts in packaged.items()}
    return {name: Code(code, code[-size:]) for name, (code, size) in creation.items()}


def code_of(name: str) -> Code:
    """What the compiler made of the contract that has this name among those that are deployed."""
    return compiled()[CODE.get(name, name)]


def contracts(mode: Mode) -> list[str]:
    """The contracts that a federation of this mode needs, in the order in which they are created."""
    wanted, names = [FACTORIES[mode]], list[str]()
    while wanted:
        names.insert(0, name := wanted.pop())
        wanted += ARGUMENTS[name]
    return names


@cache
def creation_code(name: str) -> bytes:
    """The whole creation code of a contract, with the recomputed addresses that its constructor takes."""
    return code_of(name).creation + b"".join(bytes(12) + _raw(address_of(other)) for other in ARGUMENTS[name])


@cache
def address_of(name: str) -> str:
    """The address at which a contract of this version stands, on every chain that has the deployer."""
    return create2(DEPLOYER, SALT, creation_code(name))


def create2(creator: str, salt: bytes, code: bytes) -> str:
    """The address of what `creator` creates from this code (EIP-1014)."""
    return to_checksum_address(keccak(b"\xff" + _raw(creator) + salt + keccak(code))[12:])


@dataclass(frozen=True)
class Maker:
    """A factory, and the implementation that its federations run."""

    factory: str
    implementation: str

    @classmethod
    def own(cls, mode: Mode = Mode.OPEN) -> Maker:
        """This version's, at their recomputed addresses."""
        return cls(address_of(FACTORIES[mode]), address_of(IMPLEMENTATIONS[mode]))

    @property
    def factory_code(self) -> bytes:
        """The factory's code, as a node shows it."""
        return HOLE.sub(b"\x7f" + bytes(12) + _raw(self.implementation), compiled()[FACTORIES[Mode.OPEN]].runtime)

    def code(self, terms: Terms) -> bytes:
        """The code of the federation under these terms, as a node shows it."""
        head, tail = PROXY
        return head + _raw(self.implementation) + tail + encoded(terms)

    def address(self, terms: Terms) -> str:
        """The address of the federation under these terms."""
        code = self.code(terms)
        return create2(self.factory, SALT, b"\x61" + len(code).to_bytes(2) + CREATES + code)


def encoded(terms: Terms) -> bytes:
    """The terms as words, as the contract keeps them."""
    kinds = [KINDS.get(str(f.type), "uint256") for f in fields(Terms)]
    return encode(kinds, terms.as_tuple())


def check_identity(rpc: Chain, address: str, terms: Terms, factory: str | None = None, mode: Mode = Mode.OPEN) -> Maker:
    """Who made the federation at this address; raises ChainError unless it is one of this program's version, under these terms.

    Whoever is about to pay or to stake there calls this first. factory: one that the user knows, for chains on which addresses
    cannot be recomputed, and for factories that were deployed otherwise. mode: that the manifest states."""
    maker = Maker.own(mode) if factory is None else _named(rpc, factory, mode)
    if factory is None and not code_at(rpc, DEPLOYER):
        raise ChainError(
            f"{address} cannot be recomputed here, since this chain lacks the deployer {DEPLOYER}: name a factory that you "
            "know with --factory; nothing was sent"
        )
    if to_checksum_address(address) != maker.address(terms) or code_at(rpc, address) != maker.code(terms):
        raise ChainError(foreign(address, maker.factory))
    return maker


def foreign(address: str, factory: str) -> str:
    """What somebody reads who was about to pay into another contract."""
    return (
        f"{address} is not a federation of this program's version, made by the factory {factory} from its terms: it may keep "
        "false books or do anything with what you pay; stay away, or use its own version; nothing was sent"
    )


def _named(rpc: Chain, factory: str, mode: Mode) -> Maker:
    """A factory that the user names. Raises ChainError if it is none of this version's."""
    if not is_hex_address(factory):
        raise ChainError(f"--factory {factory!r} is not a valid address: give 0x and 40 hexadecimal digits")
    place = to_checksum_address(factory)
    found = _standing(rpc, FACTORIES[mode], place)
    if found is None:
        raise ChainError(f"--factory {place}: no factory of this program's version stands there; check it; nothing was sent")
    return Maker(place, found[IMPLEMENTATIONS[mode]])


def _standing(rpc: Chain, name: str, address: str) -> dict[str, str] | None:
    """The addresses that the code of a contract at this address names, by contract; None unless all of them run this version's
    code."""
    filled = code_of(name).filled(code_at(rpc, address))
    if filled is None:
        return None
    found = {}
    for other in ARGUMENTS[name]:
        fits = [place for place in sorted(filled) if _standing(rpc, other, place) is not None]
        if not fits:
            return None
        found[other] = fits[0]
    return found


def born_at(rpc: Chain, address: str, factory: str | None = None) -> int:
    """The block in which a factory, by default one of this version's, created a federation; 0 if none says."""
    for place in [factory] if factory else [address_of(name) for name in FACTORIES.values()]:
        try:
            if number := int(view(rpc, place, Interface(FACTORY_ABI), "bornAt", address)):
                return number
        except ContractError:
            continue
    return 0


def _raw(address: str) -> bytes:
    return bytes.fromhex(address[2:])
