"""Every error of the contracts is asserted by some test, and every event is compared whole somewhere."""

import re
from pathlib import Path

from evm import contract_types

TESTS = Path(__file__).parent.parent
OWN = ("Federation", "FederationFactory")
# Of the libraries that we inherit; each needs a situation that our code never makes.
FOREIGN = {
    "SafeERC20FailedOperation": "asserted with the tokens",
    "ReentrancyGuardReentrantCall": "asserted with the tokens",
    "AddressEmptyCode": "multicall calls the contract itself, which has code",
    "FailedCall": "multicall hands on what the inner call said",
    "FailedDeployment": "a clone fails to deploy only for lack of gas",
    "InsufficientBalance": "clones are made without ether",
    "CloneArgumentsTooLong": "terms have one length",
    "StringsInsufficientHexLength": "not used",
}


def names(kind: str) -> set[str]:
    return {e["name"] for c in OWN for e in contract_types()[c].abi if e["type"] == kind}


def sources() -> str:
    return "\n".join(p.read_text() for p in TESTS.rglob("test_*.py"))


def test_every_error__is_asserted():
    asserted = set(re.findall(r'refused\(\s*"(\w+)"', sources()))
    assert names("error") - asserted - set(FOREIGN) == set()


def test_every_event__is_named_by_a_test():
    told = sources()
    assert {name for name in names("event") if f'"{name}"' not in told} == set()
