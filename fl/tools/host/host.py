"""Sets a host up: reader, store, live page, invitation and relay, each from its own reader of the chain."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from fl.errors import ChainError, TreatyError
from fl.log import Log
from fl.network.abi import federation_abi
from fl.network.federation import FederationReader
from fl.network.rpc import DEV_CHAINS, Rpc, on_loopback
from fl.network.sender import Signer
from fl.network.stores.local import LocalStore
from fl.network.stores.several import open_store
from fl.network.transactions import TransactionJournal
from fl.protocol.artifact import Kind
from fl.tools.cli.prices import Prices
from fl.tools.federation.invitation import Invitation, Place
from fl.tools.host.ledger import Ledger
from fl.tools.host.metrics import Metrics
from fl.tools.host.purse import Payment, Purse
from fl.tools.host.relay import Relay
from fl.tools.host.rounds import Rounds
from fl.tools.host.server import Host, application
from fl.tools.host.web import Address, WebServer
from fl.tools.report.join_page import join_page
from fl.tools.report.live import Source
from fl.tools.report.watch import Screen

DAY = 86_400
PAGE_SECONDS = 2.0


@dataclass(frozen=True)
class Settings:
    """A host's settings. url: how participants reach it, by default where it listens; others: further hosts that the invitation
    names; hints: nodes that it names; budget: ether for gas in wei, 0 for none; rounds: moves rounds on, and opens them up to
    this one; keep_rounds: the last rounds whose files are kept, None for all; keep_bytes: what the whole store may hold."""

    federation: str
    nodes: tuple[str, ...]
    store: Path
    stores: tuple[str, ...] = ()
    where: Address = field(default_factory=Address)
    url: str = ""
    owner: str = "the sponsor"
    others: tuple[Place, ...] = ()
    hints: tuple[str, ...] = ()
    days: int = 14
    token: str = ""
    page: bool = True
    metrics: int | None = None
    budget: int = 0
    rounds: int = 0
    keep_rounds: int | None = None
    keep_bytes: int | None = None
    confirmations: int = 1
    poll: float = 1.0


class Running:
    """A host that listens; `serve` runs until it is stopped."""

    def __init__(self, settings: Settings, signer: Signer | None, log: Log):
        self.settings, self.signer, self.log = settings, signer, log
        self.stop = threading.Event()
        reader = self._reader()
        self.reader, self.maker = reader, reader.check_identity()
        self.store = LocalStore(settings.store)
        self._fetch_what_all_need()
        self.ledger = Ledger(reader, settings.poll, log.warn)
        self.ledger.look()
        self.host = Host(self.ledger, self.store, token=settings.token, metrics=Metrics(), keep_bytes=settings.keep_bytes)
        self.host.note_cids()
        self.relay: Relay | None = None
        if settings.budget and signer is not None:
            self.relay = self.host.relay = self._relay(signer)
        self.server = WebServer(application(self.host), settings.where)
        self.url = (settings.url or self.server.url).rstrip("/")
        self.host.urls = (self.url, self.server.url)
        self.invitation: Invitation | None = None

    def _relay(self, signer: Signer) -> Relay:
        settings, reader = self.settings, self.reader
        folder = settings.store.resolve().parent / "relayed" / reader.address
        transactions, purse = TransactionJournal(folder), Purse(folder / "payments.jsonl", settings.budget)
        for transaction in transactions.all():  # a kill between a block and its note
            for signed in transaction.sent if transaction.mined_at is not None else ():
                if not purse.knows(signed.hash) and (receipt := reader.rpc("eth_getTransactionReceipt", signed.hash)):
                    purse.pay(Payment.of(transaction, receipt, reader.interface))
        relay = Relay(self.ledger, signer, transactions, purse, self.host.metrics, self.log)
        if settings.rounds:
            relay.rounds = Rounds(reader, relay.sender, self.store, folder, settings.rounds, self.log)
        return relay

    def _reader(self) -> FederationReader:
        rpc = Rpc(self.settings.nodes, failed=lambda kind, where, text: self.log.warn(f"node {where} {kind}: {text}"))
        clock = None if all(map(on_loopback, self.settings.nodes)) else time.time
        return FederationReader(rpc, federation_abi(), self.settings.federation, self.settings.confirmations, clock=clock)

    def _fetch_what_all_need(self) -> None:
        """Manifest and first model into the host's own folder."""
        terms = self.reader.terms
        source = open_store([self.settings.store, *self.settings.stores])
        manifest = source.get_manifest(terms.manifest)
        self.store.put_manifest(manifest)
        self.store.put(source.get(terms.genesis, Kind.MODEL, terms.depth), Kind.MODEL)

    def invite(self) -> Invitation | None:
        """An invitation signed by this host's key, if that is the sponsor's."""
        terms, settings = self.reader.terms, self.settings
        if self.signer is None or self.signer.address.lower() != terms.sponsor.lower():
            return None
        invitation = Invitation(
            chain_id=self.reader.chain_id,
            federation=self.reader.address,
            sponsor=self.signer.address,
            manifest=self.store.get_document(terms.manifest),
            hosts=(Place(self.url, settings.owner), *settings.others),
            rpc=settings.hints,
            expires=int(time.time()) + settings.days * DAY,
            token=settings.token,
        ).signed(self.signer.sign_typed)
        self.show(invitation)
        return invitation

    def show(self, invitation: Invitation) -> None:
        """Serves an invitation."""
        self.invitation, self.host.invitation = invitation, invitation.to_json()

    def serve(self, say: Callable[[str], None] = lambda text: None) -> None:
        """Listens until stopped."""
        if self.settings.metrics is not None:
            try:
                port = self.host.metrics.serve(self.settings.metrics)
            except (OSError, OverflowError) as error:
                raise TreatyError(f"--metrics {self.settings.metrics}: the port cannot be opened ({error})") from None
            say(f"metrics on http://127.0.0.1:{port}/metrics")
        threading.Thread(target=self.ledger.run, args=(self.stop,), name="ledger", daemon=True).start()
        if self.relay is not None:
            threading.Thread(target=self.relay.run, args=(self.stop,), name="relay", daemon=True).start()
        if self.settings.keep_rounds is not None:
            threading.Thread(target=self._prune, args=(self.settings.keep_rounds,), name="prune", daemon=True).start()
        if self.settings.page:
            screen = Screen(
                Source(self._reader(), [str(self.settings.store)], None), Prices(), partial(join_page, maker=self.maker)
            )
            self.host.screen = screen
            threading.Thread(target=self._refresh, args=(screen,), name="page", daemon=True).start()
        try:
            self.server.run()
        finally:
            self.stop.set()

    def _prune(self, rounds: int) -> None:
        seen = -1
        while not self.stop.is_set():
            number = self.ledger.known.snapshot.facts.number if self.ledger.known.snapshot else -1
            if number != seen:
                self.host.prune(rounds)
                seen = number
            with self.ledger.fresh:
                self.ledger.fresh.wait(1.0)

    def _refresh(self, screen: Screen) -> None:
        while not self.stop.is_set():
            screen.refresh()
            self.stop.wait(PAGE_SECONDS)


def hasten(rpc: Rpc, seconds_a_block: int) -> None:
    """Lets a local chain's clock run faster: so many seconds from one block to the next. Raises ChainError elsewhere."""
    number = int(rpc("eth_chainId"), 16)
    if number not in DEV_CHAINS or not all(map(on_loopback, rpc.urls)):
        raise ChainError(f"--block-seconds moves the clock of a local chain, and chain {number} is none: leave it out")
    rpc("anvil_setBlockTimestampInterval", seconds_a_block)
