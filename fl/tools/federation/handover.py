"""How a seat gets another owner: the new one signs, the present one sends what it signed. Nothing is pending in between."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from eth_utils import to_checksum_address

from fl.errors import ChainError, TreatyError
from fl.network import ape_accounts
from fl.network.federation import FederationReader, SeatFacts
from fl.network.typed_data import for_wallets, signer_of
from fl.protocol.signatures import TypedData, handover
from fl.tools.cli.amounts import parse_amount
from fl.tools.cli.options import Key, Result
from fl.tools.federation.seats import address_given, calls_for, costs, evidence_of, hexadecimal, own_seat, send, told_costs

DAY = 86_400
MAX_FILE = 64 << 10  # bytes; a wallet of many owners has long signatures


@dataclass(frozen=True)
class Offer:
    """What a new owner signed, or is asked to sign. stake: the least that the seat must hold, in token units."""

    chain_id: int
    federation: str
    seat: int
    owner: str
    new_owner: str
    new_operator: str
    stake: int
    deadline: int
    signature: str = ""  # in hexadecimal

    @property
    def typed(self) -> TypedData:
        """As typed data, to sign or to check."""
        facts = asdict(self)
        del facts["signature"]
        return handover(**facts)

    def to_json(self) -> str:
        return json.dumps(asdict(self) | {"stake": str(self.stake)}, indent=1) + "\n"

    @classmethod
    def read(cls, path: Path) -> Offer:
        """From a file, which somebody else wrote. Raises TreatyError."""
        try:
            with path.open("rb") as file:
                data = file.read(MAX_FILE + 1)
        except OSError as error:
            raise TreatyError(f"{path} cannot be read: {error.strerror or error}; nothing was sent") from error
        try:
            found = json.loads(data) if len(data) <= MAX_FILE else None
            if not isinstance(found, dict) or set(found) != {f.name for f in fields(cls)}:
                raise ValueError("it has other fields")
            for name in ("chain_id", "seat", "stake", "deadline"):
                found[name] = _number(found[name])
            for name in ("federation", "owner", "new_owner", "new_operator"):
                found[name] = address_given(found[name], name)
            hexadecimal(str(found["signature"]), "signature")
            if not isinstance(found["signature"], str):
                raise ValueError("its signature is no text")
        except (ValueError, TypeError, RecursionError, TreatyError) as error:
            raise TreatyError(
                f"{path} is not what `ape run handover --sign` writes ({error}): nothing was sent; ask for it again"
            ) from error
        return cls(**found)


def sign(
    key: Key | None,
    federation: str,
    seat: int,
    file: Path,
    *,
    operator: str | None = None,
    new_owner: str | None = None,
    stake: str | None = None,
    days: int = 7,
) -> Result:
    """The new owner's part: writes what it signs. Without a key, prints the typed data for a contract's owners to sign."""
    reader = ape_accounts.federation(federation)
    reader.check_identity()
    account = key.open() if key else None
    if account is None and (new_owner is None or operator is None):
        raise TreatyError("a contract signs elsewhere: give its address as --new-owner, and a key's as --operator")
    if account is not None and new_owner is not None:
        raise TreatyError("--new-owner is for contracts, with --calldata: the account itself is the new owner; leave it out")
    owner = to_checksum_address(account.address if account else address_given(str(new_owner), "--new-owner"))
    facts = _taken(reader, seat)
    if facts.owner == owner:
        raise ChainError(f"{owner} owns seat {seat} already: nothing was written; there is nothing to do")
    least = facts.stake if stake is None else parse_amount(stake, reader.denomination.decimals, "--stake")
    hot = to_checksum_address(owner if operator is None else address_given(operator, "--operator"))
    deadline = reader.head().time + days * DAY
    offer = Offer(reader.chain_id, reader.address, seat, facts.owner, owner, hot, least, deadline)
    if account is not None:
        offer = Offer(**asdict(offer) | {"signature": "0x" + ape_accounts.sign_typed(account, offer.typed).hex()})
    try:
        file.write_text(offer.to_json())
    except OSError as error:
        raise TreatyError(f"{file} cannot be written: {error.strerror or error}; give another --file") from error
    show = reader.denomination.show
    lines = [
        f"{file}: {owner} takes seat {seat} over from {facts.owner}, with a stake of at least {show(least)} and "
        f"{hot} as its operator, within {days} days",
        f"send it to the seat's owner, who runs: ape run handover --federation {reader.address} --file {file.name} --account …",
    ]
    typed = for_wallets(offer.typed)
    if account is None:
        lines.insert(1, f"its owners sign this typed data, and the seat's owner adds --signature: {json.dumps(typed)}")
    return Result(lines, json.loads(offer.to_json()) | {"typed_data": typed})


def hand_over(
    key: Key | None,
    federation: str,
    file: Path,
    *,
    signature: str | None = None,
    evidence: str = "",
    allowlist: Path | None = None,
) -> Result:
    """The present owner's part: sends what the new one signed. Without a key, returns the call for a contract to make."""
    reader, offer = ape_accounts.federation(federation), Offer.read(file)
    if (offer.chain_id, offer.federation) != (reader.chain_id, reader.address):
        where = f"federation {offer.federation} on chain {offer.chain_id}"
        raise ChainError(f"{file} is for {where}: nothing was sent; name that one")
    account = key.open() if key else None
    if account is not None:
        own_seat(reader, account.address, offer.seat)
    facts = _taken(reader, offer.seat)
    _check(reader, offer, facts, file)
    signed = hexadecimal(offer.signature if signature is None else signature, "--signature")
    _check_signature(reader, offer, signed, file)
    proof = evidence_of(reader.terms.allowlist, offer.new_owner, evidence, allowlist)
    args = (offer.seat, offer.new_owner, offer.new_operator, offer.stake, offer.deadline, signed, proof)
    if key is None:
        return calls_for("the owner", [(reader.address, reader.interface.call("handover", *args))])
    sent = [send(key, account, reader, "handover", *args)]
    number, symbol = reader.denomination.number, reader.denomination.symbol
    message = (
        f"seat {offer.seat} belongs to {offer.new_owner} and is operated by {offer.new_operator}, with "
        f"{number(facts.stake)} of stake and {number(facts.earned)} of unclaimed pay ({symbol})"
    )
    lines = [message, told_costs(sent)]
    if facts.record:
        lines.insert(1, "it has acted in the live round: give the new operator the journal, or a missed reveal costs stake")
    result = {"seat": offer.seat, "owner": offer.new_owner, "operator": offer.new_operator}
    return Result(lines, {**result, "stake": str(facts.stake), "earned": str(facts.earned), **costs(sent)})


