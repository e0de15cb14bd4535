"""Private keys that sign; what Ape's accounts are to the real daemon."""

from __future__ import annotations

from typing import Any

from eth_account import Account

from fl.network.typed_data import signable
from fl.protocol.signatures import Signature, TypedData


class Key:
    """A key of a number."""

    def __init__(self, number: int):
        self.secret = number.to_bytes(32, "big")
        self._account = Account.from_key(self.secret)
        self.address = self._account.address

    def sign(self, fields: dict[str, Any]) -> bytes:
        return bytes(self._account.sign_transaction(fields).raw_transaction)

    def sign_typed(self, data: TypedData) -> bytes:
        return bytes(self._account.sign_message(signable(data)).signature)

    def sign_digest(self, digest: bytes) -> Signature:
        return Signature.of(bytes(self._account.unsafe_sign_hash(digest).signature))


def key_of(seat: int) -> Key:
    return Key(0xA11CE000 + seat)
