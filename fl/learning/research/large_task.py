"""25 million parameters: one wide layer on made-up rows, to measure time and memory, not to learn anything."""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from fl.learning.task import Data, LocalTraining, Task

INPUTS, CLASSES, ROWS = 4096, 6144, 96  # 25.2 million


class Large(Task):
    name = "large"
    metric = "accuracy"
    training = LocalTraining(learning_rate=0.5, steps=4, batch_size=32)

    def data(self) -> Data:
        rng = np.random.default_rng(0)
        y = np.arange(ROWS) % 4
        x = rng.normal(size=(ROWS, INPUTS)) * 0.5 + rng.normal(size=(4, INPUTS))[y]
        return Data((x / INPUTS**0.5).astype(np.float32), y)

    def model(self) -> nn.Module:
        return nn.Linear(INPUTS, CLASSES)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.cross_entropy(outputs, targets)

    def evaluate(self, outputs: Tensor, targets: Tensor) -> float:
        return float((outputs.argmax(1) == targets).float().mean())


TASK = Large()
