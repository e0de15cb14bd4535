"""ape run chaos: runs each participant as a separate process and injects failures."""

from pathlib import Path
from typing import Any

import click

from fl.errors import TreatyError


@click.command(short_help="Run a federation as processes and inject failures.")
@click.option("--minutes", type=float, default=30.0, show_default=True, help="Least running time; the run ends with a round.")
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Determines the faults, the split of the data and the first model."
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for summary.json, logs, journals, store.")
@click.option("--seats", type=int, default=4, show_default=True, help="Honest participants; a lying proposer is added.")
@click.option("--window", type=int, default=40, show_default=True, help="Length of a phase in seconds, at least 10.")
@click.option("--every", type=float, default=15.0, show_default=True, help="Mean seconds between two faults.")
@click.option("--task", default="heart", show_default=True, help="The task to learn.")
@click.option("--paced", is_flag=True, help="Blocks wait for the daemons: for slow machines and for tests.")
def cli(minutes: float, seed: int, out: Path, **given: Any) -> None:
    """Starts a chain with real block times, a store, a daemon for each honest participant and one that proposes wrong models.
    Then kills daemons, breaks their nodes and reorganises the chain. Writes OUT/summary.json. Exits with 1 if an honest
    participant lost stake, or if the audit disagrees."""
    from fl.network.ape_accounts import quiet
    from fl.tools.simulation.chaos import Script, chaos_test

    quiet()
    try:
        summary = chaos_test(Script(minutes, seed, **given), out, click.echo)
    except TreatyError as error:
        raise click.ClickException(str(error)) from error
    for name in ("rounds", "faults", "honest_stake_lost", "recovery_seconds", "transactions_undone_and_sent_again"):
        click.echo(f"{name.replace('_', ' ')}: {summary[name]}")
    click.echo(f"audit {'passed' if summary['audit']['passed'] else 'FAILED: ' + summary['audit']['difference']}")
    click.echo(f"written: {out}/summary.json")
    if summary["honest_stake_lost"] or not summary["audit"]["passed"]:
        raise SystemExit(1)
