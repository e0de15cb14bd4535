"""Layers that stay at home (FedBN, FedPer): which they are, how one participant's are kept on its disk, and how they are put
back beside the shared parameters.

FedBN: Li et al., "FedBN: federated learning on non-IID features via local batch normalization", 2021. FedPer: Arivazhagan et
al., "Federated learning with personalization layers", 2019.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from fl.errors import TaskError, UserCodeError
from fl.learning.codec import digest_of, local

if TYPE_CHECKING:
    from fl.learning.task import Task

Own: TypeAlias = Mapping[str, Tensor]  # one participant's local layers, by PyTorch's names
SUFFIX = "local"  # of the file that a round's training leaves
SHOWN = 8  # names in an error


def local_names(task: Task, model: nn.Module) -> frozenset[str]:
    """The parameters that train and the buffers that the task's `local` names. A word names each layer of which it is a part of
    the path, numbers at its end aside: "norm" names norm2.weight and body.norm.bias. Raises TaskError with the remedy."""
    words: object = task.local
    if not words:
        return frozenset()
    if not isinstance(words, tuple) or not all(isinstance(word, str) and word for word in words):
        raise TaskError(f'task {task.name}: local is {words!r}: give a tuple of names, such as local = ("norm", "head")')
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    there = [*names, *(name for name, _ in model.named_buffers())]
    chosen = {word: {name for name in there if _names(word, name)} for word in words}
    if wrong := [word for word, found in chosen.items() if not found]:
        known = ", ".join(dict.fromkeys(name.rpartition(".")[0] or name for name in there[: 8 * SHOWN]))[:200]
        raise TaskError(f"task {task.name}: local names {wrong[0]!r}, and no layer is called so: its layers are {known}")
    every = frozenset(set().union(*chosen.values()))
    if every >= set(names):
        cause = "local names every parameter that trains, so nothing would be shared and nobody could learn from anybody"
        raise TaskError(f"task {task.name}: {cause}: leave a layer out of it")
    return every


def _names(word: str, name: str) -> bool:
    parts, wanted = name.split("."), word.split(".")
    runs = (parts[i : i + len(wanted)] for i in range(len(parts) - len(wanted) + 1))
    return any(run == wanted or [*run[:-1], run[-1].rstrip("0123456789")] == wanted for run in runs)


def own_of(model: nn.Module) -> dict[str, Tensor]:
    """A copy of the model's local layers."""
    return {name: tensor.detach().clone() for name, tensor in local(model).items()}


def load_own(model: nn.Module, own: Own) -> None:
    """Writes local layers into the model, in place. Raises TaskError if they are another model's."""
    there = local(model)
    found, wanted = ({name: tuple(t.shape) for name, t in some.items()} for some in (own, there))
    if found != wanted:
        name = next(n for n in (*wanted, *found) if wanted.get(n) != found.get(n))
        kept_ = f"is {found.get(name, 'missing')} among the local layers that were kept"
        cause = f"{name} {kept_}, and {wanted.get(name, 'unknown')} in the model"
        raise TaskError(f"{cause}: give the task that they were trained with, or another journal")
    with torch.no_grad():
        for name, tensor in there.items():
            tensor.copy_(own[name])


def to_file(task: Task, own: Own) -> bytes:
    """Local layers as a safetensors file that states their SHA-256. Raises UserCodeError if a number in them is not finite."""
    if odd := [name for name, tensor in own.items() if not torch.isfinite(tensor).all()]:
        raise UserCodeError(f"task {task.name}: training takes the local layer {odd[0]} out of bounds: lower its learning rate")
    return save({name: tensor.contiguous() for name, tensor in own.items()}, {"sha256": digest_of(own)})


def from_file(path: Path) -> dict[str, Tensor] | None:
    """The local layers of a file; None if it is missing or damaged, since an earlier round's can be used then."""
    try:
        with safe_open(path, framework="pt") as file:  # type: ignore[no-untyped-call]
            own = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is not a mapping
            stated = (file.metadata() or {}).get("sha256")
    except (SafetensorError, OSError, ValueError):
        return None
    return own if stated == digest_of(own) else None


def kept(journal: Path, number: int) -> dict[str, Tensor] | None:
    """A participant's local layers as they were after round `number`; None before it has trained."""
    rounds = sorted((int(n) for path in journal.glob(f"*.{SUFFIX}") if (n := path.stem).isdecimal()), reverse=True)
    found = (from_file(journal / f"{n}.{SUFFIX}") for n in rounds if n <= number)
    return next((own for own in found if own is not None), None)
