"""Remote stores: plain HTTP, IPFS gateways, a Kubo node, and anything that fsspec reaches (S3 and others).

None is trusted: bytes are counted while they arrive and hashed afterwards, CIDs are computed here and not taken from replies,
and no call exceeds its time-out, however slowly the other side sends.
"""

from __future__ import annotations

import contextvars
import json
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Any, TypeVar, cast

import requests

from fl.errors import NoRoomError, StoreError, StoreSilentError
from fl.network.rpc import on_loopback
from fl.network.stores import cid
from fl.network.stores.base import FileStore
from fl.network.stores.private_copy import gathered
from fl.network.stores.public_http import closing_all, cut, own_session
from fl.protocol.artifact import Data
from fl.protocol.seat_metric import MAX_BYTES

SECONDS = 20.0  # for one file; longer for a large one
SLOWEST = 250_000  # the fewest bytes a second that a store must deliver
PIECE = 1 << 16
RANGE = 1 << 22  # bytes requested at a time from a store without streaming
GONE = (404, 410, 504)  # a gateway answers 504 if it found nobody who has the file
MAX_HINTS = 16  # CIDs remembered for one file: anybody may announce wrong ones

CIDS_AT_ONCE = 4  # CIDs tried for one file: each missing one costs the node's whole time-out

T = TypeVar("T")
U = TypeVar("U")

_until: contextvars.ContextVar[float | None] = contextvars.ContextVar("until", default=None)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Bounds all store calls within the block together: a file that many stores lack, or do not answer for, takes no longer
    than one that a single store is slow with."""
    token = _until.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _until.reset(token)


def seconds_left(wanted: float) -> float:
    """At most `wanted`, and no more than the deadline leaves; 0 when it has passed."""
    until = _until.get()
    return wanted if until is None else max(0.0, min(wanted, until - time.monotonic()))


def within(seconds: float, what: str, work: Callable[[], T]) -> T:
    """What `work` returns, or StoreError after so many seconds, since a name look-up or a half-open connection has no time-out
    of its own. The abandoned thread ends with its connection."""
    result: list[T] = []
    failure: list[Exception] = []
    if (seconds := seconds_left(seconds)) == 0:
        raise StoreSilentError(f"{what} was not asked: the time for this file is over")

    def run() -> None:
        try:
            result.append(work())
        except Exception as error:  # raised to the caller below
            failure.append(error)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True)
    thread.start()
    thread.join(seconds)
    if failure:
        raise _told(failure[0], what) from failure[0]
    if not result:
        raise StoreSilentError(f"{what} did not answer within {seconds:g} seconds")
    return result[0]


def concurrently(work: Callable[[T], U], items: Iterable[T], at_once: int) -> Iterator[tuple[T, U]]:
    """Each item with the result of `work`, as they finish; at most so many run at a time, and no more results are held. A
    caller that stops iterating does not wait: abandoned threads end with their calls. Errors of `work` are raised here."""
    results: queue.SimpleQueue[tuple[T, U | None, Exception | None]] = queue.SimpleQueue()
    waiting, running = iter(items), 0

    def run(item: T) -> None:
        try:
            results.put((item, work(item), None))
        except Exception as error:  # raised to the caller
            results.put((item, None, error))

    while True:
        for item in islice(waiting, at_once - running):
            threading.Thread(target=contextvars.copy_context().run, args=(run, item), daemon=True).start()
            running += 1
        if not running:
            return
        item, result, error = results.get()
        running -= 1
        if error is not None:
            raise error
        yield item, cast(U, result)


def _told(error: Exception, what: str) -> StoreError | NoRoomError:
    if isinstance(error, StoreError | NoRoomError):
        return error
    if isinstance(error, requests.exceptions.Timeout):
        return StoreSilentError(f"{what} did not answer in time")
    if isinstance(error, requests.exceptions.ConnectionError):
        return StoreSilentError(f"{what} cannot be reached: start it, check the address, or give another --store")
    kind = StoreError if isinstance(error, PermissionError) else StoreSilentError
    return kind(f"{what}: {type(error).__name__}: {' '.join(str(error).split())[:200]}")


class Http:
    """Bounded requests: no redirects (name the final address instead), no more bytes than asked for, no unlimited waiting."""

    def __init__(self, base: str, seconds: float = SECONDS, session: Callable[[], requests.Session] = own_session):
        self.base = base.rstrip("/")
        self.seconds, self._session = seconds, session
        # Replies must not be compressed: a compressed reply would need its own bound.
        self.headers = {"Accept-Encoding": "identity"}

    def call(
        self, method: str, path: str, most: int, headers: dict[str, str] | None = None, **options: Any
    ) -> tuple[int, Data]:
        """(status, at most one byte more than `most`). Raises StoreError if there is no answer in time."""
        url = f"{self.base}/{path}"
        seconds = seconds_left(self.seconds + (most + _sent(options)) / SLOWEST) or self.seconds

        opened: list[Any] = []

        def work() -> tuple[int, Data]:
            began = time.monotonic()
            limits: dict[str, Any] = {"timeout": seconds, "stream": True, "allow_redirects": False}
            limits["headers"] = {**self.headers, **(headers or {})}
            with (
                closing_all(opened),
                self._own_session() as session,
                session.request(method, url, **limits, **options) as response,
            ):
                return response.status_code, gathered(self._pieces(response, began, seconds), most + 1)

        try:
            return within(seconds, self.base, work)
        finally:
            cut(opened)  # the thread of a call that took too long ends now

    def _own_session(self) -> requests.Session:
        """A new session; a machine's own servers are never reached through a proxy, whatever the environment says."""
        session = self._session()
        if on_loopback(self.base):
            session.trust_env = False
        return session

    def _pieces(self, response: requests.Response, began: float, seconds: float) -> Iterator[bytes]:
        """Pieces as they arrive: a slow sender must not block until a whole piece is there."""
        size = 0
        while piece := response.raw.read1(PIECE, decode_content=False):
            yield piece
            size += len(piece)
            if time.monotonic() > began + seconds:
                raise StoreSilentError(f"{self.base} sent {size:,} bytes in {seconds:g} seconds")


