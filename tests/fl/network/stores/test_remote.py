"""Stores at the other end of a wire: wrong, endless and slow bytes and silence end in the next store or in one clear line."""

import json
import re
import socket
import threading
import time
from contextlib import closing, suppress
from dataclasses import replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from support.files import BOTH, DEPTH, FACTS, UPDATE, altered, at_once, refused
from support.manifests import manifest
from support.system import BASE_TERMS, random_update

from fl.errors import StoreError, StoreSilentError
from fl.network.stores import cid, public_http, remote, several
from fl.network.stores.base import Store, canonical
from fl.network.stores.hosted import HostStore
from fl.network.stores.local import LocalStore
from fl.network.stores.remote import FsspecStore, GatewayStore, HttpStore, IpfsStore
from fl.network.stores.several import (
    AT_ONCE,
    MAX_REST,
    REST,
    SLOW,
    Stores,
    federation_store,
    fetched,
    is_public,
    only_here,
    open_store,
    patience,
)
from fl.protocol.artifact import Kind
from fl.protocol.leaves import root_of

SECONDS = 0.25  # of patience
ROOT = root_of(UPDATE, Kind.UPDATE)
NAME = f"{ROOT.hex()}.update"
CID = cid.to_text(cid.cid_of(UPDATE))
LARGE_DEPTH = 8
LARGE = random_update(np.random.default_rng(0), LARGE_DEPTH)
LARGE_ROOT = root_of(LARGE, Kind.UPDATE)

# ---- names

# (bytes, chunk, links, CID) as the JavaScript reference importer (ipfs-unixfs-importer 17.1.1) names them.
VECTORS = [
    (0, 1 << 20, 1024, "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"),
    (1, 1 << 20, 1024, "bafkreidogqfzz75tpkmjzjke425xqcrmpcib2p5tg44hnbirumdbpl5adu"),
    (1 << 20, 1 << 20, 1024, "bafkreiebvict6udojvynah6jhp6q5lctoxwzptyc3adds2uj5kticqd5qe"),
    ((1 << 20) + 1, 1 << 20, 1024, "bafybeih2utqxbge2bi5m4hn6zvi6dyjppqqm7bxdaa63wrvamizr5xadsm"),
    (3 << 20, 1 << 20, 1024, "bafybeidqsubnijea64nzoigpf72reasva4xialpdihugprmkvgtwomf5ae"),
    (2500, 100, 4, "bafybeicafkjifqcbgvivld2kxrrmyx7tqnn6jkisijogq7ooqrovai2iji"),
    (1700, 100, 4, "bafybeidtub5iavfyjjeq5tclkbbmzvc2zkd42eivm47wvn4qutqdkx37fe"),
    (1600, 100, 4, "bafybeigl4cxxi3bb4ce3xzkytups624kthop4uyz5d5zrnrpmku5sbuikm"),
    (401, 100, 4, "bafybeihwgpcmrajux3jahivpfh4mn6qk6lpnajjd2y4p6npyymgmwqxqhe"),
]


@pytest.mark.parametrize("size, chunk, links, text", VECTORS, ids=[str(v[0]) for v in VECTORS])
def test_cid__is_the_reference_importers(size, chunk, links, text):
    data = bytes((i * 31 + (i >> 8) * 7) % 251 for i in range(size))
    name = cid.cid_of(data, chunk, links)
    assert cid.to_text(name) == text and cid.from_text(text) == name and cid.is_cid(name)
    assert len(name) <= 64  # what an event holds


def test_cid__of_a_manifest__follows_from_its_hash():
    data = canonical(FACTS)
    assert cid.cid_of_digest(sha256(data).digest()) == cid.cid_of(data)


@pytest.mark.parametrize("text", ["", "b", "Qm" + "a" * 44, CID[:-1], CID + "a", CID.upper(), "z" + CID[1:], "bafkqaaa", "b!"])
def test_cid__any_other_text__is_refused(text):
    with refused("is not a CID of version 1 in base32"):
        cid.from_text(text)


# ---- a server that may do anything


