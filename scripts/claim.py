"""ape run claim: take what was earned."""

import click
from ape.cli import ConnectedProviderCommand

from fl.tools import door


@click.command(cls=door.answering(ConnectedProviderCommand), short_help="Take what your seats earned.")
@door.federation
@door.key
@door.seat
@door.to
@door.door
def cli(federation, key, seat, to):
    """Claims the pay of all the account's seats and its credits (fees for fraud proofs, deposits) in one transaction; with
    --seat, of that seat alone."""
    from fl.tools.seat import claim

    return claim(key, federation, seat, to)
