"""A live view of a federation: the report's page, updated from the chain, for a browser or a terminal. It never signs.

One thread reads the chain and renders; requests are answered from the last rendering, so that visitors cannot cause work.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from fl.errors import ChainError, TreatyError
from fl.network.rpc import LOOPBACK
from fl.protocol.seat_metric import told_seats
from fl.tools.cli.prices import Prices
from fl.tools.report import text
from fl.tools.report.facts import Facts
from fl.tools.report.render import page, part, policy


class Reader(Protocol):
    """A source of facts, such as fl.tools.report.live.Source."""

    def look(self) -> bool: ...

    def facts(self, audit: bool = True) -> Facts: ...


@dataclass(frozen=True)
class Shown:
    """One rendering."""

    version: str
    page: bytes
    body: bytes
    join: bytes
    status: str


class Screen:
    """The last rendering, and whether the chain answers."""

    def __init__(self, source: Reader, prices: Prices, join: Callable[[Facts], str] | None = None):
        self.source, self.prices, self._join = source, prices, join
        self.shown: Shown | None = None
        self.facts: Facts | None = None
        self.trouble = ""
        self.failure: Exception | None = None

    def refresh(self) -> Facts | None:
        """Reads the chain once. If that fails, it says so and keeps showing the last state."""
        try:
            self.source.look()
            facts = self.source.facts()
        except TreatyError as error:
            self.trouble, self.failure = str(error), error
        except Exception as error:  # a node that is down, slow or faulty may cause any of these
            self.failure = error
            self.trouble = f"the chain does not answer ({type(error).__name__}); trying again"
        else:
            self.trouble = ""
            self.facts = facts
            body = part(facts, self.prices, live=True)
            version = sha256(body.encode()).hexdigest()[:16]
            if self.shown is None or self.shown.version != version or self.shown.status != status(facts):
                whole = page(facts, self.prices, live=True)
                join = self._join(facts) if self._join else ""
                self.shown = Shown(version, whole.encode(), body.encode(), join.encode(), status(facts))
            return facts
        return None


def status(facts: Facts) -> str:
    """The current state in one line."""
    if not facts.rounds or facts.rounds[-1].state != "running":
        return "between rounds, concluded" if facts.concluded else "between rounds"
    left = f", {text.lasting(facts.phase_end - facts.time)} left" if facts.phase_end > facts.time else ""
    return f"round {facts.rounds[-1].number}, {facts.phase}{left}"


COMMON = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",  # a page that shows this one could have its visitors sign something else
}


@dataclass(frozen=True)
class Answer:
    """The answer to one request, for any server."""

    code: HTTPStatus
    body: bytes
    kind: str
    headers: dict[str, str] = field(default_factory=dict)


def answer(screen: Screen, path: str, known: str = "") -> Answer:
    """GET /, /body, /join from the last rendering. known: the version that the visitor has (If-None-Match)."""
    shown = screen.shown
    if shown is None:
        return Answer(HTTPStatus.SERVICE_UNAVAILABLE, b"reading the chain; try again in a moment\n", "text/plain")
    said = (screen.trouble or shown.status).encode("ascii", "replace").decode()[:200]
    facts = {"ETag": shown.version, "Treaty-Status": " ".join(said.split())}
    if path == "/body":
        if known == shown.version:
            return Answer(HTTPStatus.NOT_MODIFIED, b"", "text/html", facts)
        return Answer(HTTPStatus.OK, shown.body, "text/html", facts)
    if path == "/":
        return Answer(HTTPStatus.OK, shown.page, "text/html", facts | _policy("live.js"))
    if path == "/join" and shown.join:
        return Answer(HTTPStatus.OK, shown.join, "text/html", _policy("join.js"))
    return Answer(HTTPStatus.NOT_FOUND, b"here are /, /body and /join\n", "text/plain")


def _policy(script: str) -> dict[str, str]:
    return {"Content-Security-Policy": " ".join(f"{policy(script)}; frame-ancestors 'none'".split())}


class Server(ThreadingHTTPServer):
    """Serves one screen. A `host` other than loopback is the caller's choice."""

    daemon_threads = True

    def __init__(self, screen: Screen, host: str, port: int):
        self.screen = screen
        self.names = {host, *LOOPBACK} if host in LOOPBACK else None
        try:
            super().__init__((host, port), Handler)
        except OSError as error:
            raise TreatyError(f"{host}:{port} cannot be served on: {error.strerror}; give another --port or --host") from error
        except OverflowError:
            raise TreatyError(f"--port {port}: give a number from 0 to 65535") from None

    @property
    def address(self) -> str:
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}/"


