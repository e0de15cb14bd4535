"""ape run new-task: a task file that runs at once, to be changed bit by bit."""

from pathlib import Path

import click

from fl.errors import TreatyError


@click.command(name="new-task", short_help="Write a task file that runs at once.")
@click.argument("name")
@click.option("--client", is_flag=True, help="The shape of Flower's NumPyClient (get_parameters, fit, evaluate) instead.")
@click.option("--folder", type=click.Path(path_type=Path), default=".", help="Where to put it. Default: here.")
def cli(name, client, folder):
    """Writes NAME.py and says how to run it. A table needs no file: --task 'table:PATH?target=COLUMN'."""
    from fl.tools.simulation.new_task import new_task

    try:
        path = new_task(name, folder, client)
    except TreatyError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"written: {path}")
    click.echo(f"try it: ape run simulate --task {path} --seats 4 --rounds 5 --out out/{name}")
