"""ape run watch: shows a federation live, in a browser or a terminal."""

from functools import partial

import click

from fl.errors import ChainError, TreatyError
from fl.tools.cli import options
from fl.tools.cli.network import Network, ReadingCommand
from fl.tools.cli.prices import given, prices


@click.command(cls=ReadingCommand, short_help="Watch a federation live, in a browser or a terminal.")
@options.read_federation
@options.factory
@click.option(
    "--store", "stores", multiple=True, metavar="PLACE", help="The federation's store, to measure and audit. Repeatable."
)
@click.option("--task", help="The task's file, to measure models on its test rows. Default: the shipped task of that name.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve on.")
@click.option("--port", type=int, default=8018, show_default=True, help="Port to serve on; 0 takes any free one.")
@click.option("--every", type=float, default=2.0, show_default=True, help="Seconds between two reads of the chain.")
@click.option("--terminal", is_flag=True, help="Show it here instead of serving a page.")
@click.option("--once", is_flag=True, help="Print the terminal view once and end.")
@prices
def cli(
    network: Network,
    federation: str,
    factory: str | None,
    stores: tuple[str, ...],
    task: str | None,
    host: str,
    port: int,
    every: float,
    terminal: bool,
    once: bool,
    **assumed: float | None,
) -> None:
    """Serves the report's page live from the chain, and at /join a page where participants join, top up, leave and claim with a
    wallet in the browser. It only reads: it holds no key and sends nothing. Ctrl-C ends it."""
    from fl.network.rpc import NodeError
    from fl.tools.report.join_page import join_page
    from fl.tools.report.live import Source
    from fl.tools.report.watch import Screen, Server, print_once, serve, watch_terminal

    try:
        if not 0.2 <= every <= 3600:
            raise TreatyError(f"--every {every}: give 0.2 to 3600 seconds")
        reader = network.reader(federation, factory)
        try:
            join = partial(join_page, maker=reader.check_identity())
        except NodeError:
            raise
        except ChainError as error:
            join = None
            click.echo(f"no page to join is served: {error}", err=True)
        screen = Screen(Source(reader, stores, task), given(**assumed), join)
        if once:
            print_once(screen)
        elif terminal:
            watch_terminal(screen, every)
        else:
            server = Server(screen, host, port)
            click.echo(f"watching {federation} at {server.address} (and {server.address}join); Ctrl-C ends it")
            serve(screen, server, every)
    except TreatyError as error:
        raise click.ClickException(str(error)) from error
