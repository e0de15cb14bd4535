"""ape run join: takes a seat in a federation."""

from pathlib import Path
from typing import Any

import click
from ape.cli import ConnectedProviderCommand

from fl.tools.cli import options
from fl.tools.cli.options import Key, Result


@click.command(cls=options.answering(ConnectedProviderCommand), short_help="Take a seat in a federation.")
@options.read_federation
@options.factory
@options.key
@click.option("--stake", metavar="TOKENS", help="How much to stake. Default: the minimum.")
@click.option("--operator", metavar="ADDRESS", help="The hot key that acts in rounds. Default: the account itself.")
@click.option(
    "--allowlist",
    type=click.Path(path_type=Path),
    help="The list of admitted owners, one address a line; your proof is made from it.",
)
@click.option("--evidence", default="", metavar="HEX", help="A proof made elsewhere, or what an admission contract requires.")
@click.option("--deposits", type=click.IntRange(0), help="Demands that the operator can pay for. Default: depth + 2.")
@click.option("--another", is_flag=True, help="Take another seat, although the account already holds one.")
@options.stores
@options.approve
@options.mint
@options.command
def cli(federation: str, key: Key, **choices: Any) -> Result:
    """Stakes from the account, which becomes the seat's owner, and gives the operator the deposits of depth + 2 demands, so
    that it can force a hidden model open. Takes one transaction if the token supports permits. With --store, manifest and
    first model are fetched and checked first."""
    from fl.tools.federation.seats import join

    return join(key, federation, **choices)