INTERIM = {"interim": b"HTTP/1.1 100 Continue\r\n\r\n", "header": b"x"}  # sent without end, and never an answer


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 50

    def handle_error(self, *_):
        """A client that hangs up is no news."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.behaviour = "honest"
        self.asked: list[str] = []
        self.sent = 0
        self.stop = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.asked.append(self.path)
        self._file(self.path.rpartition("/")[2])

    do_HEAD = do_GET

    def do_POST(self):
        """The shape of Kubo's RPC."""
        self.server.asked.append(self.path)
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        if url.path == "/api/v0/add":
            body = self.rfile.read(int(self.headers["Content-Length"]))
            data = body.split(b"\r\n\r\n", 1)[1].rpartition(b"\r\n--")[0]
            name = cid.to_text(cid.cid_of(data))
            self.server.files[name] = data
            answers = {"wrong": {"Hash": CID[:-1] + "q"}, "garbage": "?", "honest": {"Hash": name, "Size": str(len(data))}}
            self._say(200, json.dumps(answers[self.server.behaviour]).encode())
        elif url.path == "/api/v0/cat":
            self._file(query["arg"][0])
        else:
            self._say(200 if query["arg"][0] in self.server.files else 500, b"{}")

    def _file(self, name):
        data = self.server.files.get(name)
        how = self.server.behaviour
        if data is None and how == "honest":
            return self._say(500 if self.command == "POST" else 404, b'{"Message": "not found"}')
        data = data or b""
        if how == "honest":
            return self._say(200, data)
        if how == "redirect":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:1/")
            return self.end_headers()
        if how.isdecimal():
            return self._say(int(how), b"no")
        if how == "silent":
            return self.server.stop.wait(10)
        if how in INTERIM:
            with suppress(OSError):
                self.wfile.write(b"" if how == "interim" else b"HTTP/1.1 200 OK\r\nX: ")
                while not self.server.stop.wait(0.02):
                    self.wfile.write(INTERIM[how])
                    self.server.sent += 1
                return
        self.send_response(200)
        self.end_headers()
        if how == "wrong":
            self.wfile.write(altered(data))
        elif how == "short":
            self.wfile.write(data[:-1])
        elif how == "long":
            self.wfile.write(data + b"0")
        elif how == "endless":
            while not self.server.stop.is_set():
                self.wfile.write(bytes(1 << 16))
        elif how == "dripping":
            for byte in data:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                if self.server.stop.wait(0.05):
                    return

    def _say(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@pytest.fixture
def server():
    server = Server()
    yield server
    server.stop.set()
    server.shutdown()
    server.server_close()


def http(server: Server) -> HttpStore:
    server.files[NAME] = UPDATE
    return HttpStore(f"http://{server.host}", SECONDS)


def gateway(server: Server) -> GatewayStore:
    server.files[CID] = UPDATE
    store = GatewayStore(f"http://{server.host}/ipfs", SECONDS)
    store.hint(ROOT, cid.cid_of(UPDATE))
    return store


def kubo(server: Server) -> IpfsStore:
    store = IpfsStore(server.host, SECONDS)
    store.put(UPDATE, Kind.UPDATE)
    return store


def host(server: Server) -> HostStore:
    return HostStore(f"http://{server.host}", SECONDS)


REMOTE = pytest.mark.parametrize("make", [http, gateway, kubo], ids=["http", "gateway", "kubo"])


@REMOTE
def test_remote__shows_what_is_there(server, make):
    store = make(server)
    assert store.get(ROOT, Kind.UPDATE, DEPTH) == UPDATE and store.has(ROOT, Kind.UPDATE)
    assert not store.has(bytes(32), Kind.UPDATE)
    with refused(rf"{bytes(32).hex()}\.update is not in {store.label}: ask its owner to publish it"):
        store.get(bytes(32), Kind.UPDATE, DEPTH)


HOSTILE = {
    "wrong": "does not hash to its name",
    "short": "has fewer bytes than 528",
    "long": "has more bytes than 528",
    "endless": "has more bytes than 528",
    "dripping": "did not answer within|sent [0-9]+ bytes in",
    "silent": "did not answer",
}


@REMOTE
@pytest.mark.parametrize("how", HOSTILE)
def test_remote__that_is_hostile__is_refused_soon__and_the_next_store_serves(server, make, how, tmp_path):
    remote = make(server)
    server.behaviour = how
    with at_once(), refused(HOSTILE[how]):
        remote.get(ROOT, Kind.UPDATE, DEPTH)
    other = LocalStore(tmp_path / "other")
    both = Stores([remote, other])
    with at_once(), refused(rf"{NAME} is not available: \(1\) .*({HOSTILE[how]}).*; \(2\) {NAME} is not in .*other"):
        both.get(ROOT, Kind.UPDATE, DEPTH)
    other.put(UPDATE, Kind.UPDATE)
    with at_once():
        assert Stores([remote, other]).get(ROOT, Kind.UPDATE, DEPTH) == UPDATE


STATUS = [("403", StoreError), ("429", StoreSilentError), ("503", StoreSilentError), ("302", StoreError)]


@pytest.mark.parametrize("how, kind", STATUS)
def test_http__another_status__is_told__and_a_busy_store_counts_as_silent(server, how, kind):
    store = http(server)
    server.behaviour = how
    with refused(f"HTTP status {how}") as result:
        store.get(ROOT, Kind.UPDATE, DEPTH)
    assert result.type is kind


def test_http__a_redirect_is_not_followed(server):
    store = http(server)
    server.behaviour = "redirect"
    with refused("HTTP status 302"):
        store.get(ROOT, Kind.UPDATE, DEPTH)


def test_http__asks_for_hashes_alone(server):
    store = http(server)
    store.get(ROOT, Kind.UPDATE, DEPTH)
    with refused("is not in"):
        store.get_document(b"../../secret")
    assert all(re.fullmatch(r"/[0-9a-f]+\.(update|json)", path) for path in server.asked)


def test_http__can_only_be_read(server):
    with refused("can only be read"):
        http(server).put(UPDATE, Kind.UPDATE)


def test_nobody_there__is_told_at_once():
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    store = HttpStore(f"http://127.0.0.1:{port}", SECONDS)
    with at_once(), refused(f"http://127.0.0.1:{port} cannot be reached"):
        store.get(ROOT, Kind.UPDATE, DEPTH)


# ---- IPFS


@BOTH
def test_kubo__takes_a_file__pinned__under_the_cid_computed_here(server, data, kind):
    store = IpfsStore(server.host, SECONDS)
    assert store.put(data, kind) == root_of(data, kind)
    (asked,) = server.asked
    assert "pin=true" in asked and "raw-leaves=true" in asked and "chunker=size-1048576" in asked
    assert list(server.files) == [cid.to_text(store.locator(data))]
    assert store.get(root_of(data, kind), kind, DEPTH) == data


def test_kubo__reads_no_more_than_a_byte_too_many(server):
    store = kubo(server)
    store.get(ROOT, Kind.UPDATE, DEPTH)
    assert server.asked[-1].startswith(f"/api/v0/cat?arg={CID}&length=529&timeout=")


@pytest.mark.parametrize(
    "how, result", [("wrong", "filed .* as bafk.*q, not bafk.*: update the node"), ("garbage", "no answer in the shape")]
)
def test_kubo__that_names_a_file_otherwise__is_not_believed(server, how, result):
    server.behaviour = how
    with refused(result):
        IpfsStore(server.host, SECONDS).put(UPDATE, Kind.UPDATE)


def test_kubo__a_manifest_needs_no_announcement(server):
    server.files[cid.to_text(cid.cid_of(canonical(FACTS)))] = canonical(FACTS)
    assert IpfsStore(server.host, SECONDS).get_document(sha256(canonical(FACTS)).digest()) == FACTS


def test_kubo__of_announced_cids__a_wrong_one_costs_a_look(server):
    kubo(server)
    other = IpfsStore(server.host, SECONDS)
    other.hint(ROOT, cid.cid_of(b"never added"))
    other.hint(ROOT, b"\x00 no CID at all")
    other.hint(ROOT, cid.cid_of(UPDATE))
    assert other.get(ROOT, Kind.UPDATE, DEPTH) == UPDATE


def test_kubo__wrong_cids_without_end__are_not_kept(server):
    store = IpfsStore(server.host, SECONDS)
    for i in range(1000):
        store.hint(ROOT, cid.cid_of(i.to_bytes(4, "big")))
    with refused("is not in"):
        store.get(ROOT, Kind.UPDATE, DEPTH)
    assert len(server.asked) == 16


def test_gateway__and_node__share_what_events_announce(server, tmp_path):
    """A participant whose store is a node announces the CID; another reads it through a gateway alone."""
    writer = Stores([LocalStore(tmp_path / "own"), IpfsStore(server.host, SECONDS)])
    writer.put(UPDATE, Kind.UPDATE)
    locator = writer.locator(UPDATE)
    reader = open_store([tmp_path / "cache", f"http://{server.host}/ipfs"], seconds=SECONDS)
    with refused("is not available"):
        reader.get(ROOT, Kind.UPDATE, DEPTH)
    reader.hint(ROOT, locator)
    assert reader.get(ROOT, Kind.UPDATE, DEPTH) == UPDATE
    assert LocalStore(tmp_path / "cache").get(ROOT, Kind.UPDATE, DEPTH) == UPDATE  # kept, to be shown to others


# ---- S3 and whatever fsspec reaches


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    """An S3 server of this machine, and a bucket."""
    from moto.server import ThreadedMotoServer

    patch = pytest.MonkeyPatch()
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    patch.setenv("AWS_ACCESS_KEY_ID", "key")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    import s3fs

    s3fs.S3FileSystem().mkdir("hospital")
    yield "s3://hospital/heart"
    server.stop()
    patch.undo()


@BOTH
def test_s3__there_and_back(s3, data, kind):
    store = FsspecStore(s3)
    root = store.put(data, kind)
    assert store.get(root, kind, DEPTH) == data and store.has(root, kind)
    digest = store.put_document(FACTS)
    assert store.get_document(digest) == FACTS


def test_s3__altered_or_longer_or_missing__is_refused(s3):
    store = FsspecStore(s3)
    store.put(UPDATE, Kind.UPDATE)
    for data, result in [
        (altered(UPDATE), "does not hash"),
        (UPDATE + b"0", "has 529 bytes, not 528"),
        (UPDATE[:-1], "fewer bytes"),
    ]:
        store._fs.pipe_file(store._path(NAME), data)
        with refused(result):
            store.get(ROOT, Kind.UPDATE, DEPTH)
    with refused(f"{'00' * 32}.model is not in s3://hospital/heart: ask its owner"):
        store.get(bytes(32), Kind.MODEL, DEPTH)
    store.put(UPDATE, Kind.UPDATE)
    assert store.get(ROOT, Kind.UPDATE, DEPTH) == UPDATE  # putting it again heals it


def test_s3__no_such_bucket__is_one_line(s3):
    with refused("s3://nobody: .*"):
        FsspecStore("s3://nobody").put(UPDATE, Kind.UPDATE)


def test_memory__is_a_store_too():
    store = FsspecStore("memory://heart")
    assert store.get(store.put(UPDATE, Kind.UPDATE), Kind.UPDATE, DEPTH) == UPDATE


# ---- large files


def laid(server: Server, kind: str) -> HttpStore | IpfsStore | FsspecStore:
    """A store of this kind that has the large file."""
    if kind == "http":
        server.files[f"{LARGE_ROOT.hex()}.update"] = LARGE
        return HttpStore(f"http://{server.host}", SECONDS)
    store = IpfsStore(server.host, SECONDS) if kind == "kubo" else FsspecStore("memory://large")
    store.put(memoryview(LARGE), Kind.UPDATE)
    return store


@pytest.mark.parametrize("kind", ["http", "kubo", "fsspec"])
def test_large_file__from_afar__is_a_map_too__and_is_kept_for_others(server, tmp_path, kind, monkeypatch):
    monkeypatch.setattr(remote, "RANGE", 1000)  # fsspec's
    cache = LocalStore(tmp_path / "cache")
    data = Stores([cache, laid(server, kind)]).get(LARGE_ROOT, Kind.UPDATE, LARGE_DEPTH)
    assert data == LARGE and isinstance(data, memoryview) and data.readonly
    assert (cache.path / f"{LARGE_ROOT.hex()}.update").read_bytes() == LARGE


def test_large_file__of_wrong_bytes__is_refused(server):
    store = laid(server, "http")
    for how in ("wrong", "short", "long", "endless"):
        server.behaviour = how
        with refused(HOSTILE[how].replace("528", f"{len(LARGE):,}")):
            store.get(LARGE_ROOT, Kind.UPDATE, LARGE_DEPTH)


# ---- several


class Counting(LocalStore):
    """Fails as it is told, and counts how often it is asked."""

    asked = 0
    failure: StoreError | None = None

    def _read(self, name, most, exact):
        self.asked += 1
        if self.failure:
            raise self.failure
        return super()._read(name, most, exact)

    def _write(self, name, data):
        if self.failure:
            raise self.failure
        super()._write(name, data)


def test_silent_store__rests__and_is_asked_again_later(tmp_path):
    now = [0.0]
    silent, other = Counting(tmp_path / "silent"), LocalStore(tmp_path / "other")
    silent.failure = StoreSilentError("no answer")
    stores = Stores([silent, other], clock=lambda: now[0])
    other.put(UPDATE, Kind.UPDATE)
    for _ in range(5):
        assert stores.get(ROOT, Kind.UPDATE, DEPTH) == UPDATE
    assert silent.asked == 1
    now[0] = REST
    stores.get(ROOT, Kind.UPDATE, DEPTH)
    assert silent.asked == 2


def test_silent_store__rests_longer_each_time__until_it_answers(tmp_path):
    now = [0.0]
    silent, other = Counting(tmp_path / "silent"), LocalStore(tmp_path / "other")
    silent.failure = StoreSilentError("no answer")
    stores = Stores([silent, other], clock=lambda: now[0])
    other.put(UPDATE, Kind.UPDATE)
    asked_at = []
    for second in range(0, 4000, 10):
        now[0], before = float(second), silent.asked
        stores.get(ROOT, Kind.UPDATE, DEPTH)
        asked_at += [second] * (silent.asked - before)
    rests = [b - a for a, b in pairwise(asked_at)]
    assert rests == [REST, 2 * REST, 4 * REST, 8 * REST, 16 * REST, MAX_REST, MAX_REST, MAX_REST]
    now[0], silent.failure = 1e6, None
    silent.put(UPDATE, Kind.UPDATE)
    stores.get(ROOT, Kind.UPDATE, DEPTH)  # it answers
    silent.failure = StoreSilentError("no answer")
    stores.get(ROOT, Kind.UPDATE, DEPTH)
    before, now[0] = silent.asked, 1e6 + REST
    stores.get(ROOT, Kind.UPDATE, DEPTH)
    assert silent.asked == before + 1  # and rests no longer than the first time


def test_many_silent_stores__cost_a_file_what_one_costs(tmp_path, monkeypatch):
    monkeypatch.setattr(several, "SECONDS", 0.6)
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listening:  # takes connections and never answers
        dead = [HttpStore(f"http://127.0.0.1:{listening.getsockname()[1]}/{i}", 0.2) for i in range(30)]
        stores = Stores([LocalStore(tmp_path), *dead])
        began = time.monotonic()
        with refused("is not available"):
            stores.get(ROOT, Kind.UPDATE, DEPTH)
        assert time.monotonic() - began < 2  # 6 seconds if each had its own patience


def test_read__does_not_fail_because_it_could_not_be_kept(tmp_path):
    warned: list[str] = []
    full, other = Counting(tmp_path / "full"), LocalStore(tmp_path / "other")
    full.failure = StoreError("disk full")
    other.put(UPDATE, Kind.UPDATE)
    assert Stores([full, other], warn=warned.append).get(ROOT, Kind.UPDATE, DEPTH) == UPDATE
    assert warned == ["what was fetched could not be kept: disk full"]


def test_store_that_lacks_a_file__does_not_rest(tmp_path):
    lacking = Counting(tmp_path / "lacking")
    stores = Stores([lacking, LocalStore(tmp_path / "other")])
    for _ in range(3):
        with refused("is not available"):
            stores.get(ROOT, Kind.UPDATE, DEPTH)
    assert lacking.asked == 3


def test_put__goes_to_all_that_take_it__and_says_which_did_not(tmp_path):
    warned: list[str] = []
    bad, one, two = Counting(tmp_path / "bad"), LocalStore(tmp_path / "one"), LocalStore(tmp_path / "two")
    bad.failure = StoreError("disk full")
    stores = Stores([bad, one, HttpStore("http://127.0.0.1:1"), two], warn=warned.append)
    assert stores.put(UPDATE, Kind.UPDATE) == ROOT
    assert one.has(ROOT, Kind.UPDATE) and two.has(ROOT, Kind.UPDATE)
    assert warned == ["one store of several did not take a file: disk full"]


def test_put__that_nobody_takes__is_refused(tmp_path):
    bad = Counting(tmp_path / "bad")
    bad.failure = StoreError("disk full")
    with refused("no store took the file: disk full"):
        Stores([bad, HttpStore("http://127.0.0.1:1")]).put(UPDATE, Kind.UPDATE)
    with refused("no store took the file: .* can only be read"):
        Stores([HttpStore("http://a"), HttpStore("http://b")]).put(UPDATE, Kind.UPDATE)


@pytest.mark.parametrize(
    "words, result",
    [
        ([], "no store is named: give --store FOLDER"),
        (["ipfs://"], "ipfs:// names no Kubo node: give ipfs://HOST:PORT"),
        (["ipfs://host:5001/../x"], "names no Kubo node"),
        (["https://me:secret@host/x"], r"https://\.\.\.: leave the password out of the address"),
        (["nothing://x"], "nothing://x cannot be a store: .*"),
        (["ape-config.yaml"], "ape-config.yaml cannot be a store: .*; give a folder that you may write"),
    ],
    ids=str,
)
def test_words_that_name_no_store__are_refused(words, result):
    with refused(result) as failure:
        open_store(words)
    assert "secret" not in str(failure.value)


@pytest.mark.parametrize(
    "word, kind",
    [("ipfs://127.0.0.1:5001", IpfsStore), ("https://ipfs.io/ipfs/", GatewayStore), ("https://files.example/heart", HostStore)],
)
def test_words__name_their_kind(word, kind):
    assert type(open_store([word])) is kind


@pytest.mark.parametrize("word", [
    "http://127.0.0.1:8080/", "http://127.1/x", "http://2130706433/", "http://0x7f.1/", "http://[::1]:5001",
    "http://[::ffff:10.0.0.1]/", "http://192.168.1.1/reboot", "http://169.254.169.254/latest",
    "http://localhost:1", "http://router/", "http://db.internal/", "http://",
    "https://files.example/do?what=", "https://files.example/#", "https://me@files.example/", "https://[::1",
    "s3://a::file:///etc", "ftp://a.b/",
])  # fmt: skip
def test_word_that_leads_inside__is_no_public_store(word):
    assert not is_public(word)


@pytest.mark.parametrize("address", [
    "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::a00:1", "::ffff:127.0.0.1", "::ffff:0:10.0.0.1", "::10.0.0.1",
    "2002:a00:1::1", "fec0::1", "2001:db8::1", "fe80::1%1", "::1", "224.0.0.1", "ff0e::1", "169.254.169.254",
])  # fmt: skip
def test_address_that_a_translator_leads_inside__is_not_public(address, monkeypatch):
    assert not is_public(f"http://[{address}]/x")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: [(0, 0, 0, "", (address, 80))])
    with pytest.raises(OSError, match="not a public address"):
        public_http.public_addresses("files.example", 80)


