"""Coverage-guided fuzzing of one target: `python run.py NAME SECONDS FOLDER`, in the environment of `make fuzz`."""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["fl"]):
    from targets import SEEDS, TARGETS

if __name__ == "__main__":
    name, seconds, folder = sys.argv[1:4]
    if name in SEEDS:
        Path(folder, "seed").write_bytes(SEEDS[name])
    atheris.Setup(
        [sys.argv[0], f"-max_total_time={seconds}", "-max_len=4096", f"-artifact_prefix={folder}/{name}-", folder],
        TARGETS[name],
    )
    atheris.Fuzz()
