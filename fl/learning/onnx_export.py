"""A model as an ONNX file, checked by running both on the same rows."""

from __future__ import annotations

import importlib
import logging
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fl.errors import TaskError
from fl.learning.inference import Module, outputs_of
from fl.learning.task import Task, said

OPSET = 17
TOLERANCE = 1e-4  # of an output of size 1
TRACED = 3  # rows; the check takes another number, so that a model bound to one is noticed


def need() -> ModuleType:
    """The package onnx. Raises TaskError that says how to install it."""
    try:
        return importlib.import_module("onnx")
    except ImportError:
        raise TaskError("--onnx needs the package onnx, which is not installed: pip install 'treaty[onnx]'") from None


def export(task: Task, module: Module, x: NDArray[np.float32]) -> tuple[bytes, float]:
    """(an ONNX file, the largest difference to PyTorch on the rows x). Raises TaskError with the reason if it fails.

    Input `rows` float32 (n, ...), output `outputs` (n, ...), for any n. The file is made by tracing: it is checked on more
    rows than were traced, with ONNX's own reference evaluator."""
    onnx = need()
    write: Any = torch.onnx.export
    names = {"input_names": ["rows"], "output_names": ["outputs"]}
    anything = {name: {0: "n"} for name in ("rows", "outputs")}
    before = logging.root.manager.disable
    # hides an advertisement for the new exporter, which takes ten seconds and three more packages
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), TemporaryDirectory() as folder:
            warnings.simplefilter("ignore")
            path, example = Path(folder, "model.onnx"), (torch.from_numpy(x[:TRACED]),)
            write(module, example, path, dynamo=False, opset_version=OPSET, dynamic_axes=anything, **names)
            file = path.read_bytes()
        evaluator = importlib.import_module("onnx.reference").ReferenceEvaluator(onnx.load_from_string(file))
        found = evaluator.run(None, {"rows": x})[0]
    except Exception as error:  # whatever the exporter makes of somebody's forward()
        raise TaskError(f"the model has no ONNX form ({said(error)})") from error
    finally:
        logging.disable(before)
    right = outputs_of(task, module, x).numpy()
    if found.shape != right.shape:
        raise TaskError(f"its ONNX form answers {found.shape} where PyTorch answers {right.shape}")
    difference = np.abs(found - right)
    if not (difference <= TOLERANCE * np.maximum(1.0, np.abs(right))).all():  # NaN is above it too
        raise TaskError(f"its ONNX form differs from PyTorch by {difference.max():.2g} on {len(x)} random rows")
    return file, float(difference.max())
