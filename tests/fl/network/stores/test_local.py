"""The store: names are hashes, every read is bounded and hashed again, every write is whole, only plain files are read."""

import errno
import json
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.files import BOTH, DEPTH, FACTS, MODEL, UPDATE, altered, at_once, refused

from fl.network.stores.base import MAX_DOCUMENT_BYTES, canonical
from fl.network.stores.files import write_durably
from fl.network.stores.local import LocalStore
from fl.protocol.artifact import Kind
from fl.protocol.leaves import root_of

HOPELESS = 1 << 40  # bytes that no test machine could read


@pytest.fixture
def store(tmp_path) -> LocalStore:
    return LocalStore(tmp_path / "store")


def file_of(store: LocalStore, data: bytes, kind: Kind) -> Path:
    """Puts the data, and says where it lies."""
    return store.path / f"{store.put(data, kind).hex()}.{kind.name.lower()}"


def read(store: LocalStore, data: bytes, kind: Kind) -> bytes:
    return store.get(root_of(data, kind), kind, DEPTH)


def manifest_named(store: LocalStore, data: bytes) -> bytes:
    """Lays any bytes into the store under the name that a manifest of theirs would have."""
    digest = sha256(data).digest()
    (store.path / f"{digest.hex()}.json").write_bytes(data)
    return digest


# ---- what is there


@BOTH
def test_put__there_and_back__under_the_name_of_its_root(store, data, kind):
    root = store.put(data, kind)
    assert root == root_of(data, kind) and store.has(root, kind)
    assert store.get(root, kind, DEPTH) == data
    assert [p.name for p in store.path.iterdir()] == [f"{root.hex()}.{kind.name.lower()}"]


@given(st.binary(min_size=264, max_size=264), st.integers(0, 3))
def test_put__any_content_of_a_fitting_size__comes_back(tmp_path_factory, leaf, depth):
    store, data = LocalStore(tmp_path_factory.mktemp("any")), leaf * 2**depth
    assert store.get(store.put(data, Kind.UPDATE), Kind.UPDATE, depth) == data


def written(path: Path) -> tuple[int, int, int]:
    """Which file it is and when it was written; when it was read may change."""
    seen = path.stat()
    return seen.st_ino, seen.st_mtime_ns, seen.st_ctime_ns


@BOTH
def test_put__twice__writes_once(store, data, kind):
    path = file_of(store, data, kind)
    first = written(path)
    file_of(store, data, kind)
    assert written(path) == first


@BOTH
def test_store__is_found_again_by_its_folder(store, data, kind):
    root = store.put(data, kind)
    assert LocalStore(str(store.path)).get(root, kind, DEPTH) == data


@BOTH
def test_missing__is_refused_with_a_remedy(store, data, kind):
    assert not store.has(root_of(data, kind), kind)
    with refused(rf"{root_of(data, kind).hex()}\.{kind.name.lower()} is not in .*: ask its owner to publish it"):
        read(store, data, kind)


# ---- what was altered


@BOTH
@pytest.mark.parametrize("at", [0, 7, 8, 500, -1])
@pytest.mark.parametrize("bit", [1, 128])
def test_flipped_bit__is_refused_and_named(store, data, kind, at, bit):
    path = file_of(store, data, kind)
    path.write_bytes(altered(data, at, bit))
    with refused(f"{path.name} .* does not hash to its name: it was altered; fetch it again"):
        read(store, data, kind)


@BOTH
@pytest.mark.parametrize("change", [(0, 0), (0.5, 0), (1, -1), (1, 1), (2, 0)], ids=str)
def test_another_length__is_refused(store, data, kind, change):
    path, length = file_of(store, data, kind), int(change[0] * len(data)) + change[1]
    os.truncate(path, length)
    with refused(f"{path.name} .* has {length:,} bytes, not {len(data):,}"):
        read(store, data, kind)


@BOTH
def test_endless_file__is_refused_unread(store, data, kind):
    path = file_of(store, data, kind)
    os.truncate(path, HOPELESS)
    with refused(f"has {HOPELESS:,} bytes, not {len(data):,}"):
        read(store, data, kind)


