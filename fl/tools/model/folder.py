"""The folder of a model: `model.safetensors`, `README.md` (its card), `config.json`, and `model.onnx` where it was asked for.

config.json has what it takes to rebuild the module: the shipped task's name, or a table's columns, or the digest of a task
file. A folder may be untrusted: nothing in it is ever executed or unpickled, and every file is hashed before use.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from fl.errors import TaskError, TreatyError
from fl.learning.codec import fixed
from fl.learning.data.given_table import RowShape
from fl.learning.data.table import stated_table
from fl.learning.inference import Module, module_from, tensors_of
from fl.learning.shipped import SHIPPED
from fl.learning.task import Task, build
from fl.learning.task_loading import load_task
from fl.network.nesting import nests_too_deep
from fl.network.stores.files import open_regular, write_durably
from fl.network.stores.local import PIECE
from fl.network.stores.private_copy import gathered
from fl.protocol.manifest import MAX_PARAMETERS

FORMAT, VERSION = "treaty-model", 1
WEIGHTS, CARD, CONFIG, ONNX = "model.safetensors", "README.md", "config.json", "model.onnx"
OURS = {WEIGHTS, CARD, CONFIG, ONNX}
MAX_CONFIG_BYTES = 1 << 20
MAX_PARAMETER_BYTES = 8  # as float64
MAX_HEADER_BYTES = 1 << 24  # of names and shapes


@dataclass(frozen=True)
class TaskReference:
    """Which task a model is of. kind: shipped, table (stated whole in `table`), or file (known by its SHA-256)."""

    kind: str
    name: str
    sha256: str = ""
    table: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Origin:
    """Which model of which federation; roots and digests in hexadecimal."""

    chain_id: int
    federation: str
    round: int
    root: str
    manifest: str
    genesis: str
    genesis_seed: int


@dataclass(frozen=True)
class Personal:
    """How one participant trained a model further, on its own rows."""

    epochs: int
    seed: int
    rows: int
    held_out: int


@dataclass(frozen=True)
class Config:
    """The content of config.json. files: SHA-256 of each by name; versions: of the packages that wrote it."""

    task: TaskReference
    rows: RowShape | None
    metric: str
    higher_is_better: bool
    classes: tuple[str, ...]
    parameters: int
    origin: Origin
    files: Mapping[str, str]
    versions: Mapping[str, str]
    personal: Personal | None = None

    def to_json(self) -> dict[str, Any]:
        return {"format": FORMAT, "version": VERSION, **asdict(self)}

    @staticmethod
    def parse(facts: Mapping[str, Any], where: str) -> Config:
        """Raises TreatyError if the facts are malformed."""
        if facts.get("format") != FORMAT:
            raise TreatyError(f"{where} describes no model of a federation: give a folder that `ape run model` wrote")
        if facts.get("version") != VERSION:
            message = f"{where} is of version {str(facts.get('version'))[:20]}, and this program reads {VERSION}"
            raise TreatyError(f"{message}: use the program that wrote it, or export the model again")
        try:
            rows, personal = facts["rows"], facts.get("personal")
            return Config(
                TaskReference(**facts["task"]),
                None if rows is None else RowShape.parse(rows),
                str(facts["metric"]),
                bool(facts["higher_is_better"]),
                tuple(map(str, facts["classes"])),
                int(facts["parameters"]),
                Origin(**facts["origin"]),
                {str(name): str(digest) for name, digest in facts["files"].items()},
                {str(name): str(version) for name, version in facts["versions"].items()},
                None if personal is None else Personal(**personal),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise TreatyError(f"{where} is damaged ({error!r}): export the model again") from error


@dataclass(frozen=True)
class Model:
    """A model from a folder, ready for use: the module is in eval mode and its file has the digest that the folder states."""

    config: Config
    task: Task
    module: Module


def read_config(folder: Path) -> Config:
    """The configuration in a model's folder. Raises TreatyError with the remedy."""
    path = folder / CONFIG
    try:
        with open_regular(path) as file:
            data = file.read(MAX_CONFIG_BYTES + 1)
        if len(data) > MAX_CONFIG_BYTES:
            raise TreatyError(f"{path} is larger than {MAX_CONFIG_BYTES:,} bytes: give a folder that `ape run model` wrote")
        if nests_too_deep(data):
            raise ValueError("it nests too deep")
        facts = json.loads(data)
    except FileNotFoundError:
        raise TreatyError(f"no model in {folder}: give a folder that `ape run model --out` wrote") from None
    except (OSError, ValueError, RecursionError) as error:
        raise TreatyError(f"{path} cannot be read ({error}): export the model again") from error
    if not isinstance(facts, dict):
        raise TreatyError(f"{path} describes no model of a federation: give a folder that `ape run model` wrote")
    return Config.parse(facts, str(path))


