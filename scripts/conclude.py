"""ape run conclude: give notice, and get back what is left in the pool."""

import click
from ape.cli import ConnectedProviderCommand

from fl.tools import door


@click.command(cls=door.answering(ConnectedProviderCommand), short_help="Give notice; get back what is left.")
@door.federation
@door.optional_key
@door.calldata
@door.door
def cli(federation, key):
    """No further round opens; the present one ends as it would. Call again then: what is left in the pool goes to the
    sponsor."""
    from fl.tools.sponsor import conclude

    return conclude(key, federation)
