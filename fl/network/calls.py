"""Single reads of a contract by JSON-RPC: a view, and the code of an address."""

from __future__ import annotations

from typing import Any

from fl.network.abi import Interface, unhex
from fl.network.chain import Chain
from fl.network.rpc import NodeError


def view(rpc: Chain, to: str, interface: Interface, function: str, *args: Any) -> Any:
    """The result of a view at the newest block. Raises ContractError if the contract reverts or does not answer as its
    interface says, NodeError if no node answers."""
    call = {"to": to, "data": "0x" + interface.call(function, *args).hex()}
    return interface.result(function, bytes_of(function, rpc("eth_call", call, "latest")))


def code_at(rpc: Chain, address: str) -> bytes:
    """The code of an address, empty if it holds none."""
    return bytes_of("eth_getCode", rpc("eth_getCode", address, "latest"))


def chain_id(rpc: Chain) -> int:
    """The chain that the node serves."""
    return number_of("eth_chainId", rpc("eth_chainId"))


def bytes_of(what: str, answer: Any) -> bytes:
    """A node's hexadecimal answer as bytes. Raises NodeError if it is not one."""
    try:
        return unhex(answer)
    except ValueError as error:
        raise NodeError(f"{what} did not answer with bytes: {error}") from error


def number_of(what: str, answer: Any) -> int:
    """A node's answer as a number. Raises NodeError if it is not one."""
    try:
        return int(answer, 16)
    except (TypeError, ValueError) as error:
        raise NodeError(f"{what} answered {str(answer)[:40]!r}, which is not a number") from error
