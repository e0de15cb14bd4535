"""What a store shows lies in a file of one's own: nobody alters or cuts it after its hash was checked, and no trace stays."""

import mmap
import os
import resource
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.errors import NoRoomError, StoreError
from fl.network.stores import private_copy
from fl.network.stores.local import LocalStore
from fl.network.stores.private_copy import FEW, gathered, scratch_folder
from fl.network.stores.remote import FsspecStore
from fl.network.stores.several import Stores, fetched
from fl.protocol.artifact import Kind, size_of
from fl.protocol.leaves import root_of

DEPTH = 9
LARGE = os.urandom(size_of(Kind.UPDATE, DEPTH))


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Where files without names would lie if they had any."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def pieces(data: bytes, each: int) -> list[bytes]:
    return [data[at : at + each] for at in range(0, len(data), each)]


def handles() -> int:
    return len(os.listdir("/dev/fd"))


@contextmanager
def no_file_above(size: int):
    """A disk that takes no more, as the kernel would say it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@given(st.lists(st.binary(max_size=12), max_size=12), st.integers(0, 100), st.integers(0, 60))
def test_gathered__is_the_first_bytes_of_all_pieces(parts, most, few):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(private_copy, "FEW", few)
        assert gathered(parts, most) == b"".join(parts)[:most]


@pytest.mark.parametrize("size", [0, 1, FEW - 1, FEW, FEW + 1, 3 * FEW + 5])
@pytest.mark.parametrize("each", [1 << 10, 1 << 20])
def test_gathered__few_bytes_stay_in_memory__more_become_a_map_that_nobody_writes_to(folder, size, each):
    data = gathered(pieces(LARGE[:size], each), size)
    assert data == LARGE[:size] and isinstance(data, bytes) is (size <= FEW)
    if size > FEW:
        assert isinstance(data, memoryview) and data.readonly and isinstance(data.obj, mmap.mmap)


def test_gathered__takes_no_piece_more_than_it_needs():
    taken = iter(pieces(LARGE, 100))
    assert gathered(taken, 250) == LARGE[:250] and next(taken) == LARGE[300:400]


def test_map__has_no_name__and_gives_its_handle_back(folder):
    before = handles()
    maps = [gathered([LARGE], len(LARGE)) for _ in range(128)]
    assert handles() == before + 128 and os.listdir(folder) == []
    del maps
    assert handles() == before


def test_gathered__whose_pieces_fail__leaves_nothing(folder):
    def failing():
        yield LARGE
        raise StoreError("gone")

    before = handles()
    with pytest.raises(StoreError, match=r"^gone$"):
        gathered(failing(), 2 * len(LARGE))
    assert handles() == before and os.listdir(folder) == []


def test_no_room__is_one_line_with_a_remedy(folder):
    store = LocalStore(folder.parent / "store")
    root = store.put(LARGE, Kind.UPDATE)
    message = f"cannot be copied into {folder}: .*; make room there, or set TMPDIR"
    with no_file_above(FEW), pytest.raises(NoRoomError, match=message):
        store.get(root, Kind.UPDATE, DEPTH)
    assert store.get(root, Kind.UPDATE, DEPTH) == LARGE


def test_no_folder__is_one_line_too(folder):
    assert scratch_folder() == str(folder)
    folder.rmdir()
    with pytest.raises(NoRoomError, match=f"cannot be copied into {folder}: No such file or directory"):
        gathered([LARGE], len(LARGE))


def test_no_folder_anywhere__is_no_missing_file(folder, monkeypatch):
    """Where every disk is full, Python finds no folder for temporary files and raises what a missing file raises."""
    store = LocalStore(folder.parent / "store")
    root = store.put(LARGE, Kind.UPDATE)
    monkeypatch.setattr(tempfile, "_get_default_tempdir", lambda *_: (_ for _ in ()).throw(FileNotFoundError("none usable")))
    with pytest.raises(NoRoomError, match="no folder has room for the files of a store: make room"):
        store.get(root, Kind.UPDATE, DEPTH)


@pytest.mark.parametrize("kind", ["folder", "several", "afar"])
def test_no_room__is_not_taken_for_a_file_that_nobody_has(kind, folder):
    """A checker that took it for that would demand leaves that everybody has, and lose its deposits to whoever shows them."""
    local = LocalStore(folder.parent / "store")
    afar = FsspecStore(f"memory://{folder.name}-{os.getpid()}")
    store = {"folder": local, "several": Stores([local, afar]), "afar": Stores([afar])}[kind]
    root = store.put(LARGE, Kind.UPDATE)
    assert scratch_folder() == str(folder)
    folder.rmdir()
    with pytest.raises(NoRoomError):
        list(fetched(store, [root], Kind.UPDATE, DEPTH))
    folder.mkdir()
    assert [data == LARGE for _, data in fetched(store, [root], Kind.UPDATE, DEPTH)] == [True]


def test_no_handle_left__is_not_taken_for_a_file_that_nobody_has(folder):
    store = LocalStore(folder.parent / "store")
    root = store.put(LARGE, Kind.UPDATE)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    try:
        with suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        with pytest.raises(NoRoomError, match=r"cannot be opened: Too many open files; allow this program more"):
            store.get(root, Kind.UPDATE, DEPTH)
    finally:
        for handle in taken:
            os.close(handle)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert store.get(root, Kind.UPDATE, DEPTH) == LARGE


def test_folder__is_what_tmpdir_says__else_one_that_is_not_in_memory(folder, monkeypatch):
    assert scratch_folder() == str(folder)
    monkeypatch.delenv("TMPDIR")
    assert scratch_folder() == "/var/tmp"
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert scratch_folder() == tempfile.gettempdir()


def in_place(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(len(LARGE)))


@pytest.mark.parametrize("change", [in_place, Path.unlink, lambda path: os.truncate(path, 0)], ids=["altered", "gone", "cut"])
def test_file_of_the_store__changed_after_it_was_read__changes_nothing(tmp_path, change):
    """Were the store's own file mapped, the first would have a wrong model proposed, and the last kill the process."""
    store = LocalStore(tmp_path)
    root = store.put(LARGE, Kind.UPDATE)
    data = store.get(root, Kind.UPDATE, DEPTH)
    change(tmp_path / f"{root.hex()}.update")
    assert data == LARGE and root_of(data, Kind.UPDATE) == root


def test_file_of_the_store__changed_while_it_is_read__is_refused(tmp_path, monkeypatch):
    """What is hashed is the copy: a swap in the middle of copying shows."""
    store = LocalStore(tmp_path)
    root = store.put(LARGE, Kind.UPDATE)
    path = tmp_path / f"{root.hex()}.update"
    monkeypatch.setattr("fl.network.stores.local.PIECE", 1 << 12)
    monkeypatch.setattr("fl.network.stores.local.gathered", lambda parts, most: gathered(changing(parts), most))

    def changing(parts):
        yield next(parts)
        in_place(path)
        yield from parts

    with pytest.raises(StoreError, match="does not hash to its name"):
        store.get(root, Kind.UPDATE, DEPTH)
