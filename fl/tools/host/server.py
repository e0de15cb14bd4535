"""A host: the federation's store over HTTP, its live page and its invitation, and a relay for signed acts.

Nobody has to trust it. Whoever reads a file hashes it, the chain decides what an act is worth, and a daemon whose host does not
answer sends its own transactions and reads other stores. The host takes a file only from a seat's operator, only if a confirmed
block names its root, and only of the one size that the federation's files have.
"""

from __future__ import annotations

import asyncio
import json
import mmap
import os
import secrets
import shutil
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from fl.agents.record.seat_metrics import verified
from fl.errors import StoreError
from fl.network.stores import cid
from fl.network.stores.files import open_regular
from fl.network.stores.local import PIECE, LocalStore
from fl.network.typed_data import signer_of
from fl.protocol.artifact import Kind, size_of
from fl.protocol.hosting import (
    BUSY,
    EARLY,
    KEPT,
    NEW,
    NO_ROOM,
    SEAT_HEADER,
    SIGNATURE_HEADER,
    parse_name,
    upload,
)
from fl.protocol.leaves import root_of
from fl.protocol.seat_metric import MAX_BYTES
from fl.protocol.seat_metric import NAME as SIGNED_NAME
from fl.protocol.signatures import TypedData
from fl.tools.host.ledger import Ledger
from fl.tools.host.limits import Quota, Rates
from fl.tools.host.metrics import Metrics
from fl.tools.host.web import PATIENCE, SLOWEST
from fl.tools.report.watch import COMMON, Screen, answer

MAX_ACT_BYTES = 1 << 16
CIDS_KEPT = 1 << 16
FILES_OF_A_ROUND = 12  # that a seat may send, those that failed included
ROUNDS_A_DAY = 48
LAST = 2  # rounds whose files never give way to others
BYTES = "application/octet-stream"
UPLOAD = ".upload-"  # how a file's name begins until its hash is known
HOUR = 3600.0  # a file that nothing was added to for so long is no upload any more


class Relay(Protocol):
    """Sends acts for seats; see relay.py."""

    address: str

    def offer(self, given: Any) -> tuple[int, str]:
        """(HTTP status, one line) for an act that somebody offers."""
        ...

    def facts(self) -> dict[str, Any]: ...


