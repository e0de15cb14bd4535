"""A seat's acts through a relay, which pays for their gas: signed once, handed over, and sent directly at half of each window.

A relay that sleeps, refuses or lies costs the seat nothing but the gas of its own transaction. It cannot choose between two
commitments, because the seat never signs a second one for the same round and kind: what was signed is on disk before anybody
sees it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from fl.agents.record.view import View
from fl.agents.runtime.actions import Call
from fl.errors import StoreError
from fl.network.relays import Commitment, Relayed, SignedCommitment
from fl.network.sender import Signer
from fl.network.stores.files import write_durably
from fl.protocol.signatures import Signature

SUFFIX = "signature"  # of the files that hold what was signed, in the seat's journal


class Relay(Protocol):
    """Whoever collects acts and sends them in batches."""

    def give(self, act: Relayed) -> None:
        """Hands an act over. Raises ChainError if the relay does not take it."""
        ...


class SignedOnce:
    """What one seat signed for others to send, in its journal: at most one value for each round and kind."""

    def __init__(self, folder: Path, signer: Signer, chain_id: int, federation: str):
        self.folder, self.signer, self.chain_id, self.federation = folder, signer, chain_id, federation

    def sign(self, commitment: Commitment) -> SignedCommitment | None:
        """The signature, the same one after a restart; None if another value was signed, which now only the seat's own call can
        replace. Raises StoreError if the journal is damaged, OSError if it cannot be written."""
        path = self.folder / f"{commitment.round}.{commitment.kind.value}.{SUFFIX}"
        if path.is_file():
            kept = _parse(path, commitment)
            return kept if kept.commitment == commitment else None
        signature = Signature.of(self.signer.sign_typed(commitment.typed(self.chain_id, self.federation)))
        facts = {"seat": commitment.seat, "value": commitment.value.hex(), "signature": signature.whole.hex()}
        write_durably(path, json.dumps(facts, sort_keys=True).encode(), mode=0o600)
        return SignedCommitment(commitment, signature)


class Relaying:
    """One seat's way to its relay."""

    def __init__(self, relay: Relay, signed: SignedOnce):
        self.relay, self.signed = relay, signed
        self._given: set[Relayed] = set()

    def takes(self, call: Call, view: View) -> bool:
        """Whether the relay has the call, so that it need not be sent now. Raises ChainError if the relay does not take it."""
        if call.relay is None or view.time >= call.relay_until:
            return False
        act = self.signed.sign(call.relay) if isinstance(call.relay, Commitment) else call.relay
        if act is None:
            return False
        if act not in self._given:
            self.relay.give(act)
            self._given = {one for one in self._given if _round(one) == _round(act)} | {act}
        return True


def _round(act: Relayed) -> int:
    return act.commitment.round if isinstance(act, SignedCommitment) else act.round


def _parse(path: Path, asked: Commitment) -> SignedCommitment:
    try:
        facts = json.loads(path.read_bytes())
        kept = replace(asked, seat=int(facts["seat"]), value=bytes.fromhex(facts["value"]))
        return SignedCommitment(kept, Signature.of(bytes.fromhex(facts["signature"])))
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise StoreError(
            f"the journal's {path} is damaged ({error}): nothing is signed on a guess, the seat sends its own transaction at "
            "half of the window; restore it, or remove it once its round is over"
        ) from error
