"""An interrupted simulation continues from its own folder and ends with the same model roots.

Its checkpoint is what its participants keep anyway: update, salt and residual are on disk before a commitment is sent, each
file whole or absent. A new local chain replays the rounds of the same plan. Seats that have an update send it, and only
updates that were never written are trained, with the same randomness. Scores are made again, since another chain draws other
committees.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from fl.errors import TaskError
from fl.network.stores.files import write_durably


def begin(plan: Any, task: str, out: Path) -> int:
    """Makes `out` the folder of this plan; returns how many updates of an interrupted run are there.

    Raises TaskError if the folder holds a finished simulation or one of another plan.
    """
    if out.exists() and not out.is_dir():
        raise TaskError(f"{out} is a file: give --out a folder")
    if _finished(out / "summary.json"):
        raise TaskError(f"{out} holds an earlier simulation: give another --out, or remove that folder")
    facts = json.loads(json.dumps(asdict(plan)))
    if Path(task).is_file():
        facts["task_file"] = sha256(Path(task).read_bytes()).hexdigest()
    kept = out / "plan.json"
    if (out / "participants").exists() or kept.exists():
        if _read(kept) != facts:
            raise TaskError(f"{out} holds an unfinished simulation with other settings: give those, or another --out")
        if facts["masked"]:  # masked for a company on a chain that is gone; trained anew, with the same randomness
            shutil.rmtree(out / "participants", ignore_errors=True)
        for scores in out.glob("participants/*/*.scores"):
            scores.unlink()
        for transactions in out.glob("participants/*/transactions"):
            shutil.rmtree(transactions)  # of a chain that is gone
    write_durably(kept, json.dumps(facts, indent=1).encode())
    return len(list(out.glob("participants/*/*.update")))


def _finished(summary: Path) -> bool:
    """Whether a run was completed; the audit's verdict is the last thing that it writes."""
    facts = _read(summary)
    return facts is not None and facts.get("audit") is not None


def _read(path: Path) -> dict[str, Any] | None:
    try:
        facts = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return facts if isinstance(facts, dict) else None
