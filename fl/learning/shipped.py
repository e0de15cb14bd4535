"""The names of the tasks that ship with Treaty. It loads no torch, so that a help text can list them."""

from __future__ import annotations

from pathlib import Path

# A task is its file: a new one in this folder ships.
SHIPPED = tuple(sorted(path.stem for path in (Path(__file__).parent / "tasks").glob("*.py") if path.stem != "__init__"))
