"""How deeply foreign JSON nests, before anything reads it: a reader that recurses can end the process where something, such as
PyTorch's compiler, raised Python's own limit, and whatever shows such a document recurses again."""

from __future__ import annotations

import re

import numpy as np

MAX_NESTING = 32  # what nodes and stores send nests some six deep
_PART = 1 << 20
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)  # one that does not end takes the rest with it
_OTHERS = bytes(set(range(256)) - set(b"[]{}"))


def nests_too_deep(data: bytes) -> bool:
    """Whether a JSON text nests deeper than MAX_NESTING. Takes linear time."""
    brackets = _STRING.sub(b"", data).translate(None, _OTHERS)
    level = 0
    for start in range(0, len(brackets), _PART):
        part = np.frombuffer(brackets, np.uint8, min(_PART, len(brackets) - start), start)
        levels = level + np.cumsum(np.where(part & 2, 1, -1))  # the second bit tells opening brackets from closing ones
        if levels.max() > MAX_NESTING:
            return True
        level = int(levels[-1])
    return False
