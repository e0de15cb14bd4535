"""ape run deploy: deploys a federation to the connected network."""

from pathlib import Path
from typing import Any

import click
from ape.cli import ConnectedProviderCommand

from fl.errors import TreatyError
from fl.learning.shipped import SHIPPED
from fl.protocol.manifest import GATES
from fl.tools.cli import options
from fl.tools.cli.options import Key
from fl.tools.cli.prices import FLAGS, PRICES, prices
from fl.tools.cli.prices import given as prices_given


@click.command(cls=options.answering(ConnectedProviderCommand), short_help="Deploy a federation to a network.")
@options.key
@click.option("--preset", type=click.Choice(options.PRESETS), default="laptop", show_default=True, help="Terms to start from.")
@click.option("--terms", type=click.Path(path_type=Path), help="YAML file of terms that differ from the preset.")
@click.option(
    "--task",
    default="heart",
    show_default=True,
    help=f"{', '.join(SHIPPED)}, a task file, or table:FILE.csv?target=COLUMN.",
)
@click.option("--store", "stores", multiple=True, default=["store"], help="Where genesis and manifest go. Default: store.")
@click.option("--public", multiple=True, metavar="URL", help="A store that the manifest names for everybody. Repeatable.")
@click.option("--factory", metavar="ADDRESS", help="Use this factory instead of deploying one.")
@click.option("--gate", default="agreement", show_default=True, help=f"Which updates enter: {' or '.join(GATES)}.")
@options.private_sum
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seeds the first model.")
@options.training
@click.option(
    "--publish", is_flag=False, flag_value="", metavar="[API]", help="Submit sources to Etherscan, or to this explorer."
)
@click.option("--dry-run", is_flag=True, help="Send nothing: check all, try it on a copy of the chain, tell cost and roles.")
@click.option("--seats", type=click.IntRange(1, 128), help="Participants you expect: 3 validators, from 7 on 5, from 12 on 7.")
@click.option("--json", "as_json", is_flag=True, help="Print addresses, terms, gas and stores as JSON.")
@prices
def cli(
    key: Key,
    as_json: bool,
    preset: str,
    terms: Path | None,
    task: str,
    stores: tuple[str, ...],
    dry_run: bool,
    seats: int | None,
    training: str | None,
    private_sum: bool,
    publish: str | None,
    **choices: Any,
) -> None:
    """Deploys factory and implementation (unless --factory is given) and a federation under the terms, prints its address and
    terms, and records both in deployments/<chain id>.json; commands that only read need no address in this folder then. If the
    terms name no `token`, a play-money token is deployed. Nothing is sent before everything has been checked."""
    if not dry_run:
        options.only_with("--dry-run", *FLAGS)
    from fl.network import ape_accounts
    from fl.network.stores.several import open_store
    from fl.protocol.mode import mode_of
    from fl.tools.federation.deploy import deploy, draft, remember, tried_task
    from fl.tools.federation.deploy import dry_run as tried
    from fl.tools.federation.pace import pace_here
    from fl.tools.federation.show_deployment import deployment_facts, show_deployment
    from fl.tools.federation.terms_file import EXPECTED, PRESETS, everybody, for_seats, read_terms

    asked = {name: choices.pop(name) for name in PRICES}
    try:
        chosen = (everybody(seats) if private_sum else {}) | (read_terms(terms) if terms else {})
        given, checked_task = for_seats(PRESETS[preset], chosen, seats), tried_task(task)
        choices |= {"pace": pace_here(preset, checked_task, training), "mode": mode_of(private_sum)}
        if dry_run:
            asked["gas_price"] = asked["gas_price"] or ape_accounts.gas_price() / 1e9
            sender = ape_accounts.account_address(key.account)
            checked = draft(checked_task, given, sender, **choices)
            return options.printed(tried(checked, choices["pace"], seats or EXPECTED, prices_given(**asked), sender), as_json)
        with ape_accounts.hushed():
            done = deploy(checked_task, given, key.open(), open_store(stores), publish=publish, **choices, **key.options)
        path = remember(done, Path("deployments"), ape_accounts.network_choice(), stores)
        reader = ape_accounts.federation(done.federation)
        if as_json:
            return options.printed(deployment_facts(done, reader.terms, stores), True)
        show_deployment(done, reader.terms, reader.denomination)
    except TreatyError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"recorded in {path}; genesis and manifest in {', '.join(stores)}")
