"""A participant's own files: one that a disk damaged costs what was in it, and not every later round."""

from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import save

from fl.agents.roles.participant import Participant
from fl.learning.data.partition import Part, Shard
from fl.learning.task_loading import load_task

PART = Part(np.zeros((4, 1), np.float32), np.zeros(4, np.float32))
BASE = bytes(32)
NO_LAYERS = np.zeros(0, np.uint8)
AHEAD = {"base": np.zeros(32, np.uint8), "update": np.ones(264, np.uint8), "residual": np.ones(2), "local": NO_LAYERS}


def damaged(data: bytes, how: str) -> bytes:
    return {"cut": data[:-1], "empty": b"", "garbage": b"\xff" * 64, "other": save({"x": np.ones(2)})}[how]


@pytest.mark.parametrize("how", ["cut", "empty", "garbage", "other"])
def test_damaged_file__is_passed_over(tmp_path, how):
    participant = Participant(0, load_task("linear"), Shard("here", PART, PART), 0, tmp_path)
    (tmp_path / "5.ahead").write_bytes(save(AHEAD))
    (tmp_path / "1.residual").write_bytes(save({"residual": np.full(2, 0.5)}))
    (tmp_path / "2.residual").write_bytes(save({"residual": np.full(2, 0.7)}))
    view = SimpleNamespace(round=SimpleNamespace(number=3))
    assert participant._trained_ahead(5, BASE)[0] == bytes([1] * 264) and participant._residue(view)[0] == 0.7
    for name in ("5.ahead", "2.residual"):
        path = tmp_path / name
        path.write_bytes(damaged(path.read_bytes(), how))
    assert participant._trained_ahead(5, BASE) is None and participant._residue(view)[0] == 0.5
