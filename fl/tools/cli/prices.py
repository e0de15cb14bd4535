"""What gas is taken to cost, for estimates and pages alike. Assumptions, named wherever they are used; not quotes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import click

from fl.errors import TreatyError
from fl.tools.cli.options import Finite

ENVELOPE = 110  # bytes of a signed transaction beside its calldata
BASE_SCALAR, BLOB_SCALAR = 0.002269, 1.055762  # of a large OP Stack chain
PRICES = ("gas_price", "l2_gas_price", "blob_price", "eth_price")
FLAGS = ("--gas-price", "--l2-gas-price", "--blob-price", "--eth-price")


@dataclass(frozen=True)
class Prices:
    """Prices in gwei, except `eth_price`. A rollup charges for its own gas, and for the bytes that it posts to mainnet."""

    gas_price: float = 1.0  # of gas on mainnet
    l2_gas_price: float = 0.01  # of gas on a rollup
    blob_price: float = 0.1  # of blob gas on mainnet
    eth_price: float = 3000.0  # US dollars

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if not 0 <= value < 1e9:
                raise TreatyError(f"--{f.name.replace('_', '-')} {value}: give a price of at least 0")

    def data_fee(self, size: float) -> float:
        """What an OP Stack chain asks for the bytes of one transaction, in gwei (Fjord; hashes do not compress)."""
        scaled = max(100.0, 0.8365 * size - 42.5856)
        return scaled * (16 * self.gas_price * BASE_SCALAR + self.blob_price * BLOB_SCALAR)

    def mainnet(self, gas: float) -> float:
        """Ether on mainnet."""
        return gas * self.gas_price / 1e9

    def rollup(self, gas: float, size: float) -> float:
        """Ether for one transaction of so many bytes, signed, on a rollup."""
        return (gas * self.l2_gas_price + self.data_fee(size)) / 1e9

    def dollars(self, ether: float) -> float:
        return ether * self.eth_price


def prices(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the one set of price options; what is not given is the default of Prices, or what the command knows better."""
    default = Prices()
    for flag, what in (
        ("--eth-price", f"Price of one ether in US dollars. Default: {default.eth_price:g}, an assumption."),
        ("--blob-price", f"Blob gas price in gwei, for rollups. Default: {default.blob_price:g}, an assumption."),
        ("--l2-gas-price", f"Gas price in gwei on a rollup. Default: {default.l2_gas_price:g}, an assumption."),
        ("--gas-price", "Gas price in gwei on mainnet. Default: an assumption, or the connected network's."),
    ):
        command = click.option(flag, type=Finite(0), help=what)(command)
    return command


def given(**choices: float | None) -> Prices:
    """The prices of a command line. Raises TreatyError for one that is negative or not a number."""
    return Prices(**{name: value for name, value in choices.items() if value is not None})
