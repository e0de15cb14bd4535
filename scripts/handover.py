"""ape run handover: gives a seat to another owner, in two steps."""

from pathlib import Path
from typing import Any

import click
from ape.cli import ConnectedProviderCommand

from fl.tools.cli import options
from fl.tools.cli.options import Key, Result


@click.command(cls=options.answering(ConnectedProviderCommand), short_help="Give a seat to another owner.")
@options.final_federation
@options.yes
@options.optional_key
@options.calldata
@click.option("--sign", "signs", is_flag=True, help="First step, by the new owner: sign, and write --file.")
@click.option("--file", type=click.Path(path_type=Path), default="handover.json", help="What goes from one to the other.")
@options.seat
@click.option("--operator", metavar="ADDRESS", help="With --sign: the hot key from then on. Default: the new owner itself.")
@click.option("--new-owner", metavar="ADDRESS", help="With --sign --calldata: the contract that will own the seat.")
@click.option("--stake", metavar="TOKENS", help="With --sign: the least that the seat must hold. Default: what it holds now.")
@click.option(
    "--days", type=click.IntRange(1, 90), default=7, show_default=True, help="With --sign: how long the signature is good."
)
@click.option("--signature", metavar="HEX", help="Second step: the signature, where a contract's owners signed elsewhere.")
@click.option("--allowlist", type=click.Path(path_type=Path), help="Second step: the list of admitted owners.")
@click.option("--evidence", default="", metavar="HEX", help="Second step: the new owner's evidence of admission.")
@options.command
def cli(federation: str, key: Key | None, signs: bool, file: Path, seat: int | None, **choices: Any) -> Result:
    """The new owner runs it with --sign and sends the file to the seat's owner, who runs it without. Stake and unclaimed pay go
    with the seat; `ape run claim` first keeps the pay."""
    from fl.tools.federation.handover import hand_over, sign

    second = ("signature", "allowlist", "evidence")
    if signs:
        if seat is None or any(choices[name] for name in second):
            raise click.UsageError("--sign needs --seat, and takes neither --signature, --allowlist nor --evidence.")
        return sign(key, federation, seat, file, **{name: value for name, value in choices.items() if name not in second})
    options.only_with("--sign", "--seat", "--operator", "--new-owner", "--stake", "--days")
    return hand_over(key, federation, file, **{name: choices[name] for name in second})
