"""ape run status: shows a federation on one screen."""

import click

from fl.tools.cli import options
from fl.tools.cli.network import Network, ReadingCommand
from fl.tools.cli.options import Result


@click.command(cls=ReadingCommand, short_help="Show a federation on one screen.")
@options.read_federation
@options.stores
@options.command
def cli(network: Network, federation: str, stores: tuple[str, ...]) -> Result:
    """Shows phase and deadlines, who acted, stakes, pool, scores and the model's root, as the chain has them, and with
    a store why updates were left out. Needs no key."""
    from fl.tools.federation.status import Reasons, status

    reader = network.reader(federation)

    def reasons() -> Reasons:
        from fl.tools.report.live import left_out  # loads torch, which a look at the chain does without

        return left_out(network.reader(federation), stores)

    return status(reader, reasons if stores else None)