@pytest.mark.parametrize("address", ["64:ff9b::808:808", "2002:808:808::1", "2606:4700::1111"])
def test_address_that_leads_outside_through_ipv6__is_public(address):
    assert public_http.is_public_address(address) and is_public(f"https://[{address}]/x")


@pytest.mark.parametrize(
    "word", ["https://files.example/heart", "https://ipfs.io/ipfs/", "http://8.8.8.8:80/x", "s3://bucket/x"]
)
def test_word_that_leads_outside__is_a_public_store(word):
    assert is_public(word)


def test_federation__its_manifest_names_public_stores_and_no_others(tmp_path):
    base = "https://files.example/heart"
    named = (base, "/etc", "ipfs://127.0.0.1:5001", "file:///etc", "memory://x")
    store = LocalStore(tmp_path / "own")
    digest = store.put_manifest(manifest(stores=named, genesis_cid=CID))
    terms = BASE_TERMS.__class__(**{**BASE_TERMS.__dict__, "manifest": digest, "genesis": ROOT})
    whole, stated = federation_store(terms, [tmp_path / "own"])
    assert isinstance(whole, Stores) and [s.label for s in whole.stores] == [str(tmp_path / "own"), base]
    assert stated.stores == named and stated.genesis_cid == CID


def test_silent_web_server__holds_nobody_up_for_long__where_windows_are_short(tmp_path):
    store = LocalStore(tmp_path / "mine")
    terms = replace(BASE_TERMS, manifest=store.put_manifest(manifest()))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        words = [f"http://127.0.0.1:{silent.getsockname()[1]}", str(tmp_path / "mine")]
        for near, short, least, most in ((True, terms, 1.9, 8), (False, replace(terms, reveal_window=12), 0.9, 7)):
            began = time.monotonic()
            whole, _ = federation_store(short, words, warn=lambda _: None, near=near)
            assert least < time.monotonic() - began < most  # it was asked for the manifest first, and rests from then on
            began = time.monotonic()
            with pytest.raises(StoreError):
                whole.get(ROOT, Kind.MODEL, 0)
            assert time.monotonic() - began < most
    assert patience(replace(terms, reveal_window=86400, score_commit_window=86400, score_reveal_window=86400), False) == 20


