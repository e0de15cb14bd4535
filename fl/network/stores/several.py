"""Several stores as one: reads come from the first that has the right bytes, writes go to all that accept them.

The stores are those of `--store`, in order, and before them the ones that the manifest names for everybody. Files from remote
stores are kept in the first local folder, so that a validator can show an update again after it scored it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from fl.errors import AlteredError, ManifestError, StoreError, StoreSilentError
from fl.log import Log
from fl.network.rpc import on_loopback
from fl.network.stores import cid
from fl.network.stores.base import Store, Writer
from fl.network.stores.hosted import HostStore
from fl.network.stores.local import LocalStore
from fl.network.stores.public_http import is_public_address, public_session
from fl.network.stores.remote import SECONDS, SLOWEST, FsspecStore, GatewayStore, HttpStore, IpfsStore, concurrently, deadline
from fl.protocol.artifact import Data, Kind, size_of
from fl.protocol.manifest import Manifest, check_terms
from fl.protocol.terms import Terms

AT_ONCE = 16  # files fetched at a time, so that many missing files delay a window no more than one does
REST = 30.0  # seconds for which a store that did not answer is not asked again; doubled each time in a row
MAX_REST = 960.0
MAX_NAMED = 4  # stores of a manifest that are used: it is untrusted, and each store costs every daemon time
SLOW = 1.0
MAX_RESTING = 4096
NEAR = 2.0  # seconds for a web server where the chain is on this machine
PARTS = 12  # of the shortest window that a web server may take for a file
MAX_URLS = 2  # servers that events name for one file
PUBLIC = ("https://", "http://", "s3://", "gs://")
INSIDE = (".localhost", ".local", ".internal", ".lan", ".home.arpa")

T = TypeVar("T")
Warn = Callable[[str], object]  # takes what went wrong without stopping anything


def open_store(
    words: Sequence[str | Path], *, seconds: float = SECONDS, web: float | None = None, warn: Warn | None = None
) -> Store:
    """The store that these words name: one, or several in order. web: seconds for a web server, if not as for others. Raises
    StoreError for a word that is not a store."""
    stores = [_open(str(word), seconds if web is None or not str(word).startswith("http") else web) for word in words]
    if not stores:
        raise StoreError("no store is named: give --store FOLDER, or an address such as ipfs://127.0.0.1:5001")
    return stores[0] if len(stores) == 1 else Stores(stores, warn=warn)


def _open(word: str, seconds: float) -> Store:
    scheme, separator, rest = word.partition("://")
    if not separator:
        return LocalStore(word)
    if "@" in rest.partition("/")[0]:
        raise StoreError(f"{scheme}://...: leave the password out of the address and put it into the environment")
    if scheme == "file":
        return LocalStore(rest)
    if scheme == "ipfs":
        if not re.fullmatch(r"[\w.\-]+(:\d+)?|\[[0-9a-fA-F:]+\](:\d+)?", rest):
            raise StoreError(f"{word} names no Kubo node: give ipfs://HOST:PORT of its RPC, such as ipfs://127.0.0.1:5001")
        return IpfsStore(rest, seconds)
    if scheme in ("http", "https"):
        return (GatewayStore if word.rstrip("/").endswith("/ipfs") else HostStore)(word, seconds)
    return FsspecStore(word, seconds)


def _open_named(word: str, near: bool = False) -> Store:
    """A store that a manifest or an event names: read only, at public addresses, without this user's keys. near: also on this
    machine."""
    if near and on_loopback(word):
        return HttpStore(word)
    if word.startswith(("s3://", "gs://")):
        return FsspecStore(word, anonymous=True)
    kind = GatewayStore if word.rstrip("/").endswith("/ipfs") else HttpStore
    return kind(word, session=public_session)


class Stores(Store):
    """Every call tries the stores in order. A store that does not answer is skipped for a while, so that a dead one cannot use
    up a round's windows.

    Last, a file is read from the server that its author named in an event. Anybody may write such a name, so it is followed to
    public addresses alone; near: to this machine's own as well, on a chain that is on this machine."""

    def __init__(
        self,
        stores: Sequence[Store],
        clock: Callable[[], float] = time.monotonic,
        warn: Warn | None = None,
        copies: Store | None = None,
        near: bool = False,
    ):
        self._warn = warn or Log().warn
        self._near = near
        self._urls: dict[bytes, list[str]] = {}  # by root
        self.stores = list(stores)
        self.label = ", ".join(store.label for store in self.stores)
        self.afar = any(store.afar for store in self.stores)
        self._clock = clock
        self._resting: dict[tuple[str, str], float] = {}
        self._silences: dict[str, int] = {}  # failures of a store in a row
        self._copies = copies
        self._cache = copies or next((store for store in self.stores if isinstance(store, LocalStore)), None)

    def put(self, data: Data, kind: Kind) -> bytes:
        return self._all(lambda store: store.put(data, kind))

    def put_document(self, facts: dict[str, Any]) -> bytes:
        return self._all(lambda store: store.put_document(facts))

    def get(self, root: bytes, kind: Kind, depth: int) -> Data:
        name = f"{root.hex()}.{kind.name.lower()}"
        with deadline(SECONDS + size_of(kind, depth) / SLOWEST):  # one deadline for the file, however many stores are asked
            named = [_open_named(url, self._near) for url in self._urls.get(root, [])]
            data, source = self._first(name, lambda store: store.get(root, kind, depth), named)
        self._keep(source, lambda store: store.put(data, kind))
        return data

    def get_document(self, digest: bytes) -> dict[str, Any]:
        facts, source = self._first(f"{digest.hex()}.json", lambda store: store.get_document(digest))
        self._keep(source, lambda store: store.put_document(facts))
        return facts

    @property
    def takes_signed(self) -> bool:  # type: ignore[override]
        return any(store.takes_signed for store in self.stores)

    def put_signed(self, name: str, data: bytes) -> None:
        def write(store: Store) -> bytes:
            store.put_signed(name, data)
            return b""

        self._all(write, [store for store in self.stores if store.takes_signed])

    def get_signed(self, name: str) -> bytes:
        return self._first(name, lambda store: store.get_signed(name))[0]

    def has_signed(self, name: str) -> bool:
        return all(store.has_signed(name) for store in self.stores if store.takes_signed)

    def has(self, root: bytes, kind: Kind) -> bool:
        return any(store.has(root, kind) for store in self.stores if not self._rests(store))

    def locator(self, data: Data) -> bytes:
        return next((found for store in self.stores if (found := store.locator(data))), b"")

    def hint(self, root: bytes, locator: bytes) -> None:
        for store in self.stores:
            store.hint(root, locator)
        if url := _url_in(locator, self._near):
            known = self._urls.setdefault(root, [])
            if url not in known and len(known) < MAX_URLS:
                known.append(url)
            self.afar = True

    def write_as(self, writer: Writer) -> None:
        for store in self.stores:
            store.write_as(writer)

    def owes(self, root: bytes, kind: Kind) -> bool:
        return any(store.owes(root, kind) for store in self.stores)

    def _first(self, name: str, read: Callable[[Store], T], named: Sequence[Store] = ()) -> tuple[T, Store]:
        tried, altered = [], False
        if self._copies is not None:
            with suppress(StoreError):
                return read(self._copies), self._copies
        for store in (*self.stores, *named):
            if self._rests(store) or self._rests(store, name):
                tried.append(f"{store.label} is not asked for a while after a failure")
                continue
            began = self._clock()
            try:
                found = read(store)
                self._silences.pop(store.label, None)
                return found, store
            except StoreError as error:
                self._failed(store, name, error, self._clock() - began)
                tried.append(str(error))
                altered = altered or (isinstance(store, LocalStore) and isinstance(error, AlteredError))
        kind = AlteredError if altered else StoreError
        if len(tried) == 1:
            raise kind(tried[0])
        raise kind(f"{name} is not available: " + "; ".join(f"({i}) {what}" for i, what in enumerate(tried, 1)))

    def _all(self, write: Callable[[Store], bytes], stores: Sequence[Store] | None = None) -> bytes:
        done, failed = [], []
        for store in self.stores if stores is None else stores:
            if not store.writable:
                continue
            try:
                done.append(write(store))
            except (StoreError, OSError) as error:
                failed.append(str(error))
        if not done:
            raise StoreError("no store took the file: " + ("; ".join(failed) or f"{self.label} can only be read"))
        for what in failed:
            self._warn(f"one store of several did not take a file: {what}")
        return done[0]

    def _keep(self, source: Store, write: Callable[[Store], bytes]) -> None:
        if self._cache is None or source is self._cache or (self._copies is not None and not source.afar):
            return
        try:
            write(self._cache)
        except (StoreError, OSError) as error:
            self._warn(f"what was fetched could not be kept: {error}")

    def _rests(self, store: Store, name: str = "") -> bool:
        return self._resting.get((store.label, name), 0.0) > self._clock()

    def _failed(self, store: Store, name: str, error: StoreError, lasted: float) -> None:
        """Skips a store that does not answer for all files, and one that was only slow with this file for this file."""
        if len(self._resting) >= MAX_RESTING:
            self._resting = {key: end for key, end in self._resting.items() if end > self._clock()}
        if isinstance(error, StoreSilentError):
            times = self._silences[store.label] = self._silences.get(store.label, 0) + 1
            self._resting[store.label, ""] = self._clock() + min(MAX_REST, REST * 2 ** min(times - 1, 10))
        elif lasted > SLOW:
            self._resting[store.label, name] = self._clock() + REST


