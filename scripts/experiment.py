"""ape run experiment: measures gates, pay and sybils against cheating participants."""

from pathlib import Path
from typing import Any

import click

from fl.errors import TreatyError


@click.command(short_help="Measure cheats against gates and pay, sybils, and Shapley values.")
@click.option("--part", "parts", multiple=True, help="gates, pay, sybil or shapley. Repeatable. Default: all.")
@click.option("--task", "tasks", multiple=True, help="heart, breast_cancer or digits. Repeatable. Default: all.")
@click.option("--kind", "kinds", multiple=True, help="A kind of cheat. Repeatable. Default: all that train.")
@click.option("--gate", "gates", multiple=True, help="none, median_cosine, agreement; `make byzfl`: byzfl:RULE. Repeatable.")
@click.option("--trim", "trims", type=int, multiple=True, help="Per cent of the seats dropped on each side. Default: 0.")
@click.option("--share", "shares", type=int, multiple=True, help="Per cent of seats that cheat: 10, 20, 30. Default: 30.")
@click.option(
    "--seeds", type=int, default=10, show_default=True, help="Seeds 0 to N-1; each gives another split and first model."
)
@click.option("--rounds", type=int, default=15, show_default=True, help="Rounds of every federation.")
@click.option("--all-seeing", is_flag=True, help="Cheats also see the current round's updates, which commitments hide.")
@click.option(
    "--ray", metavar="ADDRESS", help="Run on a Ray cluster: host:port, ray://..., auto, or local. Default: all cores here."
)
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Output folder; an interrupted run continues in it."
)
def cli(
    parts: tuple[str, ...],
    tasks: tuple[str, ...],
    kinds: tuple[str, ...],
    gates: tuple[str, ...],
    trims: tuple[int, ...],
    shares: tuple[int, ...],
    seeds: int,
    rounds: int,
    all_seeing: bool,
    ray: str | None,
    out: Path,
) -> None:
    """Simulates federations with the code that agents run, and writes OUT/experiment.md, experiment.json and figures: the final
    metric against honest-only training, who was left out, and what each kind of cheat earned. Needs no chain."""
    from fl.protocol.stream import cores
    from fl.tools.research.experiment import SETTINGS, Grid, run

    try:
        chosen = tuple(s for s in SETTINGS if not tasks or s.task.removesuffix("_small") in tasks)
        if not chosen:
            raise TreatyError(f"--task {tasks[0]}: give heart, breast_cancer or digits")
        given: dict[str, Any] = {"parts": parts, "kinds": kinds, "gates": gates, "trims": trims, "shares": shares}
        grid = Grid(settings=chosen, seeds=seeds, rounds=rounds, omniscient=all_seeing, **{k: v for k, v in given.items() if v})
        run(grid, out, processes=cores(), ray=ray)
    except TreatyError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"written: {out}/experiment.md")
