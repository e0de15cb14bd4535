"""ape run rehearse: everybody as a process of its own, on a bad day."""

from pathlib import Path

import click

from fl.errors import TreatyError


@click.command(short_help="A whole federation as processes, with faults by a seeded plan.")
@click.option("--minutes", type=float, default=30.0, show_default=True, help="How long at least; it ends with a round.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides faults, split and start.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for summary.json, logs, journals, store.")
@click.option("--seats", type=int, default=4, show_default=True, help="Honest participants; a lying proposer comes besides.")
@click.option("--window", type=int, default=40, show_default=True, help="Seconds of every phase, at least 10.")
@click.option("--every", type=float, default=15.0, show_default=True, help="Seconds between two faults, on average.")
@click.option("--task", default="heart", show_default=True, help="What is learnt.")
@click.option("--paced", is_flag=True, help="Blocks wait for the daemons: for slow machines and for tests.")
def cli(minutes, seed, out, **given):
    """Starts a chain with real block times, a store, a daemon for each participant and one that lies, and then kills daemons,
    breaks their nodes and reorganises the chain. No honest participant may lose stake. Writes OUT/summary.json; exits with 1
    if somebody did, or if the audit disagrees."""
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