def test_servers_that_events_name__are_followed_to_public_addresses__and_on_a_local_chain_to_this_machine():
    for near in (False, True):
        whole = Stores([], near=near)
        for locator in (
            b"https://me.example/store",
            b"http://127.0.0.1:8020",
            b"http://10.0.0.1",
            b"https://me@me.example",
            b"http://[",
            b"ftp://me.example",
            "http://\u00e9.example".encode(),
            cid.cid_of(UPDATE),
        ):
            whole.hint(locator.ljust(32, b"0")[:32], locator)
        followed = {url for urls in whole._urls.values() for url in urls}
        assert followed == {"https://me.example/store"} | ({"http://127.0.0.1:8020"} if near else set())
    whole.hint(ROOT, b"https://a.example")
    whole.hint(ROOT, b"https://b.example")
    whole.hint(ROOT, b"https://c.example")
    assert whole._urls[ROOT] == ["https://a.example", "https://b.example"]  # anybody may announce wrong ones


def named_by_manifest(tmp_path: Path, *words: str) -> list[Store]:
    """The stores that are added for a manifest which names these."""
    store = LocalStore(tmp_path / "mine")
    digest = store.put_manifest(manifest(stores=words))
    whole, _ = federation_store(replace(BASE_TERMS, manifest=digest), [tmp_path / "mine"])
    return whole.stores[1:] if isinstance(whole, Stores) else []


