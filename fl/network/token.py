"""The ERC-20 of a federation, as its holder sees it: what it is, what one has, and an allowance by signature where it knows
ERC-2612, so that joining takes one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth_account.messages import SignableMessage, encode_typed_data

from fl.errors import ChainError, ContractError
from fl.network import ape_accounts

PERMIT = {"owner": "address", "spender": "address", "value": "uint256", "nonce": "uint256", "deadline": "uint256"}
PERMIT_SECONDS = 3600


@dataclass(frozen=True)
class Permit:
    """What `permit` of a federation takes."""

    amount: int
    deadline: int
    v: int
    r: bytes
    s: bytes

    def as_args(self) -> tuple[Any, ...]:
        return (self.amount, self.deadline, self.v, self.r, self.s)


class Token:
    """One ERC-20 on the connected chain."""

    def __init__(self, address: str):
        self._contract = ape_accounts.attach("TestToken", address, "token")
        self.address: str = self._contract.address
        self.denomination = ape_accounts.token_denomination(self.address)

    def held_by(self, account: str) -> int:
        return int(self._contract.balanceOf(account))

    def allowance(self, owner: str, spender: str) -> int:
        return int(self._contract.allowance(owner, spender))

    def approve(self, account: Any, spender: str, amount: int, **options: Any) -> Any:
        """Lets `spender` take exactly so much."""
        return ape_accounts.transact(
            self._contract.approve, spender, amount, sender=account, denomination=self.denomination, **options
        )

    def mint(self, account: Any, amount: int, **options: Any) -> Any:
        """Makes play money; real tokens refuse."""
        try:
            return ape_accounts.transact(
                self._contract.mint, account.address, amount, sender=account, denomination=self.denomination, **options
            )
        except ContractError as error:  # it has no mint for everybody
            raise ChainError(
                f"{self.denomination.symbol} at {self.address} is not play money: get tokens, and leave --mint out"
            ) from error

    def approve_data(self, spender: str, amount: int) -> bytes:
        """The same as calldata, for a contract that is to send it."""
        return bytes(self._contract.approve.encode_input(spender, amount))

    def permit(self, account: Any, spender: str, amount: int) -> Permit | None:
        """The allowance as a signature; None where the token, or the account, cannot do that."""
        try:
            nonce = int(ape_accounts.view(self._contract.nonces, account.address))
            separator = bytes(ape_accounts.view(self._contract.DOMAIN_SEPARATOR))
            name = str(ape_accounts.view(self._contract.name))
        except ContractError:  # a token without ERC-2612
            return None
        deadline = ape_accounts.now() + PERMIT_SECONDS
        for version in ("1", "2"):  # a token that uses another is approved in a transaction of its own
            message = _message(name, version, self.address, account.address, spender, amount, nonce, deadline)
            if message.header == separator:
                break
        else:
            return None
        try:
            signature = account.sign_message(message)
        except Exception as error:  # whatever a signer's plugin raises
            raise ChainError(f"{account.address} did not sign the permit: {error}; use --approve") from error
        return Permit(amount, deadline, signature.v, _word(signature.r), _word(signature.s)) if signature else None


def _word(number: bytes) -> bytes:
    """32 bytes: signers leave leading zeros out, and one signature in 128 has some."""
    return bytes(number).rjust(32, b"\0")


def _message(name: str, version: str, token: str, *values: Any) -> SignableMessage:
    domain = {"name": name, "version": version, "chainId": ape_accounts.chain_id(), "verifyingContract": token}
    fields = dict(zip(PERMIT, values, strict=True))
    types = {"Permit": [{"name": field, "type": kind} for field, kind in PERMIT.items()]}
    return encode_typed_data(domain, types, fields)
