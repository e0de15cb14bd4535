"""Writes events as JSON and reads them back, so that an audit is possible after the chain is gone."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from fl.agents.record.history import History, RoundLog
from fl.errors import AuditError
from fl.network.denomination import Denomination
from fl.network.events import Event
from fl.network.stores.files import write_durably
from fl.protocol.enums import Offence
from fl.protocol.terms import Terms


def _out(value: Any) -> Any:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, list | tuple):
        return [_out(v) for v in value]
    return value


def _back(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("0x") and len(value) != 42:
        return bytes.fromhex(value[2:])
    return [_back(v) for v in value] if isinstance(value, list) else value


def round_facts(log: RoundLog) -> dict[str, Any]:
    """The part of a round's summary that follows from its events."""
    revealed, standing = tuple(log.revealed or ()), log.proposal
    return {
        "number": log.number,
        "model_root": log.model.hex(),
        "active": tuple(log.active),
        "revealed": revealed,
        "accepted": tuple(log.accepted),
        "left_out": tuple(seat for seat in revealed if seat not in log.accepted),
        "committee": tuple(log.committee),
        "scores": dict(zip(revealed, log.medians, strict=False)),
        "voided": log.voided,
        "adopted": log.adopted,
        "proposer": standing.seat if standing else None,
        "fallen": tuple(p.seat for p in log.proposals if p.fell),
    }


def seat_facts(seat: int, history: History, denomination: Denomination) -> dict[str, Any]:
    """The part of a seat's summary that follows from events, except its pay."""
    slashes: dict[str, float] = {}
    for event in history.events:
        if event.name == "Slashed" and event.fields["seat"] == seat:
            offence = Offence(event.fields["offence"]).label
            slashes[offence] = slashes.get(offence, 0) + denomination.tokens(event.fields["amount"])
    return {
        "owner": history.seats[seat].owner,
        "stake": denomination.tokens(history.seats[seat].stake),
        "scores": tuple(dict(zip(log.revealed or [], log.medians, strict=False)).get(seat) for log in history.rounds),
        "slashes": slashes,
    }


def terms_to_json(terms: Terms) -> dict[str, Any]:
    """By name, with bytes as 0x and hexadecimal digits."""
    return {name: _out(value) for name, value in asdict(terms).items()}


def write_events(path: Path, chain_id: int, federation: str, terms: Terms, events: list[Event]) -> None:
    """The whole public record of a federation, one event a line."""
    head = {"chain_id": chain_id, "federation": federation, "terms": terms_to_json(terms)}
    lines = [json.dumps(head)]
    for e in events:
        facts = {k: _out(v) for k, v in e.fields.items()}
        lines.append(json.dumps([e.name, facts, e.block, e.index, e.transaction]))
    write_durably(path, ("\n".join(lines) + "\n").encode())


def read_events(path: Path) -> tuple[int, str, Terms, list[Event]]:
    """(chain id, federation, terms, events) of a written record. Raises AuditError if it is not one."""
    try:
        head, *lines = path.read_text().splitlines()
        facts = json.loads(head)
        values = {f.name: _back(facts["terms"][f.name]) for f in fields(Terms)}
        events = []
        for line in lines:
            name, given, block, index, transaction = json.loads(line)
            events.append(Event(name, {k: _back(v) for k, v in given.items()}, block, index, transaction))
        return facts["chain_id"], facts["federation"], Terms(**values), events
    except FileNotFoundError:
        raise AuditError(f"no record {path}: give the complete folder that simulate wrote") from None
    except json.JSONDecodeError as error:
        raise AuditError(
            f"{path} is damaged or not a record of a federation ({error}): get it again from whoever wrote it"
        ) from error
    except KeyError as error:
        raise AuditError(
            f"{path} is not a record of a federation: it lacks {error}; get it again from whoever wrote it"
        ) from error
    except (OSError, ValueError, TypeError) as error:
        raise AuditError(f"{path} is not a record of a federation: {error!r}") from error
