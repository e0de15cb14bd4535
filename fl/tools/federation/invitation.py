"""An invitation to a federation: where it is, who hosts it, and its manifest, signed by the sponsor and valid until a date.

Nobody has to believe it: whoever takes part compares it with the chain, and four words, which two people compare by telephone,
stand for chain, federation, sponsor and manifest. Nothing in it is ever executed.
"""

from __future__ import annotations

import base64
import json
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from eth_utils.address import is_hex_address, to_checksum_address

from fl.errors import TreatyError
from fl.network.nesting import nests_too_deep
from fl.network.stores.base import canonical
from fl.network.stores.files import write_durably
from fl.network.typed_data import signer_of
from fl.protocol.manifest import Manifest
from fl.protocol.signatures import TypedData
from fl.tools.federation.spoken import spoken

SCHEME = "treaty://"
VERSION = 1
MAX_BYTES = 1 << 20  # of the JSON; a manifest has at most as many
MAX_PLACES = 16
MAX_ADDRESS = 1000
CONTENT = (("content", "bytes32"), ("expires", "uint256"))


@dataclass(frozen=True)
class Place:
    """A host: its address, and who runs it, in words, so that people can see whether two hosts have different owners."""

    url: str
    owner: str

    @classmethod
    def read(cls, word: str, option: str) -> Place:
        """From URL=OWNER as somebody wrote it. Raises TreatyError."""
        url, separator, owner = word.partition("=")
        if not separator or not url.startswith(("http://", "https://")) or not owner:
            raise TreatyError(f"{option} {word}: give URL=OWNER, such as https://host.example=the_university; nothing was sent")
        return cls(url.rstrip("/"), owner)


