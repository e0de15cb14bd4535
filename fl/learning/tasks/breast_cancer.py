"""Wisconsin diagnostic breast cancer: 569 biopsies, 30 measurements of cell nuclei, malignant or benign."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from fl.learning.data.columns import complete
from fl.learning.task import Data, LocalTraining, Task

# Round numbers near each measurement's usual size, public before anybody trains (mean, standard deviation).
SCALE = np.array(
    [
        [14, 4],
        [19, 4],
        [92, 24],
        [650, 350],
        [0.1, 0.014],
        [0.1, 0.05],
        [0.09, 0.08],
        [0.05, 0.04],
        [0.18, 0.03],
        [0.063, 0.007],
    ]
    + [[0.4, 0.3], [1.2, 0.55], [2.9, 2], [40, 45], [0.007, 0.003], [0.025, 0.018], [0.03, 0.03], [0.012, 0.006]]
    + [[0.02, 0.008], [0.0038, 0.0026], [16, 5], [26, 6], [107, 34], [880, 570], [0.13, 0.023], [0.25, 0.16], [0.27, 0.21]]
    + [[0.115, 0.066], [0.29, 0.06], [0.084, 0.018]]
)
MEASURED = (
    *("radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave points"),
    *("symmetry", "fractal dimension"),
)


def scaled(measured: NDArray[np.float64]) -> NDArray[np.float32]:
    """Measurements (n, 30) in standard units."""
    x: NDArray[np.float32] = ((measured - SCALE[:, 0]) / SCALE[:, 1]).astype(np.float32)
    return x


class BreastCancer(Task):
    name = "breast_cancer"
    metric = "AUC"
    training = LocalTraining(learning_rate=0.05, steps=10, batch_size=16, momentum=0.5)
    classes = ("benign", "malignant")
    feature_columns = tuple(form.format(name) for form in ("mean {}", "{} error", "worst {}") for name in MEASURED)
    target_column = "diagnosis"

    def data(self) -> Data:
        table = load_breast_cancer()
        return Data(scaled(table.data), (table.target == 0).astype(np.float32))

    def encode(self, table: pd.DataFrame) -> NDArray[np.float32]:
        return scaled(np.stack([complete(table[name]) for name in self.feature_columns], axis=1))

    def model(self) -> nn.Module:
        return nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(0))

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.binary_cross_entropy_with_logits(outputs, targets)

    def evaluate(self, outputs: Tensor, targets: Tensor) -> float:
        return float(roc_auc_score(targets.numpy(), outputs.numpy()))


TASK = BreastCancer()
