"""Where a model comes from: a federation of the connected chain with its stores, or what a simulation wrote."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fl.agents.record.history import History
from fl.errors import StoreError, TreatyError
from fl.network.federation import FederationReader
from fl.network.stores.base import Store
from fl.network.stores.local import LocalStore
from fl.network.stores.several import federation_store, is_public
from fl.protocol.artifact import Kind, parse_model
from fl.protocol.manifest import Manifest
from fl.protocol.terms import Terms
from fl.tools.audit.export import read_events

if TYPE_CHECKING:
    from fl.tools.audit.summary import Summary


@dataclass(frozen=True)
class Source:
    """A federation's public record, and where its files are stored.

    words: its options on a command line, without folders of this machine; verified: what has already been compared;
    summary: a simulation's, if it is one."""

    place: str
    words: tuple[str, ...]
    chain_id: int
    federation: str
    terms: Terms
    manifest: Manifest
    history: History
    store: Store
    verified: tuple[str, ...]
    summary: Summary | None = None


@dataclass(frozen=True)
class Chosen:
    """The model of one round: round 0 is the first model, before anybody trained. vector: int32 (padded,), in units."""

    round: int
    root: bytes
    vector: NDArray[np.int32]
    verified: tuple[str, ...]


def from_summary(path: Path) -> Source:
    """The record that a simulation wrote. Raises TreatyError if summary, events and store disagree."""
    from fl.tools.audit.summary import Summary  # loads Ape, which a model's folder is used without

    summary = Summary.read(path)
    record = read_events(path.parent / "events.jsonl")
    terms, federation = record.terms, record.federation
    history = History(terms.committee)
    try:
        history.apply(record.events)
        said = summary.federation, bytes.fromhex(summary.totals.model_root)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise TreatyError(f"{path} is not the summary of a simulation, or its events are of another one: {error!r}") from error
    last = _last(history, terms)
    if said != (federation, last):
        message = f"{path} names model {said[1].hex()[:16]} of {said[0]}, and its events {last.hex()[:16]} of {federation}"
        raise TreatyError(f"{message}: they do not belong together; get the complete folder that simulate wrote")
    store = LocalStore(path.parent / "store")
    manifest = store.get_manifest(terms.manifest)
    verified = (f"summary and events name the same federation and the same last model, {last.hex()}", _MANIFEST)
    words = "--summary", path.name
    return Source(f"simulation {path}", words, record.chain_id, federation, terms, manifest, history, store, verified, summary)


def from_chain(reader: FederationReader, stores: Sequence[str | Path]) -> Source:
    """The record of a federation on a chain. Raises ChainError or StoreError."""
    if not stores:
        raise StoreError("no store is named: give --store PLACE, where the federation's models are")
    reader.check_identity()
    history = History(reader.terms.committee)
    history.apply(reader.new_events())
    last, now = _last(history, reader.terms), reader.model()
    if last != now:
        raise TreatyError("a round became final while the chain was read: call again")
    store, manifest = federation_store(reader.terms, stores)
    verified = (
        f"the contract at {reader.address} was made by this project's factory from its terms",
        f"the contract's model() and its last Finalized event name the same root, {now.hex()}",
        _MANIFEST,
    )
    public = [str(store) for store in stores if is_public(str(store))] or ["PLACE"]
    words = "--federation", reader.address, *(word for store in public for word in ("--store", store))
    place = f"federation {reader.address} on chain {reader.chain_id}"
    return Source(place, words, reader.chain_id, reader.address, reader.terms, manifest, history, store, verified)


_MANIFEST = "the manifest has the SHA-256 that the terms name"


def choose(source: Source, number: int | None) -> Chosen:
    """The model of a round, by default of the last that is final. Raises TreatyError or StoreError."""
    roots = {0: source.terms.genesis} | {log.number: log.model for log in source.history.rounds if log.finalized}
    number = max(roots) if number is None else number
    if number not in roots:
        raise TreatyError(f"round {number} is not final: choose --round from 0 (the first model) to {max(roots)}")
    root, depth = roots[number], source.terms.depth
    vector = parse_model(source.store.get(root, Kind.MODEL, depth), depth)
    named = "the terms name as the first model" if number == 0 else f"the event Finalized of round {number} names"
    return Chosen(number, root, vector, (f"the model's file hashes to the root that {named}, {root.hex()}",))


def command(source: Source, verb: str, *words: str) -> str:
    """A command on this federation, as a person would type it."""
    return shlex.join(["ape", "run", verb, *source.words, *words])


def _last(history: History, terms: Terms) -> bytes:
    return next((log.model for log in reversed(history.rounds) if log.finalized), terms.genesis)
