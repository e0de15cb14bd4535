"""The store in a directory, which may be shared, synchronised or served by anybody."""

from __future__ import annotations

import errno
import os
from functools import partial
from pathlib import Path

from fl.errors import AlteredError, NoRoomError, StoreError
from fl.network.stores.base import FileStore
from fl.network.stores.files import NotRegularError, holds, open_regular, write_durably
from fl.network.stores.private_copy import gathered
from fl.protocol.artifact import Data
from fl.protocol.seat_metric import MAX_BYTES

PIECE = 1 << 20


class LocalStore(FileStore):
    """A directory, which may be shared, synchronised or served. Writes are atomic and durable; writing a file that exists is a
    no-op.

    url: where others read it, if it is served; locators name it."""

    takes_signed = True

    def __init__(self, path: Path | str, url: str = ""):
        self.path, self.url = Path(path), url
        self.label = str(path)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{path} cannot be a store: {error}; give a folder that you may write") from error

    def locator(self, data: Data) -> bytes:
        return self.url.encode()

    def put_signed(self, name: str, data: bytes) -> None:
        self._write(name, data)

    def get_signed(self, name: str) -> bytes:
        return bytes(self._read(name, MAX_BYTES, exact=False))

    def has_signed(self, name: str) -> bool:
        return self._has(name)

    def _has(self, name: str) -> bool:
        return (self.path / name).is_file()

    def _read(self, name: str, most: int, exact: bool) -> Data:
        path = self.path / name
        try:
            with open_regular(path) as file:
                size = os.fstat(file.fileno()).st_size
                if size != most if exact else size > most:
                    raise AlteredError(f"{path.name} in {self.path} has {size:,} bytes, not {most:,}: fetch it again")
                return gathered(iter(partial(file.read, PIECE), b""), most + 1)  # the file may grow while it is read
        except FileNotFoundError:
            raise StoreError(f"{path.name} is not in {self.path}: ask its owner to publish it") from None
        except NotRegularError:
            raise StoreError(f"{path.name} in {self.path} is not a regular file: remove it and fetch it again") from None
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                message = f"{path.name} in {self.path} cannot be opened: {error.strerror}"
                raise NoRoomError(f"{message}; allow this program more of them (ulimit -n 4096)") from error
            raise StoreError(f"{path.name} in {self.path} cannot be read: {error}") from error

    def _write(self, name: str, data: Data) -> None:
        # An altered file is written again: anybody who has the content repairs the store.
        path = self.path / name
        try:
            if not holds(path, data):
                write_durably(path, data)
        except OSError as error:
            message = f"{name} cannot be written to the store {self.label}: {error.strerror or error}"
            raise StoreError(f"{message}; give a folder that you may write and that has room") from error
