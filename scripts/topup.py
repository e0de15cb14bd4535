"""ape run topup: adds stake to a seat."""

from typing import Any

import click
from ape.cli import ConnectedProviderCommand

from fl.tools.cli import options
from fl.tools.cli.options import Key, Result


@click.command(cls=options.answering(ConnectedProviderCommand), short_help="Add stake to a seat.")
@options.federation
@options.factory
@options.key
@options.seat
@click.option("--amount", required=True, metavar="TOKENS", help="How much to add.")
@options.approve
@options.mint
@options.command
def cli(federation: str, key: Key, seat: int | None, amount: str, **choices: Any) -> Result:
    """A seat that was slashed below the minimum sits out until it is topped up."""
    from fl.tools.federation.seats import top_up

    return top_up(key, federation, seat, amount, **choices)
