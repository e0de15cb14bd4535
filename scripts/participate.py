"""ape run participate: runs one seat's daemon."""

from pathlib import Path
from typing import Any

import click

from fl.errors import TreatyError
from fl.tools.cli import options
from fl.tools.cli.network import Network, RecallingCommand


@click.command(cls=RecallingCommand, short_help="Run one seat's daemon, for as long as the federation lives.")
@options.read_federation
@options.factory
@click.option("--account", required=True, metavar="ALIAS", help="The operator's key: an account of Ape, or TEST::N.")
@click.option("--passphrase-file", type=click.Path(path_type=Path), help="Default: APE_ACCOUNTS_<ALIAS>_PASSPHRASE.")
@click.option("--store", multiple=True, default=["store"], help="A store: a folder, ipfs://... Repeatable; tried in order.")
@click.option("--data", type=click.Path(path_type=Path), help="Your table (.csv or .npz); it never leaves this machine.")
@click.option("--shard", metavar="INDEX/N", help="Instead of --data, a part of the task's built-in data, by number or name.")
@click.option("--task", help="The task, or its file. Default: the one that the manifest names.")
@click.option("--private", type=click.Choice(["sgd", "update"]), help="Train privately: protect each row, or your whole table.")
@click.option("--epsilon", type=float, help="Your privacy budget over all rounds; the seat sits out before exceeding it.")
@click.option("--delta", type=float, default=1e-5, show_default=True, help="The second part of the budget; below 1 / rows.")
@click.option("--clip", type=float, default=1.0, show_default=True, help="Largest norm of a row's gradient, or of an update.")
@click.option("--noise", type=float, help="Noise multiplier. Default: the smallest with which the budget lasts --rounds.")
@click.option("--rounds", type=int, default=10, show_default=True, help="Rounds that the privacy budget must last.")
@click.option("--ledger", type=click.Path(path_type=Path), help="Folder of a privacy ledger that several federations share.")
@click.option("--private-from", type=click.IntRange(1), default=1, help="The first private round, if earlier ones were not.")
@click.option("--seat", type=click.IntRange(0, 127), help="The seat's number. Default: as the journal or --owner says.")
@click.option("--owner", metavar="ADDRESS", help="Run the seat that this account owns. Default: the operator itself.")
@click.option("--journal", type=click.Path(path_type=Path), help="Folder for salts and transactions. Default: journal/...")
@options.partners
@options.nodes
@click.option("--confirmations", type=click.IntRange(0), default=2, show_default=True, help="Act only on blocks this deep.")
@click.option("--relay", "relays", multiple=True, metavar="URL", help="A host that sends this seat's signed acts. Repeatable.")
@click.option("--token", default="", envvar="TREATY_HOST_TOKEN", help="A private host's token; better in TREATY_HOST_TOKEN.")
@click.option(
    "--serve", default="", metavar="[ADDRESS:]PORT", help="Serve your first store's folder, for those without a host."
)
@click.option(
    "--serve-url", default="", metavar="URL", help="How others reach it, for reveals to name. Default: where it listens."
)
@click.option("--max-fee", type=options.Finite(0, min_open=True), default=200.0, help="Highest gas price in gwei: 200.")
@click.option("--tip", type=options.Finite(0), default=1.0, show_default=True, help="Gas tip in gwei for the block producer.")
@click.option("--poll", type=options.Finite(0, min_open=True), default=2.0, show_default=True, help="Seconds between reads.")
@click.option("--rpc-timeout", type=options.Finite(0, min_open=True), default=10.0, help="Seconds to wait for a node: 10.")
@click.option("--publish-metric", is_flag=True, help="Publish, signed, what you measure of each final model on your rows.")
@click.option("--metrics", type=int, metavar="PORT", help="Serve Prometheus text on 127.0.0.1:PORT.")
@click.option("--log-json", is_flag=True, help="Log JSON lines.")
@click.option("--once", is_flag=True, help="Do what is due now and end; for cron.")
@click.option("--seed", type=int, default=0, hidden=True)
def cli(
    network: Network,
    account: str,
    passphrase_file: Path | None,
    urls: tuple[str, ...],
    max_fee: float,
    tip: float,
    rpc_timeout: float,
    metrics: int | None,
    log_json: bool,
    once: bool,
    confirmations: int,
    **given: Any,
) -> None:
    """Trains, commits, reveals, scores, proposes, checks every proposal, challenges wrong ones, and makes the calls that move a
    round on. Holds the operator's key only. It may be killed at any moment and started again; SIGINT or SIGTERM stops it."""
    from fl.learning.privacy.budget import wanted
    from fl.log import Log
    from fl.network import ape_accounts
    from fl.network.abi import federation_abi
    from fl.network.rpc import on_loopback
    from fl.tools.federation.participate import Settings, participate, run

    try:
        given["privacy"] = wanted(*map(given.pop, ("private", "epsilon", "delta", "clip", "noise", "rounds")))
        given["partners"] = options.partners_in(given["partners"])
        ape_accounts.quiet()
        known = network.chain_id
        nodes = urls or (network.address,)
        local = network.local and all(map(on_loopback, nodes))
        signer = ape_accounts.AccountSigner(ape_accounts.account(account, passphrase_file, local))
        settings = Settings(
            chain_id=known, confirmations=confirmations, most_gwei=max_fee, tip_gwei=tip, timeout=rpc_timeout, **given
        )
        daemon = participate(settings, nodes, federation_abi(), signer, Log(as_json=log_json), metrics)
        run(daemon, once)
    except TreatyError as error:
        raise click.ClickException(str(error)) from error
