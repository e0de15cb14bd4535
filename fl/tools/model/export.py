"""Writes a federation's model as a folder: verified against the record first, then written whole."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from fl.errors import TaskError
from fl.learning import onnx_export
from fl.learning.codec import parameters_of, to_vector
from fl.learning.data.given_table import RowShape
from fl.learning.data.table import Table, stated_table
from fl.learning.inference import Module, module_of
from fl.learning.shipped import SHIPPED
from fl.learning.task import Task, build
from fl.learning.task_check import table_of
from fl.learning.task_loading import load_task
from fl.protocol.artifact import Kind, pack_model
from fl.protocol.leaves import root_of
from fl.tools.cli.options import Result
from fl.tools.model.card import UNKNOWN_LICENCE, Measured, card
from fl.tools.model.folder import CARD, CONFIG, ONNX, WEIGHTS, Config, Origin, TaskReference, check_out, file_digest, write
from fl.tools.model.source import Chosen, Source, choose

RANDOM_ROWS = 16  # that PyTorch and ONNX must agree on


def export(
    source: Source,
    out: Path,
    *,
    round: int | None = None,
    task: str | None = None,
    onnx: bool = False,
    licence: str = UNKNOWN_LICENCE,
    measured: Measured | None = None,
) -> Result:
    """Writes the model of a round, by default the last final one. task: the file of a task that is not shipped.
    measured: what the card says of its quality; by default what a simulation measured, if it is one's.

    Raises TreatyError, and writes nothing, if anything disagrees."""
    check_out(out)
    if onnx:
        onnx_export.need()
    chosen = choose(source, round)
    reference, found = _task(source, task)
    module = module_of(found, chosen.vector)
    verified = [*source.verified, *chosen.verified, _checked_task(source, found)]
    made, lines = None, []
    if onnx:
        made, line = _onnx(found, module)
        lines.append(line)
    config = Config(
        reference,
        _shape(found),
        found.metric,
        found.higher_is_better,
        found.classes,
        parameters_of(module),
        _origin(source, chosen),
        {},
        {name: _version(name) for name in ("treaty", "torch", "numpy", "safetensors")},
    )
    config = write(out, config, module, card(source, chosen, config, licence, verified, made is not None, measured), made)
    files = ", ".join([WEIGHTS, CARD, CONFIG, *([ONNX] if made else [])])
    lines = [*(f"verified: {line}" for line in verified), *lines, f"written: {out} ({files})"]
    facts = {
        "written": str(out),
        "round": chosen.round,
        "root": chosen.root.hex(),
        "task": reference.name,
        "parameters": config.parameters,
        "files": dict(config.files),
        "verified": verified,
    }
    return Result(lines, facts)


def load_round(source: Source, round: int | None = None, task: str | None = None) -> Module:
    """The module of a round, in eval mode, verified as `export` does."""
    chosen = choose(source, round)
    _, found = _task(source, task)
    _checked_task(source, found)
    return module_of(found, chosen.vector)


def _task(source: Source, given: str | None) -> tuple[TaskReference, Task]:
    """The task of a federation. A manifest is untrusted: it names shipped tasks and columns, but no file to run."""
    manifest = source.manifest
    name = manifest.task
    if isinstance(table := manifest.details.get("table"), dict):
        try:
            return TaskReference("table", "table", table=table), stated_table(table)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise TaskError(f"the manifest's table has no valid columns ({error!r}): ask the federation's sponsor") from error
    if name in SHIPPED and given in (None, name):
        return TaskReference("shipped", name), load_task(name)
    if given is None:
        message = f"the federation's task is {name[:80]!r}, which is not shipped"
        raise TaskError(f"{message}: get its file, read it as the code that it is, and give --task FILE")
    found = load_task(given)
    if found.name != name:
        raise TaskError(f"{given} is task {found.name!r}, and the federation's is {name[:80]!r}: give the file of that task")
    if not Path(given).is_file():
        message = "the model of a Flower app is rebuilt by the app itself, from the arrays in the store"
        raise TaskError(f"{given} is not a task file, and `ape run model` needs one: {message}")
    return TaskReference("file", name, file_digest(given)), found


def _checked_task(source: Source, task: Task) -> str:
    """Compares the task's code with the federation's first model: the same code makes the same one from the same seed.

    Raises TaskError where the task's model has another number of parameters."""
    seed, stated = source.manifest.genesis_seed, source.manifest.parameters
    module = build(task, seed)
    if (count := parameters_of(module)) != stated:
        message = f"the model of task {task.name} has {count:,} parameters, and the federation's has {stated:,}"
        raise TaskError(f"{message}: give the task as the federation's participants have it")
    if root_of(pack_model(to_vector(module)), Kind.MODEL) == source.terms.genesis:
        return f"the task's code makes the federation's first model from seed {seed}, {source.terms.genesis.hex()}"
    return (
        f"the task has the federation's number of parameters, {count:,}. Its code does not make the federation's first model "
        "here, because the code or the version of PyTorch differs: compare it with the participants'"
    )


def _shape(task: Task) -> RowShape | None:
    """The shape of the task's rows, if its columns or its table on this machine show it."""
    if isinstance(task, Table):
        return RowShape((sum(column.width for column in task.columns),), (), "int64" if task.kinds > 2 else "float32")
    try:
        data = table_of(task)
    except TaskError:
        return None
    return None if data.elsewhere else RowShape.of(data)


def _onnx(task: Task, module: Module) -> tuple[bytes | None, str]:
    """(the file, a line for people), or (None, why there is none)."""
    rng = np.random.default_rng(0)
    try:
        if (shape := _shape(task)) is None:
            raise TaskError("the shape of its rows is not known, since the task's data() gives none on this machine")
        if isinstance(task, Table):
            rows = rng.uniform(-1, 1, (RANDOM_ROWS, *shape.x)).astype(np.float32)
        else:
            table = table_of(task).x
            rows = table[rng.integers(0, len(table), RANDOM_ROWS)]
        made, difference = onnx_export.export(task, module, rows)
    except TaskError as error:
        return None, f"no {ONNX}: {error}"
    return made, f"verified: {ONNX} and PyTorch agree on {RANDOM_ROWS} random rows to {difference:.1g}"


def _origin(source: Source, chosen: Chosen) -> Origin:
    return Origin(
        source.chain_id,
        source.federation,
        chosen.round,
        chosen.root.hex(),
        source.terms.manifest.hex(),
        source.terms.genesis.hex(),
        source.manifest.genesis_seed,
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
