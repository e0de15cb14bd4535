"""A federation in one command: the daemons that people run, on a chain whose clock waits for nobody's window."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from fl.agents.record.history import Proposal, Reveal, RoundLog
from fl.errors import TaskError
from fl.learning.data.local_rows import local_shard
from fl.learning.task_loading import load_task
from fl.protocol.phases import Phase
from fl.tools.model.folder import load
from fl.tools.simulation.local_chain import CHECK_BLOCKS, Clock
from fl.tools.simulation.up import Plan, Progress, _Local, up

APE = Path(sys.executable).parent / "ape"
ROOT = Path(__file__).parents[4]


def tables(folder: Path) -> list[Path]:
    """Three participants' tables of one shape, with classes that not all of them have."""
    rng, paths = np.random.default_rng(0), []
    for name, rows, wards in (("a", 60, "ICU|main"), ("b", 50, "main|day"), ("c", 40, "main")):
        age = rng.integers(20, 90, rows)
        frame = pd.DataFrame(
            {"age": age, "ward": rng.choice(wards.split("|"), rows), "relapse": np.where(age > 55, "yes", "no")}
        )
        frame["note"] = [f"{name}{row}" for row in range(rows)]  # as many texts as rows: nothing to learn from
        paths.append(folder / f"{name}.csv")
        frame.to_csv(paths[-1], index=False)
    return paths


def run_up(*words: object) -> subprocess.CompletedProcess[str]:
    call = [APE, "run", "up", *words]
    return subprocess.run(list(map(str, call)), cwd=ROOT, capture_output=True, text=True, timeout=400)


