"""A small character transformer of which only the adapters are federated: low-rank terms beside frozen matrices.

The base was trained on some of the data-set descriptions that come with scikit-learn; each participant owns a description that
the base never saw. Only 4 % of the model is exchanged. The base is stored beside this file, so that it is the same everywhere,
and the manifest names its hash; `python -m fl.learning.tasks.adapter` trains it again from a fixed seed (about half a minute).

Low-rank adapters after Hu et al., "LoRA: low-rank adaptation of large language models", 2022.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from safetensors.numpy import load, save
from torch import Tensor, nn
from torch.nn import functional

from fl.learning.task import Data, LocalTraining, Task

ALPHABET = "\n abcdefghijklmnopqrstuvwxyz0123456789.,:;-()[]'\"/=*_`|+<>"
CONTEXT, WIDTH, HEADS, LAYERS, RANK = 32, 64, 4, 2, 4
LEARNT = ("breast_cancer", "covtype", "diabetes", "lfw", "linnerud", "olivetti_faces", "rcv1")
OWNED = ("california_housing", "digits", "iris", "kddcup99", "species_distributions", "twenty_newsgroups", "wine_data")
STEPS, BATCH, RATE = 400, 48, 3e-3
BASE = Path(__file__).with_suffix(".safetensors")


def windows(names: tuple[str, ...], stride: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(int64 (n, CONTEXT + 1) pieces of text, which name each comes from)."""
    pieces, owners = [], []
    for owner, name in enumerate(names):
        text = (files("sklearn.datasets.descr") / f"{name}.rst").read_text(encoding="utf-8").lower()
        codes = np.array([ALPHABET.index(c) for c in text if c in ALPHABET])
        for start in range(0, len(codes) - CONTEXT, stride):
            pieces.append(codes[start : start + CONTEXT + 1])
            owners.append(owner)
    return np.stack(pieces), np.array(owners)


def _fresh() -> list[Tensor]:
    """Random weights: embedding, positions, then per layer query-key-value, mix, widen, narrow; finally the output."""
    random = torch.Generator().manual_seed(0)
    shapes = [(len(ALPHABET), WIDTH), (CONTEXT, WIDTH)]
    shapes += [(3 * WIDTH, WIDTH), (WIDTH, WIDTH), (4 * WIDTH, WIDTH), (WIDTH, 4 * WIDTH)] * LAYERS
    shapes += [(len(ALPHABET), WIDTH)]
    return [torch.randn(shape, generator=random) * 0.7 / shape[1] ** 0.5 for shape in shapes]


