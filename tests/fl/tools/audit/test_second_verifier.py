"""The record is a format: what runs write fits the published schemas, and a verifier written after the pages, which shares no
code with the audit, agrees with it and names what was changed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from support.in_process import InProcessFederation, reader_of
from support.relayed_record import handed_over
from support.second_verifier import verify

import fl
from fl.network.stores.local import LocalStore
from fl.tools.audit.auditor import Auditor
from fl.tools.audit.export import read_events, write_events

SCHEMAS = Path(fl.__file__).parent / "schemas"
RUNS = {
    "honest": {"task": "heart", "honest": 4, "rounds": 3},
    "left out": {"task": "heart", "honest": 4, "kinds": ["sign_flip"], "rounds": 3},
    "fraud": {"honest": 4, "kinds": ["wrong_model"], "rounds": 2},
    "withheld": {"honest": 4, "kinds": ["withhold"], "rounds": 1},
    "silent": {"honest": 4, "kinds": ["no_reveal"], "rounds": 2},
    "hidden": {"task": "heart", "honest": 4, "kinds": ["hides_accepted"], "rounds": 2},
    "reported by few": {"honest": 4, "kinds": ["false_reports"], "rounds": 1},
    "void": {"honest": 3, "kinds": ["no_reveal"], "rounds": 1, "min_reveals": 4},
}


def schema(name: str) -> Draft202012Validator:
    facts = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    Draft202012Validator.check_schema(facts)
    return Draft202012Validator(facts)


def written(folder: Path, federation: InProcessFederation) -> Path:
    node = federation.loop.node
    write_events(folder / "events.jsonl", node.chain_id, node.address, node.terms, federation.events(), node)
    return folder


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> dict[str, Path]:
    found = {}
    for name, plan in RUNS.items():
        folder = tmp_path_factory.mktemp(name.replace(" ", "_"))
        federation = InProcessFederation(folder, **plan)
        federation.run()
        federation.audit()
        found[name] = written(folder, federation)
    folder = tmp_path_factory.mktemp("handed_over")
    reader = reader_of(handed_over(folder)[0])
    write_events(folder / "events.jsonl", reader.chain_id, reader.address, reader.terms, reader.new_events(), reader)
    return found | {"handed over": folder}


NAMES = [*RUNS, "handed over"]


@pytest.mark.parametrize("name", NAMES)
def test_record__fits_the_schemas__and_comes_back(records, name):
    lines = (records[name] / "events.jsonl").read_text().splitlines()
    events, manifest = schema("events"), schema("manifest")
    for line in lines:
        events.validate(json.loads(line))
    record = read_events(records[name] / "events.jsonl")
    manifest.validate(json.loads((records[name] / "store" / f"{record.terms.manifest.hex()}.json").read_text()))
    assert len(record.events) + len(record.blocks) + 1 == len(lines)
    assert not events.is_valid({**json.loads(lines[0]), "version": 2})
    assert not events.is_valid({**json.loads(lines[-1]), "index": "0"})


@pytest.mark.parametrize("name", NAMES)
def test_second_verifier__agrees_with_the_audit(records, name):
    folder = records[name]
    assert verify(folder) == []
    record = read_events(folder / "events.jsonl")
    from_record = Auditor(record.chain_id, record.federation, record.terms, store_of(folder), record).run(record.events)
    assert from_record.passed, from_record.difference


def store_of(folder: Path) -> LocalStore:
    return LocalStore(folder / "store")


TAMPERED: dict[str, tuple[str, str, Callable[[str], str]]] = {
    "seed": ("Drawn", "seed", lambda v: "0x" + "11" * 32),
    "randomness": ("Drawn", "prevRandao", lambda v: "0x" + "11" * 32),
    "paid": ("Settled", "paid", lambda v: str(int(v) + 1)),
    "salt": ("Revealed", "salt", lambda v: "0x" + "00" * 32),
    "accepted": ("Settled", "accepted", lambda v: str(int(v) ^ 1)),
    "model": ("Finalized", "model", lambda v: "0x" + "00" * 32),
    "slash": ("Slashed", "amount", lambda v: str(int(v) + 1)),
    "pot": ("RoundOpened", "pot", lambda v: str(int(v) + 1)),
    "still accepted": ("Excluded", "accepted", lambda v: str(int(v) ^ 1)),
    "reported": ("MissingReported", "missing", lambda v: "128"),
    "reporter": ("MissingReported", "seat", lambda v: "77"),
    "former owner": ("HandedOver", "from", lambda v: "0x" + "ab" * 20),
    "new owner": ("HandedOver", "owner", lambda v: "0x" + "00" * 20),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_both_verifiers__disagree_with_a_tampered_record(records, tmp_path, what):
    name, field, change = TAMPERED[what]
    record_of = {"HandedOver": "handed over", "Excluded": "hidden", "MissingReported": "hidden"}.get(name, "fraud")
    folder = Path(shutil.copytree(records[record_of], tmp_path / "copy"))
    lines = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    line = next(line for line in lines if line.get("event") == name)
    line["fields"][field] = change(line["fields"][field])
    (folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert verify(folder) != []
    record = read_events(folder / "events.jsonl")
    assert not Auditor(record.chain_id, record.federation, record.terms, store_of(folder), record).run(record.events).passed
