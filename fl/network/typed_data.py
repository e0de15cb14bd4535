"""Typed data for wallets: what a key's library signs, and whose key signed."""

from __future__ import annotations

from typing import Any

from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data

from fl.protocol.signatures import DOMAIN, TypedData


def signable(data: TypedData) -> SignableMessage:
    """The message for a key of eth_account or Ape."""
    return encode_typed_data(data.domain, data.types, data.message)


def for_wallets(data: TypedData) -> dict[str, Any]:
    """The message as JSON (eth_signTypedData_v4), for wallets and Safes; large numbers as text."""
    types = {"EIP712Domain": [{"name": name, "type": kind} for name, kind in DOMAIN], **data.types}
    message = {name: _plain(value) for name, value in data.message.items()}
    return {"types": types, "primaryType": data.kind, "domain": data.domain, "message": message}


def signer_of(data: TypedData, signature: bytes) -> str | None:
    """The account whose key made the signature; None if no key did."""
    try:
        return str(Account.recover_message(signable(data), signature=signature))
    except Exception:  # whatever the library says of garbage
        return None


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return str(value) if isinstance(value, int) else value
