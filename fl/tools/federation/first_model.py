"""The first model, rebuilt by a task of one's own and compared with what a federation states."""

from __future__ import annotations

from fl.errors import TaskError
from fl.learning.codec import parameters_of, to_vector
from fl.learning.task import Task, build
from fl.protocol.artifact import Kind, pack_model
from fl.protocol.leaves import root_of
from fl.protocol.manifest import Manifest
from fl.protocol.terms import Terms


def first_model(task: Task, manifest: Manifest, terms: Terms) -> bytes:
    """The federation's first model, as a file. Raises TaskError unless the task is the federation's: it builds this model, and
    has as many parameters and as large an exponent as the manifest states, by which everybody judges updates."""
    stated = manifest.to_json()
    for name, mine in task.facts().items():
        if stated.get(name) != mine:
            difference = f"its {name} is {mine}, the manifest says {stated.get(name)}"
            raise TaskError(f"task {task.name} is not this federation's: {difference}")
    built = build(task, manifest.genesis_seed)
    model = pack_model(to_vector(built))
    if root_of(model, Kind.MODEL) != terms.genesis:
        cause = f"task {task.name} does not rebuild the first model"
        raise TaskError(f"{cause}: give the task that the sponsor deployed, and its PyTorch version; nothing was sent")
    counted = {"parameters": parameters_of(built), "max_exponent": task.max_exponent}
    for name, mine in counted.items():
        if stated[name] != mine:
            cause = f"the manifest's {name} is {stated[name]:,}, and the first model's is {mine:,}"
            risk = "honest updates would be left out as malformed"
            raise TaskError(f"{cause}: {risk}; take no part in this federation, and leave it if you hold a seat")
    return model