def load(folder: Path, task: str | None = None) -> Model:
    """The model of a folder. task: the file of a task that is not shipped; its code is run.

    Raises TreatyError if the folder was altered or the task is a different one."""
    config = read_config(folder)
    found = referenced_task(config.task, task)
    data = _weights(folder / WEIGHTS, config, sum(tensor.numel() for tensor in fixed(build(found, 0)).values()))
    try:
        tensors = load_tensors(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise TreatyError(f"{folder / WEIGHTS} is not a safetensors file ({error}): export the model again") from error
    return Model(config, found, module_from(found, tensors))


def _weights(path: Path, config: Config, fixed_numbers: int) -> bytes:
    """The file that the configuration names, hashed from a copy on disk before any of it is held in memory; no larger than a
    model of so many parameters, and of what it has beside them, can be."""
    most = MAX_PARAMETER_BYTES * (min(max(config.parameters, 0), MAX_PARAMETERS) + fixed_numbers) + MAX_HEADER_BYTES
    try:
        with open_regular(path) as file:
            if (size := os.fstat(file.fileno()).st_size) > most:
                cause = f"{path} has {size:,} bytes, more than a model of {config.parameters:,} parameters takes"
                raise TreatyError(f"{cause}: it was altered; export the model again")
            data = gathered(iter(partial(file.read, PIECE), b""), most + 1)  # the file may grow while it is read
    except OSError as error:
        raise TreatyError(f"{path} cannot be read ({error.strerror}): export the model again") from error
    if sha256(data).hexdigest() != config.files.get(WEIGHTS):
        raise TreatyError(f"{path} is not the file that {CONFIG} names: it was altered; export the model again")
    return bytes(data)


def referenced_task(reference: TaskReference, given: str | None) -> Task:
    """The task that a model is of. A folder names shipped tasks and tables, and never a file to run: that the user gives."""
    if reference.kind == "file":
        if given is None:
            message = f"the model is of somebody's own task, {reference.name!r}"
            raise TaskError(f"{message}: give its file, --task FILE, which is run as the code that it is")
        if file_digest(given) != reference.sha256:
            message = f"{given} is not the file that the model was exported with (SHA-256 {reference.sha256[:16]}...)"
            raise TaskError(f"{message}: give that one, or export the model again with this one")
        return load_task(given)
    if given is not None and given != reference.name:
        raise TaskError(
            f"the model's folder says which task it needs ({reference.kind} task {reference.name!r}): leave --task out"
        )
    if reference.kind == "table":
        try:
            return stated_table(reference.table or {})
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise TaskError(f"the model's table has no valid columns ({error!r}): export the model again") from error
    if reference.kind == "shipped" and reference.name in SHIPPED:
        return load_task(reference.name)
    raise TaskError(f"the model is of task {reference.name!r}, which this version does not have: use the one that wrote it")


def file_digest(path: str) -> str:
    """SHA-256 of a task file. Raises TaskError if there is none."""
    try:
        return sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise TaskError(f"the task file {path} cannot be read ({error.strerror}): give the path of a .py file") from error


def check_out(out: Path) -> None:
    """Raises TreatyError unless a model may be written there: a new folder, an empty one, or one with a model to replace."""
    if not out.exists():
        return
    if not out.is_dir():
        raise TreatyError(f"{out} is a file: give --out a folder")
    names = {path.name for path in out.iterdir()}
    if names - OURS or (names and CONFIG not in names):
        other = min(names - OURS or names)
        raise TreatyError(f"{out} holds other files ({other}): give --out a new folder, so that nothing of yours is replaced")
    if names:
        read_config(out)  # rejects a config.json that this program did not write


def sorted_header(data: bytes) -> bytes:
    """The same safetensors file with its header in order: the library writes the metadata in an order that changes from call to
    call, and whoever verifies a model compares digests."""
    length = int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8 : 8 + length]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


def _swap(out: Path, made: Path) -> None:
    """Replaces a folder by another; if that fails, the first stays where it was."""
    old = Path(mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    os.replace(out, old)
    try:
        os.replace(made, out)
    except OSError:
        os.replace(old, out)
        raise
    shutil.rmtree(old)


def write(out: Path, config: Config, module: Module, card: str, onnx: bytes | None = None) -> Config:
    """Writes a model's folder, whole or not at all; returns the configuration with the files' digests. Raises TreatyError."""
    check_out(out)
    out = out.resolve()
    origin = config.origin
    metadata = {"format": "pt", "federation": origin.federation, "round": str(origin.round), "root": origin.root}
    if config.personal:
        metadata["personal"] = "trained on by one participant; not a model of the federation"
    files = {WEIGHTS: sorted_header(save_tensors(tensors_of(module), metadata)), **({ONNX: onnx} if onnx else {})}
    config = replace(config, files={name: sha256(data).hexdigest() for name, data in files.items()})
    files |= {CARD: card.encode(), CONFIG: json.dumps(config.to_json(), indent=1).encode() + b"\n"}
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        made = Path(mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        try:
            for name, data in files.items():
                write_durably(made / name, data)
            made.chmod(0o755)
            if out.exists() and any(out.iterdir()):
                _swap(out, made)
            else:
                os.replace(made, out)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        raise TreatyError(
            f"{out} cannot be written ({error.strerror or error}): give --out a place that you may write"
        ) from error
    return config
