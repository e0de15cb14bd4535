"""A host's purse: what it paid for gas, transaction by transaction, on disk; and what is left of its budget."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fl.errors import StoreError
from fl.network.abi import Interface
from fl.network.transactions import SignedTransaction
from fl.protocol.relayed import BATCHES

KEEPING = "rounds"  # the kind of a call that moves a round on


@dataclass(frozen=True)
class Payment:
    """One transaction in a block. seats: whose acts it did, empty for a call that moves a round on. wei: all that it cost."""

    hash: str
    round: int
    kind: str
    seats: tuple[int, ...]
    gas: int
    wei: int

    @classmethod
    def of(cls, transaction: SignedTransaction, receipt: dict[str, Any], interface: Interface) -> Payment:
        kind = BATCHES.get(transaction.function, KEEPING)
        events = [interface.event(log) for log in receipt["logs"] if kind != KEEPING]  # each act that is done is one event
        seats = tuple(event.fields["seat"] for event in events if event is not None and "seat" in event.fields)
        gas, price = int(receipt["gasUsed"], 16), int(receipt.get("effectiveGasPrice") or "0x0", 16)
        data = int(receipt.get("l1Fee") or "0x0", 16)  # rollups charge for the bytes beside the gas
        return cls(receipt["transactionHash"], transaction.round, kind, seats, gas, gas * price + data)


class Purse:
    """All payments of one key for one federation, in a file that survives restarts. budget: wei, over all of them."""

    def __init__(self, path: Path, budget: int):
        self.path, self.budget = path, budget
        self._lock = threading.Lock()
        self._payments: dict[str, Payment] = {}
        whole, _, half = path.read_bytes().rpartition(b"\n") if path.is_file() else (b"", b"", b"")
        if half:  # the process ended while it wrote this line
            os.truncate(path, len(whole) + 1 if whole else 0)
        for line in whole.splitlines():
            try:
                facts = json.loads(line)
                payment = Payment(**facts | {"seats": tuple(facts["seats"])})
            except (ValueError, KeyError, TypeError) as error:
                raise StoreError(
                    f"{path} is damaged ({error}): what was paid is not known, so nothing is relayed; restore it, or move it "
                    "away to begin a new budget"
                ) from error
            self._payments[payment.hash] = payment

    def pay(self, payment: Payment) -> bool:
        """Notes a payment; returns whether it is new. Raises OSError if it cannot be written."""
        with self._lock:
            if self._payments.get(payment.hash) == payment:
                return False
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a") as out:  # one that a reorganisation put elsewhere is written again: the last line holds
                out.write(json.dumps(asdict(payment), sort_keys=True) + "\n")
                out.flush()
                os.fsync(out.fileno())
            new = payment.hash not in self._payments
            self._payments[payment.hash] = payment
            return new

    def knows(self, hash_: str) -> bool:
        return hash_ in self._payments

    @property
    def spent(self) -> int:
        """Wei."""
        with self._lock:
            return sum(payment.wei for payment in self._payments.values())

    @property
    def left(self) -> int:
        """Wei."""
        return max(0, self.budget - self.spent)

    def of_participants(self) -> tuple[int, int]:
        """(gas that relayed acts took, in how many rounds of participants)."""
        with self._lock:
            relayed = [payment for payment in self._payments.values() if payment.kind != KEEPING]
        return sum(p.gas for p in relayed), len({(p.round, seat) for p in relayed for seat in p.seats})

    def facts(self) -> dict[str, Any]:
        """The figures that the host publishes; amounts in wei, as text."""
        gas, rounds = self.of_participants()
        mean = round(gas / rounds) if rounds else None
        return {
            "budget_left": str(self.left),
            "spent": str(self.spent),
            "relayed_gas": gas,
            "participant_rounds": rounds,
            "gas_of_participant_round": mean,
        }