@dataclass
class Host:
    """What one host serves. token: what visitors must show to write, to relay and to read the invitation; empty: nothing.
    takes: whether it takes files and acts, and is more than a folder that is served. urls: how participants reach it; an upload
    is signed for one of them. keep_bytes: what the whole store may hold."""

    ledger: Ledger
    store: LocalStore
    screen: Screen | None = None
    invitation: bytes | None = None
    relay: Relay | None = None
    token: str = ""
    metrics: Metrics = field(default_factory=Metrics)
    takes: bool = True
    urls: tuple[str, ...] = ()
    keep_bytes: int | None = None
    reads: Rates = field(default_factory=lambda: Rates(50, 500))
    writes: Rates = field(default_factory=lambda: Rates(5, 60))
    quota: Quota | None = None

    def __post_init__(self) -> None:
        terms = self.ledger.reader.terms
        a_round = size_of(self.ledger.reader.mode.kind, terms.depth) + terms.max_attempts * size_of(Kind.MODEL, terms.depth)
        self.quota = self.quota or Quota(FILES_OF_A_ROUND * ROUNDS_A_DAY * a_round)
        self.names: dict[str, str] = {}  # CID to name
        self._reserving = threading.Lock()
        self._reserved = self._forgotten = 0  # bytes of files under way; rounds whose files gave way

    @property
    def depth(self) -> int:
        return self.ledger.reader.terms.depth

    def note_cids(self) -> None:
        """Names every file that is here by its CID, too; removes uploads that an earlier host did not end."""
        for path in sorted(self.store.path.iterdir()):
            if parse_name(path.name):
                self.note_cid(path.name)
            elif path.name.startswith(UPLOAD) and time.time() - path.stat().st_mtime > HOUR:
                path.unlink(missing_ok=True)

    def note_cid(self, name: str) -> None:
        if len(self.names) >= CIDS_KEPT:
            return
        with suppress(OSError), open_regular(self.store.path / name, follow=False) as file:
            self.names[cid.to_text(cid.cid_of(file.read()))] = name

    def prune(self, rounds: int) -> int:
        """Removes updates, models and seats' metrics of rounds before the last ones; returns their bytes. Documents stay, and
        what the chain does not name."""
        known, terms, removed = self.ledger.known, self.ledger.reader.terms, 0
        if known.history is None:
            return 0
        old = known.history.files(terms) - known.history.files(terms, rounds)
        last = len(known.history.rounds)
        signed = [path.name for path in self.store.path.glob("*.metric")]
        over = [name for name in signed if (found := SIGNED_NAME.fullmatch(name)) and int(found[2]) <= last - rounds]
        for name in sorted([*old, *over]):
            path = self.store.path / name
            with suppress(FileNotFoundError):
                size = path.stat().st_size
                path.unlink()
                removed += size
        for cid_ in [cid_ for cid_, name in list(self.names.items()) if name in old]:  # uploads add to them meanwhile
            del self.names[cid_]
        self.metrics.pruned.inc(removed)
        return removed

    def reserve(self, size: int) -> bool:
        """Whether so many bytes more may be kept, for which the files of the oldest rounds give way; `release` ends it."""
        if self.keep_bytes is None:
            return True
        with self._reserving:
            files = (path.stat() for path in self.store.path.iterdir() if not path.name.startswith(UPLOAD))
            held = sum(file.st_size for file in files) + self._reserved + size
            rounds = len(self.ledger.known.history.rounds) if self.ledger.known.history else 0
            while held > self.keep_bytes and rounds - self._forgotten > LAST:
                self._forgotten += 1
                held -= self.prune(rounds - self._forgotten)
            if held > self.keep_bytes:
                return False
            self._reserved += size
            return True

    def release(self, size: int) -> None:
        if self.keep_bytes is not None:
            with self._reserving:
                self._reserved -= size

    def facts(self) -> dict[str, Any]:
        """What a client may want to know before it uses a host; it believes none of it."""
        reader = self.ledger.reader
        return {
            "treaty": 1,
            "chain_id": reader.chain_id,
            "federation": reader.address,
            "relay": self.relay.facts() if self.relay else None,
        }


def application(host: Host) -> Starlette:
    """The web application of a host, or of a participant's own store."""
    if not host.takes:
        return Starlette(routes=[Route("/{name}", _counted(host, "file", _file), methods=["GET", "HEAD"])])
    routes = [
        Route("/treaty.json", _counted(host, "facts", _facts)),
        Route("/invite.json", _counted(host, "invitation", _invitation)),
        Route("/relay", _counted(host, "relay", _relay), methods=["POST"]),
        Route("/ipfs/{cid}", _counted(host, "file", _by_cid)),
        Route("/", _counted(host, "page", _page)),
        Route("/body", _counted(host, "page", _page)),
        Route("/join", _counted(host, "page", _page)),
        Route("/{name}", _counted(host, "file", _file), methods=["GET", "HEAD"]),
        Route("/{name}", _counted(host, "upload", _upload), methods=["PUT"]),
    ]
    return Starlette(routes=routes)


Endpoint = Callable[[Host, Request], Awaitable[Response]]


