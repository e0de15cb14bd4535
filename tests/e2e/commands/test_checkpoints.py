"""A simulation that is killed goes on when it is called again, and ends with the model roots of one that never was."""

import json
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
from support.cli import APE, project, roots

from fl.errors import TaskError
from fl.tools.simulation.checkpoint import begin
from fl.tools.simulation.simulate import Plan

pytestmark = pytest.mark.xdist_group("commands")
SIMULATE = ["simulate", "--task", "linear", "--seats", "3", "--rounds", "2", "--adversary", "scaled:1", "--seed", "4", "--out"]


def run_until(sign: str | None, out: Path, folder: Path) -> int:
    """Runs the real command; kills it without warning as soon as the file `sign` of `out` is there."""
    with subprocess.Popen([APE, "run", *SIMULATE, str(out)], cwd=folder, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and sign is not None and not list(out.glob(sign)):
            time.sleep(0.002)
        if sign is not None:
            process.send_signal(signal.SIGKILL)
    return process.returncode


def test_simulation__killed_twice__ends_with_the_same_model_roots(tmp_path):
    folder = project(tmp_path / "project", "auto")
    out, whole = tmp_path / "out", tmp_path / "whole"
    assert run_until(None, whole, folder) == 0
    # Between the files of one commitment, and in the next round.
    for sign in ("participants/2/1.salt", "participants/0/2.update"):
        assert run_until(sign, out, folder) == -signal.SIGKILL
        assert not (out / "summary.json").exists() and list(out.glob(sign))
    kept = {path: path.read_bytes() for path in out.glob("participants/*/*.update")}
    assert run_until(None, out, folder) == 0
    killed, never = (json.loads((o / "summary.json").read_text()) for o in (out, whole))
    assert roots(killed) == roots(never) and killed["audit"]["passed"]
    assert len(set(roots(never))) == 3
    assert kept and all(path.read_bytes() == data for path, data in kept.items())


def test_simulation__that_has_learned_enough__ends_early_and_everybody_is_paid(tmp_path):
    folder, out = project(tmp_path / "project", "auto"), tmp_path / "out"
    words = ["simulate", "--task", "linear", "--seats", "3", "--rounds", "9", "--until-metric", "1.5", "--out", str(out)]
    told = subprocess.run([APE, "run", *words], cwd=folder, capture_output=True, text=True)
    assert told.returncode == 0, told.stdout + told.stderr
    summary = json.loads((out / "summary.json").read_text())
    metrics = [summary["start"], *(r["metric"] for r in summary["rounds"])]
    assert len(metrics) < 9 and metrics[-1] <= 1.5 < metrics[-2]  # linear is a toy whose rows all are everybody's
    assert f"ends after round {len(metrics) - 1}: mean squared error on held-out rows" in told.stdout
    assert summary["audit"]["passed"] and all(float(seat["pay"]) > 0 for seat in summary["seats"])
    again = subprocess.run([APE, "run", "report", "--summary", str(out / "summary.json")], cwd=folder, capture_output=True)
    assert again.returncode == 0 and "--until-metric 1.5" in (out / "report.html").read_text()


PLAN = Plan("linear", 3, 2, seed=4)


def begun(out: Path) -> Path:
    begin(PLAN, "linear", out)
    seat = out / "participants" / "0"
    seat.mkdir(parents=True)
    for name in ("1.update", "1.salt", "1.scores"):
        (seat / name).write_bytes(b"x")
    return out


def test_begin__again__keeps_updates_and_forgets_scores(tmp_path):
    out = begun(tmp_path / "out")
    assert begin(PLAN, "linear", out) == 1
    assert sorted(p.name for p in (out / "participants" / "0").iterdir()) == ["1.salt", "1.update"]


@pytest.mark.parametrize("other", [{"seed": 5}, {"rounds": 3}, {"task": "heart"}, {"adversaries": (("noise", 1),)}], ids=str)
def test_begin__with_other_settings__is_refused(tmp_path, other):
    out = begun(tmp_path / "out")
    with pytest.raises(TaskError, match="unfinished simulation with other settings"):
        begin(replace(PLAN, **other), "linear", out)
    assert len(list((out / "participants" / "0").iterdir())) == 3


def test_begin__with_a_task_file_that_changed__is_refused(tmp_path):
    task = tmp_path / "task.py"
    task.write_text("one")
    plan = replace(PLAN, task=str(task))
    begin(plan, str(task), tmp_path / "out")
    begin(plan, str(task), tmp_path / "out")
    task.write_text("two")
    with pytest.raises(TaskError, match="other settings"):
        begin(plan, str(task), tmp_path / "out")


@pytest.mark.parametrize("damage", [b"", b"{", b"[]"])
def test_begin__where_the_plan_is_lost__is_refused(tmp_path, damage):
    out = begun(tmp_path / "out")
    (out / "plan.json").write_bytes(damage)
    with pytest.raises(TaskError, match="other settings"):
        begin(PLAN, "linear", out)


def test_begin__after_the_end__is_refused__but_not_before_the_audit(tmp_path):
    out = begun(tmp_path / "out")
    (out / "summary.json").write_text(json.dumps({"rounds": []}))
    begin(PLAN, "linear", out)
    (out / "summary.json").write_text(json.dumps({"rounds": [], "audit": {}}))
    with pytest.raises(TaskError, match="earlier simulation"):
        begin(PLAN, "linear", out)