def test_federation__of_many_stores_in_its_manifest__asks_four(tmp_path):
    named = [f"https://dead-{i}.example.org" for i in range(16)]
    assert [s.label for s in named_by_manifest(tmp_path, *named)] == named[:4]
    assert len(named_by_manifest(tmp_path, *named[:1] * 9)) == 1


def test_bucket_that_a_manifest_names__is_neither_written_nor_read_with_this_user_s_keys(tmp_path, s3):
    (named,) = named_by_manifest(tmp_path, "s3://bucket/folder")
    assert not named.writable and named._fs.storage_options["anon"] is True
    with refused("named by the manifest and only read"):
        named.put(UPDATE, Kind.UPDATE)
    given = open_store(["s3://bucket/folder"])
    assert given.writable and "anon" not in given._fs.storage_options


def test_name_that_leads_inside__is_not_reached(server, tmp_path, monkeypatch):
    """A public name may resolve to a private address, and to another one at every look."""
    asked, (address, _, port) = [], server.host.rpartition(":")

    def resolve(host, *args, **kwargs):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, int(port)))]

    server.files[NAME] = UPDATE
    (named,) = named_by_manifest(tmp_path, "http://files.example")
    named._http.base = f"http://files.example:{port}"
    with monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", resolve)
        with refused("cannot be reached"):
            named.get(ROOT, Kind.UPDATE, DEPTH)
    assert set(asked) == {"files.example"}
    # The address alone was at fault: the same store, were it public, is read, and by the address that was checked.
    monkeypatch.setattr(public_http, "public_addresses", lambda host, port: [address])
    assert named.get(ROOT, Kind.UPDATE, DEPTH) == UPDATE


