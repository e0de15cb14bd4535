"""What parses bytes of strangers, one function each: it takes any bytes and raises only the errors that its callers expect."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from support.evm import LocalEvm, Reverted
from support.manifests import manifest as manifest_of
from support.system import BASE_TERMS

from fl.errors import ChainError, ManifestError, TreatyError
from fl.learning.data.reading import read_table
from fl.learning.data.table import PREFIX, manifest_table, table_task
from fl.network import explorer, rpc
from fl.network.abi import Interface, federation_abi
from fl.network.denomination import denomination_of
from fl.network.headers import header_of
from fl.network.kept_logs import KeptLogs
from fl.network.nesting import nests_too_deep
from fl.network.rpc import NodeError
from fl.network.stores import base, cid
from fl.network.stores.several import is_public
from fl.network.typed_data import signer_of
from fl.protocol.artifact import Kind, parse_model, parse_update, size_of, update_is_canonical
from fl.protocol.header import HeaderError, prev_randao
from fl.protocol.hosting import parse_name
from fl.protocol.manifest import Manifest
from fl.protocol.relayed import Act
from fl.protocol.terms import Terms, check
from fl.tools.audit.export import FORMAT, VERSION, read_events, terms_to_json
from fl.tools.audit.summary import Summary
from fl.tools.cli.remembered import remembered
from fl.tools.federation.allowlist_file import read_owners
from fl.tools.federation.handover import Offer
from fl.tools.federation.invitation import SCHEME, Invitation, Place
from fl.tools.federation.terms_file import read_terms
from fl.tools.model.folder import read_config

INTERFACE = Interface(federation_abi())
FOLDER = Path(tempfile.mkdtemp(prefix="treaty-fuzz-"))
STATED = manifest_of().to_json()
BLOCK = json.loads((Path(__file__).parents[1] / "support" / "mainnet_blocks.json").read_text())["Prague"]
HEAD = {"format": FORMAT, "version": VERSION, "chain_id": 1, "federation": "0x" + "11" * 20, "terms": terms_to_json(BASE_TERMS)}
TOPICS = ["0x" + topic.hex() for topic in INTERFACE.topics]


def _file(name: str, data: bytes) -> Path:
    path = FOLDER / name
    path.write_bytes(data)
    return path


def artifacts(data: bytes) -> None:
    """An update and a model, of the right size and of any."""
    for depth in (0, 1):
        size = size_of(Kind.UPDATE, depth)
        for given in (data, data.ljust(size, b"\x80")[:size]):
            with suppress(TreatyError):
                values = parse_update(given, depth, 16)
                assert values.dtype == np.int32 and len(given) == size
            update_is_canonical(given, depth, 16, 200)
        with suppress(TreatyError):
            parse_model(data, depth)


def manifest(data: bytes) -> None:
    if nests_too_deep(data):
        return
    with suppress(ValueError, ManifestError):
        facts = json.loads(data)
        if isinstance(facts, dict):
            assert Manifest.parse(Manifest.parse(facts).to_json())


def terms_on_chain(data: bytes) -> None:
    with suppress(ChainError):
        check(Terms(*INTERFACE.result("terms", data)))


def terms_file(data: bytes) -> None:
    with suppress(TreatyError):
        read_terms(_file("terms.yaml", data))


def logs(data: bytes) -> None:
    """A log whose topic is one of ours, and whose other words are the stranger's."""
    for topic in TOPICS:
        words = data.hex()
        topics = [topic, *("0x" + words[i : i + 64] for i in range(0, min(192, len(words)), 64))]
        for count in range(1, len(topics) + 1):
            log = {"topics": topics[:count], "data": "0x" + words, "blockNumber": "0x1", "logIndex": "0x0"}
            with suppress(ChainError):
                INTERFACE.event({**log, "transactionHash": "0x"})


def log_as_json(data: bytes) -> None:
    if nests_too_deep(data):
        return
    with suppress(ValueError, ChainError):
        log = json.loads(data)
        if isinstance(log, dict):
            INTERFACE.event(log)


def answers(data: bytes) -> None:
    """What a node answers to a call, and what may follow from it."""
    for method in ("eth_call", "eth_getLogs", rpc.SEND):
        for whole in (data, b'{"id":1,"result":' + data + b"}", b'{"id":1,"error":' + data + b"}"):
            with suppress(rpc._Failure, rpc.NodeRefused):
                str(rpc._result(method, 1, whole))


def explorer_answer(data: bytes) -> None:
    for whole in (data, b'{"status":"1","result":' + data + b"}"):
        with suppress(ValueError, KeyError, TypeError):
            assert explorer.read_answer(whole)[1].isprintable()


def results(data: bytes) -> None:
    for function in ("roundInfo", "multicall", "seatInfo", "accounting"):
        with suppress(ChainError):
            INTERFACE.result(function, data)


def locators(data: bytes) -> None:
    text = data.decode(errors="replace")
    is_public(text)
    if cid.is_cid(data):
        assert cid.from_text(cid.to_text(data)) == data
    with suppress(TreatyError):
        cid.from_text(text)


def kept_logs(data: bytes) -> None:
    KeptLogs(_file("logs", data), (1, "0x")).load()


def model_folder(data: bytes) -> None:
    _file("config.json", data)
    with suppress(TreatyError):
        read_config(FOLDER)
    with suppress(SafetensorError, ValueError, KeyError):
        load_tensors(data)


def table(data: bytes) -> None:
    with suppress(TreatyError):
        read_table(_file("table.csv", data))


def parquet(data: bytes) -> None:
    """Any bytes, and bytes between the marks of such a file."""
    for whole in (data, b"PAR1" + data + b"PAR1"):
        with suppress(TreatyError):
            read_table(_file("table.parquet", whole))


