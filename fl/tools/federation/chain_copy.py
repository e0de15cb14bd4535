"""A deployment tried on a copy of the chain: an anvil of this machine reads the newest block's state from the chain's node,
and runs the transactions that `deploy` would send. What they take and make is told, and what would fail.

The copy is no proof: later blocks may change what was found, and the copy's blocks have randomness of their own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from eth_utils.address import to_checksum_address

from fl.errors import ChainError
from fl.network import ape_accounts, gas, identity
from fl.network.abi import Interface
from fl.network.calls import code_at, number_of
from fl.network.chain import Chain
from fl.network.denomination import Denomination
from fl.network.rpc import NodeRefused, Rpc
from fl.protocol.mode import Mode
from fl.protocol.terms import Terms
from fl.tools.simulation.local_chain import start_chain

PLENTY = 10**24  # wei: what the copy's account is given where the real one could not pay


@dataclass
class Tried:
    """What was tried. block: of the chain, where it began; steps: (name, gas, address of what it made); fails: what would go
    wrong; untried: why not everything was tried, empty if it was."""

    block: int = 0
    steps: list[tuple[str, int, str]] = field(default_factory=list)
    fails: list[str] = field(default_factory=list)
    untried: str = ""

    def facts(self) -> dict[str, Any]:
        steps = [{"name": name, "gas": used, "address": address} for name, used, address in self.steps]
        return {"block": self.block, "steps": steps, "fails": self.fails, "untried": self.untried}

    def lines(self, money: Callable[[float], str]) -> list[str]:
        """For people. money: gas as ether."""
        found = [f"  {name:17} {used:>10,} gas, {address}" for name, used, address in self.steps]
        if found:
            whole = sum(used for _, used, _ in self.steps)
            found.insert(0, f"tried on a copy of the chain at block {self.block:,}: {whole:,} gas, {money(whole)}")
        found += [f"would fail: {why}" for why in self.fails]
        return found + ([f"not tried on a copy of the chain: {self.untried}"] if self.untried else [])


@contextmanager
def copy_of(url: str, chain_id: int, block: int) -> Iterator[Rpc]:
    """A copy of a chain at a block. Raises ChainError if there is no anvil, or if it cannot read the chain."""
    with tempfile.TemporaryDirectory(prefix="treaty-copy-") as folder:
        process, address = start_chain(Path(folder) / "log", accounts=1, chain_id=chain_id)
        try:
            copy = Rpc([address], timeout=60.0)
            # Not among the words of the command, which every user of this machine can read: an address may hold a key.
            copy("anvil_reset", {"forking": {"jsonRpcUrl": url, "blockNumber": block}})
            yield copy
        finally:
            process.kill()
            process.wait()


def try_on_copy(
    terms: Terms, sender: str, factory: str | None, *, own_token: bool, denomination: Denomination, mode: Mode
) -> Tried:
    """Tries a deployment under these terms on a copy of the connected chain. factory: one that stands."""
    rpc = ape_accounts.node()
    newest = rpc("eth_getBlockByNumber", "latest", False)
    result = Tried(number_of("the newest block's number", newest.get("number")))
    if gas.rules_of(newest) != gas.TODAY:
        result.untried = f"the chain follows the rules of {gas.NEXT.capitalize()}, which this machine's anvil does not know"
        return result
    if factory is None and not code_at(rpc, identity.DEPLOYER):
        result.untried = f"the chain lacks the deployer {identity.DEPLOYER}"
        return result
    try:
        with copy_of(rpc.urls[0], ape_accounts.chain_id(), result.block) as copy:
            _Attempt(copy, sender, result, denomination).run(terms, factory, own_token, mode)
    except ChainError as error:
        result.untried = str(error)
    return result


class _Attempt:
    """The transactions, one after the other, on a copy."""

    def __init__(self, copy: Chain, sender: str, result: Tried, denomination: Denomination):
        self.copy, self.sender, self.result, self.denomination = copy, sender, result, denomination
        self.interface = Interface(ape_accounts.abi(identity.FACTORIES[Mode.OPEN]))

    def run(self, terms: Terms, factory: str | None, own_token: bool, mode: Mode) -> None:
        held = number_of("eth_getBalance", self.copy("eth_getBalance", self.sender, "latest"))
        price = number_of("eth_gasPrice", self.copy("eth_gasPrice"))
        self.copy("anvil_impersonateAccount", self.sender)
        self.copy("anvil_setBalance", self.sender, hex(max(held, PLENTY)))
        made = ""
        if own_token and (made := self._create("TestToken")):
            terms = replace(terms, token=to_checksum_address(made))
        if factory is None:
            for name in identity.contracts(mode):
                place = identity.address_of(name)
                if not code_at(self.copy, place):
                    self._send(name, identity.DEPLOYER, identity.SALT + identity.creation_code(name), place)
            factory = identity.address_of(identity.FACTORIES[mode])
        own = identity.Maker.own(mode).implementation
        maker = identity.Maker(factory, self._implementation(factory) or own)
        self._send("create", factory, self.interface.call("create", terms.as_tuple()), maker.address(terms))
        need = price * sum(used for _, used, _ in self.result.steps)
        if held < need:
            has = f"{self.sender} holds {held / 1e18:.6f} ETH and needs some {need / 1e18:.6f} for gas"
            self.result.fails.append(f"{has}: send it some; on the copy it was given more")

    def _implementation(self, factory: str) -> str:
        data = self.interface.call("implementation")
        try:
            answer = self.copy("eth_call", {"to": factory, "data": "0x" + data.hex()}, "latest")
        except NodeRefused:
            return ""
        return str(self.interface.result("implementation", bytes.fromhex(answer[2:]))) if len(answer) > 2 else ""

    def _create(self, name: str) -> str:
        code = bytes(ape_accounts.contract(name).contract_type.deployment_bytecode.to_bytes())
        return self._send(name, None, code, "")

    def _send(self, name: str, to: str | None, data: bytes, place: str) -> str:
        """Sends a transaction; returns the address of what it made, "" if it failed. place: where that should be."""
        call = {"from": self.sender, "data": "0x" + data.hex()} | ({"to": to} if to else {})
        try:
            estimate = number_of("eth_estimateGas", self.copy("eth_estimateGas", call, "latest"))
            receipt = self.copy("eth_sendTransactionSync", {**call, "gas": hex(estimate)})
        except NodeRefused as error:
            why = self.interface.error(error.data, self.denomination) if error.data else error.text
            self.result.fails.append(f"{name}: {why}")
            return ""
        address = place or str(receipt["contractAddress"])
        if number_of("status", receipt.get("status")) != 1 or not code_at(self.copy, address):
            self.result.fails.append(f"{name}: nothing was made at {address}")
            return ""
        self.result.steps.append((name, number_of("gasUsed", receipt.get("gasUsed")), address))
        return address
