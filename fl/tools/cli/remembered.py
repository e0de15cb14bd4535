"""The federation that a folder is about, so that commands which only read need no address there."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from fl.errors import TreatyError
from fl.network.stores.files import write_durably

FILE = Path("deployments") / "current.json"
MAX_BYTES = 1 << 16


@dataclass(frozen=True)
class Remembered:
    """A federation, the network that it is on, by Ape's name or a node's address, and the stores that have its files. hints:
    addresses among these that an invitation named, which must lead to public machines."""

    federation: str
    network: str
    stores: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()

    def keep(self, folder: Path | None = None) -> None:
        """Writes it down for later commands in the present folder, or in another. Only this user can read the file, since a
        node's address may hold a key."""
        write_durably((folder or Path()) / FILE, json.dumps(asdict(self), sort_keys=True).encode(), mode=0o600)


def remembered(folder: Path | None = None) -> Remembered | None:
    """What the present folder, or another, is about; None if no command wrote that down. Raises TreatyError for a damaged
    file."""
    path = (folder or Path()) / FILE
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES:,} bytes")
        facts = json.loads(data)
        hints = facts.get("hints", [])
        found = Remembered(facts["federation"], facts["network"], tuple(facts["stores"]), tuple(hints))
        words = found.federation, found.network, *found.stores, *found.hints
        if (
            not isinstance(facts["stores"], list)
            or not isinstance(hints, list)
            or not all(isinstance(word, str) for word in words)
        ):
            raise TypeError("a field is of the wrong kind")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise TreatyError(f"{path} cannot be read ({error!s:.100}): remove it, or name --federation and --network") from error
    return found
