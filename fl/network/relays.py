"""Acts of others in batches: built from what was collected, tried by a call, then sent with what would be done.

Whoever sends is trusted with nothing: a signed commitment cannot be altered, and fills only an empty record.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from fl.network.calls import bytes_of, number_of
from fl.network.federation import FederationReader, Head
from fl.network.rpc import NodeRefused
from fl.network.sender import Sender
from fl.network.transactions import SignedTransaction, name_of
from fl.protocol.signatures import ActKind, Signature, TypedData, act

MAX_CALLS = 256  # of one `attempt`
MARGIN = 1.25  # on the gas of a call that is attempted


@dataclass(frozen=True)
class Commitment:
    """A commitment of a seat, before anybody signed it."""

    kind: ActKind
    round: int
    seat: int
    value: bytes

    def typed(self, chain_id: int, federation: str) -> TypedData:
        """What the seat's operator signs."""
        return act(self.kind, chain_id, federation, self.round, self.seat, self.value)


@dataclass(frozen=True)
class SignedCommitment:
    """A commitment that anybody may send."""

    commitment: Commitment
    signature: Signature


@dataclass(frozen=True)
class Opening:
    """What opens a commitment to an update."""

    round: int
    seat: int
    root: bytes
    salt: bytes
    locator: bytes


@dataclass(frozen=True)
class ScoreOpening:
    """What opens a commitment to scores."""

    round: int
    seat: int
    scores: bytes
    salt: bytes


Relayed = SignedCommitment | Opening | ScoreOpening


@dataclass(frozen=True)
class Batch:
    """One call of many entries. head: the arguments before the list."""

    function: str
    round: int
    head: tuple[Any, ...]
    entries: tuple[Any, ...]

    def data(self, reader: FederationReader) -> bytes:
        """The calldata."""
        return reader.interface.call(self.function, *self.head, self.entries)


def batches(acts: Iterable[Relayed], room: int) -> list[Batch]:
    """The acts by kind and round, in lists of at most `room`; of several for one seat the first. room: the terms' max_seats."""
    found: dict[tuple[str, int, tuple[Any, ...]], dict[int, tuple[Any, ...]]] = {}
    for one in acts:
        function, number, head, entry = _entry(one)
        found.setdefault((function, number, head), {}).setdefault(entry[0], entry)
    return [
        Batch(function, number, head, entries[start : start + room])
        for (function, number, head), by_seat in found.items()
        for entries in [tuple(by_seat.values())]
        for start in range(0, len(entries), room)
    ]


def _entry(one: Relayed) -> tuple[str, int, tuple[Any, ...], tuple[Any, ...]]:
    """(the function, the round, the arguments before the entries, the entry with its seat first)."""
    match one:
        case SignedCommitment(commitment, signature):
            function = "commitMany" if commitment.kind is ActKind.COMMIT else "commitScoresMany"
            entry = (commitment.seat, commitment.value, signature.r, signature.vs)
            return function, commitment.round, (commitment.round,), entry
        case Opening(number, seat, root, salt, locator):
            return "revealMany", number, (), (seat, root, salt, locator)
        case ScoreOpening(number, seat, scores, salt):
            return "revealScoresMany", number, (), (seat, scores, salt)


def attempts(reader: FederationReader, account: str, round_number: int, calls: Sequence[bytes]) -> Batch:
    """Calls that may fail, such as answers that somebody else may have given. Each gets as much gas as the dearest takes.

    Raises NodeError if the node estimates none of them."""
    costs = [_cost(reader, account, data) for data in calls[:MAX_CALLS]]
    possible = [(data, cost) for data, cost in zip(calls, costs, strict=False) if cost]
    each = int(max((cost for _, cost in possible), default=0) * MARGIN)
    return Batch("attempt", round_number, (each,), tuple(data for data, _ in possible))


def _cost(reader: FederationReader, account: str, data: bytes) -> int:
    """The gas of a call; 0 if the contract rejects it."""
    try:
        answer = reader.rpc("eth_estimateGas", {"from": account, "to": reader.address, "data": "0x" + data.hex()}, "latest")
    except NodeRefused:
        return 0
    return number_of("eth_estimateGas", answer)


def worthwhile(reader: FederationReader, batch: Batch, account: str) -> Batch:
    """The batch with the entries that the contract would do now, as its bitmap says. Raises NodeRefused if it rejects the whole
    batch: its phase or its round is over."""
    call = {"from": account, "to": reader.address, "data": "0x" + batch.data(reader).hex()}
    done = int(reader.interface.result(batch.function, bytes_of(batch.function, reader.rpc("eth_call", call, "latest"))))
    return replace(batch, entries=tuple(entry for i, entry in enumerate(batch.entries) if done >> i & 1))


def send(reader: FederationReader, sender: Sender, batch: Batch, head: Head) -> SignedTransaction | None:
    """Sends what is worthwhile of a batch; None if nothing is. Raises Refused, NodeRefused or NodeError."""
    worth = worthwhile(reader, batch, sender.signer.address)
    if not worth.entries:
        return None
    data = worth.data(reader)
    name = name_of(batch.round, 0, batch.function, None, sha256(data).hexdigest()[:12])
    return sender.send(name, batch.round, batch.function, reader.address, data, head, shared=True)
