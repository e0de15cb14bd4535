"""Runs a host's application: TLS by a certificate or behind a proxy, no log of visitors, bounded connections."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from fl.errors import TreatyError
from fl.network.rpc import LOOPBACK

MAX_CONNECTIONS = 256
KEEP_ALIVE = 5  # seconds that an idle connection is kept
START = 15.0


@dataclass(frozen=True)
class Address:
    """Where a host listens. certificate, key: files in PEM for HTTPS; proxy: the address of a reverse proxy whose
    X-Forwarded-For is believed."""

    host: str = LOOPBACK[0]
    port: int = 0
    certificate: Path | None = None
    key: Path | None = None
    proxy: str | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise TreatyError("HTTPS needs both: --certificate FILE and --certificate-key FILE; nothing was started")
        for path in (self.certificate, self.key):
            if path is not None and not path.is_file():
                raise TreatyError(f"{path} is not a file: give the certificate and its key in PEM; nothing was started")
        if self.host not in LOOPBACK and self.certificate is None and self.proxy is None:
            raise TreatyError(
                f"--host {self.host} would serve strangers without encryption: give --certificate and --certificate-key, or "
                "--proxy ADDRESS of the reverse proxy that does it; nothing was started"
            )


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
            app,
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