@pytest.mark.parametrize("make", [http, host], ids=["http", "host"])
@pytest.mark.parametrize("how", INTERIM)
def test_answer_that_never_begins__keeps_no_thread_busy_beyond_the_deadline(server, how, make):
    store = make(server)
    server.behaviour = how
    with pytest.raises(StoreSilentError, match="did not answer within"):
        store.get(ROOT, Kind.UPDATE, DEPTH)
    time.sleep(0.3)
    sent = server.sent
    time.sleep(0.3)
    assert sent and server.sent <= sent + 1  # nobody reads it any more


def test_copies_of_what_was_fetched__lie_in_a_folder_of_their_own__and_are_read_first(server, tmp_path):
    mine, copies = LocalStore(tmp_path / "mine"), LocalStore(tmp_path / "copies")
    store = Stores([mine, http(server)], copies=copies)
    assert store.get(ROOT, Kind.UPDATE, DEPTH) == UPDATE and [p.name for p in copies.path.iterdir()] == [NAME]
    server.files.clear()
    assert store.get(ROOT, Kind.UPDATE, DEPTH) == UPDATE and not list(mine.path.iterdir())
    other = random_update(np.random.default_rng(5), DEPTH)
    store.put(other, Kind.UPDATE)
    assert len(list(copies.path.iterdir())) == len(list(mine.path.iterdir())) == 1


