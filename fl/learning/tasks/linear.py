"""y = 2x on five points, one input, one output: where the project began. It must find w = 2 and b = 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from fl.learning.task import Data, LocalTraining, Task

if TYPE_CHECKING:  # a daemon of this task does without pandas
    import pandas as pd

X = np.arange(1, 6, dtype=np.float32)[:, None]


class Linear(Task):
    name = "linear"
    metric = "mean squared error"
    higher_is_better = False
    training = LocalTraining(learning_rate=0.02, steps=20, batch_size=5)
    max_exponent = 20
    feature_columns = ("x",)
    target_column = "y"

    def data(self) -> Data:
        return Data(X, 2 * X, public=True)

    def encode_target(self, values: pd.Series) -> NDArray[np.generic]:
        return super().encode_target(values)[:, None]

    def model(self) -> nn.Module:
        return nn.Linear(1, 1)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.mse_loss(outputs, targets)

    def evaluate(self, outputs: Tensor, targets: Tensor) -> float:
        return float(self.loss(outputs, targets))


TASK = Linear()
