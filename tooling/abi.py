"""Writes fl/network/federation.abi.json from what Ape compiled: `ape compile --force && python tooling/abi.py`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parents[1]
TARGET = HOME / "fl" / "network" / "federation.abi.json"


def compiled(contract: str = "Federation") -> list[dict[str, Any]]:
    """The interface of a contract, without what only the compiler cares for."""
    built = json.loads((HOME / ".build" / "__local__.json").read_text())
    entries = [_bare(entry) for entry in built["contractTypes"][contract]["abi"]]
    return sorted(entries, key=lambda e: (e["type"], e.get("name", ""), json.dumps(e)))


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
