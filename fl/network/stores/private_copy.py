"""Copies foreign bytes into a private file, so that the bytes used are the bytes hashed, without using memory for them.

A file in the store is never mapped itself: somebody who shares the folder could change it after its hash was checked, and so
cause a wrong model to be proposed, or truncate it, which would kill the reading process. Its bytes are copied into a file
without a name that only this user can open, and hashed there. The file disappears when it is no longer used, however the
process ends. This assumes that this user and root are trusted, and that the disk returns what was written.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from fl.errors import NoRoomError
from fl.protocol.artifact import Data

FEW = 1 << 16  # up to this many bytes stay in memory: 128 such updates are 8 MiB, and a map has a cost


def gathered(pieces: Iterable[bytes], most: int) -> Data:
    """The first `most` bytes of these pieces: a few in memory, more as a read-only map, which holds one file handle.

    Raises NoRoomError if there is no room for them, and whatever `pieces` raises.
    """
    folder, size = scratch_folder(), 0
    with _in(folder):
        file = tempfile.SpooledTemporaryFile(FEW, dir=folder)
    with file:
        for piece in pieces:
            with _in(folder):
                file.write(piece[: most - size])
            size = min(most, size + len(piece))
            if size == most:
                break
        with _in(folder):
            if size <= FEW:
                file.seek(0)
                return file.read()
            file.flush()
            return memoryview(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ))


def scratch_folder() -> str:
    """The folder for such files: TMPDIR, or else one other than /tmp, if possible, since many systems keep /tmp in memory.

    Raises NoRoomError if no folder is writable."""
    elsewhere = "TMPDIR" not in os.environ and os.access("/var/tmp", os.W_OK | os.X_OK)
    try:
        return "/var/tmp" if elsewhere else tempfile.gettempdir()
    except FileNotFoundError as error:
        raise NoRoomError("no folder has room for the files of a store: make room, or set TMPDIR to one that has it") from error


@contextmanager
def _in(folder: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"a store's file cannot be copied into {folder}: {error.strerror or error}"
        raise NoRoomError(f"{message}; make room there, or set TMPDIR to a folder that has it") from error
