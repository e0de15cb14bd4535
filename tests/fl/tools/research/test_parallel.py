"""Jobs over processes and over a Ray of two workers: same answers, order asked; training and experiments to the bit."""

import importlib.util
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from fl.errors import ArtifactError
from fl.learning import batched
from fl.learning.batched import Cohort
from fl.learning.codec import encode_update, to_vector
from fl.learning.data.partition import Part
from fl.learning.task import build
from fl.learning.task_loading import load_task
from fl.protocol.artifact import Kind, depth_for, pack_model
from fl.protocol.leaves import root_of
from fl.protocol.stream import aggregate_files
from fl.tools.research.experiment import SETTINGS, Grid, run
from fl.tools.research.parallel import in_parallel

pytestmark = pytest.mark.xdist_group("ray")


def experiment_command():
    """The command of `ape run experiment`; scripts is no package."""
    path = Path(__file__).parents[4] / "scripts" / "experiment.py"
    spec = importlib.util.spec_from_file_location("door_experiment", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.cli


def where(number: int, add: int) -> tuple[int, int]:
    return number + add, os.getpid()


@pytest.fixture(scope="module")
def cluster():
    import ray

    yield "local"
    ray.shutdown()


def test_spread__over_processes__answers_in_order():
    jobs = [(i, 10) for i in range(5)]
    result = in_parallel(where, jobs, processes=2)
    assert [n for n, _ in result] == [10, 11, 12, 13, 14] and os.getpid() not in {pid for _, pid in result}
    assert {pid for _, pid in in_parallel(where, jobs)} == {os.getpid()} and in_parallel(where, [], processes=2) == []


def test_spread__over_ray__answers_in_order(cluster):
    sizes = [(1000 * 4**i,) for i in range(6)]
    assert in_parallel(depth_for, sizes, ray=cluster) == [depth_for(*size) for size in sizes] == [2, 4, 6, 8, 10, 12]


def test_spread__a_job_that_fails__says_why(cluster):
    for way in ({}, {"processes": 2}, {"ray": cluster}):
        with pytest.raises(ArtifactError, match=r"^a model needs at least one parameter, not 0$"):
            in_parallel(depth_for, [(5,), (0,)], **way)


def roots(cohort: Cohort) -> list[bytes]:
    """The model roots of two rounds of the cohort's training."""
    task, result = cohort.task, []
    vector = to_vector(build(task, 0))
    model = pack_model(vector)
    for number in (1, 2):
        files = []
        for seat in cohort.parts:
            delta, rng = cohort.change(np.frombuffer(model, ">i4").astype(np.int32), number, seat)
            files.append(encode_update(delta, None, 2, task.max_exponent, rng)[0])
        model = bytes(aggregate_files(model, files, 0, task.max_exponent))
        result.append(root_of(model, Kind.MODEL))
    return result


def test_cohort__trained_by_two_workers_of_ray__gives_the_model_roots_of_one_process(cluster, monkeypatch):
    task = load_task("breast_cancer")
    data = task.data()
    parts = {seat: Part(data.x[seat::9], data.y[seat::9]) for seat in range(9)}
    monkeypatch.setattr(batched, "GROUP", 2)
    seen = []

    def far(function, jobs):
        seen.append(len(jobs))
        return in_parallel(function, jobs, ray=cluster)

    assert roots(Cohort(task, parts, 5, far)) == roots(Cohort(task, parts, 5))
    assert seen == [5, 5]  # groups, in each round


GRID = Grid(("gates", "pay", "sybil"), SETTINGS[2:3], ("sign_flip",), ("none", "agreement"), seeds=2, rounds=2)


def test_experiment__over_ray__interrupted_and_gone_on_with__gives_the_files_of_one_process(cluster, tmp_path):
    near, far = tmp_path / "near", tmp_path / "far"
    run(GRID, near, str)
    said: list[str] = []

    def stop_after_three(key: str) -> None:
        said.append(key)
        if len(said) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(GRID, far, stop_after_three, ray=cluster)
    kept = json.loads((far / "experiment.json").read_text())
    assert 3 <= len(kept) < len(json.loads((near / "experiment.json").read_text()))
    run(GRID, far, said.append, ray=cluster)
    assert len(said) == len(set(said))  # nothing was played twice
    files = sorted(path.name for path in near.iterdir())
    assert files == sorted(path.name for path in far.iterdir()) and "experiment.json" in files
    assert all((near / name).read_bytes() == (far / name).read_bytes() for name in files)


def test_experiment__over_processes__gives_the_figures_of_one(tmp_path):
    grid = replace(GRID, parts=("gates",), seeds=1, rounds=1)
    assert run(grid, tmp_path / "two", str, processes=2) == run(grid, tmp_path / "one", str)


@pytest.mark.parametrize(
    "address, why",
    [("127.0.0.1:9", "Connection refused"), ("ray://127.0.0.1:9", "Connection refused"), ("nowhere", "give HOST:PORT")],
)
def test_experiment__without_the_cluster__says_what_to_do(tmp_path, address, why):
    result = CliRunner().invoke(experiment_command(), ["--part", "sybil", "--ray", address, "--out", str(tmp_path)])
    start = f"Error: no Ray cluster at {address}: start one with `ray start --head`, or leave --ray out ("
    assert result.exit_code == 1 and result.output.startswith(start) and why in result.output and result.output.count("\n") == 1


def test_experiment__without_ray__says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    result = CliRunner().invoke(experiment_command(), ["--part", "sybil", "--ray", "auto", "--out", str(tmp_path)])
    assert (
        result.exit_code == 1
        and result.output == "Error: Ray is not installed: pip install 'treaty[ray]', or leave --ray out\n"
    )