def fetched(store: Store, roots: Iterable[bytes], kind: Kind, depth: int) -> Iterator[tuple[bytes, Data | None]]:
    """Files with their roots, in the order in which they come; None for one that is not available."""

    def get(root: bytes) -> Data | None:
        try:
            return store.get(root, kind, depth)
        except StoreError:
            return None

    if store.afar:
        yield from concurrently(get, dict.fromkeys(roots), AT_ONCE)
    else:
        yield from ((root, get(root)) for root in dict.fromkeys(roots))


def federation_store(
    terms: Terms, words: Sequence[str | Path], warn: Warn | None = None, copies: Path | None = None, near: bool = False
) -> tuple[Stores, Manifest]:
    """(the stores given and those that the manifest names for everybody, the manifest). Raises StoreError if no store has
    it, ManifestError if it is invalid or contradicts the terms.

    copies: the folder that keeps what was fetched from afar; by default the first local store. near: as Stores has it.
    The sponsor wrote the manifest, so only its public addresses are used, never a path or a node on this machine; the first
    four are read without this user's keys, and none is written to."""
    store = open_store(words, web=patience(terms, near), warn=warn)
    manifest = store.get_manifest(terms.manifest)
    check_terms(manifest, terms)
    public = [word for word in dict.fromkeys(manifest.stores) if is_public(word)]
    more = [word for word in public if word not in map(str, words)][:MAX_NAMED]
    held = [*(store.stores if isinstance(store, Stores) else [store]), *map(_open_named, more)]
    # it remembers for a while which files were missing
    store = Stores(held, warn=warn, copies=None if copies is None else LocalStore(copies), near=near)
    if manifest.genesis_cid is not None:
        try:
            store.hint(terms.genesis, cid.from_text(manifest.genesis_cid))
        except StoreError as error:
            raise ManifestError(
                f"the manifest's field genesis_cid: {error}; only its sponsor can deploy a sound one"
            ) from error
    return store, manifest


