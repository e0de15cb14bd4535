"""y = 2x on five points, one input, one output: where the project began. It must find w = 2 and b = 0."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor, nn

from fl.learning.task import Data, LocalTraining, Task

TABLE = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0, 5.0], "y": [2.0, 4.0, 6.0, 8.0, 10.0]}, dtype="float32")


class Linear(Task):
    name = "linear"
    metric = "mean squared error"
    higher_is_better = False
    training = LocalTraining(learning_rate=0.02, epochs=20, batch_size=5)
    max_exponent = 20
    feature_columns = ("x",)
    target_column = "y"

    def data(self) -> Data:
        return Data(TABLE[["x"]].to_numpy(), TABLE[["y"]].to_numpy(), public=True)

    def encode_target(self, values: pd.Series) -> NDArray[np.generic]:
        return super().encode_target(values)[:, None]

    def model(self) -> nn.Module:
        return nn.Linear(1, 1)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.mse_loss(outputs, targets)

    def evaluate(self, outputs: Tensor, targets: Tensor) -> float:
        return float(self.loss(outputs, targets))


TASK = Linear()
