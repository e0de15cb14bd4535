"""ape run report: writes one page about a federation, to open from disk, print or send."""

from pathlib import Path

import click

from fl.errors import TreatyError
from fl.tools.cli import options
from fl.tools.cli.network import Network, ReadingCommand
from fl.tools.cli.prices import given, prices


@click.command(cls=ReadingCommand, short_help="Write a page about a federation, in plain words.")
@click.option("--summary", type=click.Path(path_type=Path), help="The summary.json that a simulation wrote, in its folder.")
@options.read_federation
@click.option("--store", "stores", multiple=True, metavar="PLACE", help="The federation's store. Repeatable; tried in order.")
@click.option(
    "--data", type=click.Path(path_type=Path), help="With --federation: your own table to measure models on; it stays here."
)
@click.option("--task", help="The task's file, to measure models on its test rows. Default: the shipped task of that name.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="The file to write. Default: report.html beside the summary, or here."
)
@click.option("--picture", type=click.Path(path_type=Path), help="Also write the learning curve as an SVG.")
@prices
@click.option("--json", "as_json", is_flag=True, help="Print the page's path and the audit's verdict as JSON.")
def cli(
    network: Network,
    summary: Path | None,
    federation: str | None,
    stores: tuple[str, ...],
    data: Path | None,
    task: str | None,
    out: Path | None,
    picture: Path | None,
    as_json: bool,
    **assumed: float | None,
) -> None:
    """Writes one self-contained HTML page: how the model learned, the course of each round, scores, pay, stake and slashes, the
    committee, what it cost, the audit's verdict. Give either --summary, or --federation and --store. The page loads nothing
    from a network and runs no script."""
    from fl.tools.report.sources import draw, report_summary, written

    try:
        assumptions = given(**assumed)
        if data and not federation:
            raise TreatyError("--data goes with --federation: a simulation measured its models on rows that nobody trained on")
        if summary and not federation:
            path, facts = report_summary(summary, out, assumptions)
        elif federation and stores and not summary:
            from fl.tools.report.live import report_federation  # loads torch, which a simulation's files do without

            page = out or Path("report.html")
            path, facts = report_federation(network.reader(federation), stores, page, assumptions, task, data)
        else:
            raise TreatyError("give --summary FILE, or --federation ADDRESS with --store PLACE")
        if picture:
            draw(facts, picture)
    except TreatyError as error:
        raise click.ClickException(str(error)) from error
    click.echo(written(path, facts, as_json))