def test_another_depth__is_another_length(store):
    root = store.put(MODEL, Kind.MODEL)
    for depth in (0, 2, 22):
        with refused(f"has 2,048 bytes, not {1024 << depth:,}"):
            store.get(root, Kind.MODEL, depth)


def test_one_kind__cannot_pass_for_the_other(store):
    root = store.put(MODEL, Kind.MODEL)
    with refused(f"{root.hex()}.update is not in"):
        store.get(root, Kind.UPDATE, DEPTH)
    (store.path / f"{root.hex()}.update").write_bytes(UPDATE)
    with refused("does not hash to its name"):
        store.get(root, Kind.UPDATE, DEPTH)


def test_swapped_files__are_refused(store):
    one, other = file_of(store, MODEL, Kind.MODEL), file_of(store, MODEL[::-1], Kind.MODEL)
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(kept)
    for data in (MODEL, MODEL[::-1]):
        with refused("does not hash to its name"):
            read(store, data, Kind.MODEL)


@BOTH
def test_put__over_an_altered_file__heals_it(store, data, kind):
    file_of(store, data, kind).write_bytes(altered(data))
    store.put(data, kind)
    assert read(store, data, kind) == data


# ---- what is not a plain file


@BOTH
def test_link__counts_by_what_it_holds(store, data, kind, tmp_path):
    path, outside = file_of(store, data, kind), tmp_path / "outside"
    path.rename(outside)
    path.symlink_to(outside)
    assert read(store, data, kind) == data
    outside.write_bytes(altered(data))
    with refused("does not hash to its name"):
        read(store, data, kind)


@BOTH
def test_link__to_nowhere_or_to_itself__is_refused(store, data, kind, tmp_path):
    path = file_of(store, data, kind)
    path.unlink()
    path.symlink_to(tmp_path / "nowhere")
    with refused("is not in"):
        read(store, data, kind)
    path.unlink()
    path.symlink_to(path)
    with refused("cannot be read"):
        read(store, data, kind)


@BOTH
def test_put__through_a_link__writes_nothing_outside(store, data, kind, tmp_path):
    outside = tmp_path / "outside"
    (store.path / f"{root_of(data, kind).hex()}.{kind.name.lower()}").symlink_to(outside)
    path = file_of(store, data, kind)
    assert not outside.exists() and not path.is_symlink() and read(store, data, kind) == data


@BOTH
@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_file__is_refused_at_once(store, data, kind, make):
    path = file_of(store, data, kind)
    path.unlink()
    make(path)
    with at_once(), refused(f"{path.name} in .* is not a regular file"):
        read(store, data, kind)
    assert not store.has(root_of(data, kind), kind)


@BOTH
def test_pipe__laid_in_after_the_look__hangs_nobody(store, data, kind, monkeypatch):
    """Whoever shares the folder may change a file between a look at it and its opening."""
    path = file_of(store, data, kind)
    opening = os.open

    def swapped(name, *args, **kwargs):
        if Path(name) == path and not path.is_fifo():
            path.unlink()
            os.mkfifo(path)
        return opening(name, *args, **kwargs)

    monkeypatch.setattr(os, "open", swapped)
    with at_once(), refused("is not a regular file"):
        read(store, data, kind)
    with at_once():
        store.put(data, kind)
    monkeypatch.undo()
    assert path.is_file() and read(store, data, kind) == data


def test_manifest__that_is_a_pipe__is_refused_at_once(store):
    os.mkfifo(store.path / f"{bytes(32).hex()}.json")
    with at_once(0.5), refused(bytes(32).hex()):
        store.get_document(bytes(32))


def test_folder__as_large_as_a_model__is_refused(store):
    # Many file systems keep a folder in 4,096 bytes, as many as a model of depth 2 has.
    path = store.path / f"{bytes(32).hex()}.model"
    path.mkdir()
    with refused(f"{path.name} in .* is not a regular file"):
        store.get(bytes(32), Kind.MODEL, 2)


