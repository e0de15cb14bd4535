"""Every error of the contracts has a sentence for people, with its facts in it."""

import pytest
from support.evm import contract_types

from fl.network.denomination import PLAY, Denomination
from fl.network.error_messages import SENTENCES, explain

# What no call of a federation's functions can run into.
INNER = {
    "AddressEmptyCode",
    "FailedCall",
    "CloneArgumentsTooLong",
    "Create2EmptyBytecode",
    "FailedDeployment",
    "InsufficientBalance",
}
TOKENS = {"ERC20InsufficientAllowance", "ERC20InsufficientBalance"}  # OpenZeppelin's, which most tokens use
ERRORS = {
    e["name"]: e
    for c in ("TestToken", "Federation", "FederationFactory")
    for e in contract_types()[c].abi
    if e["type"] == "error"
}
SAMPLE = {"address": "0x" + "ab" * 20, "bytes32": b"\x01" * 32, "bytes28": b"\x01" * 28}


def test_every_error__has_a_sentence__and_no_sentence_is_idle():
    own = {e["name"] for c in ("Federation", "FederationFactory") for e in contract_types()[c].abi if e["type"] == "error"}
    assert own - INNER | TOKENS == set(SENTENCES)


@pytest.mark.parametrize("name", sorted(SENTENCES))
def test_sentence__is_one_line_with_the_facts_and_the_name(name):
    fields = {i["name"]: SAMPLE.get(i["type"], 2) for i in ERRORS[name]["inputs"]}
    result = explain(name, fields, PLAY)
    assert result.endswith(f" ({name})") and "\n" not in result and "{" not in result and "}" not in result


def test_amounts__are_tokens__phases_are_words__artifacts_too():
    small = {"amount": 5 * 10**17, "minimum": 100 * 10**18}
    assert explain("StakeTooSmall", small, PLAY).startswith("a stake of 0.5 TTT is below the minimum of 100 TTT")
    small = {"amount": 5 * 10**5, "minimum": 100 * 10**6}
    assert explain("StakeTooSmall", small, Denomination(6, "USDC")).startswith(
        "a stake of 0.5 USDC is below the minimum of 100 USDC"
    )
    assert "phase score commit, but the round is in phase idle" in explain("WrongPhase", {"expected": 4, "actual": 0}, PLAY)
    late = {"time": 1_800_000_060, "deadline": 1_800_000_000}
    assert explain("AnswerTooLate", late, PLAY).startswith(
        "the answer was due at 2027-01-15 08:00:00 UTC, and it is 2027-01-15 08:01:00 UTC: anybody"
    )
    assert explain("WrongLeaf", {"artifact": 2, "seat": 7}, PLAY).startswith("the opened leaf of an update (seat 7)")
    assert explain("WrongScoresLength", {"expected": 3, "actual": 2}, PLAY).startswith("2 scores were given for 3 revealed")
    assert explain("TooFewSeats", {"eligible": 1, "minimum": 3}, PLAY).startswith("1 seats are ready and 3")


def test_foreign_error__has_none():
    assert explain("Panic", {"code": 1}, PLAY) is None
