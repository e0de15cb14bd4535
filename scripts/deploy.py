"""ape run deploy: put a federation on the connected network."""

from pathlib import Path

import click
from ape.cli import ConnectedProviderCommand

from fl.errors import TreatyError
from fl.tools import door


@click.command(cls=ConnectedProviderCommand, short_help="Deploy a federation to a network.")
@door.key
@click.option("--terms", type=click.Path(path_type=Path), help="YAML file of terms; what it leaves out has a default.")
@click.option(
    "--task", default="heart", show_default=True, help="linear, heart, breast_cancer, digits, digits_mlp, adapter, or a file."
)
@click.option(
    "--store", type=click.Path(path_type=Path), default="store", help="Folder for genesis and manifest. Default: store."
)
@click.option("--factory", metavar="ADDRESS", help="Use this factory instead of deploying one.")
@click.option("--gate", default="agreement", show_default=True, help="Which updates enter: agreement, median_cosine, none.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seeds the first model.")
def cli(key, terms, task, store, factory, gate, seed):
    """Deploys factory and implementation (unless --factory is given) and a federation under the terms, prints address and
    terms, and remembers both in deployments/<chain id>.json. Without `token` in the terms a play-money token is deployed."""
    from fl.learning.task import load_task
    from fl.network.chain import FederationClient
    from fl.network.store import LocalStore
    from fl.tools import console
    from fl.tools.deploy import deploy, read_terms, remember

    try:
        given = read_terms(terms) if terms else {}
        done = deploy(
            load_task(task), given, key.open(), LocalStore(store), seed=seed, gate=gate, factory=factory, **key.options
        )
        path = remember(done, Path("deployments"))
        console.deployed(done, FederationClient(done.federation).terms)
    except TreatyError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"remembered in {path}; genesis and manifest in {store}")