class Handler(BaseHTTPRequestHandler):
    """GET /, /body, /join. Nothing else, and nothing that changes anything."""

    server: Server
    server_version, sys_version = "treaty", ""
    timeout = 20

    def do_GET(self) -> None:
        name = self.headers.get("Host", "").rsplit(":", 1)[0].strip("[]")
        if self.server.names is not None and name not in self.server.names:
            # Prevents DNS rebinding: another site must not read this page by pointing its own name here.
            return self._answer(
                Answer(HTTPStatus.MISDIRECTED_REQUEST, b"this page answers to its own address only\n", "text/plain")
            )
        self._answer(answer(self.server.screen, self.path.partition("?")[0], self.headers.get("If-None-Match", "")))

    do_HEAD = do_GET

    def _answer(self, found: Answer) -> None:
        self.send_response(found.code)
        if found.code is not HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Type", f"{found.kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(found.body)))
        for name, value in (COMMON | found.headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD" and found.code is not HTTPStatus.NOT_MODIFIED:
            self.wfile.write(found.body)

    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing about visitors."""


@contextmanager
def until_interrupted() -> Iterator[None]:
    """Ends quietly with Ctrl-C, which is how a watch ends; Ape's own handler would exit with 130."""
    before = None
    if threading.current_thread() is threading.main_thread():
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)


def serve(screen: Screen, server: Server, every: float, stop: threading.Event | None = None) -> None:
    """Reads the chain every so many seconds and serves what it read, until interrupted."""
    stop = stop or threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with until_interrupted():
            while not stop.is_set():
                screen.refresh()
                stop.wait(every)
    finally:
        server.shutdown()
        server.server_close()


# ---- for people on ssh


def watch_terminal(screen: Screen, every: float) -> None:
    """The same facts in a terminal, until interrupted."""
    console = Console()
    with (
        until_interrupted(),
        Live(Text("reading the chain"), console=console, screen=console.is_terminal, refresh_per_second=4) as live,
    ):
        while True:
            screen.refresh()
            live.update(terminal(screen))
            time.sleep(every)


def print_once(screen: Screen) -> None:
    """The terminal's view, once. Raises ChainError if the chain cannot be read."""
    if screen.refresh() is None:
        raise ChainError(screen.trouble) from screen.failure
    Console(width=max(Console().width, 100)).print(terminal(screen))


def terminal(screen: Screen) -> Group:
    """What a terminal shows."""
    facts = screen.facts
    if facts is None:
        return Group(Text(screen.trouble or "reading the chain", style="bold red"))
    head = Text.assemble((facts.task, "bold"), "  ", facts.federation, f" on chain {facts.chain_id}")
    now = Text(status(facts), style="bold")
    parts: list[Text | Table] = [head, now]
    if screen.trouble:
        parts.append(Text(screen.trouble, style="bold red"))
    if facts.rounds:
        parts.append(_rounds(facts))
    parts.append(_people(facts))
    for number, seats in sorted(facts.known.seat_metrics.items())[-1:]:
        each = ", ".join(f"{facts.name(seat)} {m.value:.4f}" for seat, m in sorted(seats.items()))
        parts.append(Text(f"{facts.metric} of round {number} on seats' own rows, as their operators sign: {told_seats(seats)}"))
        parts.append(Text(f"  {each}"))
    parts += [Text(f"{text.moment(at)}  {what}", style="dim") for at, what in facts.latest[:6]]
    parts.append(Text(text.audited(facts)[1], style="red" if text.audited(facts)[0] == "failed" else "dim"))
    return Group(*parts)


def _rounds(facts: Facts) -> Table:
    table = Table(title="rounds", title_justify="left", box=None, pad_edge=False)
    for column in ("round", facts.metric or "model", "committed", "revealed", "accepted"):
        table.add_column(column, no_wrap=True)
    table.add_column("how it stands")  # the column that shrinks if the terminal is narrow
    for r in facts.rounds[-6:]:
        metric = text.measure(facts, r.metric) if r.metric is not None else r.log.model.hex()[:10]
        counts = f"{len(r.log.commitments)}/{len(r.log.active)}", str(len(r.log.reveals)), str(len(r.log.accepted))
        table.add_row(*map(_cell, (str(r.number), metric, *counts, text.status(r))))
    return table


def _people(facts: Facts) -> Table:
    table = Table(
        title=f"participants (amounts in {facts.denomination.symbol})", title_justify="left", box=None, pad_edge=False
    )
    for column in ("seat", "owner", "stake", "earned", "slashed", "this round", "last score"):
        table.add_column(column, no_wrap=True)
    acts = facts.rounds[-1].acts if facts.rounds else ()
    for p in [p for p in facts.people if not p.gone][:40]:
        done = [d.what for d in acts if d.seat == p.seat]
        last = str(p.medians[max(p.medians)]) if p.medians else "-"
        row = (
            p.name,
            f"{p.owner[:8]}…{p.owner[-4:]}",
            *map(facts.denomination.brief, (p.stake, p.pay, p.lost)),
            done[-1] if done else "-",
            last,
        )
        table.add_row(*map(_cell, row))
    return table


def _cell(text: str) -> Text:
    return Text(text, no_wrap=True, overflow="ellipsis")
