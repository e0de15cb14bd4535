"""ape run model: writes a federation's model as a folder: parameters, card, configuration."""

from pathlib import Path

import click

from fl.errors import TreatyError
from fl.tools.cli import options
from fl.tools.cli.network import Network, ReadingCommand
from fl.tools.cli.options import Result


@click.command(cls=ReadingCommand, short_help="Get a federation's model, ready for use.")
@click.option("--summary", type=click.Path(path_type=Path), help="summary.json of a simulation, in its folder.")
@options.read_federation
@options.factory
@click.option("--store", "stores", multiple=True, metavar="PLACE", help="The federation's store. Repeatable; tried in order.")
@click.option("--round", "number", type=click.IntRange(0), help="The model of this round; 0: the first. Default: the last.")
@click.option("--task", metavar="FILE", help="The task's file, if the task is neither shipped nor a table. Its code is run.")
@click.option("--onnx", is_flag=True, help="Also write model.onnx, checked against PyTorch (needs the extra onnx).")
@click.option("--licence", default="not stated", show_default=True, help="The licence that the card states.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The folder to write.")
@options.command
def cli(
    network: Network,
    summary: Path | None,
    federation: str | None,
    factory: str | None,
    stores: tuple[str, ...],
    number: int | None,
    task: str | None,
    onnx: bool,
    licence: str,
    out: Path,
) -> Result:
    """Checks the model against chain or summary, says what it checked, and writes OUT/model.safetensors with PyTorch's own
    names, OUT/README.md (the model's card) and OUT/config.json. Give either --summary, or --federation and --store."""
    if bool(summary) == bool(federation) or (federation and not stores):
        raise TreatyError("give --summary FILE, or --federation ADDRESS with --store PLACE")
    from fl.tools.model import source
    from fl.tools.model.export import export

    found = source.from_summary(summary) if summary else source.from_chain(network.reader(str(federation), factory), stores)
    return export(found, out, round=number, task=task, onnx=onnx, licence=licence)
