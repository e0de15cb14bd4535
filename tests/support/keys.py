"""Private keys that sign; what Ape's accounts are to the real daemon."""

from __future__ import annotations

from typing import Any

from eth_account import Account


class Key:
    """A key of a number."""

    def __init__(self, number: int):
        self.secret = number.to_bytes(32, "big")
        self._account = Account.from_key(self.secret)
        self.address = self._account.address

    def sign(self, fields: dict[str, Any]) -> bytes:
        return bytes(self._account.sign_transaction(fields).raw_transaction)


def key_of(seat: int) -> Key:
    return Key(0xA11CE000 + seat)
