"""A seat's acts through a relay, which pays for their gas: signed once, handed over, and sent directly at half of each window
(a report of missing updates, which begins at half, at three quarters).

A relay that sleeps, refuses or lies costs the seat nothing but the gas of its own transaction, if it can pay that; if it
cannot, the act is offered until its window ends. The relay cannot choose between two commitments, because the seat never signs
a second one for the same round and kind: what was signed is on disk before anybody sees it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

from fl.agents.record.view import View
from fl.agents.runtime.actions import Call
from fl.errors import StoreError
from fl.network.sender import Signer
from fl.network.stores.files import write_durably
from fl.protocol.relayed import FORMS, Act, in_bytes
from fl.protocol.signatures import Signature

SUFFIX = "signature"  # of the files that hold what was signed, in the seat's journal


class Relay(Protocol):
    """Whoever collects acts and sends them in batches."""

    def give(self, act: Act, late: bool) -> None:
        """Hands an act over, which it may have had before. late: the chain should have it by now, so that more than one is to
        try. Raises ChainError if the relay does not take it."""
        ...


class SignedOnce:
    """What one seat signed for others to send, in its journal: at most one value for each round and kind."""

    def __init__(self, folder: Path, signer: Signer, chain_id: int, federation: str):
        self.folder, self.signer, self.chain_id, self.federation = folder, signer, chain_id, federation

    def act(self, function: str, args: tuple[Any, ...], number: int) -> Act | None:
        """A direct call of this round as an act that others may send, with the same signature after a restart; None if another
        value was signed, which now only the seat's own call can replace. Raises StoreError if the journal is damaged, OSError
        if it cannot be written."""
        sign = self.signer.sign_typed
        if (kind := FORMS[function].signs) is None:
            return Act.of_call(function, args, number, sign, self.chain_id, self.federation)
        path = self.folder / f"{number}.{kind.value}.{SUFFIX}"
        if path.is_file():
            kept = _parse(path, function, number)
            wanted = (*args[:-1], in_bytes(args[-1]))
            return kept if (kept.round, kept.seat, kept.parts[0]) == wanted else None
        act = Act.of_call(function, args, number, sign, self.chain_id, self.federation)
        write_durably(path, json.dumps(act.to_json(), sort_keys=True).encode(), mode=0o600)
        return act


class Relaying:
    """One seat's way to its relay."""

    def __init__(self, relay: Relay, signed: SignedOnce):
        self.relay, self.signed = relay, signed
        self._first: dict[Act, int] = {}  # when this round's acts were first offered

    def offers(self, call: Call, view: View) -> bool:
        """Whether the relay may send the call, so that it need not be sent now. It is offered again at each new block, until
        the chain has it: a relay may be behind this seat's node, or have started anew. Raises ChainError if the relay does not
        take it."""
        act = self.signed.act(call.function, call.args, view.facts.number)
        if act is None:
            return False
        if act not in self._first:
            self._first = {known: time for known, time in self._first.items() if known.round == act.round} | {act: view.time}
        first = self._first[act]
        self.relay.give(act, late=2 * (view.time - first) >= call.relay_until - first)
        return True


def _parse(path: Path, function: str, number: int) -> Act:
    try:
        kept = Act.parse(json.loads(path.read_bytes()))
        Signature.of(kept.parts[1])
        if (kept.kind, kept.round) != (function, number):
            raise ValueError(f"it has {kept.kind} of round {kept.round}")
        return kept
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise StoreError(
            f"the journal's {path} is damaged ({error}): nothing is signed on a guess, the seat sends its own transaction at "
            "half of the window; restore it, or remove it once its round is over"
        ) from error
