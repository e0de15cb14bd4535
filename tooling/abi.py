"""Writes fl/network/federation.abi.json and fl/network/bytecode.json from what Ape compiled:
`ape compile --force && python tooling/abi.py`. Writes contracts/release.md too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import release_hashes

from fl.network.identity import ARGUMENTS, CODE

HOME = Path(__file__).resolve().parents[1]
TARGET = HOME / "fl" / "network" / "federation.abi.json"
PARTS = ("Federation", "Disputes", "MaskedFederation", "MaskedDisputes")  # an interface has what any of them has
BYTECODE = HOME / "fl" / "network" / "bytecode.json"


def compiled() -> list[dict[str, Any]]:
    """The interface of a federation, without what only the compiler cares for."""
    types, entries = _types(), list[dict[str, Any]]()
    for entry in (_bare(entry) for part in PARTS for entry in types[part]["abi"]):
        if entry["type"] in ("function", "event", "error") and entry not in entries:
            entries.append(entry)
    return sorted(entries, key=lambda e: (e["type"], e.get("name", ""), json.dumps(e)))


def bytecode() -> str:
    """The creation code of the contracts that a federation consists of, and the length of what it leaves on the chain; a line
    each."""
    types, lines = _types(), []
    for name in (name for name in ARGUMENTS if name not in CODE):
        creation, runtime = (
            types[name][kind]["bytecode"].removeprefix("0x") for kind in ("deploymentBytecode", "runtimeBytecode")
        )
        lines.append(f'"{name}": {json.dumps({"runtime": len(runtime) // 2, "creation": creation})}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _types() -> Any:
    return json.loads((HOME / ".build" / "__local__.json").read_text())["contractTypes"]


def _bare(entry: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in entry.items() if key not in ("internalType", "stateMutability", "anonymous")}
    for key in ("inputs", "outputs", "components"):
        if key in kept:
            kept[key] = [_bare(part) for part in kept[key]]
    return kept


def written(entries: list[dict[str, Any]]) -> str:
    """One entry a line, so that a change shows in a diff."""
    return "[\n" + ",\n".join(json.dumps(entry) for entry in entries) + "\n]\n"


if __name__ == "__main__":
    TARGET.write_text(written(compiled()))
    BYTECODE.write_text(bytecode())
    release_hashes.TARGET.write_text(release_hashes.written())
