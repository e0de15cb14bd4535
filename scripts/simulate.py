"""ape run simulate: runs a whole federation on a local chain."""

from pathlib import Path
from typing import Any

import click
from ape.cli import ConnectedProviderCommand

from fl.errors import TreatyError
from fl.learning.shipped import SHIPPED
from fl.protocol.manifest import GATES
from fl.tools.cli import options


@click.command(cls=options.answering(ConnectedProviderCommand), short_help="Run a whole federation on a local chain.")
@click.option(
    "--task",
    default="heart",
    show_default=True,
    help=f"{', '.join(SHIPPED)}, a task file, or table:FILE.csv?target=COLUMN.",
)
@click.option("--seats", type=int, default=4, show_default=True, help="Participants, including adversaries (3 to 128).")
@click.option("--rounds", type=int, default=8, show_default=True, help="Number of rounds.")
@click.option("--alpha", type=float, help="Split by Dirichlet(ALPHA) over labels. Default: by owner, or else evenly.")
@click.option(
    "--trim", default="0", show_default=True, help=("Drop the K lowest and highest values of each parameter, or 'median'.")
)
@click.option("--gate", default="agreement", show_default=True, help=f"Which updates enter: {' or '.join(GATES)}.")
@click.option(
    "--adversary",
    multiple=True,
    metavar="KIND:COUNT",
    help="Seats that cheat, such as sign_flip:1. Repeatable. An unknown kind lists all.",
)
@click.option(
    "--private",
    type=click.Choice(["sgd", "update"]),
    help=("Honest seats train privately, protecting each row or the whole table."),
)
@click.option("--epsilon", type=float, help="Each private seat's budget over all rounds; it sits out before exceeding it.")
@click.option("--delta", type=float, default=1e-5, show_default=True, help="The second part of the budget; below 1 / rows.")
@click.option("--clip", type=float, default=1.0, show_default=True, help="Largest norm of a row's gradient, or of an update.")
@click.option("--noise", type=float, help="Noise multiplier. Default: the smallest with which the budget lasts.")
@options.private_sum
@options.until_metric
@options.patience
@click.option("--publish-metrics", is_flag=True, help="Honest seats publish, signed, what they measure on their own rows.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same model roots.")
@click.option("--ray", metavar="ADDRESS", help="Train on a Ray cluster: host:port, ray://..., auto, or local.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help=("Folder for all files. A second call continues in it.")
)
def cli(
    task: str,
    seats: int,
    rounds: int,
    alpha: float | None,
    trim: str,
    gate: str,
    adversary: tuple[str, ...],
    private_sum: bool,
    until_metric: float | None,
    seed: int,
    ray: str | None,
    out: Path,
    **more: Any,
) -> None:
    """Deploys to the local chain, seats participants, runs rounds of commit, reveal, scoring, settlement and aggregation,
    pays, audits, and writes OUT/summary.json, OUT/events.jsonl, OUT/store and OUT/report.html."""
    from fl.learning.privacy.budget import wanted
    from fl.tools.simulation import console
    from fl.tools.simulation.plan import Plan
    from fl.tools.simulation.simulate import parse_adversaries, simulate

    try:
        if trim != "median" and not trim.isdecimal():
            raise TreatyError(f"--trim {trim}: give a number of seats to drop on each side, or 'median'")
        k = 64 if trim == "median" else int(trim)
        privacy = wanted(**{name: more.pop(name) for name in ("private", "epsilon", "delta", "clip", "noise")}, rounds=rounds)
        cheats, more = parse_adversaries(adversary), {**more, "privacy": privacy, "masked": private_sum}
        plan = Plan(task, seats, rounds, alpha, k, seed, cheats, gate=gate, until=until_metric, **more)
        with console.Live(rounds) as live:
            summary = simulate(plan, out, live.watcher, ray)
        console.report(summary)
        click.echo(f"written: {out}/summary.json; open {out}/report.html to see it")
    except TreatyError as error:
        raise click.ClickException(str(error)) from error
    if summary.audit is None or not summary.audit.passed:
        raise SystemExit(1)
