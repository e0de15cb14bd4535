"""The tasks of fl/guides/own-task.md whose models come from other libraries, as the page has them: each learns in a whole
federation, passes its audit, and exchanges what trains alone. Run by `make brought`, with the libraries' own environment."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

import fl
from fl.learning.codec import fixed_digest, parameters_of
from fl.learning.task import build
from fl.learning.task_loading import load_task
from fl.tools.model.source import from_summary

PAGE = Path(fl.__file__).parent / "guides" / "own-task.md"
HEADING = "## A model of another library"


def tasks(page: str) -> dict[str, str]:
    """The files of the section, by their tasks' names."""
    section = page[page.index(HEADING) + len(HEADING) :].split("\n## ")[0]
    blocks = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    return {re.findall(r'name, metric, \w+ = "(\w+)"', block)[0]: block for block in blocks}


def check(name: str, code: str, folder: Path) -> None:
    """Runs one of them and says what it learned."""
    path = folder / f"{name}.py"
    path.write_text(code)
    task = load_task(str(path))
    whole = build(task, 1)
    run = fl.simulate(path, seats=3, rounds=4, seed=1, compare=False, out=folder / name)
    before, *_, after = run.rounds[task.metric]
    assert (after > before) == task.higher_is_better, (name, before, after)
    run.audit()  # raises if anything disagrees
    manifest = from_summary(folder / name / "summary.json").manifest
    assert manifest.parameters == parameters_of(whole) and manifest.details.get("fixed") == fixed_digest(whole)
    everything = sum(p.numel() for p in whole.parameters())
    print(f"{name}: {task.metric} {before:.3f} -> {after:.3f}; {parameters_of(whole):,} of {everything:,} parameters exchanged")


if __name__ == "__main__":
    found = tasks(PAGE.read_text())
    assert set(found) == {"lora", "lit"}, found
    with tempfile.TemporaryDirectory() as made:
        for name, code in found.items():
            check(name, code, Path(made))
    sys.exit(0)
