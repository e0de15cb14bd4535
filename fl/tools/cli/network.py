"""The network of a command that only reads. A node given by its URL in --network is used directly; only a name has to be
resolved by Ape, whose networks take seconds to load. Nothing is connected before the command asks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from fl.errors import TreatyError, plain
from fl.network.rpc import DEV_CHAINS, NodeError, Rpc, host, on_loopback
from fl.tools.cli.remembered import FILE, Remembered, remembered

# `ape run --help` imports every command: what decodes, which takes most of a second to import, is imported where it is used.
if TYPE_CHECKING:
    from fl.network.federation import FederationReader

BY_URL = re.compile(r"(?:\w*:(?P<network>[\w-]*):)?(?P<url>https?://.+)")
CARRIERS = {"ape", "web3", "requests", "urllib3", "eth_abi"}  # packages whose errors are about a node


class Network:
    """The network that a command reads from. `choice` and `settings` are those of Ape."""

    def __init__(self, context: click.Context, choice: str | None, settings: dict[str, Any] | None = None):
        self._context, self._choice, self._settings = context, choice, settings
        found = None if settings else BY_URL.fullmatch(choice or "")
        self._url = found["url"] if found else None
        self._name = (found["network"] or "") if found else ""
        if self._name == "custom":  # as Ape calls every node that is given by its address alone
            self._name = ""

    @cached_property
    def rpc(self) -> Rpc:
        """The network's node. Raises click.BadParameter for a name that Ape does not know."""
        if self._url is not None:
            return Rpc([self._url])
        from fl.network import ape_accounts  # loads Ape

        return Rpc([ape_accounts.address_of(self._provider)])

    @cached_property
    def local(self) -> bool:
        """Whether it is a chain on this machine, which has its own clock and keys that everybody knows."""
        if self._url is None:
            return bool(self._stated.network.is_dev)
        from fl.network.calls import number_of  # loads the decoder

        named = self._name == "local" or (not self._name and number_of("eth_chainId", self.rpc("eth_chainId")) in DEV_CHAINS)
        return named and on_loopback(self._url)

    @property
    def address(self) -> str:
        """The address of the network's node, which may still have to be started. Raises ChainError if it names none."""
        if self._url is not None:
            return self._url
        from fl.network import ape_accounts  # loads Ape

        return ape_accounts.address_of(self._stated)

    @property
    def chain_id(self) -> int | None:
        """The chain that the network's name stands for; None where the name does not say."""
        if self._url is not None and self._name in ("", "local"):
            return None
        return None if self._stated.network.is_dev else int(self._stated.network.chain_id)

    def reader(self, federation: str, factory: str | None = None) -> FederationReader:
        """Reads a federation there. Raises ChainError."""
        from fl.network.federation import FederationReader  # `--help` needs no decoder of contracts

        return FederationReader.open(self.rpc, federation, factory)

    @cached_property
    def _stated(self) -> Any:
        from fl.network import ape_accounts  # loads Ape

        return self._known(lambda: ape_accounts.provider_of(self._choice, self._settings))

    @cached_property
    def _provider(self) -> Any:
        from fl.network import ape_accounts  # loads Ape

        return self._known(lambda: self._context.with_resource(ape_accounts.network(self._choice, self._settings)))

    def _known(self, find: Callable[[], Any]) -> Any:
        from fl.network import ape_accounts  # loads Ape

        try:
            return find()
        except ape_accounts.NO_SUCH_NETWORK as error:
            raise click.BadParameter(str(error), self._context, param_hint="'--network'") from error


