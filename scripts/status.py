"""ape run status: shows a federation on one screen."""

import click
from ape.cli import ConnectedProviderCommand

from fl.tools.cli import options


@click.command(cls=options.answering(ConnectedProviderCommand), short_help="Show a federation on one screen.")
@options.federation
@options.command
def cli(federation):
    """Shows phase and deadlines, who acted, stakes, pool, scores and the model's root, as the chain has them. Needs no key."""
    from fl.tools.federation.status import status

    return status(federation)
