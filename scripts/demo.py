"""ape run demo: trains one model with four hospitals and two bad actors, in about a minute."""

import tempfile
from pathlib import Path

import click
from ape.cli import ConnectedProviderCommand

from fl.errors import TreatyError
from fl.tools.cli import options


@click.command(
    cls=options.answering(ConnectedProviderCommand), short_help="Run four hospitals and two bad actors, in about a minute."
)
@click.option("--rounds", type=int, default=8, show_default=True, help="Rounds to play, at least 4.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed gives another split and first model.")
@click.option("--out", type=click.Path(path_type=Path), help="Keep summary, events and store in this folder.")
def cli(rounds: int, seed: int, out: Path | None) -> None:
    """Starts a local chain and runs the heart-disease federation of four real hospitals. One bad actor poisons its updates and
    once commits without revealing; the other proposes a wrong model. Watch how both are caught, and what it costs them."""
    from fl.tools.simulation import console
    from fl.tools.simulation.plan import Plan
    from fl.tools.simulation.simulate import simulate

    cheats = (("poisoner_once_silent", 1), ("wrong_model_once", 1))
    plan = Plan("heart", 6, max(rounds, 4), seed=seed, adversaries=cheats, names=("the poisoner", "the forger"))
    folder = out or Path(tempfile.mkdtemp(prefix="treaty-demo-"))
    try:
        with console.Live(plan.rounds) as live:
            summary = simulate(plan, folder, live.watcher)
        console.report(summary)
        click.echo(f"what happened, as a page: {folder}/report.html")
        click.echo(f"summary, events and store: {folder}")
        click.echo("next, in a shell in which you typed `. ./env.sh`:")
        click.echo(f"  ape run audit --summary {folder}/summary.json                     # check everything again")
        click.echo("  ape run simulate --task 'table:FILE.csv?target=COLUMN' --out out/mine    # with a table of your own")
    except TreatyError as error:
        raise click.ClickException(str(error)) from error
    if summary.audit is None or not summary.audit.passed:
        raise SystemExit(1)
