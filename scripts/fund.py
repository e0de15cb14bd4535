"""ape run fund: pay for rounds to come."""

import click
from ape.cli import ConnectedProviderCommand

from fl.tools import door


@click.command(cls=door.answering(ConnectedProviderCommand), short_help="Pay for rounds to come.")
@door.federation
@door.optional_key
@click.option("--amount", required=True, metavar="TOKENS", help="How much to add to the pool.")
@door.calldata
@door.approve
@door.mint
@door.door
def cli(federation, key, amount, **choices):
    """Anybody may fund. A round opens only when the pool covers its maximum; what it does not spend returns to the pool."""
    from fl.tools.sponsor import fund

    return fund(key, federation, amount, **choices)
