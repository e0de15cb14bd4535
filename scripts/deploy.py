"""ape run deploy: put a federation on the connected network."""

from pathlib import Path

import click
from ape.cli import ConnectedProviderCommand, account_option

from fl.errors import TreatyError


@click.command(cls=ConnectedProviderCommand, short_help="Deploy a federation to a network.")
@account_option()
@click.option("--terms", type=click.Path(path_type=Path), help="YAML file of terms; what it leaves out has a default.")
@click.option("--task", default="heart", show_default=True, help="linear, heart, breast_cancer, digits, or a task file.")
@click.option(
    "--store", type=click.Path(path_type=Path), default="store", help="Folder for genesis and manifest. Default: store."
)
@click.option("--factory", metavar="ADDRESS", help="Use this factory instead of deploying one.")
@click.option("--gate", default="agreement", show_default=True, help="Which updates enter: agreement, median_cosine, none.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seeds the first model.")
@click.option("--confirmations", type=int, help="Blocks to wait for each transaction. Default: the network's.")
def cli(account, terms, task, store, factory, gate, seed, confirmations):
    """Deploys factory and implementation (unless --factory is given) and a federation under the terms, prints address and
    terms, and remembers both in deployments/<chain id>.json. Without `token` in the terms a play-money token is deployed.

    For an unattended key set APE_ACCOUNTS_<ALIAS>_PASSPHRASE."""
    from fl.learning.task import load_task
    from fl.network.chain import FederationClient, unattended
    from fl.network.store import LocalStore
    from fl.tools import console
    from fl.tools.deploy import deploy, read_terms, remember

    try:
        given = read_terms(terms) if terms else {}
        options = {} if confirmations is None else {"required_confirmations": confirmations}
        unattended(account)
        done = deploy(load_task(task), given, account, LocalStore(store), seed=seed, gate=gate, factory=factory, **options)
        path = remember(done, Path("deployments"))
        console.deployed(done, FederationClient(done.federation).terms)
    except TreatyError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"remembered in {path}; genesis and manifest in {store}")