def forward(base: list[Tensor], codes: Tensor, adapters: list[tuple[Tensor, Tensor]] | None = None) -> Tensor:
    """Logits (n, CONTEXT, letters) of the next letter at every position; adapters: per layer of query-key-value and of
    widen."""
    n = codes.shape[0]
    h = base[0][codes] + base[1]
    for i in range(LAYERS):
        mix_in, mix_out, widen, narrow = base[2 + 4 * i : 6 + 4 * i]
        x = functional.layer_norm(h, (WIDTH,))
        qkv = functional.linear(x, mix_in)
        if adapters:
            down, up = adapters[2 * i]
            qkv = qkv + functional.linear(functional.linear(x, down), up)
        q, k, v = (t.reshape(n, CONTEXT, HEADS, -1).transpose(1, 2) for t in qkv.split(WIDTH, -1))
        seen = q @ k.transpose(-1, -2) / (WIDTH // HEADS) ** 0.5
        later = torch.ones(CONTEXT, CONTEXT, dtype=torch.bool).triu(1)
        mixed = seen.masked_fill(later, -1e9).softmax(-1) @ v
        h = h + functional.linear(mixed.transpose(1, 2).reshape(n, CONTEXT, WIDTH), mix_out)
        x = functional.layer_norm(h, (WIDTH,))
        wide = functional.linear(x, widen)
        if adapters:
            down, up = adapters[2 * i + 1]
            wide = wide + functional.linear(functional.linear(x, down), up)
        h = h + functional.linear(functional.gelu(wide), narrow)
    return functional.linear(functional.layer_norm(h, (WIDTH,)), base[-1])


@lru_cache(maxsize=1)
def pretrained() -> tuple[Tensor, ...]:
    """The base as it is shipped."""
    kept = load(BASE.read_bytes())
    return tuple(torch.from_numpy(kept[f"{i:02}"].astype(np.float32)) for i in range(len(kept)))


def pretrain() -> bytes:
    """The base, trained by Adam (Kingma and Ba, 2015) from a fixed seed; half precision, as safetensors."""
    pieces, _ = windows(LEARNT, 1)
    text = torch.from_numpy(pieces)
    random = torch.Generator().manual_seed(1)
    weights = [w.requires_grad_() for w in _fresh()]
    first, second = ([torch.zeros_like(w) for w in weights] for _ in range(2))
    for step in range(1, STEPS + 1):
        batch = text[torch.randint(len(text), (BATCH,), generator=random)]
        logits = forward(weights, batch[:, :-1])
        loss = functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
        gradients = torch.autograd.grad(loss, weights)
        rate = RATE * min(1.0, step / 50) * (1 - step / (STEPS + 1))
        with torch.no_grad():
            for w, g, m, v in zip(weights, gradients, first, second, strict=True):
                m.lerp_(g, 0.1)
                v.lerp_(g * g, 0.01)
                w -= rate * (m / (1 - 0.9**step)) / ((v / (1 - 0.99**step)).sqrt() + 1e-8)
    return save({f"{i:02}": w.detach().numpy().astype(np.float16) for i, w in enumerate(weights)})


class Adapters(nn.Module):
    """What is federated: two low-rank terms a layer. At the start they change nothing: every `up` is zero."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ParameterList([nn.Parameter(torch.randn(RANK, WIDTH) / WIDTH**0.5) for _ in range(2 * LAYERS)])
        self.up = nn.ParameterList([nn.Parameter(torch.zeros((3, 4)[i % 2] * WIDTH, RANK)) for i in range(2 * LAYERS)])
        self.base = [pretrained()]  # in a list: frozen, and not exchanged

    def forward(self, x: Tensor) -> Tensor:
        adapters = list(zip(self.down, self.up, strict=True))
        return forward(list(self.base[0]), x.long(), adapters)


class Adapter(Task):
    name = "adapter"
    metric = "accuracy"
    training = LocalTraining(learning_rate=0.3, steps=8, batch_size=16, momentum=0.9)
    classes = tuple(ALPHABET)
    feature_columns = ("text",)  # the letters before the one to predict; the last CONTEXT count

    def data(self) -> Data:
        pieces, owners = windows(OWNED, CONTEXT // 2)
        return Data(pieces[:, :-1].astype(np.float32), pieces[:, 1:].astype(np.int64), owners, OWNED)

    def encode(self, table: pd.DataFrame) -> NDArray[np.float32]:
        codes = []
        for text in map(str, table["text"].fillna("")):
            known = [ALPHABET.index(c) for c in text.lower() if c in ALPHABET][-CONTEXT:]
            codes.append([ALPHABET.index(" ")] * (CONTEXT - len(known)) + known)
        return np.array(codes, np.float32)

    def answers(self, outputs: Tensor) -> Tensor:
        return outputs[:, -1]  # the letter after the text; the others follow within it

    def model(self) -> nn.Module:
        return Adapters()

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(outputs.flatten(0, 1), targets.flatten())

    def evaluate(self, outputs: Tensor, targets: Tensor) -> float:
        return float((outputs.argmax(-1) == targets).float().mean())

    def facts(self) -> dict[str, object]:
        return {**super().facts(), "base": sha256(BASE.read_bytes()).hexdigest()}


TASK = Adapter()

if __name__ == "__main__":
    BASE.write_bytes(pretrain())