def _sent(options: dict[str, Any]) -> int:
    return len(options.get("data", b"")) + sum(len(data) for data in options.get("files", {}).values())


class _Remote(FileStore):
    """The common part of the stores below."""

    afar = True

    def _missing(self, name: str) -> StoreError:
        return StoreError(f"{name} is not in {self.label}: ask its owner to publish it")

    def _bounded(self, name: str, data: Data, most: int, exact: bool) -> Data:
        if len(data) > most or (exact and len(data) != most):
            raise StoreError(f"{name} in {self.label} has {'more' if len(data) > most else 'fewer'} bytes than {most:,}")
        return data


class HttpStore(_Remote):
    """Somebody's local store behind a web server: `URL/<root>.update`. Read only."""

    writable = False

    def __init__(self, url: str, seconds: float = SECONDS, session: Callable[[], requests.Session] = own_session):
        self.label = url
        self._http = Http(url, seconds, session)

    def get_signed(self, name: str) -> bytes:
        return bytes(self._read(name, MAX_BYTES, exact=False))

    def _address(self, name: str) -> list[str]:
        return [name]

    def _read(self, name: str, most: int, exact: bool) -> Data:
        found = self._missing(name)
        for _, (status, data) in concurrently(lambda a: self._http.call("GET", a, most), self._address(name), CIDS_AT_ONCE):
            if status == 200:
                return self._bounded(name, data, most, exact)
            kind = StoreError if status < 500 and status != 429 else StoreSilentError
            found = self._missing(name) if status in GONE else kind(f"{name} in {self.label}: HTTP status {status}")
        raise found

    def _has(self, name: str) -> bool:
        try:
            return any(self._http.call("HEAD", address, 0)[0] == 200 for address in self._address(name))
        except StoreError:
            return False

    def _write(self, name: str, data: Data) -> None:
        raise StoreError(f"{self.label} can only be read: add a --store that accepts files, such as a folder that you serve")


class _Named:
    """Which CIDs a file may have. A manifest's follows from its hash; the others are computed when a file is stored, or come
    from events, where a wrong one costs only one look-up."""

    def __init__(self) -> None:
        self._cids: dict[str, list[bytes]] = {}

    def add(self, stem: str, locator: bytes) -> None:
        known = self._cids.setdefault(stem, [])
        if cid.is_cid(locator) and locator not in known and len(known) < MAX_HINTS:
            known.append(locator)

    def of(self, name: str) -> list[str]:
        stem, _, ending = name.partition(".")
        known = list(self._cids.get(stem, []))
        if ending == "json" and len(stem) == 64:
            known.append(cid.cid_of_digest(bytes.fromhex(stem)))
        return [cid.to_text(c) for c in known]


class GatewayStore(HttpStore):
    """An IPFS gateway: `https://HOST/ipfs`. Read only, and not trusted."""

    def __init__(self, url: str, seconds: float = SECONDS, session: Callable[[], requests.Session] = own_session):
        super().__init__(url, seconds, session)
        self._named = _Named()

    def hint(self, root: bytes, locator: bytes) -> None:
        self._named.add(root.hex(), locator)

    def _address(self, name: str) -> list[str]:
        return self._named.of(name)


