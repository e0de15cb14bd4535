"""ape run status: shows a federation on one screen."""

import click

from fl.tools.cli import options
from fl.tools.cli.network import Network, ReadingCommand
from fl.tools.cli.options import Result


@click.command(cls=ReadingCommand, short_help="Show a federation on one screen.")
@options.read_federation
@options.command
def cli(network: Network, federation: str) -> Result:
    """Shows phase and deadlines, who acted, stakes, pool, scores and the model's root, as the chain has them. Needs no key."""
    from fl.tools.federation.status import status

    return status(network.reader(federation))
