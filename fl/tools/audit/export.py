"""Writes events as JSON and reads them back, so that an audit is possible after the chain is gone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

from fl.agents.record.history import History, RoundLog
from fl.errors import AuditError
from fl.network.abi import federation_abi, unhex
from fl.network.denomination import Denomination
from fl.network.events import Event
from fl.network.stores.files import write_durably
from fl.protocol.enums import Offence
from fl.protocol.terms import Terms
from fl.tools.audit.rules import Blocks

FORMAT, VERSION = "treaty-events", 1
TERM_KINDS = {int: "uint256", str: "address", bytes: "bytes"}  # ABI types by which terms are read


def round_facts(log: RoundLog) -> dict[str, Any]:
    """The part of a round's summary that follows from its events."""
    revealed, standing = tuple(log.revealed or ()), log.proposal
    return {
        "number": log.number,
        "model_root": log.model.hex(),
        "active": tuple(log.active),
        "revealed": revealed,
        "accepted": tuple(log.accepted),
        "left_out": tuple(seat for seat in revealed if seat not in log.accepted_first),
        "excluded": {seat: len(log.reporters(seat)) for seat in log.excluded},
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


def terms_to_json(terms: Terms) -> dict[str, str]:
    """By name: integers in decimal digits, bytes as 0x and hexadecimal digits."""
    return {name: _written(value) for name, value in asdict(terms).items()}


# ---- the events


@dataclass(frozen=True)
class BlockFacts:
    """What the record keeps of a block: its time in seconds, its hash, and its header if it seeded a draw."""

    number: int
    time: int
    hash: str
    header: bytes = b""


@dataclass(frozen=True)
class EventRecord:
    """A federation's events, and the blocks that hold them or seeded a draw."""

    chain_id: int
    federation: str
    terms: Terms
    events: list[Event]
    blocks: Mapping[int, BlockFacts]

    def block(self, number: int) -> BlockFacts:
        """The facts of a block. Raises AuditError if the record lacks it."""
        if number not in self.blocks:
            raise AuditError(f"the record of events lacks block {number}: get it again from whoever wrote it")
        return self.blocks[number]

    def header(self, number: int) -> bytes:
        """The header of a block that seeded a draw."""
        return self.block(number).header


def sources(terms: Terms, events: Iterable[Event]) -> set[int]:
    """The blocks that seeded draws."""
    found, source = set(), 0
    for event in events:
        if event.name in ("Closed", "DrawPostponed"):
            source = event.fields["closeBlock"] + terms.draw_delay
        elif event.name == "Drawn":
            found.add(source)
    return found


def write_events(path: Path, chain_id: int, federation: str, terms: Terms, events: Sequence[Event], blocks: Blocks) -> None:
    """The whole public record of a federation: one JSON object a line, as fl/guides/record-format.md describes."""
    place = {"chain_id": str(chain_id), "federation": federation}
    lines: list[dict[str, Any]] = [{"format": FORMAT, "version": VERSION, **place, "terms": terms_to_json(terms)}]
    seeding = sources(terms, events)
    left = sorted({event.block for event in events} | seeding)
    for e in events:
        while left and left[0] <= e.block:
            number = left.pop(0)
            facts = blocks.block(number)
            header = {"header": _written(blocks.header(number))} if number in seeding else {}
            lines.append({"block": number, "time": facts.time, "hash": facts.hash, **header})
        fields_ = {name: _written(value) for name, value in e.fields.items()}
        lines.append({"event": e.name, "block": e.block, "index": e.index, "transaction": e.transaction, "fields": fields_})
    write_durably(path, "".join(json.dumps(line) + "\n" for line in lines).encode())


def read_events(path: Path) -> EventRecord:
    """A written record. Raises AuditError if it is not one."""
    try:
        head, *lines = path.read_text().splitlines()
        facts = json.loads(head)
        if not isinstance(facts, dict) or facts.get("format") != FORMAT or facts.get("version") != VERSION:
            raise AuditError(
                f"{path} is not a record of a federation in version {VERSION} of its format, the one that this version of "
                "Treaty reads: use the version that wrote it, or get it again from whoever wrote it"
            )
        values = {name: _read(TERM_KINDS[kind], facts["terms"][name]) for name, kind in get_type_hints(Terms).items()}
        events, blocks = [], {}
        for line in map(json.loads, lines):
            if "event" in line:
                events.append(_event(line))
            else:
                header = unhex(line["header"]) if "header" in line else b""
                blocks[int(line["block"])] = BlockFacts(int(line["block"]), int(line["time"]), str(line["hash"]), header)
        return EventRecord(int(facts["chain_id"]), str(facts["federation"]), Terms(**values), events, blocks)
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
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise AuditError(f"{path} is not a record of a federation: {error!r}") from error


def _event(line: Mapping[str, Any]) -> Event:
    """An event, its fields read as the ABI types them. One that is not in the ABI is kept, for the audit to name."""
    name, given = str(line["event"]), line["fields"]
    typed = _types().get(name)
    if typed is not None:
        given = {field: _read(kind, given[field]) for field, kind in typed.items()}
    return Event(name, given, int(line["block"]), int(line["index"]), str(line["transaction"]))


@cache
def _types() -> dict[str, dict[str, str]]:
    """The ABI's types of every event's fields."""
    return {e["name"]: {i["name"]: i["type"] for i in e["inputs"]} for e in federation_abi() if e["type"] == "event"}


def _written(value: Any) -> Any:
    """A value of the chain in JSON: integers in decimal digits, since many readers of JSON keep 53 bits of a number."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return [_written(v) for v in value] if isinstance(value, list | tuple) else value


def _read(kind: str, value: Any) -> Any:
    """A value of an ABI type from JSON. Raises ValueError."""
    if kind.endswith("[]"):
        return tuple(_read(kind[:-2], one) for one in _of(list, value))
    if kind == "bool":
        return _of(bool, value)
    text: str = _of(str, value)
    if kind == "address":
        return text
    if kind.startswith("bytes"):
        return unhex(text)
    if not text.isascii() or not text.isdecimal():
        raise ValueError(f"{text[:40]!r} is no whole number in decimal digits")
    return int(text)


def _of(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"{str(value)[:40]!r} is not of type {kind.__name__}")
    return value
