"""Builds a seat's daemon from node, key, journal, task, data and store. Each is checked before anything is sent."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fl.agents.record.public_record import Record
from fl.agents.roles.casting import Cast, honest, whole_seat
from fl.agents.roles.partners import Partners
from fl.agents.roles.privacy_guard import PrivacyGuard
from fl.agents.roles.publisher import Publisher
from fl.agents.roles.training import TrainingOptions
from fl.agents.runtime.agent import Agent, Role
from fl.agents.runtime.daemon import Daemon, Pace
from fl.agents.runtime.journal import Identity, Journal, seat_of
from fl.errors import ChainError, StoreError
from fl.learning.data.built_in import built_in_shard
from fl.learning.evaluator import Evaluator
from fl.learning.privacy.budget import Privacy
from fl.learning.task import Task
from fl.learning.task_check import check_shard
from fl.learning.task_loading import federation_task
from fl.log import Log
from fl.network.federation import FederationReader
from fl.network.host_relay import SECONDS as RELAY_SECONDS
from fl.network.host_relay import HostRelay
from fl.network.rpc import DEV_CHAINS, Rpc, on_loopback
from fl.network.sender import GWEI, Fees, Sender, Signer
from fl.network.stores.base import Store, Writer
from fl.network.stores.local import LocalStore
from fl.network.stores.several import Stores, federation_store, patience
from fl.protocol.artifact import Kind
from fl.protocol.manifest import Manifest
from fl.tools.federation.first_model import first_model
from fl.tools.federation.partners import check_mode, check_partners, lines_of, warnings_of


@dataclass(frozen=True)
class Settings:
    """All settings of a daemon. seat None: the journal's, or the one that the owner holds and the account operates.

    owner: None means the account itself.
    """

    federation: str
    store: Sequence[str]
    task: str | None = None  # None: as the manifest says
    data: Path | None = None
    shard: str | None = None
    seat: int | None = None
    owner: str | None = None
    journal: Path | None = None
    confirmations: int = 2
    poll: float = 2.0
    timeout: float = 10.0
    most_gwei: float = 200.0
    tip_gwei: float = 1.0
    patience: int = 3
    seed: int = 0
    chain_id: int | None = None
    privacy: Privacy | None = None
    ledger: Path | None = None  # the folder of the privacy ledger; None: the journal
    token: str = ""  # what hosts want to see before they take anything
    relays: tuple[str, ...] = ()  # hosts that send signed acts for this seat
    serve: str = ""  # where the first folder among the stores is served
    serve_url: str = ""  # how others reach it
    private_from: int = 1
    factory: str | None = None
    publish_metric: bool = False  # signed, what this seat measures of each final model on its held-out rows
    partners: tuple[str, ...] = ()  # operators, in a masked federation

    def __post_init__(self) -> None:
        for url in self.relays:
            if not url.startswith(("http://", "https://")):
                message = f"--relay {url}: give a host's address, such as https://host.example"
                raise ChainError(f"{message}, or leave it out and the seat sends its own transactions; nothing was sent")
        if self.serve_url and not self.serve:
            raise ChainError("--serve-url names what --serve PORT serves: give both; nothing was sent")
        if self.most_gwei < self.tip_gwei:
            message = f"--max-fee {self.most_gwei:g} is less than --tip {self.tip_gwei:g}, which it includes"
            raise ChainError(f"{message}: raise --max-fee or lower --tip; nothing was sent")


def participate(
    settings: Settings,
    urls: Sequence[str],
    abi: Sequence[Any],
    signer: Signer,
    log: Log,
    metrics: int | None = None,
    cast: Cast = honest,
) -> Daemon:
    """A daemon that is ready to run. Raises TreatyError with the first problem.

    cast: makes the seat's roles, which follow the protocol except in a chaos test.
    """
    rpc = Rpc(urls, timeout=settings.timeout, failed=lambda kind, where, text: log.warn(f"node {where} {kind}: {text}"))
    clock = None if all(map(on_loopback, urls)) else time.time  # the user's own node is trusted as it is
    node = FederationReader(rpc, abi, settings.federation, settings.confirmations, settings.chain_id, clock, settings.factory)
    node.check_identity()
    log.info(f"federation {node.address} on chain {node.chain_id}", operator=signer.address)
    seat = _seat_of(node, settings, signer.address)
    log.facts["seat"] = seat
    folder = settings.journal or _journals(node) / str(seat)
    journal = Journal(folder, Identity(node.chain_id, node.genesis, node.address, seat))
    node.keep(journal.folder / "logs")
    try:
        return _assemble(settings, node, signer, log, seat, journal, metrics, cast)
    except BaseException:
        journal.close()
        raise


def _assemble(
    settings: Settings,
    node: FederationReader,
    signer: Signer,
    log: Log,
    seat: int,
    journal: Journal,
    metrics: int | None,
    cast: Cast,
) -> Daemon:
    near = node.chain_id in DEV_CHAINS and node.clock is None
    store, manifest = federation_store(node.terms, settings.store, log.warn, journal.fetched, near)
    writer = Writer(node.chain_id, node.address, seat, signer.sign_typed, log.warn, settings.token)
    store.write_as(writer)
    check_mode(manifest, node)
    check_partners(settings.partners, signer.address, manifest, node)
    if settings.partners and settings.privacy:
        raise ChainError("a privacy budget goes with open updates, and not with masked ones: leave --private out")
    for line in (*lines_of(settings.partners), *warnings_of(settings.partners)) if settings.partners else ():
        log.info(f"partner {line}" if line.startswith("0x") else line)
    task = federation_task(manifest, settings.task)
    _check_task(task, manifest, node, store)
    if settings.serve:
        _serve(settings, node, store, log)
    if settings.shard is not None and settings.data is None:
        shard = built_in_shard(task, settings.shard, settings.seed)
    else:
        from fl.learning.data.local_rows import local_shard  # loads pandas, which built-in data does without

        shard = local_shard(task, settings.data, settings.shard, settings.seed, log.warn)
    check_shard(task, shard, private=settings.privacy is not None)
    rows = f"{len(shard.train)} rows to train on, {len(shard.held_out)} to score with"
    log.info(f"task {task.name}: {rows}", journal=journal.folder)
    guard = None
    if settings.privacy:
        ledger = settings.ledger or journal.folder
        guard = PrivacyGuard(settings.privacy, task, shard.train, ledger, seat=seat, begins=settings.private_from)
        log.info(f"privacy: {guard.privacy.mechanism}", **guard.spent())
    evaluator = Evaluator(task)
    partners = Partners.of(settings.partners) if settings.partners else None
    options = TrainingOptions(guard=guard, ahead=True, partners=partners)
    trio = cast(seat, evaluator, shard, settings.seed, journal.folder, options)
    roles: tuple[Role, ...] = whole_seat(trio, seat, signer.address, journal.folder)
    if settings.publish_metric:
        roles = (*roles, Publisher(seat, evaluator, shard, journal.folder, signer.sign_typed))
    fees = Fees(int(settings.most_gwei * GWEI), int(settings.tip_gwei * GWEI), settings.patience)
    sender = Sender(node.rpc, signer, node.chain_id, journal.transactions, fees, log, node.refusal)
    relay = HostRelay(settings.relays, writer, min(RELAY_SECONDS, patience(node.terms, near))) if settings.relays else None
    agent = Agent(f"seat {seat}", signer, roles, journal.folder, store, seat, relay=relay)
    pace = Pace(settings.poll, max(settings.poll, 15.0))
    daemon = Daemon(node, sender, journal, agent, lambda: Record(node.terms, manifest, store), log, pace)
    if metrics is not None:
        try:
            port = daemon.metrics.serve(metrics)
        except (OSError, OverflowError) as error:
            raise ChainError(f"--metrics {metrics}: the port cannot be opened ({error}); give another, or 0 for any") from None
        log.info(f"metrics on http://127.0.0.1:{port}/metrics")
    return daemon


def _serve(settings: Settings, node: FederationReader, store: Stores, log: Log) -> None:
    from fl.tools.host.own_store import serve  # loads a web server, which others do without

    folder = next((one for one in store.stores if isinstance(one, LocalStore)), None)
    if folder is None:
        raise StoreError("--serve serves a folder, and no --store is one: add --store FOLDER; nothing was sent")
    server = serve(node, folder, settings.serve, settings.serve_url)
    log.info(f"{folder.path} is served at {server.url}; reveals and proposals name {folder.url}")


def _seat_of(node: FederationReader, settings: Settings, account: str) -> int:
    """The seat to run: as settings say, or as the journal does, or the owner's seat that the account operates.

    Anybody may name this account the operator of a seat of its own, so no seat is taken only because it names the account.
    """
    if settings.owner is None and settings.seat is not None:
        return settings.seat
    if settings.owner is None and settings.journal is not None and (known := seat_of(settings.journal)) is not None:
        return known
    held = {i: facts for i, facts in node.seats(node.seat_sets().taken).items() if facts.operator == account}
    if settings.owner is None:
        kept = [seat for path in sorted(_journals(node).glob("*")) if (seat := seat_of(path)) in held and seat is not None]
        if len(kept) == 1:
            return kept[0]
    owner = settings.owner or account
    mine = [i for i, facts in held.items() if facts.owner.lower() == owner.lower()]
    if settings.seat is not None and settings.seat not in mine:
        raise ChainError(f"seat {settings.seat} is not one that {owner} owns and {account} operates: nothing was sent")
    if settings.seat is not None:
        return settings.seat
    if not held:
        raise ChainError(
            f"{account} operates no seat of {node.address}: take one with `ape run join`, or have the owner name this operator"
        )
    if not mine:
        whose = f"{settings.owner} owns" if settings.owner else "it owns itself"
        raise ChainError(
            f"{account} operates no seat that {whose}, and anybody may name it for a seat of theirs: give --owner ADDRESS, or "
            "--seat N as `ape run join` printed it; nothing was sent"
        )
    if len(mine) > 1:
        raise ChainError(f"{account} operates seats {mine}: give --seat N, and run each seat with its own daemon and key")
    return mine[0]


def _journals(node: FederationReader) -> Path:
    """Where journals are kept unless another place is given."""
    return Path("journal") / str(node.chain_id) / node.address


def _check_task(task: Task, manifest: Manifest, node: FederationReader, store: Store) -> None:
    """Checks that the task is the federation's, and that the store takes files."""
    model = first_model(task, manifest, node.terms)
    try:
        store.put(model, Kind.MODEL)
    except (StoreError, OSError) as error:
        raise StoreError(f"the store does not accept files: {error}") from error


def run(daemon: Daemon, once: bool = False) -> None:
    """Runs until the federation is over or a signal asks to stop; anything begun is finished first."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        daemon.run(stop, once)
    finally:
        daemon.journal.close()
