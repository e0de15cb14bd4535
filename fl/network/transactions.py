"""The journal of signed transactions: every one that was signed for a seat, on disk before it is sent.

There is one file per transaction, which is replaced as a whole. A transaction has one permanent name (round, attempt, function,
seat), one nonce, and the signed forms that were sent for it, which differ only in the fee. A restart sends the same bytes
again.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path

from fl.errors import StoreError
from fl.network.stores.files import write_durably


class State(Enum):
    """The state of a transaction."""

    OPEN = "open"  # signed, perhaps sent, not yet deep in the chain
    DONE = "done"  # deep in the chain, and successful
    FAILED = "failed"  # deep in the chain, and reverted
    LOST = "lost"  # its nonce was used by another transaction: it can never be mined
    CANCELLED = "cancelled"  # cancelled by an empty transaction with the same nonce


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
class SignedTransaction:
    """One transaction for the seat, in all its signed forms.

    attempt: the proposal attempt of its round outside of which it must not happen; None if any will do.
    lasting: it is correct in any round. revocable: it is cancelled once no role wants it any more.
    """

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
    mined_at: int | None = None  # the block that holds it, if known
    attempt: int | None = None
    lasting: bool = False
    revocable: bool = False

    def is_past(self, round_: int, attempts: int) -> bool:
        """Whether the round or the attempt that it was signed for is over."""
        if self.lasting:
            return False
        return self.round < round_ or (self.attempt is not None and self.attempt != attempts)

    @property
    def last(self) -> Signed:
        return self.sent[-1]


def name_of(round_: int, attempt: int, function: str, seat: int | None, digest: str = "") -> str:
    """A transaction's name. digest: of the calldata, if one attempt may have several of them."""
    who = "any" if seat is None else str(seat)
    return "-".join([f"{round_:06d}", str(attempt), function, who, *([digest] if digest else [])])


class TransactionJournal:
    """The transactions of one seat, in their own folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._transactions: dict[str, SignedTransaction] = {}
        for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
            transaction = _parse(path)
            self._transactions[transaction.name] = transaction

    def get(self, name: str) -> SignedTransaction | None:
        return self._transactions.get(name)

    def keep(self, transaction: SignedTransaction) -> None:
        """Writes it to disk before this returns. Raises OSError."""
        data = json.dumps(asdict(transaction) | {"state": transaction.state.value}, sort_keys=True).encode()
        write_durably(self.folder / f"{transaction.name}.json", data, mode=0o600)
        self._transactions[transaction.name] = transaction

    def open(self, sender: str) -> list[SignedTransaction]:
        """Transactions of this sender that are not yet final, by nonce."""
        transactions = [d for d in self._transactions.values() if d.state is State.OPEN and d.sender == sender]
        return sorted(transactions, key=lambda d: d.nonce)

    def all(self) -> list[SignedTransaction]:
        return list(self._transactions.values())

    def forget(self, before: int) -> None:
        """Deletes final transactions of rounds before `before`."""
        for transaction in [d for d in self._transactions.values() if d.round < before and d.state is not State.OPEN]:
            (self.folder / f"{transaction.name}.json").unlink(missing_ok=True)
            del self._transactions[transaction.name]


def _parse(path: Path) -> SignedTransaction:
    try:
        facts = json.loads(path.read_bytes())
        facts["sent"] = [Signed(**s) for s in facts["sent"]]
        facts["state"] = State(facts["state"])
        transaction = SignedTransaction(**facts)
        if path.stem != transaction.name or not transaction.sent or not re.fullmatch("[0-9a-f]+", transaction.last.raw):
            raise ValueError("its parts do not belong together")
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise StoreError(
            f"the journal's {path} is damaged ({error}): nothing is sent on a guess; restore it, or if the round "
            f"in its name is over, remove it"
        ) from error
    return transaction
