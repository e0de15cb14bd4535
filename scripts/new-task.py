"""ape run new-task: writes a task file that runs as it is, for you to change bit by bit."""

from pathlib import Path

import click

from fl.errors import TreatyError


@click.command(name="new-task", short_help="Write a task file that runs as it is.")
@click.argument("name")
@click.option("--client", is_flag=True, help="Write one like Flower's NumPyClient (get_parameters, fit, evaluate) instead.")
@click.option("--folder", type=click.Path(path_type=Path), default=".", help="Folder for the file. Default: the current one.")
def cli(name: str, client: bool, folder: Path) -> None:
    """Writes NAME.py and tells you how to run it. A table needs no file: --task 'table:PATH?target=COLUMN'."""
    from fl.tools.simulation.new_task import new_task

    try:
        path = new_task(name, folder, client)
    except TreatyError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"written: {path}")
    click.echo(f"try it: ape run simulate --task {path} --seats 4 --rounds 5 --out out/{name}")