def _taken(reader: FederationReader, seat: int) -> SeatFacts:
    facts = reader.seats([seat])[seat]
    if int(facts.owner, 16) == 0:
        raise ChainError(f"seat {seat} is free: nothing was sent; take it with `ape run join`")
    if seat in reader.seat_sets().leaving:
        raise ChainError(f"seat {seat} is leaving and cannot be handed over: nothing was sent; withdraw it, and join anew")
    return facts


def _check(reader: FederationReader, offer: Offer, facts: SeatFacts, file: Path) -> None:
    """Raises ChainError where the contract would reject the offer."""
    show, time = reader.denomination.show, reader.head().time
    if facts.owner != offer.owner:
        raise ChainError(f"{file} is from when {offer.owner} owned seat {offer.seat}: nothing was sent; ask for a new one")
    if time > offer.deadline:
        raise ChainError(f"{file} was valid until {offer.deadline}, and it is {time}: nothing was sent; ask for a new one")
    if facts.stake < offer.stake:
        has, least = show(facts.stake), show(offer.stake)
        raise ChainError(f"seat {offer.seat} holds {has} and the new owner wants {least}: nothing was sent; top it up first")
    if any(reader.terms.allowlist) and (held := reader.seats_of(offer.new_owner)):
        raise ChainError(f"{offer.new_owner} holds seat {held[0]} already, and an allowlist allows one each: nothing was sent")


def _check_signature(reader: FederationReader, offer: Offer, signature: bytes, file: Path) -> None:
    """Raises ChainError if a key's signature is missing or wrong. Only the chain can ask a contract."""
    if not signature:
        raise ChainError(f"{file} is not signed yet: nothing was sent; give the signature as --signature HEX")
    if reader.code(offer.new_owner):
        return
    signer = signer_of(offer.typed, signature)
    if signer != offer.new_owner:
        whose = "no key" if signer is None else signer
        raise ChainError(f"{file} is signed by {whose}, not by {offer.new_owner}: nothing was sent; ask for it again")


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"{str(value)[:20]!r} is not a number")
    number = int(value)
    if not 0 <= number < 2**256:
        raise ValueError(f"{str(value)[:20]!r} is out of range")
    return number
