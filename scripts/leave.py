"""ape run leave: takes a seat out from the next round on, for good."""

import click
from ape.cli import ConnectedProviderCommand

from fl.tools.cli import options
from fl.tools.cli.options import Key, Result


@click.command(cls=options.answering(ConnectedProviderCommand), short_help="Leave a federation; withdraw afterwards.")
@options.final_federation
@options.yes
@options.key
@options.seat
@options.command
def cli(federation: str, key: Key, seat: int | None) -> Result:
    """The current round still counts: until it ends the seat earns and can be slashed. Then `ape run withdraw` pays out."""
    from fl.tools.federation.seats import leave

    return leave(key, federation, seat)
