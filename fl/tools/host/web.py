"""Runs a host's application: TLS by a certificate or behind a proxy, no log of visitors, bounded connections.

Whoever opens connections and sends nothing, or takes its answer byte by byte, would otherwise hold them for ever, and one
machine could hold all of them.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from fl.errors import TreatyError
from fl.network.rpc import LOOPBACK
from fl.tools.host.limits import visitor

MAX_CONNECTIONS = 256
MAX_FROM_ONE = 32  # connections of one address, unless it is the proxy's
KEEP_ALIVE = 5  # seconds that an idle connection is kept
HEAD_SECONDS = 10.0  # for the whole head of a request
SLOWEST = 100_000  # the fewest bytes a second that somebody must send or take
PATIENCE = 20.0  # seconds for a body, beside those that SLOWEST allows
START = 15.0


@dataclass(frozen=True)
class Address:
    """Where a host listens. certificate, key: files in PEM for HTTPS; proxy: the address of a reverse proxy whose
    X-Forwarded-For is believed; open: it shows public files alone, which readers hash, and may do so without encryption."""

    host: str = LOOPBACK[0]
    port: int = 0
    certificate: Path | None = None
    key: Path | None = None
    proxy: str | None = None
    open: bool = False

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise TreatyError("HTTPS needs both: --certificate FILE and --certificate-key FILE; nothing was started")
        for path in (self.certificate, self.key):
            if path is not None and not path.is_file():
                raise TreatyError(f"{path} is not a file: give the certificate and its key in PEM; nothing was started")
        if self.host not in LOOPBACK and self.certificate is None and self.proxy is None and not self.open:
            raise TreatyError(
                f"--host {self.host} would serve strangers without encryption: give --certificate and --certificate-key, or "
                "--proxy ADDRESS of the reverse proxy that does it; nothing was started"
            )


class _Connection(H11Protocol):
    """One visitor's connection. It ends if the head of a request does not come in time, or if its address has too many."""

    most_from_one = MAX_CONNECTIONS
    visitor = ""
    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "abort": transport.abort}
        self.visitor = visitor(self.client[0] if self.client else "")
        others = (other.visitor for other in self.connections if isinstance(other, _Connection))
        if list(others).count(self.visitor) > self.most_from_one:
            transport.abort()
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        self._wait_for_head()
        super().on_response_complete()

    def _wait_for_head(self) -> None:
        self._stop_waiting()
        self._head = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None


class _LimitedConnection(_Connection):
    most_from_one = MAX_FROM_ONE


class _Taken:
    """An application whose answers must be taken in time."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                size = next((int(value) for name, value in message["headers"] if name == b"content-length"), 0)
                timer.reschedule(asyncio.get_running_loop().time() + PATIENCE + size / SLOWEST)
            await send(message)

        try:
            async with asyncio.timeout(None) as timer:
                await self.app(scope, receive, sending)
        except TimeoutError:
            scope["state"]["abort"]()


class WebServer:
    """One listening server. `run` blocks until `stop`; `start` does the same in a thread."""

    def __init__(self, app: Starlette, where: Address):
        try:
            self._socket = socket.create_server((where.host, where.port), family=_family(where.host))
        except (OSError, OverflowError) as error:
            raise TreatyError(
                f"{where.host}:{where.port} cannot be served on: {error}; give another --port or --host"
            ) from error
        config = uvicorn.Config(
            _Taken(app),
            http=_LimitedConnection if where.proxy is None else _Connection,
            ws="none",
            access_log=False,
            log_level="critical",
            server_header=False,
            date_header=False,
            lifespan="off",
            limit_concurrency=MAX_CONNECTIONS,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=3,
            proxy_headers=where.proxy is not None,
            forwarded_allow_ips=where.proxy or "",
            ssl_certfile=where.certificate,
            ssl_keyfile=where.key,
        )
        self._server = uvicorn.Server(config)
        port = self._socket.getsockname()[1]
        shown = f"[{where.host}]" if ":" in where.host else where.host
        self.url = f"{'https' if where.certificate else 'http'}://{shown}:{port}"

    @property
    def connections(self) -> set[Any]:
        """Those that visitors have now."""
        return self._server.server_state.connections

    def run(self) -> None:
        self._server.run(sockets=[self._socket])

    def start(self) -> None:
        threading.Thread(target=self.run, name="host", daemon=True).start()
        until = time.monotonic() + START
        while not self._server.started:
            if time.monotonic() > until:
                raise TreatyError("the host did not start: look at its certificate and its port")
            time.sleep(0.02)

    def stop(self) -> None:
        self._server.should_exit = True


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
