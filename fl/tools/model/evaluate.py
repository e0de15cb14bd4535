"""Measures a model on local rows: the metric with its interval, calibration, and the effect of further local training."""

from __future__ import annotations

from copy import copy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fl.errors import TaskError, TreatyError
from fl.learning.data.given_table import read_given
from fl.learning.data.partition import Part, split
from fl.learning.inference import Module, module_from, outputs_of, predictions, tensors_of
from fl.learning.task import Data, Task
from fl.learning.trainer import generator, tensors, train
from fl.learning.uncertainty import Calibration, Interval, bootstrap, calibration
from fl.network.stores.files import write_durably
from fl.tools.cli.options import Result
from fl.tools.model.card import personal_card
from fl.tools.model.folder import Model, Personal, check_out, load, write
from fl.tools.model.picture import picture

MIN_ROWS, MIN_PERSONAL = 2, 16


@dataclass(frozen=True)
class Wishes:
    """What to measure besides the metric. personalise: epochs to train on; save: the folder for the model that this gives."""

    task: str | None = None
    seed: int = 0
    resamples: int = 1000
    picture: Path | None = None
    personalise: int = 0
    save: Path | None = None


def evaluate(folder: Path, data: Path, wishes: Wishes | None = None) -> Result:
    """Measures the model of a folder on the rows of a table with targets. Raises TreatyError that names column, row, remedy."""
    wishes = wishes or Wishes()
    if wishes.save and not wishes.personalise:
        raise TreatyError("--save keeps the model that --personalise trains: give --personalise EPOCHS, or leave --save out")
    if wishes.save:
        check_out(wishes.save)
    model = load(folder, wishes.task)
    given = read_given(model.task, data, model.config.rows, targets=True)
    assert given.y is not None
    part = Part(given.x, given.y)
    if len(part) < MIN_ROWS:
        raise TaskError(f"{data} has {len(part)} row: a measure needs at least {MIN_ROWS}, and an interval many more")
    outputs, targets = outputs_of(model.task, model.module, part.x), tensors(part)[1]
    found = bootstrap(model.task, outputs, targets, wishes.resamples, wishes.seed)
    sure = calibration(predictions(model.task, outputs), part.y)
    lines = [f"note: {remark}" for remark in given.remarks]
    lines.append(f"{model.task.metric}: {_told(found)} on {len(part):,} rows")
    facts: dict[str, Any] = {"rows": len(part), "metric": model.task.metric, **asdict(found), "remarks": list(given.remarks)}
    facts |= {"seed": wishes.seed, "resamples": wishes.resamples, "calibration": None if sure is None else asdict(sure)}
    lines += _calibrated(sure)
    if wishes.picture:
        lines.append(_draw(wishes.picture, sure, model.config.metric))
    if wishes.personalise:
        more, result = _personalise(model, part, data, wishes)
        lines += more
        facts["personal"] = result
    return Result(lines, facts)


def _told(found: Interval, sign: str = "") -> str:
    return f"{found.value:{sign}.4f} (95 % interval {found.low:{sign}.4f} to {found.high:{sign}.4f})"


def _calibrated(sure: Calibration | None) -> list[str]:
    if sure is None:
        return []
    head = f"calibration of the probability of {sure.of}: mean gap {sure.error:.3f}, Brier score {sure.brier:.3f}"
    rows = [f"{'probability':>14} {'rows':>6} {'mean':>6} {'came true':>10} {'95 % interval':>16}"]
    for b in sure.bins:
        interval = f"{b.observed.low:.2f} to {b.observed.high:.2f}"
        where = f"{b.low:.1f} to {b.high:.1f}"
        rows.append(f"{where:>14} {b.rows:>6} {b.predicted:>6.2f} {b.observed.value:>10.2f} {interval:>16}")
    return [head, *rows]


def _draw(path: Path, sure: Calibration | None, metric: str) -> str:
    if sure is None:
        raise TaskError(
            f"--picture shows how well probabilities are calibrated, and this task ({metric}) gives none: leave it out"
        )
    try:
        write_durably(path, picture(sure).encode())
    except OSError as error:
        raise TreatyError(f"{path} cannot be written ({error.strerror or error}): give --picture a file") from error
    return f"written: {path}"


def _personalise(model: Model, rows: Part, data: Path, wishes: Wishes) -> tuple[list[str], dict[str, Any]]:
    """Trains the shared model on three quarters of the rows and measures both on the fourth. Nothing of it is published."""
    mine, held_out = _halves(rows, data, wishes.seed)
    trained = trained_on(model.task, model.module, mine, wishes.personalise, wishes.seed)
    targets = tensors(held_out)[1]
    shared, own = (outputs_of(model.task, m, held_out.x) for m in (model.module, trained))
    draws = model.task, wishes.resamples, wishes.seed
    before, after = (bootstrap(draws[0], outputs, targets, *draws[1:]) for outputs in (shared, own))
    gain = bootstrap(draws[0], own, targets, *draws[1:], against=shared)
    better = gain.low > 0 if model.task.higher_is_better else gain.high < 0
    worse = gain.high < 0 if model.task.higher_is_better else gain.low > 0
    verdict = "better" if better else "worse" if worse else "no clear difference"
    lines = [
        f"personalised: {wishes.personalise} epochs on {len(mine)} rows, measured on {len(held_out)} rows held out",
        f"  shared model    {_told(before)}",
        f"  personal model  {_told(after)}",
        f"  difference      {_told(gain, '+')}: {verdict}",
    ]
    personal = Personal(wishes.personalise, wishes.seed, len(mine), len(held_out))
    facts = {**asdict(personal), "shared": asdict(before), "personal": asdict(after), "difference": asdict(gain)}
    if wishes.save:
        config = replace(model.config, personal=personal)
        write(wishes.save, config, trained, personal_card(config, personal, lines[1:]))
        lines.append(f"written: {wishes.save}; it stays on this machine: nothing of it was published")
        facts["written"] = str(wishes.save)
    return lines, {**facts, "verdict": verdict}


def _halves(rows: Part, data: Path, seed: int) -> tuple[Part, Part]:
    """(rows to train on, rows held out), the same share of every class."""
    if len(rows) < MIN_PERSONAL:
        raise TaskError(
            f"{data} has {len(rows)} rows: --personalise needs {MIN_PERSONAL}, to train on some and measure on others"
        )
    dealt = split(Data(rows.x, rows.y), 1, None, seed)
    shard = dealt.shards[0]
    mine = Part(np.concatenate([shard.train.x, shard.held_out.x]), np.concatenate([shard.train.y, shard.held_out.y]))
    return mine, dealt.test


def trained_on(task: Task, module: Module, rows: Part, epochs: int, seed: int) -> Module:
    """A copy of the module that was trained on these rows, as the task's own settings say, in eval mode."""
    longer = copy(task)
    longer.training = replace(task.training, steps=epochs * -(-len(rows) // task.training.batch_size))
    trained = module_from(task, tensors_of(module))
    train(longer, trained, rows, generator(seed, 0, 0))
    return trained.eval()
