"""The digits with the network used in the benchmarks: 64 - 128 - 10, four local steps of batches of 32."""

from __future__ import annotations

from torch import nn

from fl.learning.task import LocalTraining
from fl.learning.tasks.digits import Digits


class DigitsMlp(Digits):
    name = "digits_mlp"
    training = LocalTraining(learning_rate=0.1, steps=4, batch_size=32)

    def model(self) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))


TASK = DigitsMlp()
