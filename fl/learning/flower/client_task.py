"""Foreign clients as a task: an object like Flower's NumPyClient in this process, or a whole unchanged Flower app that runs in
its own environment at the other end of a pipe (worker.py).

Only floating-point arrays are federated. Others (a batch norm's counter) keep their first value.
"""

from __future__ import annotations

import atexit
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol
from urllib.parse import parse_qsl

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fl.errors import TaskError, TreatyError, UserCodeError
from fl.learning.flower import worker
from fl.learning.task import LocalTraining, SelfTrained, said
from fl.learning.user_code import one_number

Arrays = list[NDArray[Any]]
PREFIX = "flower:"
PYTHON = Path(".venv-flower/bin/python")
BETTER_WHEN_HIGH = ("acc", "auc", "f1", "r2")


class Clients(Protocol):
    """A set of participants with their own rows: client `who` of `of`."""

    def start(self) -> Arrays: ...

    def fit(self, who: int, of: int, arrays: Arrays, seed: int) -> Arrays: ...

    def evaluate(self, who: int, of: int, arrays: Arrays) -> tuple[float, int, Mapping[str, float]]: ...

    def fresh(self) -> Clients:
        """The same clients in their first state."""
        ...


class LocalClients:
    """Objects with get_parameters, fit and evaluate, made by client_fn(context) in this process.

    context: node_config {"partition-id", "num-partitions"}, run_config {} and state {}, as in Flower.
    """

    def __init__(self, client_fn: Callable[[Any], Any]):
        self.client_fn = client_fn
        self._made: dict[tuple[int, int], Any] = {}

    def client(self, who: int, of: int) -> Any:
        if (who, of) not in self._made:
            config = {"partition-id": who, "num-partitions": of}
            with client_code(who, "client_fn(context)"):
                made = self.client_fn(SimpleNamespace(node_id=who + 1, node_config=config, run_config={}, state={}))
            for method in ("get_parameters", "fit", "evaluate"):
                if not callable(getattr(made, method, None)):
                    raise TaskError(
                        f"client_fn made a {type(made).__name__} without {method}: give it Flower's NumPyClient shape"
                    )
            self._made[who, of] = made
        return self._made[who, of]

    def start(self) -> Arrays:
        worker.seed_everything(0)  # as in the worker: a first model drawn by NumPy or torch is everybody's first model
        client = self.client(0, 1)
        with client_code(0, "get_parameters()"):
            given = client.get_parameters({})
        return _arrays(0, "get_parameters()", given)

    def fit(self, who: int, of: int, arrays: Arrays, seed: int) -> Arrays:
        worker.seed_everything(seed)
        client = self.client(who, of)
        with client_code(who, "fit()"):
            answer = client.fit(arrays, {})
        given, _, _ = _three(who, "fit()", answer, "arrays, number of examples, metrics")
        return _arrays(who, "fit()", given)

    def evaluate(self, who: int, of: int, arrays: Arrays) -> tuple[float, int, Mapping[str, float]]:
        client = self.client(who, of)
        with client_code(who, "evaluate()"):
            answer = client.evaluate(arrays, {})
        loss, examples, metrics = _three(who, "evaluate()", answer, "loss, number of examples, metrics")
        result, count = one_number(loss), one_number(examples)
        if result is None or count is None or not isinstance(metrics, Mapping):
            kinds = ", ".join(type(part).__name__ for part in (loss, examples, metrics))
            raise UserCodeError(f"client {who}: evaluate() returns ({kinds}): return a number, a number and a dict")
        return result, int(count), {str(name): m for name, v in metrics.items() if (m := one_number(v)) is not None}

    def fresh(self) -> LocalClients:
        return LocalClients(self.client_fn)


@contextmanager
def client_code(who: int, what: str) -> Iterator[None]:
    """Guards a call into a client's code: whatever it raises becomes a UserCodeError that names the client."""
    try:
        yield
    except TreatyError:
        raise
    except (Exception, SystemExit) as error:
        raise UserCodeError(f"client {who}: {what} fails: {said(error)}") from error


def _three(who: int, what: str, answer: object, wanted: str) -> tuple[Any, Any, Any]:
    if not isinstance(answer, tuple | list) or len(answer) != 3:
        kind = f"{len(answer)} values" if isinstance(answer, tuple | list) else type(answer).__name__
        raise UserCodeError(f"client {who}: {what} returns {kind}: return three values, {wanted}")
    return answer[0], answer[1], answer[2]


def _arrays(who: int, what: str, given: object) -> Arrays:
    """Arrays of numbers. Raises UserCodeError that names the first that is not numeric."""
    if not isinstance(given, tuple | list):
        raise UserCodeError(f"client {who}: {what} returns {type(given).__name__}: return a list of NumPy arrays")
    arrays = []
    for i, value in enumerate(given):
        with client_code(who, f"array {i} of {what}"):
            array = np.asarray(value.detach().cpu() if isinstance(value, torch.Tensor) else value)
        if array.dtype.kind not in "fiub":
            message = f"array {i} of {what} holds {array.dtype}"
            raise UserCodeError(f"client {who}: {message}: return NumPy arrays of numbers, such as float32")
        arrays.append(array)
    return arrays


