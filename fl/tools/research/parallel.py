"""Runs independent jobs on the processes of this machine or the nodes of a Ray cluster; results come in the order of the jobs.

A job is a module-level function and plain arguments, which include all its randomness, so that the result does not depend on
where it runs. Ray is an optional extra: pip install 'treaty[ray]'.
"""

from __future__ import annotations

import multiprocessing
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from fl.errors import TaskError
from fl.protocol.stream import cores

T = TypeVar("T")
PROJECT = str(Path(__file__).parents[3])
SECONDS = 10  # to answer a first call


def in_parallel(
    function: Callable[..., T], jobs: Sequence[tuple[Any, ...]], *, processes: int = 1, ray: str | None = None
) -> list[T]:
    """function(*job) for every job, in order; where, as in `as_done`."""
    result = dict(as_done(function, jobs, processes=processes, ray=ray))
    return [result[i] for i in range(len(jobs))]


def as_done(
    function: Callable[..., T], jobs: Sequence[tuple[Any, ...]], *, processes: int = 1, ray: str | None = None
) -> Iterator[tuple[int, T]]:
    """(a job's index, function(*job)) for every job, as soon as it is done.

    processes: of this machine; 1 runs here. ray: a cluster's address (host:port or ray://...), 'auto' for the one running here,
    'local' for one that is started here with one worker a core and ends with this process.
    """
    if ray is not None:
        yield from _over_ray(function, jobs, ray)
    elif processes <= 1 or len(jobs) <= 1:
        for i, job in enumerate(jobs):
            yield i, function(*job)
    else:
        if PROJECT not in sys.path:  # `ape run` takes it away, and workers begin with the path that is here
            sys.path.append(PROJECT)
        # Spawned, not forked: a fork copies locks that PyTorch's threads may hold.
        with ProcessPoolExecutor(min(processes, len(jobs)), multiprocessing.get_context("spawn")) as pool:
            places = {pool.submit(function, *job): i for i, job in enumerate(jobs)}
            try:
                for done in as_completed(places):
                    yield places[done], done.result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)


def _over_ray(function: Callable[..., T], jobs: Sequence[tuple[Any, ...]], address: str) -> Iterator[tuple[int, T]]:
    try:
        import ray  # an extra that few install
    except ImportError:
        raise TaskError("Ray is not installed: pip install 'treaty[ray]', or leave --ray out") from None
    if address not in ("auto", "local"):
        _reach(address)
    if not ray.is_initialized():
        try:
            own = {"num_cpus": max(2, cores()), "include_dashboard": False} if address == "local" else {}
            ray.init(address=address, log_to_driver=False, logging_level="ERROR", **own)
        except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
            raise _unreached(address, error) from error
    remote = ray.remote(num_cpus=1, max_retries=3)(function)
    places = {remote.remote(*job): i for i, job in enumerate(jobs)}
    waiting = list(places)
    try:
        while waiting:
            (done,), waiting = ray.wait(waiting, num_returns=1)
            yield places[done], ray.get(done)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None  # the job's own error
    finally:
        for job in waiting:
            ray.cancel(job)


def _reach(address: str) -> None:
    """Fails early if nobody listens, where Ray itself would try for minutes."""
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        if not parts.hostname or not parts.port:
            raise ValueError("give HOST:PORT, ray://HOST:PORT, auto or local")
        socket.create_connection((parts.hostname, parts.port), SECONDS).close()
    except (OSError, ValueError) as error:
        raise _unreached(address, error) from error


def _unreached(address: str, error: Exception) -> TaskError:
    result = " ".join(str(error).split())[:200]
    return TaskError(f"no Ray cluster at {address}: start one with `ray start --head`, or leave --ray out ({result})")
