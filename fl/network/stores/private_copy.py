"""Bytes from elsewhere in a file of one's own: what was hashed is what is used, and memory does not grow with it.

A file of the store is never mapped itself: whoever shares the folder could change it after its hash was checked, and so have a
wrong model proposed, or cut it short, which kills whoever reads the map. Its bytes are copied into a file without a name that
this user alone may open, hashed there, and gone when nobody looks at them any more, however the process ends. Assumed: this
user and root are no enemies, and the disk gives back what was written.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from fl.errors import NoRoomError
from fl.protocol.artifact import Data

FEW = 1 << 16  # bytes that stay in memory: 128 such updates are 8 MiB, and a map has its price


def gathered(pieces: Iterable[bytes], most: int) -> Data:
    """The first `most` bytes of these pieces: few as they are, more as a read-only map, which holds one file handle.

    Raises NoRoomError if there is no room for them, and what `pieces` raises.
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
    """Where such files lie: what TMPDIR says; else not /tmp, which many systems keep in memory, if there is another.

    Raises NoRoomError if no folder takes files."""
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
        told = f"what a store shows cannot be laid into {folder}: {error.strerror or error}"
        raise NoRoomError(f"{told}; make room there, or set TMPDIR to a folder that has it") from error
