"""Habits of real JSON-RPC providers, for the `refuse` of a faulty proxy: what they answer with HTTP status 200."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import rlp

Refuse = Callable[[dict[str, Any]], tuple[int, str] | None]

LIMITS = {
    -32016: "over rate limit",
    -32005: "daily request count exceeded, request rate limited",
    -32007: "50/second request limit reached - reduce calls per second or upgrade your account",
    -32029: "Too many requests",
    -32090: "Too many requests, reason: call rate limit exhausted, retry in 10s",
    15: "Too many request, try again later",
    429: "Your app has exceeded its compute units per second capacity",
}


def limited(code: int) -> Refuse:
    """Refuses everything for its rate."""
    return lambda call: (code, LIMITS[code])


def narrow(most: int) -> Refuse:
    """Serves logs of so many blocks at a time."""

    def refuse(call: dict[str, Any]) -> tuple[int, str] | None:
        if call["method"] != "eth_getLogs":
            return None
        asked = call["params"][0]
        size = int(asked["toBlock"], 16) - int(asked["fromBlock"], 16) + 1
        return (-32602, f"block range too large, maximum is {most} blocks") if size > most else None

    return refuse


def pruned(head: Callable[[], int], depth: int = 8) -> Refuse:
    """Has the state of the last blocks only."""

    def refuse(call: dict[str, Any]) -> tuple[int, str] | None:
        at = call["params"][1] if call["method"] in ("eth_getCode", "eth_call", "eth_getBalance") else "latest"
        old = isinstance(at, str) and at.startswith("0x") and int(at, 16) < head() - depth
        return (-32000, "missing trie node 0badc0de (path ) state is not available") if old else None

    return refuse


def by_number(call: dict[str, Any]) -> tuple[int, str] | None:
    """Knows no EIP-1898: state is read at a number or a tag."""
    if call["method"] == "eth_call" and isinstance(call["params"][1], dict):
        return -32602, "invalid argument 1: hex string expected, block parameter must be a string"
    return None


def wants_tip(least: int) -> Refuse:
    """Takes no transaction with a smaller tip, in wei per gas."""

    def refuse(call: dict[str, Any]) -> tuple[int, str] | None:
        if call["method"] != "eth_sendRawTransaction":
            return None
        tip = int.from_bytes(rlp.decode(bytes.fromhex(call["params"][0][4:]))[2])
        said = f"transaction gas price below minimum: gas tip cap {tip}, minimum needed {least}"
        return (-32000, said) if tip < least else None

    return refuse
