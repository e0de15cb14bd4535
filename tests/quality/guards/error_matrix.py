"""Which function can revert with which error, read from the contracts' call graph; and what the tests assert.

`PYTHONPATH=tests python tests/quality/guards/error_matrix.py` writes the table of contracts/README.md anew.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from support.evm import contract_types

ROOT = Path(__file__).parents[3]
TESTS = ROOT / "tests"
OWN = (
    "Federation",
    "Disputes",
    "Exclusions",
    "Relays",
    "Handovers",
    "Rounds",
    "Admissions",
    "Stakes",
    "Accounting",
    "FederationFactory",
    "libraries/Headers",
)
SOURCES = [ROOT / "contracts" / f"{name}.sol" for name in OWN]
README = ROOT / "contracts" / "README.md"
BEGIN, END = "<!-- errors -->\n", "<!-- until here -->\n"
GUARD = "ReentrancyGuardReentrantCall"
# What the builder's verbs call; `do` and `send` name their function.
VERBS = {
    "open": ["openRound"], "fund": ["fund"], "join": ["join"], "commit": ["commit"], "reveal": ["reveal"],
    "draw": ["close", "draw"], "commit_scores": ["commitScores"], "reveal_scores": ["revealScores"], "settle": ["settle"],
    "propose": ["propose"], "finish": ["finalize"],
}  # fmt: skip


def _functions() -> dict[str, str]:
    """Name -> body, modifiers included; an override replaces what it overrides."""
    found: dict[str, str] = {}
    for path in reversed(SOURCES):
        text = re.sub(r"//[^\n]*", "", path.read_text())
        for match in re.finditer(r"\bfunction (\w+)\(|\b(constructor)\(", text):
            depth, at = 0, match.end()
            semicolon, brace = text.find(";", at), text.find("{", at)
            if brace < 0 or 0 <= semicolon < brace:
                continue
            for end in range(brace, len(text)):
                depth += {"{": 1, "}": -1}.get(text[end], 0)
                if depth == 0:
                    break
            name, body = match[1] or match[2], text[at : end + 1]
            found[name] = found.get(name, "") + body if name == "constructor" else body
    return found


def reachable() -> dict[str, set[str]]:
    """External function that changes state -> the errors of ours that it can reach, the guard's included."""
    bodies = _functions()
    own = {name: set(re.findall(r"\brevert (?:\w+\.)?(\w+)\(", body)) for name, body in bodies.items()}
    for name, body in bodies.items():
        if re.search(r"\bnonReentrant\b", body.split("{")[0]):
            own[name].add(GUARD)
    calls = {name: set(re.findall(r"\b(\w+)\(", body)) & set(bodies) - {name} for name, body in bodies.items()}
    for _ in bodies:
        for name, inner in calls.items():
            for other in inner:
                own[name] |= own[other]
    entries = [e for c in ("Federation", "FederationFactory") for e in contract_types()[c].abi if e["type"] == "function"]
    acting = {e["name"] for e in entries if e["stateMutability"] == "nonpayable"} - {"multicall"}
    return {name: own[name] for name in sorted(acting | {"constructor"})}


def _trees() -> list[ast.Module]:
    return [ast.parse(p.read_text()) for p in TESTS.rglob("test_*.py")]


def _called(body: list[ast.stmt]) -> set[str]:
    found: set[str] = set()
    for node in (n for statement in body for n in ast.walk(statement)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            verb, first = node.func.attr, node.args[0] if node.args else None
            if verb in ("do", "send", "deploy") and isinstance(first, ast.Constant):
                found.add("constructor" if verb == "deploy" else first.value)
            found.update(VERBS.get(verb, []))
    return found


def asserted() -> set[tuple[str, str]]:
    """(function, error) pairs that some test asserts with `refused`, which compares every field."""
    pairs = set()
    for tree in _trees():
        for node in ast.walk(tree):
            if not isinstance(node, ast.With):
                continue
            for item in node.items:
                call = item.context_expr
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "refused" and call.args:
                    error = call.args[0]
                    if isinstance(error, ast.Constant):
                        pairs |= {(function, error.value) for function in _called(node.body)}
    return pairs


def compared_events() -> set[str]:
    """Events that some test compares whole: a pair ("Name", fields) within a comparison."""
    found = set()
    for tree in _trees():
        for compare in (n for n in ast.walk(tree) if isinstance(n, ast.Compare)):
            for node in ast.walk(compare):
                match node:
                    case ast.Tuple(elts=[ast.Constant(value=str(name)), ast.Dict() | ast.Name() | ast.BinOp()]):
                        found.add(name)
    return found


def table() -> str:
    lines = ["| function | reverts with |\n|---|---|\n"]
    for name, errors in reachable().items():
        lines.append(f"| `{name}` | {', '.join(sorted(errors))} |\n")
    return "".join(lines)


def written() -> str:
    """contracts/README.md as it should be."""
    head, rest = README.read_text().split(BEGIN)
    return head + BEGIN + table() + END + rest.split(END)[1]


if __name__ == "__main__":
    README.write_text(written())
