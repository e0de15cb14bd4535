"""ape run claim: pays out what an account has earned."""

import click
from ape.cli import ConnectedProviderCommand

from fl.tools.cli import options
from fl.tools.cli.options import Key, Result


@click.command(cls=options.answering(ConnectedProviderCommand), short_help="Claim what your seats have earned.")
@options.read_federation
@options.key
@options.seat
@options.to
@click.option(
    "--credit", is_flag=True, help="Claim the credit, too, although it pays deposits for a seat that the account operates."
)
@options.command
def cli(federation: str, key: Key, seat: int | None, to: str | None, credit: bool) -> Result:
    """Claims the pay of all the account's seats and its credit (what it was given, fees for fraud proofs, deposits) in one
    transaction. The credit of an account that operates a seat stays, unless --credit is given. With --seat, claims the pay of
    that seat only."""
    from fl.tools.federation.seats import claim

    return claim(key, federation, seat, to, take_credit=credit)