class IpfsStore(_Remote):
    """A Kubo node, by its RPC (`ipfs://HOST:PORT`, usually 127.0.0.1:5001): adds and pins, and reads through it.

    A file it adds must get the CID computed here, or others would not find it."""

    PROFILE = "cid-version=1&raw-leaves=true&chunker=size-1048576&max-file-links=1024&hash=sha2-256"

    def __init__(self, host: str, seconds: float = SECONDS):
        self.label = f"ipfs://{host}"
        self._http = Http(f"http://{host}", seconds)
        self._named = _Named()

    def hint(self, root: bytes, locator: bytes) -> None:
        self._named.add(root.hex(), locator)

    def locator(self, data: Data) -> bytes:
        return cid.cid_of(data)

    def _write(self, name: str, data: Data) -> None:
        expected = cid.cid_of(data)
        self._named.add(name.partition(".")[0], expected)
        path = f"api/v0/add?{self.PROFILE}&pin=true&quieter=true"
        status, reply = self._http.call("POST", path, 1 << 12, files={"file": bytes(data)})
        result = _field_of(reply, "Hash")
        if status != 200:
            raise StoreError(f"{self.label} did not take {name}: HTTP status {status}: {_field_of(reply, 'Message')}")
        if result != cid.to_text(expected):
            raise StoreError(f"{self.label} filed {name} as {result}, not {cid.to_text(expected)}: update the node")

    def _read(self, name: str, most: int, exact: bool) -> Data:
        # The node times out a little earlier than we do and says so: a missing file does not mean a dead node.
        limit = f"{max(1, int(self._http.seconds * 3 / 4))}s"

        def cat(text: str) -> tuple[int, Data]:
            return self._http.call("POST", f"api/v0/cat?arg={text}&length={most + 1}&timeout={limit}", most)

        for _, (status, data) in concurrently(cat, self._named.of(name), CIDS_AT_ONCE):
            if status == 200:
                return self._bounded(name, data, most, exact)
        raise self._missing(name)

    def _has(self, name: str) -> bool:
        """Whether this node pins it; files of others are found by reading."""
        try:
            asked = (f"api/v0/pin/ls?arg={text}&type=recursive" for text in self._named.of(name))
            return any(self._http.call("POST", path, 1 << 12)[0] == 200 for path in asked)
        except StoreError:
            return False


def _field_of(reply: Data, field: str) -> str:
    try:
        return str(json.loads(bytes(reply))[field])[:200]
    except (ValueError, KeyError, TypeError, RecursionError):
        return "(no answer in the shape of Kubo's)"


class FsspecStore(_Remote):
    """A folder in anything that fsspec knows: `s3://bucket/folder`, `gs://`, `sftp://`, `memory://`.

    Keys and endpoints come from the backend's own settings (for S3: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
    AWS_ENDPOINT_URL), never from the address. `anonymous`: read only and without any of the user's keys, for an
    untrusted address; only for s3:// and gs://."""

    def __init__(self, url: str, seconds: float = SECONDS, anonymous: bool = False):
        self.label = url.rstrip("/")
        self._seconds, self.writable = seconds, not anonymous
        nobody: dict[str, dict[str, Any]] = {"s3": {"anon": True}, "gs": {"token": "anon"}}
        options = nobody[url.partition("://")[0]] if anonymous else {}

        def work() -> tuple[Any, str]:
            import fsspec  # only stores of this kind need it and its backends

            found: tuple[Any, str] = fsspec.core.url_to_fs(self.label, use_listings_cache=False, **options)
            return found

        try:
            self._fs, self._folder = within(seconds, self.label, work)
        except StoreError as error:
            raise StoreError(f"{url} cannot be a store: {error}") from error

    def _path(self, name: str) -> str:
        return f"{self._folder.rstrip('/')}/{name}"

    def _read(self, name: str, most: int, exact: bool) -> Data:
        def work() -> Data:
            path = self._path(name)
            try:
                size = int(self._fs.info(path)["size"] or 0)
                if size > most:
                    raise StoreError(f"{name} in {self.label} has {size:,} bytes, not {most:,}")
                return gathered(map(partial(self._range, path, size), range(0, size, RANGE)), size)
            except FileNotFoundError:
                raise self._missing(name) from None

        return self._bounded(name, within(self._seconds + most / SLOWEST, self.label, work), most, exact)

    def _range(self, path: str, size: int, start: int) -> bytes:
        return bytes(self._fs.cat_file(path, start=start, end=min(start + RANGE, size)))

    def _write(self, name: str, data: Data) -> None:
        if not self.writable:
            raise StoreError(f"{self.label} is named by the manifest and only read: give it as --store to write to it")

        def work() -> bool:
            self._fs.pipe_file(self._path(name), bytes(data))
            return True

        within(self._seconds + len(data) / SLOWEST, self.label, work)

    def _has(self, name: str) -> bool:
        try:
            return bool(within(self._seconds, self.label, lambda: self._fs.exists(self._path(name))))
        except StoreError:
            return False
