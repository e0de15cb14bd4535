"""ape run topup: add stake to a seat."""

import click
from ape.cli import ConnectedProviderCommand

from fl.tools import door


@click.command(cls=door.answering(ConnectedProviderCommand), short_help="Add stake to a seat.")
@door.federation
@door.key
@door.seat
@click.option("--amount", required=True, metavar="TOKENS", help="How much to add.")
@door.approve
@door.mint
@door.door
def cli(federation, key, seat, amount, **choices):
    """A seat that was slashed below the minimum sits out until it is topped up."""
    from fl.tools.seat import top_up

    return top_up(key, federation, seat, amount, **choices)
