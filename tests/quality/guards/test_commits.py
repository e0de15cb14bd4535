"""Commit subjects are short enough to be read in a list; the rule holds since the house was put in order."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "tooling" / "commit_subject.py"
sys.path.insert(0, str(SCRIPT.parent))
from commit_subject import fault  # noqa: E402

# When "Group tools, learning and tests by job; use the field's words" was committed. A date and not the commit's name, so that
# a shallow clone, which may lack the commit, is checked as far as it reaches.
SINCE = "2026-11-29T11:44:40+00:00"


def test_subjects__have_at_most_72_characters():
    if not (ROOT / ".git").exists():
        pytest.skip("no clone: there are no commits to read")
    command = ["git", "log", f"--since={SINCE}", "--format=%h %s"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    commits = [line.partition(" ")[::2] for line in result.splitlines()]
    assert [(name, wrong) for name, subject in commits if (wrong := fault(subject))] == []


@pytest.mark.parametrize(
    "subject, wrong", [("x" * 72, ""), ("x" * 73, "has 73 characters and may have 72"), ("", "is empty"), (" ", "is empty")]
)
def test_fault__of_a_subject(subject, wrong):
    assert wrong in fault(subject) and bool(fault(subject)) == bool(wrong)


@pytest.mark.parametrize("subject, code", [("Fix the draw", 0), ("x" * 73, 1)])
def test_hook__reads_the_message_that_git_gives_it(tmp_path, subject, code):
    (tmp_path / "message").write_text(f"# a comment\n{subject}\n\nWhy it was needed, at whatever length {'x' * 90}.\n")
    done = subprocess.run([sys.executable, SCRIPT, tmp_path / "message"], capture_output=True, text=True)
    assert done.returncode == code and ("commit refused: the subject has 73" in done.stderr) == bool(code)
