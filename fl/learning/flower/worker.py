"""The far end of the pipe: runs a Flower app's own code in the app's own environment, and answers in arrays and JSON.

Started by path with that environment's Python, where Treaty is not installed: it imports only NumPy and Flower. A frame is
its length (8 bytes, little-endian) and a safetensors file whose metadata hold one JSON text; nothing is pickled.
"""

from __future__ import annotations

import json
import os
import random
import struct
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

import numpy as np

DTYPES = {
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
    "I8": "i1",
    "I16": "<i2",
    "I32": "<i4",
    "I64": "<i8",
    "U8": "u1",
    "BOOL": "?",
}
NAMES = {np.dtype(code): name for name, code in DTYPES.items()}
MAX_BYTES = 1 << 34
MAX_HEADER = 1 << 24


def pack(facts: dict[str, Any], arrays: list[Any]) -> bytes:
    """Facts and arrays as one frame. Raises ValueError for a kind of number that the format lacks."""
    header: dict[str, Any] = {"__metadata__": {"facts": json.dumps(facts)}}
    parts, start = [], 0
    for i, given in enumerate(arrays):
        array = np.asarray(given)
        if array.dtype not in NAMES:
            raise ValueError(f"array {i} holds {array.dtype}, which cannot be sent: use float32")
        data = np.ascontiguousarray(array).tobytes()
        spot = [start, start + len(data)]
        header[str(i)] = {"dtype": NAMES[array.dtype], "shape": list(array.shape), "data_offsets": spot}
        parts.append(data)
        start += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    body = struct.pack("<Q", len(text)) + text + b"".join(parts)
    return struct.pack("<Q", len(body)) + body


def unpack(stream: BinaryIO) -> tuple[dict[str, Any], list[Any]] | None:
    """The next frame's facts and arrays; None at the end of the stream. Raises ValueError for anything malformed."""
    size = stream.read(8)
    if not size:
        return None
    length = struct.unpack("<Q", size)[0] if len(size) == 8 else 0
    if not 8 <= length <= MAX_BYTES:
        raise ValueError(f"a frame of {length} bytes")
    body = stream.read(length)
    if len(body) != length:
        raise ValueError("the stream broke off")
    end = 8 + struct.unpack("<Q", body[:8])[0]
    if not 8 <= end <= min(length, MAX_HEADER):
        raise ValueError("a header longer than its frame")
    header = json.loads(body[8:end])
    facts = json.loads(header.pop("__metadata__")["facts"])
    arrays = []
    for i in range(len(header)):
        entry = header[str(i)]
        first, last = entry["data_offsets"]
        if not 0 <= first <= last <= length - end:
            raise ValueError("an array beyond its frame")
        arrays.append(np.frombuffer(body[end + first : end + last], DTYPES[entry["dtype"]]).reshape(entry["shape"]).copy())
    return facts, arrays