def test_store_on_this_machine__is_reached_through_no_proxy(server, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")  # where nobody answers
    assert http(server).get(ROOT, Kind.UPDATE, DEPTH) == UPDATE


def test_stores_that_only_this_machine_can_read():
    here = ["store", "file:///srv/store", "memory://x", "http://127.0.0.1:8000", "https://localhost/files"]
    assert all(map(only_here, here))
    assert not any(map(only_here, ["ipfs://127.0.0.1:5001", "s3://bucket/x", "https://files.example/x", "sftp://host/x"]))


# ---- missing files


class Patient(ThreadingHTTPServer):
    """A Kubo node that looks for every CID that it does not hold until `begun` such looks are under way, or a while."""

    daemon_threads = True

    def __init__(self, wanted: int):
        super().__init__(("127.0.0.1", 0), PatientHandler)
        self.files: dict[str, bytes] = {}
        self.wanted, self.begun, self.most, self.now = wanted, threading.Barrier(wanted), 0, 0
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class PatientHandler(BaseHTTPRequestHandler):
    server: Patient

    def log_message(self, *_):
        pass

    def do_POST(self):
        data = self.server.files.get(parse_qs(urlsplit(self.path).query)["arg"][0])
        if data is None:
            with self.server.lock:
                self.server.now += 1
                self.server.most = max(self.server.most, self.server.now)
            with suppress(threading.BrokenBarrierError):
                self.server.begun.wait(30)
            with self.server.lock:
                self.server.now -= 1
        self.send_response(500 if data is None else 200)
        self.end_headers()
        self.wfile.write(data or b"{}")


@pytest.fixture
def patient():
    servers = []

    def make(wanted: int) -> Patient:
        servers.append(Patient(wanted))
        return servers[-1]

    yield make
    for server in servers:
        server.begun.abort()
        server.shutdown()
        server.server_close()


def files(count: int) -> list[bytes]:
    return [random_update(np.random.default_rng(i), DEPTH) for i in range(count)]


def asked_for(server: Patient, updates: list[bytes]) -> tuple[IpfsStore, list[bytes]]:
    store = IpfsStore(f"127.0.0.1:{server.server_port}", 120)
    roots = [root_of(data, Kind.UPDATE) for data in updates]
    for root, data in zip(roots, updates, strict=True):
        store.hint(root, cid.cid_of(data))
    return store, roots


def test_files_that_nobody_has__are_looked_for_at_once__and_hold_up_no_other(patient):
    """Ten are missing: each look ends only when ten are under way, so that one after the other would break the barrier."""
    server, updates = patient(10), files(20)
    store, roots = asked_for(server, updates)
    server.files = {cid.to_text(cid.cid_of(data)): data for data in updates[::2]}
    got = dict(fetched(store, roots, Kind.UPDATE, DEPTH))
    assert [got[root] for root in roots] == [data if i % 2 == 0 else None for i, data in enumerate(updates)]
    assert not server.begun.broken


def test_files_that_nobody_has__are_looked_for_with_few_threads(patient):
    server, updates = patient(AT_ONCE), files(2 * AT_ONCE)
    store, roots = asked_for(server, updates)
    assert set(dict(fetched(store, roots, Kind.UPDATE, DEPTH)).values()) == {None}
    assert server.most == AT_ONCE and not server.begun.broken


def test_cids_of_one_file__are_asked_for_a_few_at_once(patient):
    server, (data, *others) = patient(3), files(4)
    store, (root, *_) = asked_for(server, [data])
    store._named._cids.clear()
    for other in [*others, data]:
        store.hint(root, cid.cid_of(other))
    server.files = {cid.to_text(cid.cid_of(data)): data}
    assert store.get(root, Kind.UPDATE, DEPTH) == data
    server.files.clear()
    store._named._cids[root.hex()].pop()
    with refused("is not in"):
        store.get(root, Kind.UPDATE, DEPTH)
    assert not server.begun.broken


def test_file_that_took_long_to_miss__is_left_alone_for_a_while__then_found(tmp_path):
    now = [0.0]
    slow = Counting(tmp_path / "slow")
    stores = Stores([slow], clock=lambda: now[0])
    reading = slow._read

    def read(*args, **kwargs):
        now[0] += SLOW * 2
        return reading(*args, **kwargs)

    slow._read = read
    for _ in range(5):
        with refused("is not in|is not asked for a while after a failure"):
            stores.get(ROOT, Kind.UPDATE, DEPTH)
    assert slow.asked == 1
    slow.put(UPDATE, Kind.UPDATE)
    now[0] += REST
    assert stores.get(ROOT, Kind.UPDATE, DEPTH) == UPDATE


def test_federation__with_one_store_afar__remembers_what_it_lacked(server, tmp_path):
    data = canonical(manifest().to_json())
    server.files[f"{sha256(data).hexdigest()}.json"] = data
    terms = replace(BASE_TERMS, manifest=sha256(data).digest())
    assert type(federation_store(terms, [f"http://{server.host}"])[0]) is Stores
