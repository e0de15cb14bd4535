"""ape run predict: writes predictions for a table of new rows."""

from pathlib import Path

import click

from fl.tools.cli import options
from fl.tools.cli.options import Result


@click.command(short_help="Predict a table with a federation's model.")
@click.option("--model", type=click.Path(path_type=Path), required=True, metavar="DIR", help="What `ape run model` wrote.")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="The rows: a .csv or .parquet file.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The .csv file to write.")
@click.option("--keep", multiple=True, metavar="COLUMN", help="A column of the table to copy, such as an id. Repeatable.")
@click.option("--task", metavar="FILE", help="The task's file, if the task is neither shipped nor a table. Its code is run.")
@options.command
def cli(model: Path, data: Path, out: Path, keep: tuple[str, ...], task: str | None) -> Result:
    """Writes a row for each row of the table, in its order: the class predicted and the probability of each class by name, or
    the number predicted. The target may be missing; if it is there, it is ignored."""
    from fl.tools.model.predict import predict

    return predict(model, data, out, task, keep)
