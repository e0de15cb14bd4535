"""ape run status: shows a federation on one screen."""

from contextlib import suppress

import click

from fl.errors import ManifestError, StoreError
from fl.tools.cli import options
from fl.tools.cli.network import Network, ReadingCommand
from fl.tools.cli.options import Result


@click.command(cls=ReadingCommand, short_help="Show a federation on one screen.")
@options.read_federation
@options.stores
@options.command
def cli(network: Network, federation: str, stores: tuple[str, ...]) -> Result:
    """Shows phase and deadlines, who acted, stakes, pool, scores and the model's root, as the chain has them, and with
    a store why updates were left out and what seats publish of their own metrics. Needs no key."""
    from fl.tools.federation.status import Reasons, status

    reader = network.reader(federation)

    def reasons() -> Reasons:
        from fl.tools.report.live import left_out  # loads torch, which a look at the chain does without

        return left_out(network.reader(federation), stores)

    store = None
    if stores:
        from fl.network.stores.several import federation_store  # loads what a look at the chain does without

        with suppress(StoreError, ManifestError):
            store = federation_store(reader.terms, stores)[0]
    return status(reader, reasons if stores else None, store)
