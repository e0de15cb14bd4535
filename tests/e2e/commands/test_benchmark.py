"""The benchmark measures the work that it names: every row once, the same accuracy by every way, one model from one seed."""

import numpy as np
import pytest

from fl.errors import TaskError
from fl.learning.task_loading import load_task
from fl.protocol.artifact import parse_model, parse_update, update_is_canonical
from fl.tools.research.benchmark import Settings, benchmark, deal, exact_rounds, float_rounds, random_updates


@pytest.mark.parametrize("clients", [20, 200])
def test_deal__gives_every_row_to_one(clients):
    parts, test = deal(clients, 0)
    assert len(parts) == clients and min(map(len, parts)) >= 1
    given_twice = sum(map(len, parts)) + len(test) - 1797
    assert 0 <= given_twice < clients / 2  # a row for each whom the draw left without
    if clients == 20:
        assert given_twice == 0


def test_rounds__by_every_way__lead_to_one_model_within_a_rounding():
    task = load_task("digits_mlp")
    parts, _ = deal(10, 0)
    loop, once = ([v.astype(np.float64) for v in float_rounds(task, parts, 3, 0, at_once=way)] for way in (False, True))
    exact = [v.astype(np.float64) for v in exact_rounds(task, parts, 3, 0)]
    assert len(loop) == len(once) == len(exact) == 3
    moved = np.abs(loop[-1] - loop[0]).max()
    assert np.abs(loop[-1] - once[-1]).max() < moved / 1000 and np.abs(loop[-1] - exact[-1]).max() < moved / 10
    assert (list(exact_rounds(task, parts, 3, 0))[-1] == exact[-1]).all()


def test_random_updates__are_what_an_honest_encoder_writes():
    model, updates = random_updates(3, 1000, 0)
    assert all(update_is_canonical(u, 2, 16, 1000) and parse_update(u, 2, 16)[:1000].any() for u in updates)
    assert parse_model(model, 2)[:1000].all() and len(set(updates)) == 3


def test_benchmark__small__tells_every_part_and_writes_it(tmp_path):
    said = []
    settings = Settings((4,), 2, 2, ((3, 3000), (2, 5000)), flower=tmp_path / "none")
    report = benchmark(settings, tmp_path, said.append)
    assert (tmp_path / "benchmark.md").read_text() == report and (tmp_path / "benchmark.json").is_file()
    for result in ("4 participants", "plain loop", "at once", "3 x 3,000", "median", "tree over the model", "quantising"):
        assert result in report
    assert "make flower" in said[0] and "Flower |" not in report
    lines = [line.split("|") for line in report.splitlines() if "at once" in line and "ms a round" not in line]
    assert [line[5].strip() for line in lines] == ["1", "1"]  # one model in two runs


def test_benchmark__of_an_unknown_part__is_refused():
    with pytest.raises(TaskError, match="choose from simulation"):
        benchmark(Settings(parts=("speed",)), None)
