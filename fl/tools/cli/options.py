"""What the commands share: options, the output of results, and the handling of errors.

Imports little, because every `ape run` imports every command.
"""

from __future__ import annotations

import functools
import json
import math
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from fl.errors import ChainError, TreatyError, plain
from fl.network import ape_patches
from fl.tools.cli.network import carried, failed_node, nothing_remembered, recalled, say_remembered, silent_node

ape_patches.run_scripts_once()  # the first of the commands imports this

NOTHING, PERHAPS = "nothing was sent", "what was sent may still be mined: look at `ape run status` first"
PRESETS = ("laptop", "live", "testnet", "l2")  # of terms: fl.tools.federation.terms_file


@dataclass(frozen=True)
class Result:
    """The result of a command: lines for people, facts for scripts, and the exit code."""

    lines: list[str]
    facts: dict[str, Any]
    code: int = 0


@dataclass(frozen=True)
class Key:
    """The account that signs, and how many confirmations to wait for."""

    account: str
    passphrase_file: Path | None = None
    confirmations: int | None = None
    options: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        options = {} if self.confirmations is None else {"required_confirmations": self.confirmations}
        object.__setattr__(self, "options", options)

    def open(self, local: bool | None = None) -> Any:
        """The account, ready to sign; `local` says whether the chain is one of this machine, by default as Ape is connected.
        Raises ChainError with the remedy."""
        from fl.network import ape_accounts  # keeps Ape out of start-up

        return ape_accounts.account(self.account, self.passphrase_file, local)


final_federation = click.option(
    "--federation",
    metavar="ADDRESS",
    help="The federation's contract. Default: the one that this folder remembers, with --yes.",
)
yes = click.option("--yes", is_flag=True, expose_value=False, help="Mean the federation that this folder remembers.")
read_federation = click.option(
    "--federation", metavar="ADDRESS", help="The federation's contract. Default: the one that this folder remembers."
)
factory = click.option(
    "--factory", metavar="ADDRESS", help="The factory that made it, if you know another than this version's own."
)
nodes = click.option(
    "--rpc",
    "urls",
    multiple=True,
    metavar="URL",
    envvar="TREATY_RPC",
    help="A node. Repeatable: several are compared. Default: TREATY_RPC (addresses with spaces between them), or --network.",
)
seat = click.option("--seat", type=click.IntRange(0, 127), help="The seat's number. Default: the account's only seat.")
to = click.option("--to", metavar="ADDRESS", help="Who receives the tokens. Default: the account itself.")
mint = click.option("--mint", is_flag=True, help="Mint what is missing (play-money tokens only).")
approve = click.option("--approve", is_flag=True, help="Approve in a separate transaction, even if the token supports permits.")
calldata = click.option("--calldata", is_flag=True, help="Send nothing; print the calls for a Safe, timelock or Governor.")
training = click.option(
    "--training",
    metavar="TIME",
    help="What a round's training takes the slowest participant. Default: measured here, fourfold.",
)
private_sum = click.option(
    "--private-sum", is_flag=True, help="Updates are masked: nobody sees one of them, and only their sum is known."
)
partners = click.option(
    "--partners",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Masked federations: your partners' operators, one address a line, yours too.",
)


def partners_in(path: Path | None) -> tuple[str, ...]:
    """The addresses in the file of --partners. Raises TermsError."""
    if path is None:
        return ()
    from fl.tools.cli.partners import read_partners  # loads what hashes

    return read_partners(path)


until_metric = click.option(
    "--until-metric", type=float, metavar="VALUE", help="End as soon as the metric on held-out rows is this good."
)
patience = click.option(
    "--patience", type=int, metavar="ROUNDS", help="End after so many rounds in a row without a better metric on held-out rows."
)
stores = click.option("--store", "stores", multiple=True, metavar="PLACE", help="A store. Repeatable; tried in order.")


