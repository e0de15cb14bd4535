"""ape run up: runs a whole federation on this machine, with one process for each participant."""

from pathlib import Path

import click

from fl.errors import TreatyError
from fl.tools.cli import options


@click.command(short_help="Run a whole federation on this machine: chain, store and daemons.")
@click.option(
    "--data",
    "tables",
    multiple=True,
    type=click.Path(path_type=Path),
    help="The participants' tables, one each: --data a.csv b.csv c.csv.",
)
@click.option("--target", metavar="COLUMN", help="With --data: the column to predict.")
@click.option(
    "--drop",
    multiple=True,
    metavar="COLUMN",
    help="With --data: a column to leave out, such as a patient's number. You may give it several times.",
)
@click.option("--task", help="Instead of --data: a shipped task or a task file, whose rows are split among --seats.")
@click.option("--seats", type=int, default=3, show_default=True, help="With --task: how many participants.")
@click.option("--rounds", type=click.IntRange(0), default=0, help="Rounds to run, or to add. Default: until you press Ctrl-C.")
@options.private_sum
@options.until_metric
@options.patience
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("out/up"),
    show_default=True,
    help="Folder for all files. One that holds a federation is continued.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seeds the first model, the split and the training.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port of the live page on this machine. Default: any free port."
)
@click.option("--no-page", is_flag=True, help="Serve no live page.")
@click.argument("more", nargs=-1, type=click.Path(path_type=Path), metavar="[TABLE]...")
def cli(
    tables: tuple[Path, ...],
    more: tuple[Path, ...],
    target: str | None,
    drop: tuple[str, ...],
    task: str | None,
    seats: int,
    rounds: int,
    private_sum: bool,
    until_metric: float | None,
    patience: int | None,
    out: Path,
    seed: int,
    port: int,
    no_page: bool,
) -> None:
    """Starts a local chain, deploys and funds a federation with play money, seats the participants and runs the daemon of
    `ape run participate` for each of them, as a process with a key, a journal and rows of its own. Ends after --rounds, or
    on Ctrl-C, with the model in OUT/model, ready for `ape run predict`. Everything stays on this machine."""
    click.echo("loading PyTorch and the task")
    from fl.tools.federation.stopping import Stop
    from fl.tools.simulation.up import Plan, Progress, up

    try:
        if more and not tables:
            raise TreatyError(f"{more[0]}: tables follow --data, as in --data a.csv b.csv c.csv; nothing was started")
        page, stop = None if no_page else port, Stop(until_metric, patience)
        plan = Plan(out, (*tables, *more), target, drop, task, seats, rounds, seed, page, stop, private_sum)
        with Progress() as progress:
            done = up(plan, progress)
    except TreatyError as error:
        raise click.ClickException(str(error)) from error
    for line in done.verified:
        click.echo(f"verified: {line}")
    click.echo(done.audit)
    if done.measured:
        click.echo(f"measured: {done.measured}")
    if done.model is None:
        raise click.ClickException(f"no round was completed: there is no model; the daemons' logs are in {out}")
    click.echo(f"written: {done.model}, the model after {done.rounds} rounds; logs, journals, events and store are in {out}")
    click.echo("next, with rows that the model has not seen:")
    click.echo(f"  ape run evaluate --model {done.model} --data NEW.csv    # how good it is on them")
    click.echo(f"  ape run predict --model {done.model} --data NEW.csv --out predictions.csv")
    click.echo(f"to go on with it: ape run up --out {out} --rounds {rounds or 3}")
    if done.slashed or not done.audit.startswith("audit passed"):
        raise SystemExit(1)
