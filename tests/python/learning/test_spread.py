"""Jobs over processes and over a Ray of two workers: the same answers, in the order asked; training too, to the bit."""

import os

import numpy as np
import pytest

from fl.errors import ArtifactError
from fl.learning import batched
from fl.learning.batched import Cohort
from fl.learning.codec import encode_update, to_vector
from fl.learning.partition import Part
from fl.learning.task import build, load_task
from fl.protocol.artifact import Kind, depth_for, pack_model
from fl.protocol.leaves import root_of
from fl.protocol.stream import aggregate_files
from fl.tools.spread import spread

pytestmark = pytest.mark.xdist_group("ray")


def where(number: int, add: int) -> tuple[int, int]:
    return number + add, os.getpid()


@pytest.fixture(scope="module")
def cluster():
    import ray

    yield "local"
    ray.shutdown()


def test_spread__over_processes__answers_in_order():
    jobs = [(i, 10) for i in range(5)]
    told = spread(where, jobs, processes=2)
    assert [n for n, _ in told] == [10, 11, 12, 13, 14] and os.getpid() not in {pid for _, pid in told}
    assert {pid for _, pid in spread(where, jobs)} == {os.getpid()} and spread(where, [], processes=2) == []


def test_spread__over_ray__answers_in_order(cluster):
    sizes = [(1000 * 4**i,) for i in range(6)]
    assert spread(depth_for, sizes, ray=cluster) == [depth_for(*size) for size in sizes] == [2, 4, 6, 8, 10, 12]


def test_spread__a_job_that_fails__says_why(cluster):
    for way in ({}, {"processes": 2}, {"ray": cluster}):
        with pytest.raises(ArtifactError, match=r"^a model needs at least one parameter, not 0$"):
            spread(depth_for, [(5,), (0,)], **way)


def roots(cohort: Cohort) -> list[bytes]:
    """The model roots of two rounds of the cohort's training."""
    task, told = cohort.task, []
    vector = to_vector(build(task, 0))
    model = pack_model(vector)
    for number in (1, 2):
        files = []
        for seat in cohort.parts:
            delta, rng = cohort.change(np.frombuffer(model, ">i4").astype(np.int32), number, seat)
            files.append(encode_update(delta, None, 2, task.max_exponent, rng)[0])
        model = bytes(aggregate_files(model, files, 0, task.max_exponent))
        told.append(root_of(model, Kind.MODEL))
    return told


def test_cohort__trained_by_two_workers_of_ray__gives_the_model_roots_of_one_process(cluster, monkeypatch):
    task = load_task("breast_cancer")
    data = task.data()
    parts = {seat: Part(data.x[seat::9], data.y[seat::9]) for seat in range(9)}
    monkeypatch.setattr(batched, "GROUP", 2)
    seen = []

    def far(function, jobs):
        seen.append(len(jobs))
        return spread(function, jobs, ray=cluster)

    assert roots(Cohort(task, parts, 5, far)) == roots(Cohort(task, parts, 5))
    assert seen == [5, 5]  # groups, in each round
