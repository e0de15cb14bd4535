"""ape run doctor: checks that everything is ready to take part."""

from pathlib import Path
from typing import Any

import click

from fl.tools.cli import options
from fl.tools.cli.network import ReadingCommand
from fl.tools.cli.options import Result


@click.command(cls=ReadingCommand, short_help="Check that everything is ready to take part.")
@options.read_federation
@options.factory
@click.option("--account", metavar="ALIAS", help="The key that will act for the seat.")
@click.option("--passphrase-file", type=click.Path(path_type=Path), help="Default: APE_ACCOUNTS_<ALIAS>_PASSPHRASE.")
@options.stores
@click.option("--task", help="Task or task file, to read its data and rebuild the first model. Default: the manifest's.")
@click.option("--data", type=click.Path(path_type=Path), help="Your rows: also says which values the task cannot use.")
@click.option("--expect-chain", type=int, metavar="ID", help="The chain id that you expect.")
@click.option(
    "--relay", "hosts", multiple=True, metavar="URL=OWNER", help="A host that relays for you, and whose it is. Repeatable."
)
@click.option("--accept-loss", metavar="WORDS", help="Accept a key without ether, with two hosts: the words that this shows.")
@options.command
def cli(hosts: tuple[str, ...], **choices: Any) -> Result:
    """Checks node, chain, clock, federation, account, gas money, tokens, seat, stores, model, data and disk, and tells you
    what to fix. Exits with 1 if anything must be fixed before you take part. Sends no transaction."""
    from fl.tools.federation.doctor import examine
    from fl.tools.federation.invitation import Place

    return examine(**choices, hosts=[Place.read(word, "--relay") for word in hosts])
