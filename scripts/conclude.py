"""ape run conclude: gives notice and returns what is left in the pool to the sponsor."""

import click
from ape.cli import ConnectedProviderCommand

from fl.tools.cli import options
from fl.tools.cli.options import Key, Result


@click.command(cls=options.answering(ConnectedProviderCommand), short_help="Give notice; get back what is left in the pool.")
@options.final_federation
@options.until_metric
@options.patience
@click.option("--store", "stores", multiple=True, metavar="PLACE", help="With these two: the federation's store. Repeatable.")
@click.option("--task", help="With these two: the task's file, whose rows measure the models. Default: the shipped task.")
@options.yes
@options.optional_key
@options.calldata
@options.command
def cli(
    federation: str, until_metric: float | None, patience: int | None, stores: tuple[str, ...], task: str | None, key: Key
) -> Result:
    """Stops new rounds; the current one finishes normally. Call it again after that, and what is left in the pool goes to the
    sponsor. With --until-metric or --patience it watches, measures each new model and gives notice when it is time."""
    from fl.tools.federation.sponsor import conclude, wait_until_enough

    if until_metric is not None or patience is not None:
        from fl.network import ape_accounts
        from fl.tools.federation.stopping import Stop

        wait_until_enough(ape_accounts.federation(federation), Stop(until_metric, patience), stores, task, click.echo)
    return conclude(key, federation)