def _counted(host: Host, route: str, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint within its rate limit, with the headers that every answer has, counted."""
    rates = host.writes if route in ("relay", "upload") else host.reads

    async def run(request: Request) -> Response:
        who = request.client.host if request.client else ""
        if not rates.allows(who):
            response: Response = _line(BUSY, "too many requests: wait a moment")
            response.headers["Retry-After"] = "1"
        else:
            response = await endpoint(host, request)
        for name, value in COMMON.items():
            response.headers.setdefault(name, value)
        host.metrics.answers.labels(route, response.status_code).inc()
        return response

    return run


def _line(status: int, text: str) -> Response:
    return PlainTextResponse(f"{text}\n", status)


def _admitted(host: Host, request: Request) -> bool:
    """Whether a visitor shows the token, which travels in a header so that no log of addresses holds it."""
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    return not host.token or secrets.compare_digest(given.encode(), host.token.encode())


# ---- reading


async def _facts(host: Host, request: Request) -> Response:
    return JSONResponse(host.facts())


async def _invitation(host: Host, request: Request) -> Response:
    if not _admitted(host, request):
        return _line(401, "this host shows its invitation to those who have its token alone")
    if host.invitation is None:
        return _line(404, "this host has no invitation: ask the sponsor")
    return Response(host.invitation, media_type="application/json")


async def _page(host: Host, request: Request) -> Response:
    if host.screen is None:
        return _line(404, "this host shows no page")
    found = answer(host.screen, request.url.path, request.headers.get("If-None-Match", ""))
    return Response(found.body, found.code, found.headers, f"{found.kind}; charset=utf-8")


async def _by_cid(host: Host, request: Request) -> Response:
    name = host.names.get(request.path_params["cid"])
    return _sent(host, request, name) if name else _line(404, "no file of this CID is here")


async def _file(host: Host, request: Request) -> Response:
    name = request.path_params["name"]
    if parse_name(name) is None and not SIGNED_NAME.fullmatch(name):
        return _line(404, "files are named by their root: HASH.update, HASH.masked, HASH.model or HASH.json")
    return _sent(host, request, name)


def _sent(host: Host, request: Request, name: str) -> Response:
    try:
        file = open_regular(host.store.path / name, follow=False)
    except OSError:
        return _line(404, f"{name} is not here")
    size = os.fstat(file.fileno()).st_size
    headers = {"Content-Encoding": "identity", "Content-Length": str(size)}
    if request.method == "HEAD":
        file.close()
        return Response(headers=headers, media_type=BYTES)
    host.metrics.sent.inc(size)
    return StreamingResponse(_pieces(file, size), headers=headers, media_type=BYTES)


def _pieces(file: BinaryIO, size: int) -> Iterator[bytes]:
    """A file as it was when it was opened: others may add to it meanwhile."""
    with file:
        while size and (piece := file.read(min(PIECE, size))):
            size -= len(piece)
            yield piece


# ---- writing


async def _upload(host: Host, request: Request) -> Response:
    """Takes a file from a seat. Everything that costs nothing is checked before a byte of it is read."""
    if found := SIGNED_NAME.fullmatch(request.path_params["name"]):
        return await _metric(host, request, found[1], int(found[2]), int(found[3]))
    parsed = parse_name(request.path_params["name"])
    if parsed is None or parsed[1] is None:
        return _line(403, "seats give updates and models: HASH.update, HASH.masked or HASH.model")
    if not _admitted(host, request):
        return _line(401, "this host takes files from those who have its token alone")
    root, kind, name = parsed[0], parsed[1], request.path_params["name"]
    wanted = size_of(kind, host.depth)
    if (length := request.headers.get("Content-Length", "")) != str(wanted):
        return _line(413, f"{length or 'no'} bytes: an {kind.name.lower()} of this federation has exactly {wanted:,}")
    if (host.store.path / name).is_file():
        return _line(KEPT, "this file is here already")
    seat, signature = request.headers.get(SEAT_HEADER, ""), request.headers.get(SIGNATURE_HEADER, "")
    if not seat.isdecimal() or len(seat) > 3 or len(signature) != 130:
        return _line(400, f"say who gives it: {SEAT_HEADER} and {SIGNATURE_HEADER}, the seat's number and 65 bytes")
    known, reader, number = host.ledger.known, host.ledger.reader, int(seat)
    statements = [upload(reader.chain_id, reader.address, url, root, number, wanted) for url in host.urls]
    if not await run_in_threadpool(_signed, statements, signature, known.operators.get(number, "")):
        where = " or ".join(dict.fromkeys(host.urls))
        return _line(401, f"this is not signed by the operator of seat {number}, for this host at {where}")
    if not known.seat_may_give(number, root, kind):
        if known.is_named(root, kind):
            return _line(403, f"another seat revealed this, and seat {number} did not")
        return _line(EARLY, "no confirmed block names this root yet: an update is taken once its reveal is confirmed")
    if shutil.disk_usage(host.store.path).free < 4 * wanted:
        return _line(NO_ROOM, "this host has no room left")
    assert host.quota is not None
    if not host.quota.begin(number, wanted):
        return _line(BUSY, f"seat {number} is sending another file, or sent as much as a day allows")
    try:
        if not await run_in_threadpool(host.reserve, wanted):
            return _line(NO_ROOM, f"this host keeps at most {host.keep_bytes:,} bytes, which the last {LAST} rounds fill")
        try:
            return await _taken(host, request, name, root, kind, wanted)
        finally:
            host.release(wanted)
    finally:
        host.quota.end(number)


def _signed(statements: Sequence[TypedData], signature: str, operator: str) -> bool:
    """Whether an operator signed one of these."""
    try:
        whole = bytes.fromhex(signature)
    except ValueError:
        return False
    return any((signer_of(statement, whole) or "").lower() == operator.lower() != "" for statement in statements)


async def _metric(host: Host, request: Request, federation: str, number: int, seat: int) -> Response:
    """Takes what a seat measured of a round's model: the last word of its operator, of at most a kilobyte."""
    known, reader = host.ledger.known, host.ledger.reader
    rounds = known.history.rounds if known.history else []
    if federation != reader.address.lower():
        return _line(403, f"this host is {reader.address}'s")
    if not _admitted(host, request):
        return _line(401, "this host takes files from those who have its token alone")
    if seat not in known.operators:
        return _line(403, f"nobody holds seat {seat}")
    if number > len(rounds) or not rounds[number - 1].finalized:
        return _line(EARLY, f"round {number} is not final in a confirmed block yet")
    body = bytearray()
    try:
        async with asyncio.timeout(PATIENCE):
            async for piece in request.stream():
                body += piece
                if len(body) > MAX_BYTES:
                    return _line(413, f"more than {MAX_BYTES:,} bytes")
        place = reader.chain_id, reader.address, number, seat
        await run_in_threadpool(verified, bytes(body), *place, rounds[number - 1].model, known.operators[seat])
        if not await run_in_threadpool(host.reserve, len(body)):
            return _line(NO_ROOM, "this host has no room left")
        try:
            await run_in_threadpool(host.store.put_signed, request.path_params["name"], bytes(body))
        finally:
            host.release(len(body))
    except (TimeoutError, ClientDisconnect):
        return _line(400, "the connection ended before the file did")
    except (ValueError, StoreError) as error:
        return _line(422, str(error)[:200])
    return _line(NEW, "kept")


async def _taken(host: Host, request: Request, name: str, root: bytes, kind: Kind, wanted: int) -> Response:
    """Streams a file to disk and gives it its name once its hash is right."""
    partial_path = host.store.path / f"{UPLOAD}{secrets.token_hex(8)}"
    try:
        with partial_path.open("xb") as out:
            size = 0
            async with asyncio.timeout(PATIENCE + wanted / SLOWEST):
                async for piece in request.stream():
                    size += len(piece)
                    if size > wanted:
                        return _line(413, f"more than {wanted:,} bytes")
                    await run_in_threadpool(out.write, piece)
        if size != wanted or await run_in_threadpool(_root_of_file, partial_path, kind) != root:
            return _line(422, f"{name} does not hash to its name")
        await run_in_threadpool(_name_durably, partial_path, host.store.path / name)
        await run_in_threadpool(host.note_cid, name)
    except TimeoutError:
        return _line(408, f"slower than {SLOWEST:,} bytes a second")
    except ClientDisconnect:
        return _line(400, "the connection ended before the file did")
    finally:
        partial_path.unlink(missing_ok=True)
    host.metrics.kept.inc(wanted)
    return _line(NEW, "kept")


def _root_of_file(path: Path, kind: Kind) -> bytes:
    """The root of a file, which is mapped and not copied into memory."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        view = memoryview(mapped)
        try:
            return root_of(view, kind)
        finally:
            view.release()


def _name_durably(path: Path, name: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(path, name)


async def _relay(host: Host, request: Request) -> Response:
    if host.relay is None:
        return _line(404, "this host relays nothing: send the transaction yourself")
    if not _admitted(host, request):
        return _line(401, "this host relays for those who have its token alone")
    body = bytearray()
    try:
        async with asyncio.timeout(PATIENCE):
            async for piece in request.stream():
                body += piece
                if len(body) > MAX_ACT_BYTES:
                    return _line(413, f"an act has at most {MAX_ACT_BYTES:,} bytes")
        given = json.loads(bytes(body))
    except (TimeoutError, ClientDisconnect, ValueError, RecursionError):
        return _line(400, "an act is a JSON object")
    status, text = await run_in_threadpool(host.relay.offer, given)
    return _line(status, text)
