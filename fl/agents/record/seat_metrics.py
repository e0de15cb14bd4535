"""Seats' own metrics as stores have them: each is shown only if the seat's operator signed it, for this very model."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from fl.errors import StoreError
from fl.network.stores.base import Store
from fl.network.typed_data import signer_of
from fl.protocol.seat_metric import SeatMetric, Statement, name_of


def verified(data: bytes, chain_id: int, federation: str, number: int, seat: int, model: bytes, operator: str) -> SeatMetric:
    """What a signed metric says. Raises ValueError unless it is this seat's, of this round's model, and its operator's word."""
    statement, signature = Statement.parse(data)
    if (statement.round, statement.seat, statement.model) != (number, seat, model):
        raise ValueError(f"this is not seat {seat}'s metric of the model of round {number}")
    signer = signer_of(statement.typed(chain_id, federation), signature)
    if signer is None or signer.lower() != operator.lower():
        raise ValueError(f"this is not signed by the operator of seat {seat}")
    return statement.measured


def published(
    store: Store, chain_id: int, federation: str, number: int, model: bytes, operators: Mapping[int, str]
) -> dict[int, SeatMetric]:
    """By seat, what operators published of the model of a round; whatever does not verify is passed over."""
    found = {}
    for seat, operator in sorted(operators.items()):
        with suppress(StoreError, ValueError):
            data = store.get_signed(name_of(federation, number, seat))
            found[seat] = verified(data, chain_id, federation, number, seat, model, operator)
    return found