def run_up_until(line: str, *words: object) -> subprocess.CompletedProcess[str]:
    """The same without --rounds, until it says the line; then Ctrl-C, which a terminal sends to all processes at once."""
    call = list(map(str, [APE, "run", "up", *words]))
    said = []
    with subprocess.Popen(
        call, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as run:
        for text in run.stdout:
            said.append(text)
            if text.startswith(line):
                os.killpg(run.pid, signal.SIGINT)
        err = run.stderr.read()
    return subprocess.CompletedProcess(call, run.returncode, "".join(said), err)


@pytest.mark.xdist_group("chaos")
def test_three_tables__become_one_model__which_another_run_carries_on(tmp_path):
    words = ["--data", *tables(tmp_path), "--drop", "note", "--target", "relapse"]
    first = run_up(*words, "--rounds", "1", "--out", tmp_path / "out")
    assert first.returncode == 0 and "round 1: a new model (3 revealed, 3 accepted), AUC " in first.stdout, first.stderr
    with pytest.raises(TaskError, match="holds a federation with another --seed \\(0\\): give the same options, or only --out"):
        up(Plan(tmp_path / "out", tuple(tables(tmp_path)), "relapse", ("note",), seed=1), Progress())
    done = run_up_until("round 2:", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "continuing after round 1\nround 2: a new model (3 revealed, 3 accepted)" in done.stdout
    assert "audit passed" in done.stdout and "hashes to the root that the event Finalized of round 2 names" in done.stdout
    model = load(tmp_path / "out" / "model").module
    assert model(torch.zeros(4, 4)).shape == (4,)  # age, and three wards
    stored = next((tmp_path / "out" / "store").glob("*.json"))
    kept = [local_shard(load_task(f"table:{path}?manifest={stored}"), None, None, 0).held_out for path in tables(tmp_path)]
    x, y = np.concatenate([part.x for part in kept]), np.concatenate([part.y for part in kept])
    auc = roc_auc_score(y, model(torch.from_numpy(x)).detach().numpy())
    assert f"{auc:.4f}, on {len(y)} rows of all participants that nobody trained on" in done.stdout
    assert f"AUC {auc:.4f} (higher is better)" in (tmp_path / "out" / "model" / "README.md").read_text()
    logs = "".join(path.read_text() for path in (tmp_path / "out").glob("seat-*.log"))
    assert "slashed" not in logs and logs.count("stopped; the journal has everything") == 6
    manifest = json.loads(stored.read_text())
    classes = {column["name"]: column["classes"] for column in manifest["table"]["columns"]}
    assert classes["ward"] == ["ICU", "day", "main"]  # of all tables, though none of them has all three
    assert not (tmp_path / "out" / "columns.csv").exists()  # nobody's rows are left outside the participants' files


@pytest.mark.parametrize(
    "given, message",
    [
        ({}, "say what to learn"),
        ({"tables": (Path("a"), Path("b"), Path("c"))}, "which column"),
        ({"task": "heart", "drop": ("age",)}, "columns of the tables"),
        ({"task": "heart", "seats": 2}, "at least 3"),
        ({"task": "heart", "seats": 40}, "at most 16"),
    ],
)
def test_plan__that_cannot_run__says_what_to_give(given, message, tmp_path):
    with pytest.raises(TaskError, match=message):
        Plan(tmp_path, **given)


def test_tables__with_a_wrong_column__are_named_and_leave_the_folder_free_for_another_attempt(tmp_path):
    paths, out = tables(tmp_path), tmp_path / "out"
    for path in paths:
        frame = pd.read_csv(path)
        frame.insert(0, "patient", [f"{path.stem}{row}" for row in range(len(frame))])
        frame.to_csv(path, index=False)
    for target, drop, message in (
        ("relaps", (), "the tables have no column 'relaps'; they have patient, age, ward, relapse, note"),
        ("relapse", ("ptient",), "the tables have no column 'ptient'; they have patient, age, ward, relapse, note"),
        ("relapse", ("patient", "age", "ward", "note"), "no column"),
        ("relapse", ("note",), "patient: another value in every row, .*: leave out .* \\(--drop patient\\)"),
    ):
        with pytest.raises(TaskError, match=message):
            up(Plan(out, tuple(paths), target, drop), Progress())
        assert not any(out.iterdir())


def test_columns_that_seem_to_name_patients__are_listed__and_texts_are_refused(tmp_path):
    paths = tables(tmp_path)
    for first, path in enumerate(paths):
        frame = pd.read_csv(path).drop(columns="note")
        frame.insert(0, "patient", range(1000 * first, 1000 * first + len(frame)))
        frame.to_csv(path, index=False)
    told: list[str] = []
    (tmp_path / "out").mkdir()
    task = _Local(Plan(tmp_path / "out", tuple(paths), "relapse"), Progress(told.append))._tried()
    assert "patient" in task.feature_columns  # numbers may be learned from, and the user is told
    assert told == [
        "note: patient: another value in every row, as a patient's number has; leave out what nobody should learn from "
        "(--drop patient)"
    ]
    for path in paths:
        frame = pd.read_csv(path)
        frame.insert(0, "record", [f"{path.stem}{row}" for row in range(len(frame))])
        frame.to_csv(path, index=False)
    with pytest.raises(TaskError, match=r"record, patient: another value .* \(--drop record --drop patient\)"):
        up(Plan(tmp_path / "out2", tuple(paths), "relapse"), Progress())


def test_up__on_a_port_in_use__starts_nothing(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(TaskError, match="give another --port"):
        up(Plan(tmp_path / "out", task="linear", port=other.getsockname()[1]), Progress())
    assert not (tmp_path / "out").exists()


# ---- the clock

ACTIVE = [0, 1, 2]


def over(phase: Phase, awaited: set[int], **facts) -> bool:
    """Whether the clock finds nothing left to wait for."""
    clock = Clock.__new__(Clock)
    clock.awaited, clock._stood = lambda: awaited, (0, 0)
    return clock._over(phase, RoundLog(1, ACTIVE, bytes(32), 0, 0, **facts))


@pytest.mark.parametrize(
    "phase, begun, done",
    [
        (Phase.COMMIT, {"commitments": {0: b"", 1: b""}}, {"commitments": {0: b"", 1: b"", 2: b""}}),
        (
            Phase.REVEAL,
            {"commitments": {0: b"", 1: b""}, "reveals": {0: Reveal(b"", b"", b"")}},
            {"commitments": {0: b"", 1: b""}, "reveals": {s: Reveal(b"", b"", b"") for s in (0, 1)}},
        ),
        (Phase.SCORE_COMMIT, {"committee": [2, 0]}, {"committee": [2, 0], "score_commitments": {0: b"", 2: b""}}),
        (Phase.SCORE_REVEAL, {"score_commitments": {0: b""}}, {"score_commitments": {0: b""}, "scores": {0: b""}}),
    ],
)
def test_clock__jumps_when_all_who_run_have_acted(phase, begun, done):
    assert not over(phase, {0, 1, 2}, **begun) and over(phase, {0, 1, 2}, **done)


def test_clock__does_not_wait_for_a_daemon_that_is_gone():
    assert over(Phase.COMMIT, {0, 1}, commitments={0: b"", 1: b""})


def test_clock__leaves_updates_and_a_proposal_time_to_be_looked_at__and_never_jumps_over_an_open_demand():
    clock = Clock.__new__(Clock)
    clock.awaited, clock._stood = lambda: {0, 1, 2}, (0, 0)
    log = RoundLog(1, ACTIVE, bytes(32), 0, 0, proposals=[Proposal(1, 0, b"")])
    for phase in (Phase.SHOW, Phase.CHALLENGE):
        log.proposals = [Proposal(1, 0, b"")] if phase is Phase.CHALLENGE else []
        looks = [clock._over(phase, log) for _ in range(CHECK_BLOCKS)]
        assert looks == [False] * (CHECK_BLOCKS - 1) + [True], phase
    log.proposals.append(Proposal(2, 1, b""))  # another attempt is another proposal
    assert not clock._over(Phase.CHALLENGE, log)
    log.demands = {"somebody's": 0}
    assert not any(clock._over(Phase.CHALLENGE, log) for _ in range(2 * CHECK_BLOCKS))


@pytest.mark.parametrize("phase", [Phase.IDLE, Phase.DRAW, Phase.SETTLE, Phase.PROPOSE, Phase.FINAL, Phase.VOID])
def test_clock__never_jumps_where_a_call_is_due(phase):
    assert not over(phase, set())