# ---- names


@given(st.binary(max_size=40))
def test_any_root__names_a_file_of_this_folder_alone(tmp_path_factory, root):
    folder = tmp_path_factory.mktemp("names")
    store, secret = LocalStore(folder / "store"), folder / "secret.model"
    secret.write_bytes(MODEL)
    with refused(rf"{root.hex()}\.model is not in"):
        store.get(root, Kind.MODEL, DEPTH)
    assert not store.has(root, Kind.MODEL)


@pytest.mark.parametrize("root", [b"../secret", b"/etc/passwd", b"..", b"\0", b"", b"~root", b"a\nb", b"\xff" * 32])
def test_odd_roots__do_not_leave_the_folder(store, root):
    (store.path.parent / "secret.model").write_bytes(MODEL)
    for read_ in (lambda: store.get(root, Kind.MODEL, DEPTH), lambda: store.get_document(root)):
        with refused("is not in .*store: ask its owner"):
            read_()


def test_odd_files__disturb_nobody(store):
    root = store.put(MODEL, Kind.MODEL)
    for name in (
        ".partial-x",
        "..model",
        f"{root.hex()}.MODEL",
        f"{root.hex().upper()}.model",
        f"{root.hex()}.model~",
        " .model",
    ):
        (store.path / name).write_bytes(b"odd")
    assert store.get(root, Kind.MODEL, DEPTH) == MODEL and not store.has(root, Kind.UPDATE)


# ---- whole or not at all


def leftovers(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "disk full"), KeyboardInterrupt()], ids=["disk full", "interrupted"])
def test_write__that_fails__leaves_what_was_there_and_no_trace(tmp_path, monkeypatch, step, error):
    def fail(*_: object) -> None:
        raise error

    (tmp_path / "kept").write_bytes(b"before")
    monkeypatch.setattr(os, step, fail)
    for name in ("kept", "new"):
        with pytest.raises(type(error)):
            write_durably(tmp_path / name, b"after")
    assert leftovers(tmp_path) == ["kept"] and (tmp_path / "kept").read_bytes() == b"before"


KILLED = """
import os, sys
from fl.network.stores.local import LocalStore
from fl.protocol.artifact import Kind
os.{step} = lambda *_: os._exit(9)
LocalStore(sys.argv[1]).put(bytes(2048), Kind.MODEL)
"""


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_write__killed_halfway__shows_no_file__and_can_be_done_again(store, step):
    done = subprocess.run([sys.executable, "-c", KILLED.format(step=step), str(store.path)])
    assert done.returncode == 9 and [n[:9] for n in leftovers(store.path)] == [".partial-"]
    with refused("is not in"):
        read(store, bytes(2048), Kind.MODEL)
    store.put(bytes(2048), Kind.MODEL)
    assert read(store, bytes(2048), Kind.MODEL) == bytes(2048)


def synced(path: Path, monkeypatch) -> list[str]:
    """What a write makes durable, and when the name appears."""
    seen, fsync, replace = [], os.fsync, os.replace

    def noting_fsync(handle: int) -> None:
        seen.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else f"file of {os.fstat(handle).st_size}")
        fsync(handle)

    def noting_replace(*args) -> None:
        seen.append("name")
        replace(*args)

    monkeypatch.setattr(os, "fsync", noting_fsync)
    monkeypatch.setattr(os, "replace", noting_replace)
    write_durably(path, b"12345")
    return seen


def test_write__gets_its_name_when_all_of_it_is_on_disk(tmp_path, monkeypatch):
    assert synced(tmp_path / "deep" / "file", monkeypatch)[:2] == ["file of 5", "name"]
    assert leftovers(tmp_path / "deep") == ["file"]


def test_write__has_its_name_on_disk_when_it_returns(tmp_path, monkeypatch):
    assert synced(tmp_path / "file", monkeypatch)[2:] == ["folder"]


