"""What a relay does, in tests: seats whose operators are keys, their signed commitments, and batches with their bitmap."""

from __future__ import annotations

from support.evm import Contract
from support.keys import Key, key_of
from support.system import STRANGER, System, owner, salt

from fl.protocol.commitment import score_commitment
from fl.protocol.fraud import Opened
from fl.protocol.signatures import ActKind, Signature, act

Entry = tuple[int, bytes, bytes, bytes]


def with_keys(system: System, seats: int) -> System:
    """Makes keys the operators of the first seats."""
    for seat in range(seats):
        system.do("setOperator", seat, key_of(seat).address, by=owner(seat))
    return system


def signed(
    system: System,
    seat: int,
    value: bytes,
    kind: ActKind = ActKind.COMMIT,
    /,
    *,
    key: Key | None = None,
    **other: int | str,
) -> Entry:
    """A batch's entry with the operator's signature. other: what the signature says instead, of chain_id, federation,
    round_number and seat."""
    facts = {"chain_id": system.evm.chain_id, "federation": system.federation.address}
    facts |= {"round_number": system.round.number, "seat": seat} | other
    signature = Signature.of((key or key_of(seat)).sign_typed(act(kind, value=value, **facts)))
    return seat, value, signature.r, signature.vs


def batch(system: System, function: str, *args: object, by: str = STRANGER) -> tuple[int, list[tuple[str, dict]]]:
    """(the bitmap that the call returns, its events)."""
    contract: Contract = system.federation
    return int(contract.call(function, *args)), contract.send(function, *args, by=by)


def commitments(system: System, updates: dict[int, bytes], locator: bytes = b"") -> list[Entry]:
    """Signed commitments to these updates, which the system then holds."""
    entries = []
    for seat, data in updates.items():
        system.updates[seat] = data
        entries.append(signed(system, seat, system.commitment(seat, Opened.of(data, system.mode.kind).tree.root, locator)))
    return entries


def openings(system: System, locator: bytes = b"") -> list[tuple[int, bytes, bytes, bytes]]:
    """What opens the commitments to the updates that the system holds."""
    return [(seat, Opened.of(data, system.mode.kind).tree.root, salt(seat), locator) for seat, data in system.updates.items()]


def score_commitments(system: System, vectors: dict[int, bytes]) -> list[Entry]:
    """Signed commitments to these scores, which the system then holds."""
    entries = []
    for seat, vector in vectors.items():
        system.scores[seat] = vector
        facts = system.evm.chain_id, system.federation.address, system.round.number, seat, vector, salt(seat, "scores")
        entries.append(signed(system, seat, score_commitment(*facts), ActKind.COMMIT_SCORES))
    return entries


def score_openings(system: System) -> list[tuple[int, bytes, bytes]]:
    """What opens the commitments to the scores that the system holds."""
    return [(seat, vector, salt(seat, "scores")) for seat, vector in system.scores.items()]