@dataclass(frozen=True)
class Invitation:
    """An invitation. rpc: hints only; expires: seconds since 1970; token: what the hosts want to see; signature: 65 bytes."""

    chain_id: int
    federation: str
    sponsor: str
    manifest: dict[str, Any]
    hosts: tuple[Place, ...]
    rpc: tuple[str, ...] = ()
    expires: int = 0
    token: str = ""
    signature: bytes = field(default=b"", repr=False)

    @property
    def body(self) -> dict[str, Any]:
        """Everything but the signature."""
        return {
            "treaty": VERSION,
            "chain_id": self.chain_id,
            "federation": self.federation,
            "sponsor": self.sponsor,
            "manifest": self.manifest,
            "hosts": [{"url": place.url, "owner": place.owner} for place in self.hosts],
            "rpc": list(self.rpc),
            "expires": self.expires,
            "token": self.token,
        }

    @property
    def statement(self) -> TypedData:
        """What the sponsor signs."""
        content = sha256(canonical(self.body)).digest()
        return TypedData("Invitation", CONTENT, (content, self.expires), self.chain_id, self.federation)

    def signed(self, sign: Callable[[TypedData], bytes]) -> Invitation:
        return replace(self, signature=sign(self.statement))

    @property
    def manifest_hash(self) -> bytes:
        return sha256(canonical(self.manifest)).digest()

    @cached_property
    def words(self) -> str:
        """Four words of the BIP-39 list, to compare by telephone."""
        facts = f"{self.chain_id} {self.federation} {self.sponsor} {self.manifest_hash.hex()}"
        return spoken(facts, "Treaty invitation")

    def check(self) -> None:
        """Raises TreatyError if its sponsor did not sign it; whether that is the federation's, only the chain can say."""
        if signer_of(self.statement, self.signature) != self.sponsor:
            raise TreatyError(
                "the invitation is not signed by the sponsor that it names: somebody altered it; ask the sponsor for the "
                "original; nothing was signed"
            )
        Manifest.parse(self.manifest)

    def check_date(self, now: Callable[[], float] = time.time) -> None:
        """Raises TreatyError if it has expired."""
        if self.expires <= now():
            when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(min(self.expires, 1 << 40)))
            raise TreatyError(f"the invitation expired on {when}: ask the sponsor for a new one; nothing was signed")

    # ---- as text

    def to_json(self) -> bytes:
        return canonical({**self.body, "signature": self.signature.hex()})

    def link(self) -> str:
        """The same as one line."""
        return SCHEME + base64.urlsafe_b64encode(zlib.compress(self.to_json(), 9)).decode().rstrip("=")

    @classmethod
    def parse(cls, data: bytes) -> Invitation:
        """From JSON that a stranger wrote. Raises TreatyError."""
        try:
            if len(data) > MAX_BYTES or nests_too_deep(data):
                raise ValueError("too large or too deep")
            facts = json.loads(data)
            if facts["treaty"] != VERSION:
                raise ValueError(f"version {facts['treaty']!r:.20}, not {VERSION}")
            hosts = tuple(Place(_address(host["url"]), _text(host["owner"])) for host in _few(facts["hosts"]))
            found = cls(
                chain_id=_whole(facts["chain_id"]),
                federation=_account(facts["federation"]),
                sponsor=_account(facts["sponsor"]),
                manifest=dict(facts["manifest"]),
                hosts=hosts,
                rpc=tuple(map(_address, _few(facts["rpc"]))),
                expires=_whole(facts["expires"]),
                token=_text(facts["token"], 0),
                signature=bytes.fromhex(facts["signature"]),
            )
            found.to_json()  # raises ValueError where the manifest holds what no canonical document can
            return found
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            why = f"{type(error).__name__}: {' '.join(str(error).split())[:100]}"
            raise TreatyError(f"this is not a valid invitation ({why}): ask for it again; nothing was signed") from error

    @classmethod
    def read(cls, word: str) -> Invitation:
        """From a `treaty://` line or a file. Raises TreatyError."""
        if word.startswith(SCHEME):
            return cls.parse(_inflated(word.removeprefix(SCHEME)))
        path = Path(word)
        try:
            if not path.is_file():
                raise TreatyError(f"{word:.80} is not an invitation: give a treaty:// line or the file invite.json")
            with path.open("rb") as file:
                return cls.parse(file.read(MAX_BYTES + 1))
        except OSError as error:
            raise TreatyError(f"{word:.80} cannot be read: {error.strerror or error}") from error

    def write(self, path: Path) -> None:
        write_durably(path, self.to_json(), mode=0o600 if self.token else 0o644)


def _inflated(text: str) -> bytes:
    """The JSON of a link, which may be small and inflate to much."""
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        unpacking = zlib.decompressobj()
        data = unpacking.decompress(packed, MAX_BYTES)
    except (ValueError, zlib.error) as error:
        raise TreatyError("this treaty:// line is damaged: copy the whole of it; nothing was signed") from error
    if not unpacking.eof:
        raise TreatyError("this treaty:// line is damaged or too long: copy the whole of it; nothing was signed")
    return data


def _few(value: Any) -> list[Any]:
    if not isinstance(value, list) or len(value) > MAX_PLACES:
        raise ValueError("a list is missing or too long")
    return value


def _text(value: Any, least: int = 1) -> str:
    if not isinstance(value, str) or not least <= len(value) <= 200 or not value.isprintable():
        raise ValueError("a text is missing or odd")
    return value


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise ValueError("a number is missing or odd")
    return value


def _account(value: Any) -> str:
    if not isinstance(value, str) or not is_hex_address(value):
        raise ValueError("an address is missing or odd")
    return to_checksum_address(value)


def _address(value: Any) -> str:
    """A web address: a stranger's word must not name a file, nor hold a password, nor letters that look like others."""
    if not isinstance(value, str) or len(value) > MAX_ADDRESS or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("a web address is missing or odd")
    parts = urlsplit(value)
    _ = parts.port  # raises ValueError for one that is none
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError(f"{value[:60]!r} is no web address that an invitation may name")
    return value.rstrip("/")
