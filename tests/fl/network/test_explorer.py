"""What is submitted to a block explorer compiles to the code that stands on the chain."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from support.evm import LocalEvm
from support.explorer import compiled, explorer, same_code
from support.system import System

from fl.errors import ChainError
from fl.network import identity
from fl.network.explorer import (
    COMPILER,
    KEY_VARIABLE,
    SETTINGS,
    TRIES,
    Explorer,
    explorer_of,
    publish_all,
    read_answer,
    standard_input,
)
from fl.protocol.mode import Mode

PLACES = {name: identity.address_of(name) for name in identity.ARGUMENTS}


def test_compiler__is_named_as_explorers_name_it():
    solc = Path(__file__).parents[3] / ".solcx" / "solc-v0.8.37"
    said = subprocess.run([str(solc), "--version"], capture_output=True, text=True, check=True).stdout
    assert f"Version: {COMPILER[1:]}" in said


@pytest.mark.parametrize("name", identity.ARGUMENTS)
def test_submission__compiles_to_the_code_on_the_chain(name):
    """By an explorer that knows nothing of us: without the settings for the metadata it would get other code."""
    evm, source = LocalEvm(), identity.CODE.get(name, name)
    for mode in Mode:
        System.create(evm, mode=mode)

    def judge(words: dict[str, str]) -> str:
        made = compiled(json.loads(words["sourceCode"]), words["contractname"])
        return "Pass - Verified" if same_code(made, evm.code(words["contractaddress"])) else "Fail - Unable to verify"

    with explorer(judge) as (url, asked):
        others = tuple(PLACES[other] for other in identity.ARGUMENTS[name])
        assert Explorer(url, 31337).publish(name, PLACES[name], others) == "Pass - Verified"
    assert asked[0]["compilerversion"] == COMPILER and asked[0]["contractname"] == f"contracts/{source}.sol:{source}"
    assert asked[0].get("constructorArguements", "") == "".join(other[2:].lower().rjust(64, "0") for other in others)


def test_code_without_the_metadata_settings__is_another():
    asked = standard_input("FederationFactory")
    asked["settings"] = {name: value for name, value in asked["settings"].items() if name != "metadata"}
    evm = LocalEvm()
    System.create(evm)
    made = compiled(asked, "contracts/FederationFactory.sol:FederationFactory")
    assert not same_code(made, evm.code(PLACES["FederationFactory"]))


def test_publish__says_what_the_explorer_says__of_each_contract():
    words = iter(["Pass - Verified", "Fail - Unable to verify", "Pass - Verified"])
    with explorer(lambda asked: next(words)) as (url, asked):
        lines = publish_all(Explorer(url, 5, "secret"), {name: PLACES[name] for name in identity.contracts(Mode.OPEN)})
    assert lines[0] == f"Disputes {PLACES['Disputes']}: Pass - Verified"
    assert lines[1] == (
        f"Federation stands at {PLACES['Federation']}, but its sources were not published: "
        "the explorer 127.0.0.1 says: Fail - Unable to verify"
    )
    given = json.loads(asked[0]["sourceCode"])
    assert given["settings"].items() >= SETTINGS.items() and all(words["apikey"] == "secret" for words in asked)
    assert all("@openzeppelin" in name or name.startswith("contracts/") for name in given["sources"])


NOT_YET = [
    f"Unable to locate ContractCode at {PLACES['Disputes']}",
    "Max calls per sec rate limit reached (5/sec)",
    "Pending in queue",
]


def test_publish__waits_for_an_explorer_that_has_not_got_as_far():
    pauses: list[float] = []
    with explorer(lambda asked: "Pass - Verified", NOT_YET[:2]) as (url, asked):
        assert Explorer(url, 5, sleep=pauses.append).publish("Disputes", PLACES["Disputes"], ()) == "Pass - Verified"
    assert [words["action"] for words in asked] == ["verifysourcecode"] * 3 + ["checkverifystatus"] and len(pauses) == 2


@pytest.mark.parametrize("word", NOT_YET)
def test_publish__does_not_wait_for_ever(word):
    with (
        explorer(lambda asked: "", [word] * TRIES) as (url, asked),
        pytest.raises(ChainError, match="run the same command again later"),
    ):
        Explorer(url, 5, sleep=lambda _: None).publish("Disputes", PLACES["Disputes"], ())
    assert len(asked) == TRIES


def test_publish__of_what_the_explorer_knows__asks_no_more():
    known = "Contract source code already verified"
    with explorer(lambda asked: "", [known]) as (url, asked):
        assert Explorer(url, 5).publish("Disputes", PLACES["Disputes"], ()) == known
    assert len(asked) == 1
    with explorer(lambda asked: "Already Verified") as (url, _):
        assert Explorer(url, 5).publish("Disputes", PLACES["Disputes"], ()) == "Already Verified"


def test_publish__to_what_does_not_answer__is_only_said():
    (line, *_) = publish_all(Explorer("http://127.0.0.1:9/api", 5), PLACES)
    assert "but its sources were not published: the explorer 127.0.0.1 did not answer as expected" in line


@pytest.mark.parametrize(
    "data", [b"[" * 100_000, b"[]", b"1", b"null", b'"word"', b'{"status": "1"}', b"\xff", b'{"result": "x"}', b""]
)
def test_answer__of_another_form__is_told_as_such(data):
    with pytest.raises((ValueError, KeyError, TypeError)):
        read_answer(data)


def test_answer__is_one_line_that_moves_no_cursor():
    status, result = read_answer(b'{"status": 0, "result": "a\\u001b[2J\\nb"}')
    assert status == "0" and result == "a?[2J?b".replace("?", "\N{REPLACEMENT CHARACTER}")


def test_explorer__is_known_before_anything_is_sent(monkeypatch):
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    with pytest.raises(ChainError, match=f"Etherscan wants a key: set {KEY_VARIABLE}"):
        explorer_of(1, "", local=False)
    with pytest.raises(ChainError, match="no explorer shows a chain of this machine"):
        explorer_of(31337, "", local=True)
    with pytest.raises(ChainError, match="give the web address of an API"):
        explorer_of(1, "ftp://x", local=False)
    assert explorer_of(1, "http://127.0.0.1/api", local=True).url == "http://127.0.0.1/api"
    monkeypatch.setenv(KEY_VARIABLE, "k")
    assert explorer_of(7, "", local=False) == Explorer("https://api.etherscan.io/v2/api", 7, "k")
