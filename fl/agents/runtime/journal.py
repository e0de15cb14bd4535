"""A seat's folder on disk: one daemon at a time, and only for the seat that it belongs to."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import tempfile
from collections.abc import Collection
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from fl.agents.runtime.relaying import SUFFIX
from fl.errors import TreatyError
from fl.network.stores.files import write_durably
from fl.network.transactions import TransactionJournal
from fl.protocol.signatures import ActKind

SIGNED = tuple(f"{kind.value}.{SUFFIX}" for kind in ActKind)
LOCAL = "local"  # the seat's own layers after a round's training
FETCHED_ROUNDS = 24  # rounds whose fetched files are kept: the score looks back 20
# Kinds of files that a round leaves.
KEPT = ("update", "salt", "locator", "scores", "missing", "residual", "ahead", "steps", "key", "metric", LOCAL, *SIGNED)
KEEP_ROUNDS = 16  # rounds whose files are kept; older ones cannot matter any more


class JournalError(TreatyError):
    """The seat's folder cannot be used: another daemon has it, or it belongs to another seat."""


@dataclass(frozen=True)
class Identity:
    """Which seat of which federation on which chain. genesis: the hash of the chain's first block."""

    chain_id: int
    genesis: str
    federation: str
    seat: int


class Journal:
    """Opened by one daemon; no other can open it until that process ends, however it ends."""

    def __init__(self, folder: Path, identity: Identity):
        self.folder, self.identity = folder, identity
        try:
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
        except OSError as error:
            message = f"{folder} cannot be a journal: {error.strerror or error}"
            raise JournalError(f"{message}; give --journal a folder that you may write; nothing was sent") from error
        name = sha256(json.dumps(asdict(identity), sort_keys=True).encode()).hexdigest()[:24]
        # The second lock catches a second daemon with another folder. The kernel releases both when a process dies.
        user = Path(tempfile.gettempdir()) / f"treaty-{os.getuid()}"
        _check_own(user)
        self._locks: list[int] = []
        try:
            for path in (folder / "lock", user / f"{name}.lock"):
                self._locks.append(_lock(path, identity.seat))
            self._identify()
            self.transactions = TransactionJournal(folder / "transactions")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        for handle in self._locks:
            os.close(handle)
        self._locks = []

    @property
    def fetched(self) -> Path:
        """The folder for copies of files that were fetched from stores."""
        return self.folder / "fetched"

    def prune(self, round_: int, recent: Collection[str] = ()) -> None:
        """Removes files of rounds long over, so that the disk does not fill. The last local layers stay, and so do the
        copies of fetched files that are `recent`."""
        for path in self.fetched.glob("*.*") if recent else ():
            if path.suffix in (".update", ".masked", ".model") and path.name not in recent:
                path.unlink(missing_ok=True)
        trained = [int(path.stem) for path in self.folder.glob(f"*.{LOCAL}") if path.stem.isdecimal()]
        before, last = round_ - KEEP_ROUNDS, f"{max(trained, default=0)}.{LOCAL}"
        self.transactions.forget(before)
        for path in self.folder.iterdir():
            number, _, kind = path.name.partition(".")
            if number.isdecimal() and int(number) < before and kind in KEPT and path.name != last:
                path.unlink(missing_ok=True)

    def _identify(self) -> None:
        path = self.folder / "identity.json"
        facts = json.dumps(asdict(self.identity), sort_keys=True).encode()
        if path.is_file() and path.read_bytes() != facts:
            raise JournalError(f"{self.folder} is the journal of another seat, federation or chain: give another --journal")
        if not path.is_file():
            write_durably(path, facts, mode=0o600)


def seat_of(folder: Path) -> int | None:
    """The seat whose journal a folder is; None if it is none, or a damaged one."""
    try:
        seat = json.loads((folder / "identity.json").read_bytes())["seat"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return seat if isinstance(seat, int) and not isinstance(seat, bool) and 0 <= seat < 128 else None


def _check_own(folder: Path) -> None:
    """Creates a folder in a shared place; rejects one made by another user, which could hold their locks or links."""
    folder.mkdir(mode=0o700, exist_ok=True)
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o022:
        raise JournalError(f"{folder} must be a folder of your own that nobody else may write: remove it, or set TMPDIR")


def _lock(path: Path, seat: int) -> int:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
        os.close(handle)
        raise JournalError(f"another daemon runs for seat {seat} (process {holder}, {path}): stop it first") from error
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    return handle
