"""Every way in which every function can refuse is asserted, and every event is compared whole; the specification lists both."""

from quality.guards.error_matrix import GUARD, README, asserted, compared_events, reachable, written
from support.evm import contract_types

OWN = ("Federation", "FederationFactory")
# Of the libraries that we inherit; each needs a situation that our code never makes.
FOREIGN = {
    "SafeERC20FailedOperation": "asserted with the tokens",
    "ReentrancyGuardReentrantCall": "asserted with the tokens",
    "AddressEmptyCode": "multicall calls the contract itself, which has code",
    "FailedCall": "multicall hands on what the inner call said",
    "FailedDeployment": "a clone fails to deploy only for lack of gas",
    "InsufficientBalance": "clones are made without ether",
    "Create2EmptyBytecode": "a clone's creation code is never empty",
    "CloneArgumentsTooLong": "terms have one length",
    "StringsInsufficientHexLength": "not used",
}


def names(kind: str) -> set[str]:
    return {e["name"] for c in OWN for e in contract_types()[c].abi if e["type"] == kind}


def test_every_error__can_be_reached_or_is_explained():
    reached = set().union(*reachable().values())
    assert names("error") - reached - set(FOREIGN) == set()


def test_every_way_to_refuse__is_asserted():
    """The guard against re-entry is asserted with the tokens, for every pair of calls that move money."""
    result = asserted()
    missing = {f: sorted(e for e in errors - {GUARD} if (f, e) not in result) for f, errors in reachable().items()}
    assert {f: errors for f, errors in missing.items() if errors} == {}


def test_every_event__is_compared_whole():
    assert names("event") - compared_events() == set()


def test_the_specification_s_tables__are_the_sources():
    assert README.read_text() == written(), "run: PYTHONPATH=tests python tests/quality/guards/error_matrix.py"


def test_the_reading_of_sources__sees_what_it_should():
    """Known pairs, so that a parser that reads nothing is red."""
    pairs = reachable()
    assert {"StillEngaged", "NotLeaving", GUARD} <= pairs["withdraw"]
    assert "WrongAmountReceived" in pairs["demand"] and "WrongPhase" in pairs["commit"]
    assert sum(map(len, pairs.values())) > 90
