"""Files on a disk that others may share: opened only if they are files, written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from pathlib import Path
from typing import BinaryIO

from fl.protocol.artifact import Data


class NotRegularError(OSError):
    """A folder, a pipe or a device instead of a file."""


def open_regular(path: Path, follow: bool = True) -> BinaryIO:
    """A regular file, open to be read. The file checked is the file opened, and opening never blocks: in a shared folder, a
    pipe or a device may take a file's place at any time. follow: whether the name may be a link to it, which must not be so
    where the content is shown to others: a link may lead to a secret. Raises OSError, NotRegularError among them."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise NotRegularError(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(handle, "rb")


def holds(path: Path, data: Data) -> bool:
    """Whether a file is there with just these bytes."""
    try:
        with open_regular(path) as file:
            return os.fstat(file.fileno()).st_size == len(data) and file.read(len(data) + 1) == data
    except OSError:
        return False


def write_durably(path: Path, data: Data, mode: int = 0o644) -> None:
    """Writes the whole file or nothing; it is on disk under its name when this returns. `mode` is reduced by the umask."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".partial-{secrets.token_hex(8)}"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    """A name is durable once its folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
