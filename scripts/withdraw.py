"""ape run withdraw: pays out the stake and the pay of a seat that has left."""

import click
from ape.cli import ConnectedProviderCommand

from fl.tools.cli import options
from fl.tools.cli.options import Key, Result


@click.command(cls=options.answering(ConnectedProviderCommand), short_help="Withdraw the stake of a seat that has left.")
@options.read_federation
@options.key
@options.seat
@options.to
@options.command
def cli(federation: str, key: Key, seat: int | None, to: str | None) -> Result:
    """Pays stake and unclaimed pay to the owner, or to --to, and frees the seat. Nobody can prevent it."""
    from fl.tools.federation.seats import withdraw

    return withdraw(key, federation, seat, to)
