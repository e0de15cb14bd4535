"""The ERC-20 of a federation, for its holders: denomination, balances, and an allowance by signature if it supports ERC-2612,
so that joining takes one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth_account.messages import SignableMessage, encode_typed_data
from eth_utils.address import is_hex_address, to_checksum_address

from fl.errors import ChainError, ContractError
from fl.network.abi import TOKEN_ABI, Interface
from fl.network.calls import chain_id, code_at, number_of, view
from fl.network.chain import Chain
from fl.network.denomination import denomination_of

PERMIT = {"owner": "address", "spender": "address", "value": "uint256", "nonce": "uint256", "deadline": "uint256"}
PERMIT_SECONDS = 3600


@dataclass(frozen=True)
class Permit:
    """The permit argument of the federation's functions."""

    amount: int
    deadline: int
    v: int
    r: bytes
    s: bytes

    def as_args(self) -> tuple[Any, ...]:
        return (self.amount, self.deadline, self.v, self.r, self.s)


class Token:
    """One ERC-20, read by JSON-RPC; transactions go through Ape's accounts.

    Raises ContractError if there is no token at the address, NodeError if no node answers."""

    def __init__(self, rpc: Chain, address: str):
        if not is_hex_address(address):
            raise ChainError(f"{address!r} is not a valid address: give 0x and 40 hexadecimal digits")
        self.rpc, self.address = rpc, to_checksum_address(address)
        self._interface = Interface(TOKEN_ABI)
        what = "ERC-20 token" if code_at(rpc, self.address) else "token"
        try:
            decimals = int(self._view("decimals"))
        except ContractError as error:
            where = f"{self.address} on chain {chain_id(rpc)}"
            raise ContractError(f"no {what} at {where}: check address and network") from error
        try:
            symbol = self._view("symbol")
        except ContractError:  # some old tokens do not answer with text
            symbol = None
        self.denomination = denomination_of(decimals, symbol)

    def held_by(self, account: str) -> int:
        """What an account holds, in token units."""
        return int(self._view("balanceOf", account))

    def allowance(self, owner: str, spender: str) -> int:
        """What `spender` may take from `owner`, in token units."""
        return int(self._view("allowance", owner, spender))

    def approve(self, account: Any, spender: str, amount: int, **options: Any) -> Any:
        """Lets `spender` take exactly this amount."""
        return self._send(account, "approve", spender, amount, **options)

    def mint(self, account: Any, amount: int, **options: Any) -> Any:
        """Mints play money; real tokens reject this."""
        try:
            return self._send(account, "mint", account.address, amount, **options)
        except ContractError as error:  # not everybody may mint
            raise ChainError(
                f"{self.denomination.symbol} at {self.address} is not play money: get tokens, and leave --mint out"
            ) from error

    def _view(self, function: str, *args: Any) -> Any:
        return view(self.rpc, self.address, self._interface, function, *args)

    def _send(self, account: Any, function: str, *args: Any, **options: Any) -> Any:
        from fl.network import ape_accounts  # loads Ape, which reading does not need

        return ape_accounts.call(
            "TestToken", self.address, function, *args, sender=account, denomination=self.denomination, **options
        )

    def approve_data(self, spender: str, amount: int) -> bytes:
        """The same as calldata, for a contract to send."""
        return self._interface.call("approve", spender, amount)

    def permit(self, account: Any, spender: str, amount: int) -> Permit | None:
        """The allowance as a signature; None if the token or the account does not support it."""
        try:
            nonce = int(self._view("nonces", account.address))
            separator = bytes(self._view("DOMAIN_SEPARATOR"))
            name = str(self._view("name"))
        except ContractError:  # a token without ERC-2612
            return None
        number = chain_id(self.rpc)
        head = self.rpc("eth_getBlockByNumber", "latest", False)
        deadline = number_of("the newest block's time", (head or {}).get("timestamp")) + PERMIT_SECONDS
        for version in ("1", "2"):  # a token that uses another one is approved in a separate transaction
            message = _message(name, version, number, self.address, account.address, spender, amount, nonce, deadline)
            if message.header == separator:
                break
        else:
            return None
        try:
            signature = account.sign_message(message)
        except Exception as error:  # a signer's plugin may raise anything
            raise ChainError(f"{account.address} did not sign the permit: {error}; use --approve") from error
        return Permit(amount, deadline, signature.v, _word(signature.r), _word(signature.s)) if signature else None


def _word(number: bytes) -> bytes:
    """32 bytes: signers leave leading zeros out, and one signature in 128 has some."""
    return bytes(number).rjust(32, b"\0")


def _message(name: str, version: str, chain: int, token: str, *values: Any) -> SignableMessage:
    domain = {"name": name, "version": version, "chainId": chain, "verifyingContract": token}
    fields = dict(zip(PERMIT, values, strict=True))
    types = {"Permit": [{"name": field, "type": kind} for field, kind in PERMIT.items()]}
    return encode_typed_data(domain, types, fields)