def table_schema(data: bytes) -> None:
    """A table stated in a file, and in a manifest."""
    path = _file("schema.json", data)
    with suppress(TreatyError):
        table_task(f"{PREFIX}{path}")
    if nests_too_deep(data):
        return
    with suppress(ValueError, TreatyError):
        stated = json.loads(data)
        manifest_table(Manifest.parse({**STATED, "task": "table", "table": stated}))


def header(data: bytes) -> None:
    """The contract and its twin read the same of any bytes; they are the end of a header, too."""
    for whole in (data, bytes([0xF9, len(data) >> 8 & 0xFF, len(data) & 0xFF]) + data):
        try:
            here: bytes | None = prev_randao(whole)
        except HeaderError:
            here = None
        try:
            there = _harness().call("prevRandao", whole)
        except Reverted as error:
            assert error.name == "MalformedHeader", error
            there = None
        assert here == there, (here, there, whole.hex())


@cache
def _harness() -> Any:
    return LocalEvm().deploy("LibraryHarness")


def block(data: bytes) -> None:
    """What a node shows of a block."""
    if nests_too_deep(data):
        return
    with suppress(ValueError, NodeError):
        facts = json.loads(data)
        if isinstance(facts, dict):
            header_of({**BLOCK, **facts})


def invitation(data: bytes) -> None:
    """An invitation's file, and its line."""
    with suppress(TreatyError):
        found = Invitation.parse(data)
        assert Invitation.parse(found.to_json()) == found
        found.check()
    with suppress(TreatyError):
        Invitation.read(SCHEME + data.decode(errors="replace"))


def relayed_act(data: bytes) -> None:
    """What somebody offers to a host's relay."""
    if nests_too_deep(data):
        return
    with suppress(ValueError):
        act = Act.parse(json.loads(data))
        statement = act.statement(1, "0x" + "11" * 20)
        if statement is not None:
            signer_of(statement, act.parts[1])
        assert act.entry[0] == act.seat


def signature(data: bytes) -> None:
    """A signature that a stranger sends with a statement."""
    statement = Act("commit", 1, 2, (bytes(32), bytes(65))).statement(1, "0x" + "11" * 20)
    assert statement is not None
    signer_of(statement, data)


def file_name(data: bytes) -> None:
    """The name of a file that is asked for, or sent, over HTTP."""
    found = parse_name(data.decode(errors="replace"))
    assert found is None or len(found[0]) == 32


def handover_offer(data: bytes) -> None:
    with suppress(TreatyError):
        _ = Offer.read(_file("offer.json", data)).typed


def owners(data: bytes) -> None:
    with suppress(TreatyError):
        read_owners(_file("owners.txt", data))


def record(data: bytes) -> None:
    """A federation's record, its first line right or any."""
    for whole in (data, json.dumps(HEAD).encode() + b"\n" + data):
        with suppress(TreatyError):
            read_events(_file("events.jsonl", whole))


def summary(data: bytes) -> None:
    with suppress(TreatyError):
        Summary.read(_file("summary.json", data))


def remembered_file(data: bytes) -> None:
    (FOLDER / "deployments").mkdir(exist_ok=True)
    _file("deployments/current.json", data)
    with suppress(TreatyError):
        remembered(FOLDER)


def document(data: bytes) -> None:
    """A manifest as a store gives it."""
    facts = base._parse_canonical(data)
    assert facts is None or base.canonical(facts) == data


def token(data: bytes) -> None:
    """What a token says of its decimals and its symbol."""
    with suppress(TreatyError):
        denomination_of(data[0] if data else None, data[1:].decode(errors="replace")).show(10**18)


# Where a fuzzer begins that would not find the form by itself: sound input, one example each.
SEEDS: dict[str, bytes] = {
    "manifest": json.dumps(STATED).encode(),
    "document": base.canonical(STATED),
    "header": header_of(BLOCK),
    "block": json.dumps(BLOCK).encode(),
    "invitation": Invitation(
        1, "0x" + "11" * 20, "0x" + "22" * 20, STATED, (Place("https://a.example", "me"),), expires=1, signature=bytes(65)
    ).to_json(),
    "relayed_act": json.dumps({"kind": "commit", "round": 1, "seat": 2, "value": "11" * 32, "signature": "22" * 65}).encode(),
    "handover_offer": Offer(
        1, "0x" + "11" * 20, 3, "0x" + "22" * 20, "0x" + "33" * 20, "0x" + "44" * 20, 5, 6, "0x" + "55" * 65
    )
    .to_json()
    .encode(),
    "owners": b"owner\n0x" + b"11" * 20 + b"\n",
    "terms_file": b"min_stake: 5\ncommit_window: 2h\n",
    "record": b'{"block": 1, "time": 2, "hash": "0x00"}\n',
    "remembered_file": b'{"federation": "0x00", "network": "ethereum", "stores": ["store"]}',
    "table": b"age,sick\n40,0\n50,1\n",
    "table_schema": b'{"target": {"name": "sick", "classes": ["0", "1"]}, "columns": [{"name": "age", "low": 0, "high": 100}]}',
}

TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (
        artifacts,
        manifest,
        terms_on_chain,
        terms_file,
        logs,
        log_as_json,
        answers,
        explorer_answer,
        results,
        locators,
        kept_logs,
        model_folder,
        table,
        parquet,
        table_schema,
        header,
        block,
        invitation,
        relayed_act,
        signature,
        file_name,
        handover_offer,
        owners,
        record,
        summary,
        remembered_file,
        document,
        token,
    )
}
