"""ape run conclude: gives notice and returns what is left in the pool to the sponsor."""

import click
from ape.cli import ConnectedProviderCommand

from fl.tools.cli import options
from fl.tools.cli.options import Key, Result


@click.command(cls=options.answering(ConnectedProviderCommand), short_help="Give notice; get back what is left in the pool.")
@options.final_federation
@options.yes
@options.optional_key
@options.calldata
@options.command
def cli(federation: str, key: Key) -> Result:
    """Stops new rounds; the current one finishes normally. Call it again after that, and what is left in the pool goes to the
    sponsor."""
    from fl.tools.federation.sponsor import conclude

    return conclude(key, federation)
