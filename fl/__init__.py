"""Treaty: federated learning under contract. Layers: protocol <- learning, network <- agents <- tools <- scripts.

The public interface: `Task`, `Data` and `LocalTraining` to write a task, `simulate` to run a federation on a local chain,
`load_model` for a model ready for use and `predict` for a table. Each name loads what it needs when it is first
used: importing this package loads no PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fl.learning.task import Data as Data
    from fl.learning.task import LocalTraining as LocalTraining
    from fl.learning.task import Task as Task
    from fl.tools.model.loading import load_model as load_model
    from fl.tools.model.loading import predict as predict
    from fl.tools.simulation.session import Simulation as Simulation
    from fl.tools.simulation.session import simulate as simulate

__all__ = ["Data", "LocalTraining", "Simulation", "Task", "load_model", "predict", "simulate"]

_MODULES = {
    "Data": "fl.learning.task",
    "LocalTraining": "fl.learning.task",
    "Task": "fl.learning.task",
    "load_model": "fl.tools.model.loading",
    "predict": "fl.tools.model.loading",
    "Simulation": "fl.tools.simulation.session",
    "simulate": "fl.tools.simulation.session",
}


def __getattr__(name: str) -> Any:
    """A public name, from the module that defines it (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module 'fl' has no attribute {name!r}: its public names are {', '.join(__all__)}")
    globals()[name] = found = getattr(import_module(_MODULES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
