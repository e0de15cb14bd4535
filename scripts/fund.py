"""ape run fund: adds tokens to the pool that pays for future rounds."""

from typing import Any

import click
from ape.cli import ConnectedProviderCommand

from fl.tools.cli import options
from fl.tools.cli.options import Key, Result


@click.command(cls=options.answering(ConnectedProviderCommand), short_help="Pay for future rounds.")
@options.read_federation
@options.factory
@options.optional_key
@click.option("--amount", required=True, metavar="TOKENS", help="How much to add to the pool.")
@options.calldata
@options.approve
@options.mint
@options.command
def cli(federation: str, key: Key, amount: str, **choices: Any) -> Result:
    """Anybody may fund. A round opens only when the pool covers the most it can cost; what it does not pay is kept for later
    rounds."""
    from fl.tools.federation.sponsor import fund

    return fund(key, federation, amount, **choices)
