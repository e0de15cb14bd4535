"""The content store: files named by their content. Every read is bounded in size and hashed before use.

A name is the kind and the root of the leaf tree (for a JSON document such as the manifest, the SHA-256), so that no name can
point outside and no content can pass for another. This module has the interface; local.py has the directory, remote.py the
other kinds, and several.py combines several stores into one.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from fl.errors import AlteredError, StoreError
from fl.network.nesting import nests_too_deep
from fl.protocol.artifact import Data, Kind, size_of
from fl.protocol.leaves import root_of
from fl.protocol.manifest import Manifest
from fl.protocol.signatures import TypedData

MAX_DOCUMENT_BYTES = 1 << 20


@dataclass(frozen=True)
class Writer:
    """For whom a store keeps files: a seat, its operator's signature, where trouble is reported, and what a host may want to
    see before it takes anything."""

    chain_id: int
    federation: str
    seat: int
    sign: Callable[[TypedData], bytes]
    warn: Callable[[str], object]
    token: str = ""


class Store(ABC):
    """Files by the root of their leaf tree, JSON documents by their SHA-256. Every read is bounded and hashed before it
    is used, whoever provided the bytes."""

    label: str  # for people
    writable = True
    afar = False  # whether a read may take seconds
    takes_signed = False  # whether it keeps what operators sign under names that say whose it is

    @abstractmethod
    def put(self, data: Data, kind: Kind) -> bytes:
        """Stores an update or a model; returns its root."""

    @abstractmethod
    def get(self, root: bytes, kind: Kind, depth: int) -> Data:
        """The file whose tree has this root, a large one as a map of a private copy: nobody can alter it any more, and it needs
        no memory. Raises StoreError if missing, of a wrong size, or altered."""

    @abstractmethod
    def has(self, root: bytes, kind: Kind) -> bool:
        """Whether a file of that name seems to be there (its content is checked when read)."""

    @abstractmethod
    def put_document(self, facts: dict[str, Any]) -> bytes:
        """Stores a JSON object in canonical form; returns its SHA-256."""

    @abstractmethod
    def get_document(self, digest: bytes) -> dict[str, Any]:
        """The JSON object of this SHA-256. Raises StoreError if it is missing, altered or not canonical."""

    def put_manifest(self, manifest: Manifest) -> bytes:
        """Stores a manifest; returns its SHA-256, which the contract holds."""
        return self.put_document(manifest.to_json())

    def get_manifest(self, digest: bytes) -> Manifest:
        """The manifest of this SHA-256. Raises StoreError if it is not available, ManifestError if it is invalid."""
        return Manifest.parse(self.get_document(digest))

    def put_signed(self, name: str, data: bytes) -> None:
        """Stores what an operator signed, such as a seat's metric. Nothing in the name vouches for the content."""
        raise StoreError(f"{self.label} keeps files by their hash alone: {name} needs a folder or a host")

    def get_signed(self, name: str) -> bytes:
        """What is kept under that name, of a bounded size; the reader verifies it. Raises StoreError if there is nothing."""
        raise StoreError(f"{name} is not in {self.label}")

    def has_signed(self, name: str) -> bool:
        """Whether it need not be given again."""
        return False

    def locator(self, data: Data) -> bytes:
        """The locator of a file for `reveal` and `propose`: empty if the store is keyed by root."""
        return b""

    def hint(self, root: bytes, locator: bytes) -> None:  # noqa: B027  most kinds need none
        """Takes an event's locator of a file as a hint; anybody may have written it."""

    def write_as(self, writer: Writer) -> None:  # noqa: B027  most kinds need none
        """Names the seat for which later files are put; a host takes nothing from anybody else."""

    def owes(self, root: bytes, kind: Kind) -> bool:
        """Whether a part of this store that others read should still be given a file of this seat's."""
        return False


class FileStore(Store):
    """A store that keeps bytes under names; its subclasses define how."""

    def put(self, data: Data, kind: Kind) -> bytes:
        root = root_of(data, kind)
        self._write(_name(root, kind), data)
        return root

    def get(self, root: bytes, kind: Kind, depth: int) -> Data:
        name = _name(root, kind)
        data = self._read(name, size_of(kind, depth), exact=True)
        if len(data) != size_of(kind, depth) or root_of(data, kind) != root:
            raise AlteredError(self._altered(name))
        return data

    def has(self, root: bytes, kind: Kind) -> bool:
        return self._has(_name(root, kind))

    def put_document(self, facts: dict[str, Any]) -> bytes:
        data = canonical(facts)
        digest = sha256(data).digest()
        self._write(f"{digest.hex()}.json", data)
        return digest

    def get_document(self, digest: bytes) -> dict[str, Any]:
        name = f"{digest.hex()}.json"
        data = bytes(self._read(name, MAX_DOCUMENT_BYTES, exact=False))
        if sha256(data).digest() != digest:
            raise AlteredError(self._altered(name))
        facts = _parse_canonical(data)
        if facts is None:
            raise StoreError(f"{name} in {self.label} is not a canonical JSON object")
        return facts

    def _altered(self, name: str) -> str:
        return f"{name} in {self.label} does not hash to its name: it was altered; fetch it again"

    @abstractmethod
    def _read(self, name: str, most: int, exact: bool) -> Data:
        """At most a byte more than `most`. `exact`: any other size is wrong. Raises StoreError."""

    @abstractmethod
    def _write(self, name: str, data: Data) -> None:
        """All of it or nothing. Raises StoreError."""

    @abstractmethod
    def _has(self, name: str) -> bool: ...


def _name(root: bytes, kind: Kind) -> str:
    return f"{root.hex()}.{kind.name.lower()}"


def canonical(facts: dict[str, Any]) -> bytes:
    """A document in canonical form: sorted keys, no spaces, UTF-8."""
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _parse_canonical(data: bytes) -> dict[str, Any] | None:
    """The JSON object of which these bytes are the canonical form; None if they are not."""
    if nests_too_deep(data):
        return None
    try:
        facts = json.loads(data)
        return facts if isinstance(facts, dict) and canonical(facts) == data else None
    except ValueError:
        return None
