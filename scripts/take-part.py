"""ape run take-part: takes part in a federation by its invitation."""

from pathlib import Path
from typing import Any

import click

from fl.errors import TreatyError
from fl.tools.cli import options


@click.command(short_help="Take part in a federation by its invitation: keys, checks, seat, daemon.")
@click.argument("invite", metavar="INVITE")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Your table; it never leaves this machine.")
@click.option("--accept", is_flag=True, help="You have read what this command shows, and accept it. Nothing is signed without.")
@click.option("--rpc", multiple=True, metavar="URL", help="A node of your own choice. Default: the invitation's hint.")
@click.option(
    "--host", "hosts", multiple=True, metavar="URL", help="A host of the invitation inside your own network. Repeatable."
)
@click.option("--stake", metavar="TOKENS", help="How much to stake. Default: the minimum.")
@click.option("--task", metavar="FILE", help="The task's file, if the task is neither shipped nor a table. Its code is run.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("taking-part"),
    show_default=True,
    help="Folder for your keys, journal and store.",
)
@click.option("--accept-loss", metavar="WORDS", help="Take part without ether: the words that the command shows you.")
@click.option("--publish-metric", is_flag=True, help="Publish, signed, what you measure of each final model on your rows.")
@options.partners
@click.option("--metrics", type=int, metavar="PORT", help="Serve Prometheus text on 127.0.0.1:PORT.")
def cli(**given: Any) -> None:
    """Shows what INVITE (a treaty:// line or the file invite.json) leads to: four words to compare with the sponsor by
    telephone, token, stake, worst loss and lock. With --accept it makes owner and operator keys where they are missing, checks
    everything, says which tokens to send where and waits for them, takes a seat and runs its daemon. Called again, it goes on
    where it was."""
    from fl.tools.cli.network import Network
    from fl.tools.federation.participate import run
    from fl.tools.federation.take_part import Guest, take_part

    context = click.get_current_context()
    try:
        given["partners"] = options.partners_in(given["partners"])
        daemon = take_part(Guest(**given), lambda url: Network(context, url), click.echo)
        if daemon is not None:
            run(daemon)
    except TreatyError as error:
        raise click.ClickException(str(error)) from error
