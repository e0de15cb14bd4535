"""ape run withdraw: take out stake and pay of a seat that left."""

import click
from ape.cli import ConnectedProviderCommand

from fl.tools import door


@click.command(cls=door.answering(ConnectedProviderCommand), short_help="Take out the stake of a seat that left.")
@door.federation
@door.key
@door.seat
@door.to
@door.door
def cli(federation, key, seat, to):
    """Pays stake and unclaimed pay to the owner, or to --to, and frees the seat. Nobody can hold it back."""
    from fl.tools.seat import withdraw

    return withdraw(key, federation, seat, to)
