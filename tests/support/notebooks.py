"""Runs a notebook as a reader would, cell by cell in one namespace, without Jupyter. A cell shows its last expression."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any


def shown(value: Any) -> str:
    """What a notebook shows of a value."""
    return value._repr_html_() if hasattr(value, "_repr_html_") else repr(value)


def run(path: Path, names: dict[str, Any]) -> list[str]:
    """Runs the code cells in `names`; returns what each shows."""
    result = []
    for number, cell in enumerate(json.loads(path.read_text())["cells"]):
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse("".join(cell["source"]), f"{path.name}, cell {number}")
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, f"{path.name}, cell {number}", "exec"), names)
        value = eval(compile(ast.Expression(last.value), f"{path.name}, cell {number}", "eval"), names) if last else None
        result.append("" if value is None else shown(value))
    return result