def _url_in(locator: bytes, near: bool) -> str:
    """The web address that a locator is, if it may be followed; else empty."""
    if not locator.startswith((b"http://", b"https://")) or not locator.isascii():
        return ""
    url = locator.decode()
    try:
        return url if is_public(url) or (near and on_loopback(url)) else ""
    except ValueError:
        return ""


def patience(terms: Terms, near: bool) -> float:
    """Seconds for one file of a web server, which may be silent: a part of the shortest window in which silence costs stake; on
    a chain of this machine, whose clock may run fast, few."""
    return (
        NEAR if near else min(SECONDS, min(terms.reveal_window, terms.score_commit_window, terms.score_reveal_window) / PARTS)
    )


def only_here(word: str) -> bool:
    """Whether a store is on this machine alone, unless somebody shares or serves it: a folder, memory, a server on loopback. A
    Kubo node is not, since it passes files on."""
    scheme, separator, _ = word.partition("://")
    if not separator or scheme in ("file", "memory", "local"):
        return True
    return scheme in ("http", "https") and on_loopback(word)


def is_public(word: str) -> bool:
    """Whether a word names a store that others can reach: not a machine in a private network, however its address is written,
    since a sponsor could otherwise make everybody's daemon contact it. (A public name may still lead to a private address.)"""
    if not word.startswith(PUBLIC) or re.search(r"[?#@\s]", word):
        return False
    if not word.startswith("http"):
        return "::" not in word  # fsspec would take the rest for a nested store
    host = ""
    try:
        host = urlsplit(word).hostname or ""
        return is_public_address(host)
    except ValueError:
        return re.fullmatch(r"[\w.\-]+\.[a-z][\w\-]*", host) is not None and not host.endswith(INSIDE)
