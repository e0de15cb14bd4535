"""Prints every contract's size and how far it is below the limit: `make sizes`."""

from __future__ import annotations

import json
from pathlib import Path

HOME = Path(__file__).resolve().parents[1]
LIMIT = 24_576  # bytes of code that Ethereum takes (EIP-170)
HEADROOM = 1_000  # what every contract must leave, so that a repair always fits
DEPLOYED = ("Federation", "Disputes", "MaskedFederation", "MaskedDisputes", "FederationFactory")


def sizes() -> dict[str, int]:
    """Bytes of deployed code by contract, as Ape compiled it."""
    built = json.loads((HOME / ".build" / "__local__.json").read_text())["contractTypes"]
    return {name: len(built[name]["runtimeBytecode"]["bytecode"].removeprefix("0x")) // 2 for name in DEPLOYED}


if __name__ == "__main__":
    for contract, size in sizes().items():
        print(f"{contract:18} {size:6,} bytes, {LIMIT - size:6,} below the limit")
