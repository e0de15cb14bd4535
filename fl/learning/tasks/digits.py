"""1,797 handwritten digits of 8 x 8 pixels, and a small convolutional network."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from torch import Tensor, nn

from fl.learning.task import Data, LocalTraining, Task


class Digits(Task):
    name = "digits"
    metric = "accuracy"
    training = LocalTraining(learning_rate=0.1, epochs=2, batch_size=16, momentum=0.5)

    def data(self) -> Data:
        images = load_digits()
        return Data((images.images[:, None] / 16.0).astype(np.float32), images.target.astype(np.int64))

    def model(self) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(64, 10),
        )

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.cross_entropy(outputs, targets)

    def evaluate(self, outputs: Tensor, targets: Tensor) -> float:
        return float((outputs.argmax(1) == targets).float().mean())


TASK = Digits()
