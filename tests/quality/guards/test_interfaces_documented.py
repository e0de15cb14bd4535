"""The interfaces are the manual: everything in them has NatSpec, each parameter, return value and field by its name."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
SOLC = ROOT / ".solcx" / "solc-v0.8.37"
INTERFACES = {str(p.relative_to(ROOT)): p.read_text() for p in sorted((ROOT / "contracts" / "interfaces").glob("*.sol"))}
DOCUMENTED = {f"{kind}Definition" for kind in ("Contract", "Function", "Event", "Error", "Struct", "Enum")}


def parsed(sources: dict[str, str]) -> list[dict[str, Any]]:
    """The compiler's syntax trees of the sources, which may import each other only."""
    request = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in sources.items()},
        "settings": {"outputSelection": {"*": {"": ["ast"]}}},
    }
    done = subprocess.run(
        [str(SOLC), "--standard-json"], input=json.dumps(request), cwd=ROOT, capture_output=True, text=True, check=True
    )
    answer = json.loads(done.stdout)
    assert not [e for e in answer.get("errors", []) if e["severity"] == "error"], answer["errors"]
    return [source["ast"] for source in answer["sources"].values()]


def _nodes(tree: object) -> list[dict[str, Any]]:
    if isinstance(tree, list):
        return [node for part in tree for node in _nodes(part)]
    if not isinstance(tree, dict):
        return []
    return [tree, *(node for part in tree.values() for node in _nodes(part))]


def _described(text: str, tag: str) -> list[str]:
    """The first word after each such tag that more words follow."""
    return re.findall(rf"@{tag}[ ]+(\S+)[ \n]+\S", text)


def _missing_parts(node: dict[str, Any], text: str) -> list[str]:
    """Parameters, fields and return values without a line, and lines that describe none of them."""
    members = node.get("members", []) if node["nodeType"] == "StructDefinition" else []
    parameters = node["parameters"]["parameters"] if "parameters" in node else members
    missing = []
    for tag, parts in (("param", parameters), ("return", node.get("returnParameters", {}).get("parameters", []))):
        names, described = [p["name"] for p in parts], _described(text, tag)
        missing += [f"@{tag} {name or '(unnamed)'}" for name in names if not name or name not in described]
        missing += [f"@{tag} {name}, which does not exist" for name in described if name not in names]
    return missing


def undocumented(sources: dict[str, str]) -> list[str]:
    """What lacks documentation, as `name: what is missing`."""
    found = []
    for tree in parsed(sources):
        for node in _nodes(tree):
            kind = node.get("nodeType")
            if kind not in DOCUMENTED | {"EnumValue"}:
                continue
            text = (node.get("documentation") or {}).get("text", "")
            says = text if kind == "EnumValue" else re.search(r"@(notice|title)\s+\S", text)
            if not says:
                found.append(f"{node['name']}: @notice")
            elif kind not in ("EnumValue", "EnumDefinition", "ContractDefinition"):
                found += [f"{node['name']}: {part}" for part in _missing_parts(node, text)]
    return found


def test_everything_in_the_interfaces__is_documented():
    kinds = [node.get("nodeType") for tree in parsed(INTERFACES) for node in _nodes(tree)]
    assert kinds.count("ErrorDefinition") > 40 and kinds.count("EnumValue") > 15  # it did look
    assert undocumented(INTERFACES) == []


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ("/// @param commitment The commitment.\n    event Committed", "Committed: @param commitment"),
        ("/// @notice A root must not be zero.\n    error ZeroRoot", "ZeroRoot: @notice"),
        ("/// @return end That time; 0 if only a call ends the phase.\n    function phaseEnd", "phaseEnd: @return end"),
        (
            "/// @param proposerFee What the proposer of the adopted model earns.\n/// @param drawDelay",
            "Terms: @param proposerFee",
        ),
        ("/// No round is open.\n        Idle", "Idle: @notice"),
    ],
)
def test_a_missing_line__is_found(line, missing):
    name = "contracts/interfaces/IFederation.sol"
    sources = {**INTERFACES, name: INTERFACES[name].replace(line, line.split("\n")[1].strip())}
    assert sources != INTERFACES
    assert missing in undocumented(sources)


def test_a_line_for_a_parameter_that_was_renamed__is_found():
    """The compiler refuses such a line for functions, events and errors; of structs it looks at none."""
    name = "contracts/interfaces/IStakes.sol"
    sources = {**INTERFACES, name: INTERFACES[name].replace("uint96 earned;", "uint96 pay;")}
    assert undocumented(sources) == ["Seat: @param pay", "Seat: @param earned, which does not exist"]
