"""Converts between PyTorch's floats and the protocol's integers.

Only parameters that train are federated, without those of layers that stay at home. What else a model holds, everybody builds
alike, and local layers begin alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fl.protocol import fixed_point
from fl.protocol.artifact import BLOCKS_PER_LEAF, depth_for, pack_update, pad
from fl.protocol.blocks import BLOCK, dequantize, quantize

LOCAL = "_treaty_local"  # the attribute of a task's module that names what stays at home
MARGIN = 0.99  # below the gate's bound, for what rounding adds


def _at_home(model: nn.Module) -> frozenset[str]:
    names: frozenset[str] = getattr(model, LOCAL, frozenset())
    return names


def federated(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that train, by PyTorch's names, in the model's order: these travel, and nothing else does."""
    at_home = _at_home(model)
    return {name: p for name, p in model.named_parameters() if p.requires_grad and name not in at_home}


def local(model: nn.Module) -> dict[str, torch.Tensor]:
    """What stays at home, by PyTorch's names: parameters that train, and buffers."""
    at_home = _at_home(model)
    return {name: t for name, t in (*model.named_parameters(), *model.named_buffers()) if name in at_home}


def fixed(model: nn.Module) -> dict[str, torch.Tensor]:
    """What everybody must build alike, by PyTorch's names: frozen parameters, buffers, and what local layers begin with."""
    shared = federated(model)
    rest = {name: p.detach() for name, p in model.named_parameters() if name not in shared}
    return rest | dict(model.named_buffers())


def fixed_digest(model: nn.Module) -> str | None:
    """The digest of what is fixed; None where nothing is."""
    return digest_of(tensors) if (tensors := fixed(model)) else None


def digest_of(tensors: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 over the names, kinds, shapes and bytes of tensors, sorted by name, in hex."""
    hashed = sha256()
    for name, tensor in sorted(tensors.items()):
        tensor = tensor.detach()
        hashed.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        hashed.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return hashed.hexdigest()


def parameters_of(model: nn.Module) -> int:
    """How many numbers are federated."""
    return sum(p.numel() for p in federated(model).values())


def depth_of(model: nn.Module) -> int:
    """The depth of its leaf tree."""
    return depth_for(parameters_of(model))


def floats_of(model: nn.Module) -> NDArray[np.float64]:
    """All federated parameters, flat, float64 (parameters,)."""
    flat: NDArray[np.float64] = np.concatenate([p.detach().numpy().reshape(-1) for p in federated(model).values()]).astype(
        np.float64
    )
    return flat


def to_vector(model: nn.Module) -> NDArray[np.int32]:
    """The model in units, padded, int32 (256 * 2^depth,)."""
    return pad(fixed_point.to_fixed(floats_of(model)), depth_of(model)).astype(np.int32)


def load_vector(model: nn.Module, vector: NDArray[np.int32]) -> nn.Module:
    """Writes a vector in units into the model, in place."""
    load_floats(model, fixed_point.to_float(vector))
    return model


def load_floats(model: nn.Module, values: NDArray[np.float64]) -> None:
    """Writes flat floats (at least as many as the model has) into the model, in place."""
    start = 0
    with torch.no_grad():
        for p in federated(model).values():
            part = values[start : start + p.numel()]
            p.copy_(torch.from_numpy(part).reshape(p.shape))
            start += p.numel()


def encode_update(
    delta: NDArray[np.float64],
    residual: NDArray[np.float64] | None,
    depth: int,
    max_exponent: int,
    rng: np.random.Generator | None,
    bound: int | None = None,
) -> tuple[bytes, NDArray[np.float64]]:
    """A change of parameters (n,) to (the update's file, what rounding lost (n,), to be added next time).

    rng: for stochastic rounding; None rounds to nearest.
    bound: the largest norm, in units, that the gate lets in; a longer change is shortened to it, and the rest is lost.
    Error feedback after Seide et al., "1-bit stochastic gradient descent", 2014.
    """
    wanted = delta if residual is None else delta + residual
    longest = None if bound is None else MARGIN * bound * fixed_point.UNIT
    if longest is not None and (norm := float(np.linalg.norm(wanted))) > longest:
        wanted = wanted * (longest / norm)
    blocks = np.zeros((-(-wanted.size // BLOCK), BLOCK))
    blocks.reshape(-1)[: wanted.size] = wanted
    q, e = quantize(blocks.reshape(-1), max_exponent, rng)
    sent = fixed_point.to_float(dequantize(q, e, max_exponent))[: wanted.size]
    exponents = np.zeros(BLOCKS_PER_LEAF << depth, np.uint8)
    exponents[: e.size] = e
    return pack_update(pad(q, depth).astype(np.int8), exponents), wanted - sent
