"""A manifest for tests that need one: sound, of no particular task."""

from typing import Any

from fl.protocol.manifest import DEFAULT_GATE, Manifest, Training, gate_rule

TRAINING = Training(learning_rate=0.1, steps=4, batch_size=8, momentum=0.0, weight_decay=0.0, proximal=0.0)


def manifest(parameters: int = 2, **given: Any) -> Manifest:
    facts = {"task": "linear", "metric": "mean squared error", "training": TRAINING, "max_exponent": 16, "genesis_seed": 0}
    return Manifest(**{**facts, "parameters": parameters, "gate": gate_rule(DEFAULT_GATE), **given})
