"""ape run conclude: give notice, and get back what is left in the pool."""

import click
from ape.cli import ConnectedProviderCommand

from fl.tools.cli import options


@click.command(cls=options.answering(ConnectedProviderCommand), short_help="Give notice; get back what is left.")
@options.federation
@options.optional_key
@options.calldata
@options.command
def cli(federation, key):
    """No further round opens; the present one ends as it would. Call again then: what is left in the pool goes to the
    sponsor."""
    from fl.tools.federation.sponsor import conclude

    return conclude(key, federation)
