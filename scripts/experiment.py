"""ape run experiment: does it work against bad data and bad people?"""

from pathlib import Path

import click

from fl.errors import TreatyError


@click.command(short_help="Cheats against gates, pay, sybils, Shapley: tables and figures.")
@click.option("--part", "parts", multiple=True, help="gates, pay, sybil, shapley; may be given several times. Default: all.")
@click.option("--task", "tasks", multiple=True, help="heart, breast_cancer, digits. Default: all.")
@click.option("--kind", "kinds", multiple=True, help="Kinds of cheat. Default: all that train.")
@click.option("--gate", "gates", multiple=True, help="none, median_cosine, agreement. Default: all.")
@click.option("--trim", "trims", type=int, multiple=True, help="Per cent of the seats dropped on each side. Default: 0.")
@click.option("--share", "shares", type=int, multiple=True, help="Per cent of seats that cheat: 10, 20, 30. Default: 30.")
@click.option("--seeds", type=int, default=10, show_default=True, help="Seeds 0 to N-1; each another split and start.")
@click.option("--rounds", type=int, default=15, show_default=True, help="Rounds of every federation.")
@click.option("--all-seeing", is_flag=True, help="Cheats see the present round's updates, which commitments hide.")
@click.option(
    "--ray", metavar="ADDRESS", help="Play on a Ray cluster: host:port, ray://..., auto, or local. Else: on all cores."
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder; an interrupted run goes on in it.")
def cli(parts, tasks, kinds, gates, trims, shares, seeds, rounds, all_seeing, ray, out):
    """Plays federations without a chain by the code that agents run, and writes OUT/experiment.md, experiment.json and figures:
    the final metric against honest seats alone, who was left out, what each kind earned. Needs no chain."""
    from fl.protocol.stream import cores
    from fl.tools.research.experiment import SETTINGS, Grid, run

    try:
        chosen = tuple(s for s in SETTINGS if not tasks or s.task.removesuffix("_small") in tasks)
        if not chosen:
            raise TreatyError(f"--task {tasks[0]}: give heart, breast_cancer or digits")
        given = {"parts": parts, "kinds": kinds, "gates": gates, "trims": trims, "shares": shares}
        grid = Grid(settings=chosen, seeds=seeds, rounds=rounds, omniscient=all_seeing, **{k: v for k, v in given.items() if v})
        run(grid, out, processes=cores(), ray=ray)
    except TreatyError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"written: {out}/experiment.md")
