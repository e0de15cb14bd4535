"""ape run compare: compares the 8-bit federation with float FedAvg, local-only and centralised training."""

from pathlib import Path

import click

from fl.errors import TreatyError


@click.command(short_help="Compare with float FedAvg, local-only and centralised training.")
@click.option("--task", "tasks", multiple=True, help="A task to compare. Repeatable. Default: all four.")
@click.option("--ablation", is_flag=True, help="Instead, measure which parts of the compression matter, and bytes per update.")
@click.option("--privacy", is_flag=True, help="Instead, measure what updates reveal to an attacker, and what hiding it costs.")
@click.option("--needed", is_flag=True, help="Instead, count the rounds to 99 % of centralised training; beside scikit-learn.")
@click.option("--unequal", is_flag=True, help="Instead, measure what the gate costs when nobody cheats and tables differ.")
@click.option("--masked", is_flag=True, help="Instead, measure what a masked sum learns, and what the vote on it refuses.")
@click.option("--flamby", is_flag=True, help="Instead, rebuild FLamby's Fed-Heart-Disease beside its published means.")
@click.option(
    "--seeds", type=int, default=5, show_default=True, help="Seeds 0 to N-1; each gives another split, first model and order."
)
@click.option("--out", type=click.Path(path_type=Path), help="Also write compare.json and compare.md here.")
def cli(tasks: tuple[str, ...], seeds: int, out: Path | None, **wanted: bool) -> None:
    """Trains every task with the protocol's own arithmetic (8-bit updates, integer aggregation) and in three other ways on the
    same splits, seeds and rounds, and prints a table. Needs no chain."""
    from fl.tools.research import ablation, compare, flamby, masked_sum, privacy_attack, rounds, unequal

    tables = {
        "ablation": ablation.ablation,
        "privacy": privacy_attack.privacy_attack,
        "needed": rounds.rounds_needed,
        "unequal": unequal.unequal,
        "masked": masked_sum.masked_sum,
        "flamby": flamby.flamby,
    }
    try:
        chosen = [name for name, given in wanted.items() if given]
        if len(chosen) > 1:
            raise TreatyError(f"{' and '.join(f'--{name}' for name in chosen)} are different tables: give one of them")
        measure = tables[chosen[0]] if chosen else compare.compare
        measure(tasks, seeds, out)
    except TreatyError as error:
        raise click.ClickException(str(error)) from error
