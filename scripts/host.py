"""ape run host: one server for a federation: its store, a relay, the live page and the invitation."""

from pathlib import Path
from typing import Any

import click
from ape.cli import ConnectedProviderCommand

from fl.errors import TreatyError
from fl.tools.cli import options
from fl.tools.cli.options import Key


@click.command(
    cls=options.answering(ConnectedProviderCommand, instead=("--data", "--task")),
    short_help="Host a federation: store, relay, page, invitation.",
)
@options.key
@click.option("--federation", metavar="ADDRESS", help="The federation. Instead: --data or --task, to deploy one first.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Deploy a federation first, for tables like this one: its columns and ranges become public, its rows stay here.",
)
@click.option("--target", metavar="COLUMN", help="With --data: the column to predict.")
@click.option("--drop", multiple=True, metavar="COLUMN", help="With --data: a column to leave out. Repeatable.")
@click.option("--task", help="Instead of --data: deploy for this task, as `ape run deploy` does.")
@click.option(
    "--preset",
    type=click.Choice(options.PRESETS),
    default="live",
    show_default=True,
    help="With --data or --task: terms to start from.",
)
@click.option("--terms", type=click.Path(path_type=Path), help="With --data or --task: YAML file of terms that differ from it.")
@options.private_sum
@click.option("--seats", type=click.IntRange(3, 128), help="With --private-sum: how many partners there are.")
@options.training
@click.option("--fund", metavar="TOKENS", help="With --data or --task: what to pay into the pool. Play money is minted.")
@click.option("--store", type=click.Path(path_type=Path), default=Path("store"), show_default=True, help="The folder to serve.")
@click.option(
    "--from",
    "sources",
    multiple=True,
    metavar="PLACE",
    help="A store with manifest and first model, if they are not in --store. Repeatable.",
)
@click.option("--host", "listen", default="127.0.0.1", show_default=True, help="Address to serve on.")
@click.option("--port", type=int, default=8019, show_default=True, help="Port to serve on; 0 takes any free one.")
@click.option("--certificate", type=click.Path(path_type=Path), help="Certificate chain in PEM, for HTTPS.")
@click.option("--certificate-key", type=click.Path(path_type=Path), help="Its private key in PEM.")
@click.option("--proxy", metavar="ADDRESS", help="The reverse proxy in front, whose X-Forwarded-For is believed.")
@click.option("--url", default="", help="How participants reach this host. Default: where it listens.")
@click.option("--owner", default="the sponsor", show_default=True, help="Who runs this host, in words.")
@click.option("--also", multiple=True, metavar="URL=OWNER", help="Another host that the invitation names. Repeatable.")
@click.option("--rpc-hint", "hints", multiple=True, metavar="URL", help="A node that the invitation names. Repeatable.")
@click.option("--days", type=click.IntRange(1, 366), default=14, show_default=True, help="How long the invitation is valid.")
@click.option("--private", is_flag=True, help="Only holders of the invitation may write, relay and read it.")
@click.option("--budget", type=options.Finite(0), default=0.0, help="Ether for gas: relayed acts and --rounds. Default: none.")
@click.option("--rounds", type=click.IntRange(0), default=0, help="Move rounds on, and open them up to this one. Default: no.")
@click.option("--keep-rounds", type=click.IntRange(1), help="Keep the files of the last rounds alone. Default: all files.")
@click.option("--keep-bytes", type=click.IntRange(1), help="Let the oldest rounds' files give way beyond so many bytes.")
@click.option("--block-seconds", type=click.IntRange(1), help="Local chains: seconds of the clock between two blocks.")
@click.option("--no-page", is_flag=True, help="Serve no live page.")
@click.option("--metrics", type=int, metavar="PORT", help="Serve Prometheus text on 127.0.0.1:PORT.")
def cli(key: Key, **given: Any) -> None:
    """Serves the federation's store to everybody, takes from each seat what the chain shows that it revealed, relays signed
    acts within --budget, and shows live page and invitation. Prints the invitation as one line, treaty://..., if the account
    is the sponsor's, and writes it to invite.json. Nobody has to trust a host: what it serves is hashed, and daemons go on
    without it."""
    from fl.tools.host.command import run

    try:
        run(key, given, click.echo)
    except TreatyError as error:
        raise click.ClickException(str(error)) from error
