"""ape run evaluate: measures a federation's model on your own rows."""

from pathlib import Path

import click

from fl.tools.cli import options
from fl.tools.cli.options import Result


@click.command(short_help="Measure a federation's model on your own rows.")
@click.option("--model", type=click.Path(path_type=Path), required=True, metavar="DIR", help="What `ape run model` wrote.")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Rows with their target: .csv or .parquet.")
@click.option("--task", metavar="FILE", help="The task's file, if the task is neither shipped nor a table. Its code is run.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seeds resampling, split and training.")
@click.option("--resamples", type=click.IntRange(100, 100_000), default=1000, show_default=True, help="For the interval.")
@click.option("--picture", type=click.Path(path_type=Path), help="Also write the calibration of probabilities, as an SVG.")
@click.option(
    "--personalise", type=click.IntRange(1), metavar="EPOCHS", help="Train further on your rows and report the effect."
)
@click.option("--save", type=click.Path(path_type=Path), metavar="DIR", help="Keep the personalised model here.")
@options.command
def cli(
    model: Path,
    data: Path,
    task: str | None,
    seed: int,
    resamples: int,
    picture: Path | None,
    personalise: int | None,
    save: Path | None,
) -> Result:
    """Reports the task's metric with a bootstrap interval of 95 % and, where the task has classes, whether its probabilities
    mean
    what they say. --personalise trains the model on three quarters of the rows and compares both on the rest. Rows and
    personal model stay on this machine."""
    from fl.tools.model.evaluate import Wishes, evaluate

    return evaluate(model, data, Wishes(task, seed, resamples, picture, personalise or 0, save))