class Finite(click.FloatRange):
    """A finite number in a range; click's own type also accepts NaN and infinity."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{number} is not a finite number.", param, ctx)
        return number


def only_with(flag: str, *options: str) -> None:
    """Raises UsageError if one of the options is given without the flag, where it would have no effect."""
    context = click.get_current_context()
    for param in context.command.params:
        given = context.get_parameter_source(param.name or "") is not click.core.ParameterSource.DEFAULT
        if given and (option := param.opts[0]) in options:
            raise click.UsageError(
                f"{option} has an effect only with {flag}: add {flag}, or leave {option} out. Nothing was sent."
            )


def say_first(line: str) -> None:
    """Prints a line at once, before anything is signed; with --json the facts say the same at the end."""
    context = click.get_current_context(silent=True)
    if context is not None and not context.params.get("as_json"):
        click.echo(plain(line))


def answering(command: type[click.Command], instead: Sequence[str] = ()) -> type[click.Command]:
    """The same kind of command, which reports in one line that the network's node does not answer, without Ape's traceback.

    The network may stand in TREATY_NETWORK. Where --federation may be left out, the folder's own federation is meant, and
    said before anything is sent. instead: options with which the command makes a federation of its own."""

    class Answering(command):  # type: ignore[misc, valid-type]
        def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
            if not context.resilient_parsing and not _gives(args, "--help"):
                args = self._completed(context, list(args))
            return list(super().parse_args(context, args))

        def _completed(self, context: click.Context, args: list[str]) -> list[str]:
            """The arguments, with what environment and folder say where they say nothing."""
            network = os.environ.get("TREATY_NETWORK")
            options = {option: param for param in self.params if not param.required for option in param.opts}
            makes = any(_gives(args, option) for option in instead)
            if "--federation" in options and not makes and not _gives(args, "--federation"):
                if (known := recalled()) is None:
                    raise nothing_remembered(context)
                several = [name for name in ("--from", "--store") if name in options and options[name].multiple]
                places = next((name for name in several if not _gives(args, name)), "")
                on_network = not network and not _gives(args, "--network")
                say_remembered(known, federation=True, network=on_network, stores=bool(places))
                if "--yes" in options and not _gives(args, "--yes"):
                    raise click.UsageError(
                        "This cannot be undone: add --yes if you mean that federation, or give --federation ADDRESS. "
                        "Nothing was sent.",
                        context,
                    )
                args += ["--federation", known.federation]
                network = network or known.network
                if places:
                    args += [word for store in known.stores for word in (places, store)]
            return [*args, "--network", network] if network and not _gives(args, "--network") else args

        def invoke(self, context: click.Context) -> Any:
            from fl.network import ape_accounts  # keeps Ape out of start-up

            provider = context.params.get("network")  # a provider of Ape's, once it was parsed
            quiet = (
                ape_accounts.hushed() if context.params.get("as_json") else nullcontext()
            )  # Ape says on stdout what it connects to
            ape_patches.listen_low()
            sent = ape_accounts.Sends()
            try:
                with quiet, ape_accounts.counting_sends() as sent:
                    return super().invoke(context)
            except Exception as error:
                cause = error.__cause__ if isinstance(error, click.ClickException) else error
                if cause is None or (isinstance(cause, TreatyError) and not isinstance(cause, ChainError)):
                    raise
                if (failed := failed_node(error)) is None:
                    where, why = ape_accounts.asked(provider)
                    if not (why := why or carried(cause)):
                        raise
                    failed = where, why
                done = PERHAPS if sent.count else NOTHING
                raise click.ClickException(silent_node(*failed, done)) from error

    return Answering


def _gives(args: list[str], option: str) -> bool:
    """Whether a command line gives an option."""
    return any(word == option or word.startswith(f"{option}=") for word in args)


def _hushed() -> AbstractContextManager[None]:
    """Silences Ape while a key signs; a command that only reads does not load it."""
    from fl.network import ape_accounts  # keeps Ape out of start-up

    return ape_accounts.hushed()


def key(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --account, --passphrase-file and --confirmations, and passes a Key."""
    return _with_key(command, required=True)


def optional_key(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same, but --calldata may be given instead; the key is then None."""

    @functools.wraps(command)
    def run(*args: Any, key: Key | None, calldata: bool, **kwargs: Any) -> Any:
        if (key is None) != calldata:
            raise click.UsageError("Give either --account ALIAS or --calldata.")
        return command(*args, key=key, **kwargs)

    return _with_key(run, required=False)


def _with_key(command: Callable[..., Any], required: bool) -> Callable[..., Any]:
    signs = "The key that signs, by its alias in `ape accounts list`."

    @click.option("--account", required=required, metavar="ALIAS", help=signs)
    @click.option("--passphrase-file", type=click.Path(path_type=Path), help="Default: APE_ACCOUNTS_<ALIAS>_PASSPHRASE.")
    @click.option(
        "--confirmations", type=click.IntRange(0), help="Blocks to wait for each transaction. Default: the network's."
    )
    @functools.wraps(command)
    def run(*args: Any, account: str | None, passphrase_file: Path | None, confirmations: int | None, **kwargs: Any) -> Any:
        return command(*args, key=Key(account, passphrase_file, confirmations) if account else None, **kwargs)

    return run


def command(command: Callable[..., Result]) -> Callable[..., None]:
    """Turns a function that returns a Result into a command with --json. A TreatyError becomes one line and exit code 1."""

    @click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
    @functools.wraps(command)
    def run(*args: Any, as_json: bool, **kwargs: Any) -> None:
        try:
            with _hushed() if "key" in kwargs else nullcontext():
                result = command(*args, **kwargs)
        except TreatyError as error:
            raise click.ClickException(str(error)) from error
        printed(result, as_json)
        if result.code:
            raise SystemExit(result.code)

    return run


def printed(result: Result, as_json: bool) -> None:
    """Prints a result, for people or for scripts."""
    if as_json:
        click.echo(json.dumps(result.facts, indent=1))
    else:
        for line in result.lines:
            click.echo(plain(line))
