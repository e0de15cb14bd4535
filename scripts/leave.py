"""ape run leave: sit out from the next round on, for good."""

import click
from ape.cli import ConnectedProviderCommand

from fl.tools.cli import options


@click.command(cls=options.answering(ConnectedProviderCommand), short_help="Leave a federation; then withdraw.")
@options.federation
@options.key
@options.seat
@options.command
def cli(federation, key, seat):
    """The present round still counts: the seat stays slashable, and earns, until it ends. `ape run withdraw` pays out then."""
    from fl.tools.federation.seats import leave

    return leave(key, federation, seat)
