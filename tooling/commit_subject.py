"""Holds a commit's subject to 72 characters: the hook of .pre-commit-config.yaml gives it the message's file."""

from __future__ import annotations

import sys
from pathlib import Path

MAX_CHARACTERS = 72


def fault(subject: str) -> str:
    """What is wrong with a subject; nothing if nothing is."""
    if not subject.strip():
        return "the subject is empty: say in the imperative what the commit does"
    if len(subject) > MAX_CHARACTERS:
        return f"the subject has {len(subject)} characters and may have {MAX_CHARACTERS}: move the reason into the body"
    return ""


if __name__ == "__main__":
    lines = [line for line in Path(sys.argv[1]).read_text().splitlines() if not line.startswith("#")]
    if wrong := fault(next(iter(lines), "")):
        sys.exit(f"commit refused: {wrong}")