class NetworkCommand(click.Command):
    """A command with the --network of Ape's commands, which gets a Network as `network`."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        if not any(param.name == "network" for param in self.params):
            self.params += [  # at the end of the list of options, where Ape puts them
                click.Option(
                    ["--provider-settings"], type=_Json(), metavar="JSON", help="Override the default provide settings."
                ),
                click.Option(
                    ["--network"],
                    metavar="[ecosystem-name][:[network-name][:[provider-name]]]",
                    envvar="TREATY_NETWORK",
                    help="Override the default network and provider. (see `ape networks list` for options)",
                ),
            ]
        return super().parse_args(context, args)

    def invoke(self, context: click.Context) -> Any:
        choice, settings = context.params["network"], context.params.pop("provider_settings")
        context.params["network"] = Network(context, choice, settings)
        return super().invoke(context)


class RecallingCommand(NetworkCommand):
    """A command that, without --federation, is about the one that its folder remembers."""

    def invoke(self, context: click.Context) -> Any:
        self._recall(context)
        return super().invoke(context)

    def _recall(self, context: click.Context) -> None:
        """Fills in federation, network and stores from the folder where the command line leaves them out. A command that may
        read a simulation's summary instead says itself what it needs."""
        params = context.params
        if "federation" not in params or params.get("summary"):
            return
        known = recalled()
        named = params["federation"]
        if known is None or (named and named.lower() != known.federation.lower()):
            if not named and "summary" not in params:
                raise nothing_remembered(context)
            return
        params["federation"] = known.federation
        network = not params["network"] and not params.get("urls")  # nodes that were named take precedence
        if network:
            params["network"] = known.network
        default = click.core.ParameterSource.DEFAULT
        places = [name for name in ("stores", "store") if name in params and context.get_parameter_source(name) is default]
        params.update(dict.fromkeys(places, known.stores) if known.stores else {})
        say_remembered(known, federation=not named, network=network, stores=bool(places))


class ReadingCommand(RecallingCommand):
    """A command that signs nothing; a node that does not answer is named in one line."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except click.UsageError:
            raise
        except Exception as error:
            where, why = failed_node(error) or ("of this network", carried(error))
            if not why:
                raise
            raise click.ClickException(silent_node(where, why, "nothing was sent")) from error


class _Json(click.ParamType):
    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return json.loads(value)
        except ValueError:
            self.fail("Invalid JSON for `--provider-settings`", param, ctx)


def recalled() -> Remembered | None:
    """What the present folder is about. Raises click.ClickException for a damaged file, and where an address that an invitation
    named leads into this user's network by now."""
    try:
        known = remembered()
    except TreatyError as error:
        raise click.ClickException(str(error)) from error
    for url in known.hints if known else ():
        from fl.network.stores.public_http import only_public  # loads requests

        try:
            only_public(url)
        except OSError as error:
            raise click.ClickException(
                f"an invitation named {url}, and now {error}: give --federation, --network and --store yourself, or call "
                "`ape run take-part` with --rpc or --host"
            ) from error
    return known


def nothing_remembered(context: click.Context) -> click.UsageError:
    """The error of a command without --federation where the folder is about none."""
    return click.UsageError(
        f"Missing option '--federation': give ADDRESS; no command has left one in {FILE} of this folder.", context
    )


def say_remembered(known: Remembered, *, federation: bool, network: bool, stores: bool) -> None:
    """Says what a command takes from the folder, before it does anything: the file may have come with the folder. A node is
    told without what may be a key to it."""
    taken = [f"federation {known.federation}"] if federation else []
    taken += [f"network {host(known.network)}"] if network else []
    taken += [f"store {store}" for store in known.stores if stores]
    if taken:
        click.echo(plain(f"as remembered in {FILE}: {', '.join(taken)}"), err=True)


def silent_node(where: str, why: str, done: str) -> str:
    """One line about a node that does not answer; `done` says whether anything was sent."""
    return plain(f"the node {where} does not answer ({why}): start it, or give another --network; {done}")


def failed_node(error: BaseException) -> tuple[str, str] | None:
    """(where the node is, what it did), if an error comes from a node that failed."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, NodeError):
            return cause.where or "of this network", f"{cause.kind}: {cause.text}"
        cause = cause.__cause__
    return None


def carried(error: BaseException) -> str:
    """The error of a package that talks to nodes, as one line; empty if the error comes from elsewhere."""
    if not {kind.__module__.partition(".")[0] for kind in type(error).__mro__} & CARRIERS:
        return ""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
