"""ape run leave: sit out from the next round on, for good."""

import click
from ape.cli import ConnectedProviderCommand

from fl.tools import door


@click.command(cls=door.answering(ConnectedProviderCommand), short_help="Leave a federation; then withdraw.")
@door.federation
@door.key
@door.seat
@door.door
def cli(federation, key, seat):
    """The present round still counts: the seat stays slashable, and earns, until it ends. `ape run withdraw` pays out then."""
    from fl.tools.seat import leave

    return leave(key, federation, seat)
