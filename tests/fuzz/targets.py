"""What parses bytes of strangers, one function each: it takes any bytes and raises only the errors that its callers expect."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors

from fl.errors import ChainError, ManifestError, TreatyError
from fl.learning.data.reading import read_table
from fl.network import rpc
from fl.network.abi import Interface, federation_abi
from fl.network.kept_logs import KeptLogs
from fl.network.nesting import nests_too_deep
from fl.network.stores import cid
from fl.network.stores.several import is_public
from fl.protocol.artifact import Kind, parse_model, parse_update, size_of, update_is_canonical
from fl.protocol.manifest import Manifest
from fl.protocol.terms import Terms, check
from fl.tools.federation.terms_file import read_terms
from fl.tools.model.folder import read_config

INTERFACE = Interface(federation_abi())
FOLDER = Path(tempfile.mkdtemp(prefix="treaty-fuzz-"))
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
        results,
        locators,
        kept_logs,
        model_folder,
        table,
    )
}
