"""ape run status: a federation on one screen."""

import click
from ape.cli import ConnectedProviderCommand

from fl.tools import door


@click.command(cls=door.answering(ConnectedProviderCommand), short_help="A federation on one screen.")
@door.federation
@door.door
def cli(federation):
    """Phase and deadlines, who acted, stakes, pool, scores and the model's root, as the chain tells them. Needs no key."""
    from fl.tools.status import status

    return status(federation)
