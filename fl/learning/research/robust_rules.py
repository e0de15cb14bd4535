"""ByzFL's robust aggregators, to stand in the experiment's tables beside the gate (`make byzfl`, which installs them).

ByzFL: González et al., "ByzFL: research framework for robust federated learning", 2025. Each rule gets every update of a round
and returns what the model moves by. Each is told to withstand a third of the updates, which is at least as many as cheat.
Settings are the library's own, but for centred clipping: its radius of 100 would clip nothing here, so it is the median
distance to the centre, which is the model's last change. MoNNA trusts the first update, which is always an honest one.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fl.errors import TaskError

Changes = NDArray[np.float64]
Combine = Callable[[Changes, Changes], Changes]  # (updates (n, parameters), the model's last change) to the change

PREFIX = "byzfl:"
TOLD = ("TrMean", "Krum", "MultiKrum", "MDA", "MoNNA", "Meamed", "CAF", "SMEA")  # how many cheat
MIXED = ("NNM+Krum", "NNM+TrMean")  # after mixing each update with its nearest neighbours
RULES = ("Median", "GeometricMedian", "CenteredClipping", *TOLD, *MIXED)


def rule(name: str) -> Combine:
    """A rule by name, `byzfl:Krum`. Raises TaskError if there is none, or no ByzFL."""
    short = name.removeprefix(PREFIX)
    if short not in RULES:
        raise TaskError(f"no gate {name!r}: ByzFL's are {', '.join(PREFIX + one for one in RULES)}")
    library()

    def combine(updates: Changes, last: Changes) -> Changes:
        with _seeded():  # CAF and SMEA draw the start of a power iteration
            return np.nan_to_num(np.asarray(_combined(short, updates, last), np.float64))

    return combine


def _combined(name: str, updates: Changes, last: Changes) -> Any:
    kinds, told = library(), len(updates) // 3
    if name.startswith("NNM+"):
        return _combined(name.removeprefix("NNM+"), kinds.NNM(f=told)(updates), last)
    if name == "CenteredClipping":
        radius = float(np.median(np.linalg.norm(updates - last, axis=1)))
        clipping = kinds.CenteredClipping(tau=radius)
        clipping.m = last
        return clipping(updates)
    return getattr(kinds, name)(**({"f": told} if name in TOLD else {}))(updates)


@cache
def library() -> ModuleType:
    """Its aggregators alone: the whole package would load a framework and libraries for figures. Raises TaskError."""
    spec = importlib.util.find_spec("byzfl")
    if spec is None or not spec.submodule_search_locations:
        raise TaskError("ByzFL is not installed here: run `make byzfl`, or leave gates that begin with byzfl: out")
    package = ModuleType("byzfl")
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules["byzfl"] = package
    return importlib.import_module("byzfl.aggregators")


@contextmanager
def _seeded() -> Iterator[None]:
    state = np.random.get_state()
    np.random.seed(0)
    try:
        yield
    finally:
        np.random.set_state(state)