class FlowerClients:
    """A Flower app behind a pipe."""

    def __init__(self, folder: Path, python: Path, overrides: Mapping[str, str]):
        if not (folder / "pyproject.toml").is_file():
            raise TaskError(f"{folder} is not a Flower app: give the folder with its pyproject.toml")
        if not python.is_file():
            raise TaskError(f"no Python with Flower at {python}: run `make flower`, or add ?python=PATH to the address")
        command = [python.absolute(), Path(worker.__file__), folder.absolute(), json.dumps(dict(overrides))]
        with tempfile.NamedTemporaryFile(prefix="flower-", suffix=".log", delete=False) as log:
            self.log = Path(log.name)
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log}
            self._process = subprocess.Popen([*map(str, command)], **pipes)  # type: ignore[call-overload]
        atexit.register(self.close)
        self._hear()

    def close(self) -> None:
        """Closes the app's input, upon which its process ends."""
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()
            self._process.wait()

    def _ask(self, facts: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
        assert self._process.stdin
        try:
            self._process.stdin.write(worker.pack(facts, arrays))
            self._process.stdin.flush()
        except BrokenPipeError:
            raise UserCodeError(f"the Flower app's process has ended; what it said is in {self.log}") from None
        return self._hear()

    def _hear(self) -> tuple[dict[str, Any], Arrays]:
        assert self._process.stdout
        try:
            frame = worker.unpack(self._process.stdout)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserCodeError(f"the Flower app's process sent an answer that cannot be read: {error}") from error
        if frame is None:
            raise UserCodeError(f"the Flower app's process has ended; what it said is in {self.log}")
        if "error" in frame[0]:
            raise UserCodeError(f"the Flower app says {frame[0]['error']} (more in {self.log})")
        return frame

    def start(self) -> Arrays:
        return self._ask({"do": "start"}, [])[1]

    def fit(self, who: int, of: int, arrays: Arrays, seed: int) -> Arrays:
        return self._ask({"do": "fit", "who": who, "of": of, "seed": seed}, arrays)[1]

    def evaluate(self, who: int, of: int, arrays: Arrays) -> tuple[float, int, Mapping[str, float]]:
        metrics = self._ask({"do": "evaluate", "who": who, "of": of, "seed": 0}, arrays)[0]["metrics"]
        examples = metrics.pop("num-examples", metrics.pop("num_examples", 1))
        losses = [value for name, value in metrics.items() if "loss" in name]
        if not losses:
            raise UserCodeError(
                f"the Flower app's evaluation reports no loss (it reports {', '.join(metrics)}): scores need one"
            )
        return float(losses[0]), int(examples), {k: v for k, v in metrics.items() if "loss" not in k}

    def fresh(self) -> FlowerClients:
        self._ask({"do": "forget"}, [])
        return self


class ClientTask(SelfTrained):
    """Clients as a task."""

    training = LocalTraining(learning_rate=0.0)  # the client decides this itself
    max_exponent = 20

    def __init__(self, name: str, clients: Clients):
        self.name, self.clients = name, clients
        with torch.random.fork_rng():
            self.start = clients.start()
        if not self._federated(self.start):
            raise TaskError(f"task {name}: the client has no floating arrays, so there is nothing to federate")
        _, _, metrics = clients.evaluate(0, 1, self.start)
        chosen = next((m for m in metrics if any(word in m.lower() for word in BETTER_WHEN_HIGH)), None)
        self.metric, self.higher_is_better = chosen or "loss", chosen is not None

    def model(self) -> nn.Module:
        return nn.ParameterList([nn.Parameter(torch.tensor(a, dtype=torch.float32)) for a in self._federated(self.start)])

    def fit(self, model: nn.Module, who: int, of: int, seed: int) -> None:
        with torch.random.fork_rng():
            after = self.clients.fit(who, of, self._whole(model), seed)
        if [a.shape for a in after] != [a.shape for a in self.start]:
            raise UserCodeError(f"task {self.name}: client {who} returned arrays whose shapes differ from those it received")
        with torch.no_grad():
            for w, array in zip(model.parameters(), self._federated(after, self.start), strict=True):
                w.copy_(torch.from_numpy(np.array(array, np.float32)))

    def measure(self, model: nn.Module, who: int, of: int) -> tuple[float, float, int]:
        loss, examples, metrics = self.clients.evaluate(who, of, self._whole(model))
        return loss, loss if self.metric == "loss" else float(metrics.get(self.metric, "nan")), examples

    def fresh(self) -> ClientTask:
        task = copy(self)
        task.clients = self.clients.fresh()
        return task

    def _whole(self, model: nn.Module) -> Arrays:
        """All arrays as the client knows them."""
        own = iter(model.parameters())
        floats = [np.issubdtype(a.dtype, np.floating) for a in self.start]
        return [
            next(own).detach().numpy().astype(a.dtype) if floating else a.copy()
            for a, floating in zip(self.start, floats, strict=True)
        ]

    @staticmethod
    def _federated(arrays: Arrays, like: Arrays | None = None) -> Arrays:
        """The floating-point arrays, or those at the same positions."""
        return [a for a, b in zip(arrays, like or arrays, strict=True) if np.issubdtype(b.dtype, np.floating)]


def client_task(name: str, client_fn: Callable[[Any], Any]) -> ClientTask:
    """The task of a file that defines client_fn(context)."""
    return ClientTask(name, LocalClients(client_fn))


def flower_task(address: str) -> ClientTask:
    """The task of a `flower:FOLDER?python=PATH&SETTING=VALUE` address; other names are the app's own settings."""
    folder, _, query = address.removeprefix(PREFIX).partition("?")
    given = dict(parse_qsl(query, keep_blank_values=True))
    python = Path(given.pop("python", PYTHON))
    return ClientTask(f"flower {Path(folder).name}", FlowerClients(Path(folder), python, given))
