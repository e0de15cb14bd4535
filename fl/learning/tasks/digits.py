"""1,797 handwritten digits of 8 x 8 pixels, and a small convolutional network."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import Tensor, nn

from fl.learning.task import Data, LocalTraining, Task


class Digits(Task):
    name = "digits"
    metric = "accuracy"
    training = LocalTraining(learning_rate=0.05, steps=30, batch_size=16, momentum=0.9)
    classes = tuple("0123456789")
    feature_columns = tuple(f"pixel_{row}_{column}" for row in range(8) for column in range(8))  # grey from 0 to 16
    target_column = "digit"

    def data(self) -> Data:
        images = load_digits()
        return Data((images.images[:, None] / 16.0).astype(np.float32), images.target.astype(np.int64))

    def encode(self, table: pd.DataFrame) -> NDArray[np.float32]:
        return super().encode(table).reshape(-1, 1, 8, 8) / 16

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