def seed_everything(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(seed)


class Stop(Exception):
    """Raised when the ServerApp has sent its first message."""


class App:
    """A Flower app's folder: its ClientApp, its configuration, and the first model that its ServerApp would send."""

    def __init__(self, folder: Path, overrides: dict[str, str]):
        import tomllib

        sys.path.insert(0, str(folder))
        from flwr.common.config import flatten_dict

        _introduce()
        facts = tomllib.loads((folder / "pyproject.toml").read_text())["tool"]["flwr"]["app"]
        self.components, self.config = facts["components"], flatten_dict(facts.get("config", {}))
        for name, text in overrides.items():
            if name not in self.config:
                raise KeyError(f"the app has no setting {name!r}; it has {', '.join(self.config)}")
            kind = type(self.config[name])
            self.config[name] = text == "true" if kind is bool else kind(text)
        self.client = self._load("clientapp")
        self.contexts: dict[tuple[int, int], Any] = {}
        self.train: Any = None  # the content of the first message that trains: arrays and configuration
        self.evaluate: Any = None

    def _load(self, what: str) -> Any:
        import importlib

        module, _, name = self.components[what].partition(":")
        return getattr(importlib.import_module(module), name)

    def context(self, who: int, of: int) -> Any:
        from flwr.app import Context, RecordDict

        if (who, of) not in self.contexts:
            facts = {"run_id": 1, "node_id": who + 1, "node_config": {"partition-id": who, "num-partitions": of}}
            self.contexts[who, of] = Context(**facts, state=RecordDict(), run_config=dict(self.config))
        return self.contexts[who, of]

    def start(self) -> list[Any]:
        """Runs the ServerApp until it sends its first model, which is the genesis."""
        seed_everything(0)
        try:
            self._load("serverapp")(_grid(self), self.context(0, 1))
        except Stop:
            pass
        if self.train is None:
            raise RuntimeError("the ServerApp sent nobody anything to train")
        self.evaluate = self.evaluate or self.train
        return self._arrays(self.train)[1]

    def ask(self, kind: str, who: int, of: int, arrays: list[Any], seed: int) -> Any:
        """The ClientApp's answer to a message like the ServerApp's first, with other arrays."""
        from copy import deepcopy

        from flwr.app import Array, ArrayRecord, Message

        seed_everything(seed)
        content = deepcopy(self.train if kind == "train" else self.evaluate)
        name, _ = self._arrays(content)
        keys = list(content.array_records[name])
        content[name] = ArrayRecord({key: Array(array) for key, array in zip(keys, arrays, strict=True)})
        message = Message(content, dst_node_id=who + 1, message_type=kind)
        reply = self.client(message, self.context(who, of))
        if reply.has_error():
            raise RuntimeError(reply.error.reason)
        return reply.content

    @staticmethod
    def _arrays(content: Any) -> tuple[str, list[Any]]:
        (name, record), *more = content.array_records.items()
        if more:
            raise ValueError("the app sends several groups of arrays; one is federated")
        return name, [array.numpy() for array in record.values()]

    def answer(self, facts: dict[str, Any], arrays: list[Any]) -> bytes:
        if facts["do"] == "start":
            return pack({}, self.start())
        if facts["do"] == "forget":
            self.contexts.clear()
            return pack({}, [])
        who, of, seed = facts["who"], facts["of"], facts["seed"]
        content = self.ask("train" if facts["do"] == "fit" else "evaluate", who, of, arrays, seed)
        if facts["do"] == "fit":
            return pack({}, self._arrays(content)[1])
        records = [*content.metric_records.values(), *content.config_records.values()]
        result = {name: value for record in records for name, value in record.items() if isinstance(value, int | float)}
        return pack({"metrics": result}, [])


def _introduce() -> None:
    """Newer versions of Flower need to know the sender before they create a message."""
    try:
        from flwr.supercore.task_identity import TaskIdentity
    except ImportError:
        return
    TaskIdentity.task_id = TaskIdentity.run_id = TaskIdentity.node_id = 1


def _grid(app: App) -> Any:
    """A server's view of clients, none of which trains: it records the first messages."""
    from flwr.serverapp import Grid

    class Listener(Grid):
        def set_run(self, run: Any) -> None: ...

        @property
        def run(self) -> Any:
            return SimpleNamespace(run_id=1)

        def create_message(self, content: Any, message_type: str, dst_node_id: int, group_id: str, ttl: Any = None) -> Any:
            from flwr.app import Message

            return Message(content, dst_node_id=dst_node_id, message_type=message_type)

        def get_node_ids(self) -> list[int]:
            return list(range(1, 201))

        def get_nodes(self) -> list[Any]:
            return []

        def push_messages(self, messages: Any) -> list[str]:
            for message in messages:
                if message.metadata.message_type.startswith("train"):
                    app.train = app.train or message.content
                    raise Stop
                if message.metadata.message_type.startswith("evaluate"):
                    app.evaluate = message.content
                    raise Stop
            raise RuntimeError("the ServerApp asks its clients before it trains, which Treaty does not support")

        def pull_messages(self, message_ids: Any) -> list[Any]:
            return []

        def send_and_receive(self, messages: Any, *, timeout: Any = None) -> list[Any]:
            self.push_messages(messages)
            return []

    return Listener()


def main() -> None:
    """Answers frames from stdin on stdout until stdin ends; whatever the app prints goes to stderr."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        app: Any = App(Path(sys.argv[1]), json.loads(sys.argv[2]))
        out.write(pack({}, []))
    except Exception as error:
        out.write(pack({"error": f"{type(error).__name__}: {error}"}, []))
        return
    finally:
        out.flush()
    while (frame := unpack(sys.stdin.buffer)) is not None:
        try:
            result = app.answer(*frame)
        except Exception as error:
            result = pack({"error": f"{type(error).__name__}: {error}"}, [])
        out.write(result)
        out.flush()


if __name__ == "__main__":
    main()
