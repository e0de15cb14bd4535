"""Many independent jobs over the processes of this machine or the nodes of a Ray cluster; the answers come in the order asked.

A job is a module-level function and plain arguments, all its randomness among them, so that where it runs has no say in what
it answers. Ray is an optional extra: pip install 'treaty[ray]'.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

from fl.errors import TaskError
from fl.protocol.stream import cores

T = TypeVar("T")


def spread(
    function: Callable[..., T], jobs: Sequence[tuple[Any, ...]], *, processes: int = 1, ray: str | None = None
) -> list[T]:
    """function(*job) for every job, in order.

    processes: of this machine; 1 runs here. ray: a cluster's address (host:port or ray://...), 'auto' for the one running here,
    'local' for one that is begun here with a worker a core and ends with this process.
    """
    if ray is not None:
        return _over_ray(function, jobs, ray)
    if processes <= 1 or len(jobs) <= 1:
        return [function(*job) for job in jobs]
    # Spawned, not forked: a fork copies locks that PyTorch's threads may hold.
    with ProcessPoolExecutor(min(processes, len(jobs)), multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(function, *zip(*jobs, strict=True)))


def _over_ray(function: Callable[..., T], jobs: Sequence[tuple[Any, ...]], address: str) -> list[T]:
    try:
        import ray
    except ImportError:
        raise TaskError("Ray is not installed: pip install 'treaty[ray]', or leave --ray out") from None
    if not ray.is_initialized():
        try:
            own = {"num_cpus": max(2, cores()), "include_dashboard": False} if address == "local" else {}
            ray.init(address=address, log_to_driver=False, logging_level="ERROR", **own)
        except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
            told = " ".join(str(error).split())[:200]
            raise TaskError(
                f"no Ray cluster at {address}: start one with `ray start --head`, or leave --ray out ({told})"
            ) from error
    remote = ray.remote(num_cpus=1, max_retries=3)(function)
    try:
        return list(ray.get([remote.remote(*job) for job in jobs]))
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None  # what the job itself said
