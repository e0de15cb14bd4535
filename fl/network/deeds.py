"""The journal of deeds: every transaction that was ever signed for a seat, on disk before it left this machine.

One file per deed, replaced whole. A deed has one name for ever (round, attempt, function, seat), one nonce, and the signed
transactions that were sent for it, each a replacement of the one before by fee alone. A restart sends the same bytes again.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path

from fl.errors import StoreError
from fl.network.store import write_durably


class State(Enum):
    """Where a deed stands."""

    OPEN = "open"  # signed, perhaps sent, not yet deep in the chain
    DONE = "done"  # deep in the chain, and it worked
    FAILED = "failed"  # deep in the chain, and the contract refused
    LOST = "lost"  # its nonce was used by something else: it can never be mined
    CANCELLED = "cancelled"  # withdrawn by an empty transaction with the same nonce


@dataclass(frozen=True)
class Signed:
    """One signed transaction. raw and hash in hexadecimal; fees in wei per gas; block: the height when it was signed."""

    raw: str
    hash: str
    fee: int
    tip: int
    block: int
    cancels: bool = False


@dataclass
class Deed:
    """One thing that was done, or is being done, for the seat."""

    name: str
    round: int
    function: str
    to: str
    data: str  # calldata in hexadecimal
    sender: str
    nonce: int
    gas: int
    sent: list[Signed] = field(default_factory=list)
    state: State = State.OPEN
    mined_at: int | None = None  # the block that holds it, as far as is known

    @property
    def last(self) -> Signed:
        return self.sent[-1]


def name_of(round_: int, attempt: int, function: str, seat: int | None, digest: str = "") -> str:
    """A deed's name. digest: of the calldata, where one attempt may hold several such deeds."""
    who = "any" if seat is None else str(seat)
    return "-".join([f"{round_:06d}", str(attempt), function, who, *([digest] if digest else [])])


class Deeds:
    """The deeds of one seat, in a folder of their own."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._deeds: dict[str, Deed] = {}
        for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
            deed = _parse(path)
            self._deeds[deed.name] = deed

    def get(self, name: str) -> Deed | None:
        return self._deeds.get(name)

    def keep(self, deed: Deed) -> None:
        """On disk when this returns, or OSError."""
        data = json.dumps(asdict(deed) | {"state": deed.state.value}, sort_keys=True).encode()
        write_durably(self.folder / f"{deed.name}.json", data, mode=0o600)
        self._deeds[deed.name] = deed

    def open(self, sender: str) -> list[Deed]:
        """What this sender signed and is not yet settled for good, by nonce."""
        deeds = [d for d in self._deeds.values() if d.state is State.OPEN and d.sender == sender]
        return sorted(deeds, key=lambda d: d.nonce)

    def all(self) -> list[Deed]:
        return list(self._deeds.values())

    def forget(self, before: int) -> None:
        """Drops what was settled in rounds before `before`."""
        for deed in [d for d in self._deeds.values() if d.round < before and d.state is not State.OPEN]:
            (self.folder / f"{deed.name}.json").unlink(missing_ok=True)
            del self._deeds[deed.name]


def _parse(path: Path) -> Deed:
    try:
        facts = json.loads(path.read_bytes())
        facts["sent"] = [Signed(**s) for s in facts["sent"]]
        facts["state"] = State(facts["state"])
        deed = Deed(**facts)
        if path.stem != deed.name or not deed.sent or not re.fullmatch("[0-9a-f]+", deed.last.raw):
            raise ValueError("its parts do not belong together")
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise StoreError(
            f"the journal's {path} is damaged ({error}): nothing is sent on a guess; restore it, or if the round "
            f"in its name is over, remove it"
        ) from error
    return deed
