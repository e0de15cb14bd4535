"""The content store: files named by what they hold. Every read is bounded in size and re-hashed before use.

A local directory, which may be shared, synchronised or served. A name is the kind and the root of the leaf tree (for a
manifest: the SHA-256), so that no name can lead outside and no content can pass for another.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from hashlib import sha256
from pathlib import Path

from fl.errors import StoreError
from fl.protocol.artifact import Kind, size_of
from fl.protocol.leaves import root_of

MAX_MANIFEST_BYTES = 1 << 20
MAX_MANIFEST_NESTING = 32  # a deeper one would overrun the JSON reader's stack


class LocalStore:
    """A directory of content-addressed files. Writes are atomic and durable; writing what is there is a no-op."""

    def __init__(self, path: Path | str):
        self.path = Path(path)
        self.path.mkdir(parents=True, exist_ok=True)

    def put(self, data: bytes, kind: Kind) -> bytes:
        """Keeps an update or a model; returns its root."""
        root = root_of(data, kind)
        self._write(self._name(root, kind), data)
        return root

    def get(self, root: bytes, kind: Kind, depth: int) -> bytes:
        """The file whose tree has this root. Raises StoreError if missing, of a wrong size, or altered."""
        path = self._name(root, kind)
        data = self._read(path, size_of(kind, depth))
        if root_of(data, kind) != root:
            raise StoreError(f"{path.name} in {self.path} does not hash to its name: it was altered; fetch it anew")
        return data

    def has(self, root: bytes, kind: Kind) -> bool:
        """Whether a file of that name is there (its content is checked when read)."""
        return self._name(root, kind).is_file()

    def put_manifest(self, facts: dict[str, object]) -> bytes:
        """Keeps a manifest as canonical JSON; returns its SHA-256."""
        data = canonical(facts)
        digest = sha256(data).digest()
        self._write(self.path / f"{digest.hex()}.json", data)
        return digest

    def get_manifest(self, digest: bytes) -> dict[str, object]:
        """The manifest of this SHA-256. Raises StoreError if it is missing, altered or not canonical."""
        path = self.path / f"{digest.hex()}.json"
        data = self._read(path, None)
        if sha256(data).digest() != digest:
            raise StoreError(f"{path.name} in {self.path} does not hash to its name: it was altered; fetch it anew")
        facts = _parse_canonical(data)
        if facts is None:
            raise StoreError(f"{path.name} in {self.path} is no canonical JSON object")
        return facts

    def _name(self, root: bytes, kind: Kind) -> Path:
        return self.path / f"{root.hex()}.{kind.name.lower()}"

    def _read(self, path: Path, size: int | None) -> bytes:
        most = MAX_MANIFEST_BYTES if size is None else size
        try:
            facts = path.stat()
            if not stat.S_ISREG(facts.st_mode) or (facts.st_size > most if size is None else facts.st_size != size):
                raise StoreError(f"{path.name} in {self.path} has {facts.st_size:,} bytes, not {most:,}")
            with path.open("rb") as file:
                return file.read(most + 1)  # it may grow while it is read
        except FileNotFoundError:
            raise StoreError(f"{path.name} is not in {self.path}: ask its owner to publish it") from None
        except OSError as error:
            raise StoreError(f"{path.name} in {self.path} cannot be read: {error}") from error

    def _write(self, path: Path, data: bytes) -> None:
        # An altered file is written anew: whoever has the content heals the store.
        if not path.is_file() or path.stat().st_size != len(data) or path.read_bytes() != data:
            write_durably(path, data)


def canonical(facts: dict[str, object]) -> bytes:
    """The one way to write a manifest: sorted keys, no spaces, UTF-8."""
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _parse_canonical(data: bytes) -> dict[str, object] | None:
    """The JSON object that these bytes are the one way to write; None if they are not."""
    nesting = deepest = 0
    for byte in data:  # brackets inside strings count too, which no manifest comes near
        nesting += (byte in b"[{") - (byte in b"]}")
        deepest = max(deepest, nesting)
    if deepest > MAX_MANIFEST_NESTING:
        return None
    try:
        facts = json.loads(data)
        return facts if isinstance(facts, dict) and canonical(facts) == data else None
    except ValueError:
        return None


def write_durably(path: Path, data: bytes, mode: int = 0o644) -> None:
    """The whole file or nothing, on disk under its name when this returns. `mode`: less what the umask takes."""
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
