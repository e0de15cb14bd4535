"""The arena plays what agents play: same numbers twice, cheats left out, pay by the contract's rules, unfinished runs go on."""

import json

import numpy as np
import pytest

from fl.errors import TaskError
from fl.learning.data.partition import split
from fl.learning.evaluator import Evaluator
from fl.learning.research.attacks import ATTACKS, flipped, poison
from fl.learning.research.offchain import Cell, play
from fl.learning.task_loading import load_task
from fl.tools.research.experiment import SETTINGS, Grid, run
from fl.tools.research.experiment_report import losses, markdown, svg

TASK = load_task("breast_cancer")
SPLITS = {0: split(TASK.data(), 7, 0.5, 0)}


def played(*cells: Cell, rounds: int = 3):
    return play(TASK, SPLITS, cells, rounds)


def test_play__is_the_same_twice__and_whoever_plays_beside():
    cell = Cell("noise", 3, "agreement", 0, 0, 7, "colluding")
    alone, again = played(cell)[0], played(cell)[0]
    assert (alone.vector == again.vector).all() and (alone.trained_pay == again.trained_pay).all()
    beside = played(cell, Cell("sign_flip", 3, "none", 0, 0))[0]
    assert np.abs(alone.vector - beside.vector).max() < 2**24 * 1e-2


def test_play__crude_cheats_are_out__their_pay_is_none__and_the_model_is_as_good():
    calm, open_, gated = played(
        Cell("nobody", 0, "none", 0, 0), Cell("scaled_flip", 3, "none", 0, 0), Cell("scaled_flip", 3, "agreement", 0, 0, 7)
    )
    metric = [Evaluator(TASK).metric(p.vector, p.split.test) for p in (calm, open_, gated)]
    assert metric[1] < metric[0] - 0.2 and metric[2] > metric[0] - 0.02
    assert not any(seat >= 7 for inside in gated.inside for seat in inside)
    assert gated.trained_pay[7:].sum() == 0 < gated.trained_pay[:7].min()
    assert gated.judged_times.sum() == 3 * 7 and (gated.judged_pay <= gated.judged_times).all()


@pytest.mark.parametrize("kind", ATTACKS)
def test_every_attack__makes_an_update(kind):
    p = played(Cell(kind, 2, "agreement", 0, 0), rounds=2)[0]
    assert len(p.inside) == 2 and p.vector.any()


def test_poison__turns_labels_round__and_leaves_the_honest_their_rows():
    part = max((shard.train for shard in SPLITS[0].shards), key=lambda rows: len(set(rows.y)))
    assert (flipped(part.y) == 1 - part.y).all()
    assert (poison("label_flip", part).x == part.x).all() and poison("noise", part) is part
    marked = poison("backdoor", part)
    assert (marked.y[::2] == 1).all() and (marked.x[1::2] == part.x[1::2]).all() and not (marked.x[::2] == part.x[::2]).all()


def test_run__goes_on_where_it_was__and_reports_what_is_there(tmp_path):
    grid = Grid(("gates", "sybil"), SETTINGS[2:3], ("sign_flip", "lean"), ("none", "agreement"), seeds=2, rounds=2)
    said: list[str] = []
    known = run(grid, tmp_path, said.append)
    assert len(said) == 2 * 2 + 4 and len(known) == 2 * 3 + 4
    assert run(grid, tmp_path, said.append) == known and len(said) == 8
    assert json.loads((tmp_path / "experiment.json").read_text()) == known
    result = markdown(known)
    assert result == (tmp_path / "experiment.md").read_text() and "| lean (adaptive) |" in result and "## Sybils" in result
    assert svg(known)["gates"].startswith("<svg") and set(losses(known)) >= {("breast_cancer", "30", "lean", "agreement")}


def test_run__of_one_gate_alone__measures_against_none_all_the_same(tmp_path):
    grid = Grid(("gates",), SETTINGS[2:3], ("sign_flip",), ("agreement",), seeds=1, rounds=1)
    assert set(losses(run(grid, tmp_path))) >= {("breast_cancer", "30", "sign_flip", "agreement")}
    assert "| agreement | about 30 % |" in (tmp_path / "experiment.md").read_text()


def test_pay__of_old_changes_sent_again__is_below_honest_pay__whoever_lies(tmp_path):
    facts = run(Grid(("pay",), SETTINGS[2:3], ("replay",), seeds=2, rounds=10), tmp_path)
    paid = {key.split("/")[3]: f["bad_trainer"] / f["honest_trainer"] for key, f in facts.items() if "/replay/" in key}
    assert set(paid) == {"honest", "colluding", "shading"} and max(paid.values()) < 0.9
    result = {key.split("/")[3]: f["honest_validator"] for key, f in facts.items()}
    assert min(result.values()) > 0.95


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"parts": ("x",)}, "no part 'x': choose from gates"),
        ({"kinds": ("x",)}, "no kind 'x': choose from free_rider"),
        ({"gates": ("x",)}, "no gate 'x': choose from agreement"),
        ({"seeds": 0}, "at least 1"),
        ({"trims": (50,)}, "0 to 49"),
    ],
)
def test_run__refuses_what_it_does_not_know(tmp_path, wrong, message):
    with pytest.raises(TaskError, match=message):
        run(Grid(**wrong), tmp_path)
