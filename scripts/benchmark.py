"""ape run benchmark: times training, aggregation and trees against a plain loop and against Flower."""

from pathlib import Path

import click

from fl.errors import TreatyError


@click.command(short_help="Time training, aggregation and trees; also against Flower, if installed.")
@click.option("--part", "parts", multiple=True, help="simulation, aggregation or tree. Repeatable. Default: all.")
@click.option(
    "--clients", multiple=True, type=int, default=(20, 200), show_default=True, help="Participants of the simulation."
)
@click.option("--rounds", type=int, default=10, show_default=True, help="Rounds of the simulation.")
@click.option("--runs", type=int, default=10, show_default=True, help="Simulations of each kind.")
@click.option(
    "--flower", type=click.Path(path_type=Path), help="A Python that has Flower. Default: the one that `make flower` makes."
)
@click.option("--no-flower", is_flag=True, help="Measure without Flower.")
@click.option("--out", type=click.Path(path_type=Path), help="Also write benchmark.md and benchmark.json here.")
def cli(
    parts: tuple[str, ...],
    clients: tuple[int, ...],
    rounds: int,
    runs: int,
    flower: Path | None,
    no_flower: bool,
    out: Path | None,
) -> None:
    """Times local training of many participants (digits, a network of 64-128-10, Dirichlet 0.5), aggregation of 50 x 1M and
    10 x 25M parameters, and the tree over 25M. Prints tables in Markdown. Needs no chain."""
    from fl.tools.research.benchmark import FLOWER, PARTS, Settings, benchmark, show

    try:
        if min(rounds, runs, *clients) < 1:
            raise TreatyError("--clients, --rounds and --runs must be at least 1")
        chosen = Settings(clients, rounds, runs, parts=parts or PARTS, flower=None if no_flower else flower or FLOWER)
        show(benchmark(chosen, out, say=lambda text: click.echo(text, err=True)))
    except TreatyError as error:
        raise click.ClickException(str(error)) from error
