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


def test_backdoor__its_success_is_measured__beside_what_the_trigger_does_by_chance(tmp_path):
    known = run(Grid(("gates",), SETTINGS[2:3], ("distributed_trigger", "sign_flip"), ("none",), seeds=2, rounds=8), tmp_path)
    found = {key.split("/")[3]: facts for key, facts in known.items()}
    chance = found["nobody"]["hits distributed_trigger"]
    assert min(found["distributed_trigger"]["hits distributed_trigger"]) > max(chance) and len(chance) == 2
    assert not any(fact.startswith("hits") for fact in found["sign_flip"])
    assert "| breast_cancer | 30 % | distributed_trigger | none | 1" in (tmp_path / "experiment.md").read_text()


def test_report__tells_every_seed__not_means_alone():
    base = {"metric": [90.0] * 4, "honest_in": 1.0, "bad_in": 0.0}
    lost = {"metric": [91.0, 91.0, 87.0, 75.0], "honest_in": 0.9, "bad_in": 0.5}
    known = {f"gates/s/{k}/15 rounds/4 seeds": f for k, f in [("0/nobody/none/trim 0", base), ("30/lean/none/trim 0", lost)]}
    result = markdown(known)
    assert "| none | about 30 % | 0 of 1 | 0 of 1 | -4.0 | -15.0 (lean, s) | 50.0 % | 25.0 % |" in result
    assert "| lean (adaptive) | -4.0 ± 3.8, 50 % | -15.0 | 50.0 %, 25.0 % |" in result


def test_absent__cheats_and_honest__are_neither_heard_nor_drawn_nor_paid():
    late, gone = played(
        Cell("late_comer", 3, "agreement", 0, 0, 7),
        Cell("noise", 1, "agreement", 0, 0, absences="most are away in round 8"),
        rounds=8,
    )
    assert late.present == [list(range(7))] * 5 + [list(range(10))] * 3
    assert late.judged_times.sum() == 8 * 7 and late.judged_times[7:].sum() <= 9
    assert [len(present) for present in gone.present] == [8] * 7 + [3]
    assert all(inside <= set(present) for p in (late, gone) for inside, present in zip(p.inside, p.present, strict=True))


def test_experiment__pay_of_cheats_who_were_away_at_the_end__is_told(tmp_path):
    known = run(Grid(("pay",), SETTINGS[2:3], ("comes_and_goes",), seeds=1, rounds=2), tmp_path)
    (honest,) = [facts for key, facts in known.items() if "/comes_and_goes/honest/" in key]
    assert honest["bad_last_score"] == 0.0 < honest["honest_last_score"]
