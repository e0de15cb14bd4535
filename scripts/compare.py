"""ape run compare: compares the 8-bit federation with float FedAvg, local-only and centralised training."""

from pathlib import Path

import click

from fl.errors import TreatyError


@click.command(short_help="Compare with float FedAvg, local-only and centralised training.")
@click.option("--task", "tasks", multiple=True, help="A task to compare. Repeatable. Default: all four.")
@click.option("--ablation", is_flag=True, help="Instead, measure which parts of the compression matter, and bytes per update.")
@click.option("--privacy", is_flag=True, help="Instead, measure what updates reveal to an attacker, and what hiding it costs.")
@click.option(
    "--seeds", type=int, default=5, show_default=True, help="Seeds 0 to N-1; each gives another split, first model and order."
)
@click.option("--out", type=click.Path(path_type=Path), help="Also write compare.json and compare.md here.")
def cli(tasks: tuple[str, ...], ablation: bool, privacy: bool, seeds: int, out: Path | None) -> None:
    """Trains every task with the protocol's own arithmetic (8-bit updates, integer aggregation) and in three other ways on the
    same splits, seeds and rounds, and prints a table. Needs no chain."""
    from fl.tools.research import ablation as parts
    from fl.tools.research import privacy_attack
    from fl.tools.research.compare import compare

    try:
        if ablation and privacy:
            raise TreatyError("--ablation and --privacy are two tables: give one of them")
        measure = parts.ablation if ablation else privacy_attack.privacy_attack if privacy else compare
        measure(tasks, seeds, out)
    except TreatyError as error:
        raise click.ClickException(str(error)) from error