def test_put__may_be_read_by_whoever_shares_the_store(store):
    before = os.umask(0o022)
    try:
        assert file_of(store, MODEL, Kind.MODEL).stat().st_mode & 0o444 == 0o444
    finally:
        os.umask(before)


def test_put__from_many_threads_at_once__is_whole(store):
    with ThreadPoolExecutor(8) as pool:
        roots = set(pool.map(lambda _: store.put(UPDATE, Kind.UPDATE), range(40)))
    assert roots == {root_of(UPDATE, Kind.UPDATE)} and read(store, UPDATE, Kind.UPDATE) == UPDATE
    assert leftovers(store.path) == [f"{roots.pop().hex()}.update"]


# ---- manifests


def test_manifest__there_and_back__under_its_sha256(store):
    digest = store.put_document(FACTS)
    assert digest == sha256(canonical(FACTS)).digest() and store.get_document(digest) == FACTS
    assert canonical(FACTS) == '{"parameters":529,"task":"härt","version":1}'.encode()
    assert store.put_document(dict(reversed(FACTS.items()))) == digest
    assert leftovers(store.path) == [f"{digest.hex()}.json"]


def test_manifest__that_json_cannot_hold__is_not_written(store):
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.put_document({"rate": float("nan")})
    assert leftovers(store.path) == []


def test_manifest__altered_or_missing__is_refused(store):
    digest = store.put_document(FACTS)
    path = store.path / f"{digest.hex()}.json"
    path.write_bytes(canonical({**FACTS, "parameters": 530}))
    with refused(f"{path.name} .* does not hash to its name"):
        store.get_document(digest)
    path.unlink()
    with refused("is not in"):
        store.get_document(digest)


def test_manifest__too_large__is_refused_unread(store):
    digest = manifest_named(store, b"{}")
    os.truncate(store.path / f"{digest.hex()}.json", HOPELESS)
    with refused(f"has {HOPELESS:,} bytes, not {MAX_DOCUMENT_BYTES:,}"):
        store.get_document(digest)


OTHER_SPELLINGS = {
    "spaces": json.dumps(FACTS, sort_keys=True, ensure_ascii=False),
    "escapes": json.dumps(FACTS, sort_keys=True, separators=(",", ":")),
    "order": '{"version":1,"task":"a"}',
    "twice the same key": '{"a":1,"a":1}',
    "trailing line": '{"a":1}\n',
    "number": '{"a":1e2}',
    "list": "[]",
    "text": '"{}"',
    "nothing": "null",
}


@pytest.mark.parametrize("text", OTHER_SPELLINGS.values(), ids=OTHER_SPELLINGS.keys())
def test_manifest__in_any_other_spelling__is_refused(store, text):
    with refused("is not a canonical JSON object"):
        store.get_document(manifest_named(store, text.encode()))


NO_JSON = {
    "empty": b"",
    "words": b"no json",
    "cut off": b'{"a":',
    "no UTF-8": b'{"a":"\xff"}',
    "NaN": b'{"a":NaN}',
    "infinity": b'{"a":1e999}',
    "a number of 5,000 digits": b'{"a":' + b"1" * 5000 + b"}",
    "half a character": b'{"a":"\\ud800"}',
}


@pytest.mark.parametrize("data", NO_JSON.values(), ids=NO_JSON.keys())
def test_manifest__that_is_no_json__is_refused(store, data):
    with refused("is not a canonical JSON object"):
        store.get_document(manifest_named(store, data))


NESTED = """
import sys
from hashlib import sha256
from fl.errors import StoreError
from fl.network.stores.local import LocalStore
sys.setrecursionlimit(100_000)  # as the chain's libraries do when they are imported
try:
    LocalStore(sys.argv[1]).get_document(bytes.fromhex(sys.argv[2]))
except StoreError:
    print("refused")
"""


def test_manifest__nested_without_end__is_refused(store):
    digest = manifest_named(store, b"[" * 100_000)
    done = subprocess.run([sys.executable, "-c", NESTED, str(store.path), digest.hex()], capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"refused\n")
