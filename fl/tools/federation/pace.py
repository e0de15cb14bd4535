"""Measures what a federation's windows follow from: how long training takes here, and how the chain's clock goes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from fl.errors import TaskError
from fl.learning.data.partition import Part
from fl.learning.task import SelfTrained, Task, build
from fl.learning.task_check import table_of
from fl.learning.trainer import generator, train
from fl.network import ape_accounts
from fl.network.calls import number_of
from fl.network.chain import Chain
from fl.network.randomness import block_seconds
from fl.network.rpc import DEV_CHAINS, NodeError
from fl.tools.cli.amounts import parse_duration
from fl.tools.federation.windows import PACES, Pace

SLOWEST = 4  # times what training takes here: others have more rows and slower machines
ROWS = 512  # that are trained on to measure
WATCHED = 3.0  # seconds


def pace_of(preset: str, task: Task, rpc: Chain, local: bool, training: int | None = None) -> Pace:
    """The preset's pace on this chain, with so many seconds of training or else as many as it takes here. A chain of one's own
    counts as one of the kind that the preset is for, unless that is `live`."""
    pace = PACES[preset]
    if training is None:
        training = max(int(pace.training), _even(SLOWEST * training_seconds(task)))
    pace = replace(pace, training=training)
    if not local:
        return replace(pace, block=round(block_seconds(rpc), 2))
    if preset == "live" and (beat := watched(rpc)) is not None:
        return replace(pace, block=beat.block, speed=beat.speed)
    return pace


def pace_here(preset: str, task: Task, training: str | None) -> Pace:
    """The same on the network that Ape is connected to. training: as a person writes a time."""
    seconds = None if training is None else parse_duration(training, "--training")
    return pace_of(preset, task, ape_accounts.node(), ape_accounts.chain_id() in DEV_CHAINS, seconds)


def training_seconds(task: Task) -> float:
    """What a round's training takes on this machine with the rows that are here; 0 without any."""
    if isinstance(task, SelfTrained):
        return 0.0
    try:
        table = table_of(task)
    except TaskError:  # a sponsor need not hold rows
        return 0.0
    if not (rows := len(table.x)):
        return 0.0
    some = np.linspace(0, rows - 1, min(rows, ROWS)).astype(np.int64)
    model = build(task, 0)
    began = time.monotonic()
    train(task, model, Part(table.x[some], table.y[some]), generator(0, 0, 0))
    return (time.monotonic() - began) * rows / len(some)


def _even(seconds: float) -> int:
    """1, 2, 5, 10, 20, 50 ... seconds, so that the same task has the same windows every time."""
    steps: list[int] = [step * 10**power for power in range(12) for step in (1, 2, 5)]
    return next(step for step in steps if step >= seconds)


@dataclass(frozen=True)
class Beat:
    """How a chain's clock goes. block: seconds of it between two blocks; speed: how many pass in one on the wall."""

    block: float
    speed: float


def watched(rpc: Chain, now: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep) -> Beat | None:
    """Looks at a chain of one's own for some seconds; None if it makes no blocks by itself."""

    def head() -> tuple[int, int]:
        block = rpc("eth_getBlockByNumber", "latest", False)
        if not isinstance(block, dict):
            raise NodeError("the node shows no newest block")
        return number_of("a block's number", block.get("number")), number_of("a block's time", block.get("timestamp"))

    end, known, seen = now() + WATCHED, head()[0], []
    while now() < end:
        number, ticks = head()
        if number != known:
            seen.append((now(), number, ticks))
            known = number
        sleep(0.02)
    if len(seen) < 2:
        return None
    passed, made, ticked = (last - first for first, last in zip(seen[0], seen[-1], strict=True))
    return Beat(round(ticked / made, 2), max(1.0, float(round(ticked / passed))))
