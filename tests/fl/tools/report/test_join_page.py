"""The participant's page: its own encoder against eth_abi, its selectors against the contracts, its amounts at every edge."""

import json
import re
import subprocess
from dataclasses import replace

import pytest
from eth_abi import encode
from eth_utils import keccak, to_checksum_address
from hypothesis import given, settings
from hypothesis import strategies as st
from support.evm import contract_types
from support.manifests import manifest
from support.pages import KNOWN, TERMS, facts

from fl.tools.cli.amounts import worst_case
from fl.tools.report.join_page import join_page
from fl.tools.report.render import TEMPLATES

SCRIPT = TEMPLATES / "join.js"
ANSWER = """
const join = require(process.argv[1]);
const big = (v) => typeof v === "string" && /^\\d+n$/.test(v) ? BigInt(v.slice(0, -1)) : v;
require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const [name, args] = JSON.parse(line);
  let told;
  try { told = join[name](...args.map(big)); } catch (error) { told = { refused: error.message }; }
  console.log(JSON.stringify(told, (k, v) => typeof v === "bigint" ? v + "n" : v));
});
"""


@pytest.fixture(scope="module")
def script():
    """Calls a function of the page's script, in Node."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen(["node", "-e", ANSWER, str(SCRIPT)], **pipes)

    def call(name, *args):
        process.stdin.write(json.dumps([name, args]) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    yield call
    process.stdin.close()
    process.wait()
    process.stdout.close()


def kind(entry) -> str:
    return entry["type"] if "components" not in entry else f"({','.join(map(kind, entry['components']))})"


def declared(sort: str) -> dict[str, list[str]]:
    abi = [e for c in ("Federation", "FederationFactory", "TestToken") for e in contract_types()[c].abi if e["type"] == sort]
    return {e["name"]: [kind(i) for i in e["inputs"]] for e in abi}


def table(name: str) -> dict[str, tuple[str, list[str]]]:
    text = SCRIPT.read_text()
    body = text[text.index(f"const {name} = {{") : text.index("};", text.index(f"const {name} = {{"))]
    return {
        m[1]: (m[2], re.findall(r'"([\w\[\]]+)"', m[3])) for m in re.finditer(r'(\w+): \["(\w*)", (.*)\],$', body, re.MULTILINE)
    }


def selector(name: str, types: list[str]) -> str:
    return keccak(text=f"{name}({','.join(types)})")[:4].hex()


def test_functions__are_the_contracts_own():
    contracts, page = declared("function"), table("FUNCTIONS")
    assert len(page) == 16
    for name, (result, types) in page.items():
        assert types == contracts[name] and result == selector(name, types)


def test_refusals__are_the_contracts_own():
    contracts, page = declared("error"), table("REFUSALS")
    assert len(page) == 15
    for name, (result, _) in page.items():
        assert result == selector(name, contracts[name])


VALUES = {
    "address": st.binary(min_size=20, max_size=20).map(to_checksum_address),
    "uint256": st.integers(0, 2**256 - 1),
    "bytes": st.binary(max_size=200),
    "bytes[]": st.lists(st.binary(max_size=200), max_size=4),
}


def as_script_takes(value):
    if isinstance(value, list):
        return [as_script_takes(one) for one in value]
    return f"{value}n" if isinstance(value, int) else "0x" + value.hex() if isinstance(value, bytes) else value


@settings(max_examples=50)
@given(text=st.text("0123456789abcdef xyz", max_size=134))
def test_keccak__is_that_of_the_chain(script, text):
    assert script("keccak", text) == keccak(text=text).hex()


@settings(max_examples=50)
@given(data=st.binary(min_size=20, max_size=20), place=st.integers(2, 41))
def test_address__with_a_wrong_letter__is_refused_by_its_checksum(script, data, place):
    address = to_checksum_address(data)
    for fine in (address, address.lower(), "0x" + address[2:].upper()):
        assert script("checked", fine) == fine
    wrong = address[:place] + address[place].swapcase() + address[place + 1 :]
    if wrong != address and wrong[2:] not in (wrong[2:].lower(), wrong[2:].upper()):
        assert "its checksum does not fit" in script("checked", wrong)["refused"]


@settings(max_examples=150)
@given(data=st.data())
def test_encoder__agrees_with_eth_abi(script, data):
    name = data.draw(st.sampled_from(sorted(table("FUNCTIONS"))))
    first, types = table("FUNCTIONS")[name]
    values = [data.draw(VALUES[t]) for t in types]
    expected = "0x" + first + encode(types, values).hex()
    assert script("encode", name, *map(as_script_takes, values)) == expected


ZERO = "0x" + "00" * 20


@pytest.mark.parametrize(
    "call, result",
    [
        (("topUp", "1n"), "topUp takes 2 arguments"),
        (("exit", f"{2**256}n"), "that number is out of range"),
        (("exit", -1), "that number is out of range"),
        (("withdraw", 1, "0x12"), "give an address: 0x and 40 hexadecimal digits"),
        (("join", ZERO, ZERO, 1, "0x123"), "give bytes as pairs of hexadecimal digits"),
        (("join", ZERO, ZERO, 1, "zz"), "give bytes as pairs of hexadecimal digits"),
    ],
)
def test_encoder__refuses_what_it_cannot_say(script, call, result):
    assert script("encode", *call) == {"refused": result}


@pytest.mark.parametrize(
    "text, units",
    [("100", 10**20), ("12.5", 125 * 10**17), ("0.000000000000000001", 1), ("1.", 10**18), (" 7 ", 7 * 10**18), ("0", 0)],
)
def test_amounts__are_exact(script, text, units):
    assert script("parseUnits", text, 18) == f"{units}n"


@pytest.mark.parametrize("text", ["", "-1", "1e3", "1,000", ".5", "0x10", "1.0000000000000000001", "NaN", "1 2"])
def test_amounts__that_are_none_are_refused(script, text):
    assert script("parseUnits", text, 18) == {"refused": "give an amount such as 100 or 12.5"}


@pytest.mark.parametrize("units, text", [(0, "0"), (1, "0.000000"), (10**18, "1"), (125 * 10**17, "12.5"), (10**24, "1000000")])
def test_amounts__are_shown(script, units, text):
    assert script("formatUnits", f"{units}n", 18) == text


@pytest.mark.parametrize(
    "error, result",
    [
        ({"code": 4001, "message": "User rejected"}, "you declined in the wallet. Nothing was sent, nothing was lost"),
        (
            {"data": "0x" + selector("StillEngaged", ["uint256", "uint256"]) + "00" * 64},
            "the round that this seat takes part in",
        ),
        ({"error": {"data": "0x" + selector("SeatsFull", ["uint256"])}}, "every seat is taken"),
        ({"data": {"originalError": {"data": "0x" + selector("NothingToPay", [])}}}, "there is nothing to pay out"),
        ({"message": "insufficient funds for gas * price"}, "the account has no ether to pay for gas"),
        ({"message": "something else"}, "something else"),
        ({}, "the wallet gave no reason"),
    ],
)
def test_errors__are_explained(script, error, result):
    assert script("explain", error).startswith(result)


def test_page__says_what_can_cost_stake_before_anything_can_be_signed():
    text = join_page(facts())
    result = " ".join(re.sub(r"<[^>]+>", "", text).split())
    for line in (
        "100 TTT as stake",
        "10 TTT each time your program commits an update",
        "50 TTT each time it proposes",
        f"Together: {worst_case(TERMS, facts().denomination)}.",
        "Joining also gives your operator a credit of",
    ):
        assert line in result
    assert "Your updates become public for good" in result and text.index("I have read this") < text.index('id="connect"')
    assert len(re.findall(r"<button disabled>", text)) == 6


def test_page__keeps_what_comes_from_outside_as_text():
    text = join_page(facts(replace(KNOWN, manifest=manifest(task="</script><script>alert(1)</script>"))))
    assert "<script>alert" not in text and text.count("<script") == 2
