"""ape run topup: adds stake to a seat, or pays for its demands."""

from typing import Any

import click
from ape.cli import ConnectedProviderCommand

from fl.tools.cli import options
from fl.tools.cli.options import Key, Result


@click.command(cls=options.answering(ConnectedProviderCommand), short_help="Add stake to a seat, or pay for its demands.")
@options.read_federation
@options.factory
@options.key
@options.seat
@click.option("--amount", metavar="TOKENS", help="How much stake to add.")
@click.option("--deposits", type=click.IntRange(1), help="Give the operator the deposits of so many demands.")
@options.approve
@options.mint
@options.command
def cli(federation: str, key: Key, seat: int | None, amount: str | None, deposits: int | None, **choices: Any) -> Result:
    """A seat that was slashed below the minimum sits out until it is topped up. Its operator needs the deposits of depth + 2
    demands to force a hidden model open: they are paid from its credit, which --deposits fills."""
    from fl.tools.federation.seats import top_up

    if amount is None and deposits is None:
        raise click.UsageError("Give --amount TOKENS, --deposits N, or both.")
    return top_up(key, federation, seat, amount, deposits=deposits, **choices)
