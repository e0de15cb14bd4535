"""Publishing sources to a block explorer that speaks Etherscan's API (Etherscan itself, Blockscout). It compiles them and
compares the result with the code on the chain.

Our bytecode holds no note about its sources, so that the settings must say so: an explorer that compiles without them gets
other code. Everything goes as one standard-JSON input, since code from the IR cannot be verified as a flattened file.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

from eth_abi.abi import encode

from fl.errors import ChainError, plain
from fl.network import identity
from fl.network.nesting import nests_too_deep

ETHERSCAN = "https://api.etherscan.io/v2/api"
KEY_VARIABLE = "ETHERSCAN_API_KEY"
COMPILER = "v0.8.37+commit.f401782d"
SETTINGS: dict[str, Any] = {
    "optimizer": {"enabled": True, "runs": 200},
    "evmVersion": "cancun",
    "viaIR": True,
    "metadata": {"bytecodeHash": "none", "appendCBOR": False},
}
LIBRARY, KEPT = "@openzeppelin/contracts/", Path(".openzeppelin", "contracts")
IMPORT = re.compile(r'import[^;"]*"([^"]+)"')
MAX_ANSWER = 1 << 20
TRIES, PAUSE = 20, 5.0  # times that an explorer is asked while it has not got as far, and seconds between two
# What it then says, in lower case: it has yet to compare the code, or to read the block that holds it; it is asked too often.
WAITING = ("pending", "unable to locate contractcode", "rate limit")


def sources(name: str, home: Path = Path()) -> dict[str, dict[str, str]]:
    """The source of a contract and all that it imports, by the names under which they import each other. home: the project."""
    found: dict[str, dict[str, str]] = {}
    queue = [f"contracts/{name}.sol"]
    while queue:
        one = queue.pop()
        if one in found:
            continue
        text = (home / (KEPT / one.removeprefix(LIBRARY) if one.startswith(LIBRARY) else one)).read_text()
        found[one] = {"content": text}
        for imported in IMPORT.findall(text):
            queue.append(os.path.normpath(os.path.join(os.path.dirname(one), imported)) if imported[0] == "." else imported)
    return found


def standard_input(name: str, home: Path = Path()) -> dict[str, Any]:
    """What the compiler is asked, whole."""
    selection = {"*": {"*": ["evm.bytecode", "evm.deployedBytecode", "abi"]}}
    return {"language": "Solidity", "sources": sources(name, home), "settings": SETTINGS | {"outputSelection": selection}}


@dataclass(frozen=True)
class Explorer:
    """An explorer's API. key: what it lets a user in by; some want none."""

    url: str
    chain_id: int
    key: str = ""
    sleep: Callable[[float], None] = time.sleep

    def publish(self, name: str, address: str, others: tuple[str, ...]) -> str:
        """Submits a contract's sources and waits for the comparison; returns what the explorer says. others: the addresses that
        its constructor took. Raises ChainError with the explorer's word if it does not verify them."""
        source = identity.CODE.get(name, name)
        arguments = encode(["address"] * len(others), others).hex()
        guid = self._patiently(
            {
                "action": "verifysourcecode",
                "codeformat": "solidity-standard-json-input",
                "sourceCode": json.dumps(standard_input(source)),
                "contractaddress": address,
                "contractname": f"contracts/{source}.sol:{source}",
                "compilerversion": COMPILER,
                "constructorArguements": arguments,  # as the API spells it
                "constructorArguments": arguments,
            }
        )
        return guid if _is_known(guid) else self._patiently({"action": "checkverifystatus", "guid": guid})

    def _patiently(self, words: dict[str, str]) -> str:
        """Its result, once it has one. Raises ChainError."""
        for _ in range(TRIES):
            word = self._ask(words)
            if not _is_waiting(word):
                return word
            self.sleep(PAUSE)
        raise ChainError(f"the explorer {urlsplit(self.url).hostname} still says: {word}: run the same command again later")

    def _ask(self, words: dict[str, str]) -> str:
        """Its result. Raises ChainError."""
        named = {"module": "contract", **words} | ({"apikey": self.key} if self.key else {})
        place = f"{self.url}?{urlencode({'chainid': self.chain_id})}"
        where = urlsplit(self.url).hostname
        try:
            with urlopen(Request(place, urlencode(named).encode()), timeout=60) as answer:
                status, result = read_answer(answer.read(MAX_ANSWER))
        except (URLError, OSError, ValueError, KeyError, TypeError) as error:
            raise ChainError(f"the explorer {where} did not answer as expected: {error}") from error
        if status != "1" and not _is_known(result) and not _is_waiting(result):
            raise ChainError(f"the explorer {where} says: {result}")
        return result


def read_answer(data: bytes) -> tuple[str, str]:
    """(status, result on one line) of what an explorer sent. Raises ValueError, KeyError or TypeError."""
    if nests_too_deep(data):
        raise ValueError("the answer nests too deep")
    facts = json.loads(data)
    return str(facts["status"]), plain(str(facts["result"])[:300])


def _is_known(word: str) -> bool:
    return "already verified" in word.lower()


def _is_waiting(word: str) -> bool:
    return any(one in word.lower() for one in WAITING)


def explorer_of(chain_id: int, url: str, local: bool) -> Explorer:
    """The explorer to publish to; url: empty for Etherscan. Raises ChainError, before anything is sent, if there is none."""
    key = os.environ.get(KEY_VARIABLE, "")
    if not url and local:
        raise ChainError("no explorer shows a chain of this machine: give --publish the address of one, or leave it out")
    if not url and not key:
        raise ChainError(f"--publish: Etherscan wants a key: set {KEY_VARIABLE}, or give the address of another explorer")
    if url and urlsplit(url).scheme not in ("http", "https"):
        raise ChainError(f"--publish {url!r:.80}: give the web address of an API, such as https://eth.blockscout.com/api")
    return Explorer(url or ETHERSCAN, chain_id, key)


def publish_all(explorer: Explorer, addresses: dict[str, str]) -> list[str]:
    """Publishes the contracts of a deployment, by name; returns a line for each."""
    lines = []
    for name in addresses:
        others = identity.ARGUMENTS[name]
        try:
            said = explorer.publish(name, addresses[name], tuple(addresses[other] for other in others))
            lines.append(f"{name} {addresses[name]}: {said}")
        except ChainError as error:
            lines.append(f"{name} stands at {addresses[name]}, but its sources were not published: {error}")
    return lines
