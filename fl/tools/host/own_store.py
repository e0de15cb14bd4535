"""A participant that serves its own store: a host's reading part, with its limits, which takes nothing from anybody."""

from __future__ import annotations

import re

from fl.errors import TreatyError
from fl.network.federation import FederationReader
from fl.network.stores.local import LocalStore
from fl.protocol.relayed import MAX_LOCATOR
from fl.tools.host.ledger import Ledger
from fl.tools.host.server import Host, application
from fl.tools.host.web import Address, WebServer


def serve(reader: FederationReader, store: LocalStore, where: str, url: str = "") -> WebServer:
    """Serves a folder from now on, and has its locators name the server. where: PORT on this machine alone, or ADDRESS:PORT;
    url: how others reach it, by default there. Raises TreatyError."""
    if (found := re.fullmatch(r"(?:(\[[0-9a-fA-F:]+\]|[\w.\-]+):)?(\d{1,5})", where)) is None:
        raise TreatyError(f"--serve {where}: give PORT or ADDRESS:PORT, such as 8020 or 0.0.0.0:8020; nothing was sent")
    if url and not url.startswith(("http://", "https://")):
        raise TreatyError(
            f"--serve-url {url}: give the address by which others read, such as https://me.example; nothing was sent"
        )
    address = Address((found[1] or Address.host).strip("[]"), int(found[2]), open=True)
    server = WebServer(application(Host(Ledger(reader), store, takes=False)), address)
    named = (url or server.url).rstrip("/")
    if len(named) > MAX_LOCATOR:
        raise TreatyError(
            f"--serve-url {named} has {len(named)} letters and a reveal has room for {MAX_LOCATOR}: give a shorter one"
        )
    server.start()
    store.url = named
    return server
