"""`fl.simulate`: a federation on a local chain from Python, and what came of it as tables, a model, a page and an audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pandas as pd

from fl.errors import TaskError
from fl.learning.inference import Module
from fl.learning.privacy.budget import wanted
from fl.network.connection import connection, load_ape
from fl.protocol.manifest import DEFAULT_GATE
from fl.tools.model.export import export, load_round
from fl.tools.model.source import from_summary
from fl.tools.simulation.plan import Plan

if TYPE_CHECKING:
    from fl.tools.audit.verdict import Verdict

MEDIAN = 64  # a trim of at least half of any federation's seats
PAGE_HEIGHT = 720  # of a page inside a notebook, in pixels


@dataclass(frozen=True)
class Page:
    """A federation's page, as a file to open; a notebook shows it."""

    path: Path

    def _repr_html_(self) -> str:
        source = escape(self.path.read_text(), quote=True)
        frame = f'width="100%" height="{PAGE_HEIGHT}" style="border:0" sandbox title="The federation\'s page"'
        return f'<iframe srcdoc="{source}" {frame}></iframe>'


class Simulation:
    """A simulation that has ended, read from its folder."""

    def __init__(self, folder: str | Path, task: str | None = None):
        """folder: what a simulation wrote. task: the file of a task that is neither shipped nor a table, for `model`."""
        self.folder = Path(folder)
        self._task = task
        load_ape()
        from fl.tools.audit.summary import Summary  # loads Ape, like those below; load_ape has let it find the project

        self.summary = Summary.read(self.folder / "summary.json")

    @cached_property
    def rounds(self) -> pd.DataFrame:
        """One row per round, from round 0 (the first model): the metric by its name, who was accepted, who proposed, gas."""
        rows: list[dict[str, Any]] = [{"round": 0, self.summary.metric: self.summary.start}]
        for entry in self.summary.rounds:
            names = ("revealed", "accepted", "left_out", "excluded", "committee", "proposer", "fallen", "voided")
            kept = {name: getattr(entry, name) for name in names}
            gas = sum(entry.gas.values())
            rows.append({"round": entry.number, self.summary.metric: entry.metric, **kept, "gas": gas})
            rows[-1]["model_root"] = entry.model_root
        return pd.DataFrame(rows).set_index("round").astype({"proposer": "Int64", "gas": "Int64"})

    @cached_property
    def seats(self) -> pd.DataFrame:
        """One row per seat: name, kind (honest, or which adversary), stake left, pay, what it was slashed, gas, rounds
        accepted."""
        rows = []
        for entry in self.summary.seats:
            kept = {name: getattr(entry, name) for name in ("seat", "name", "kind", "owner", "stake", "pay")}
            accepted = sum(entry.seat in r.accepted for r in self.summary.rounds)
            slashed = sum(entry.slashes.values())
            rows.append({**kept, "slashed": slashed, "gas": entry.gas, "rounds_accepted": accepted})
        return pd.DataFrame(rows).set_index("seat")

    @cached_property
    def model(self) -> Module:
        """The last final model: a torch.nn.Module in eval mode."""
        return load_round(from_summary(self.folder / "summary.json"), task=self._task)

    def export(self, out: str | Path, **options: Any) -> Path:
        """Writes the model as a folder, as `ape run model` does (round, onnx, licence); returns the folder."""
        export(from_summary(self.folder / "summary.json"), Path(out), task=self._task, **options)
        return Path(out)

    def report(self) -> Page:
        """The federation's page, shown inside a notebook."""
        return Page(self.folder / "report.html")

    def audit(self) -> Verdict:
        """Recomputes everything from events and store; returns what agreed. Raises AuditError with the first difference."""
        from fl.tools.audit.auditor import audit_summary  # loads Ape and torch

        return audit_summary(self.folder / "summary.json").or_raise()

    def __repr__(self) -> str:
        summary = self.summary
        ends = f"{summary.metric} {summary.totals.final:.4f}"
        return f"Simulation({summary.plan.task!r}, {len(summary.rounds)} rounds, {ends}, {str(self.folder)!r})"


def simulate(
    task: str | Path | pd.DataFrame = "heart",
    seats: int = 4,
    rounds: int = 8,
    *,
    target: str | None = None,
    owner: str | None = None,
    adversaries: Mapping[str, int] | Sequence[str] = (),
    alpha: float | None = None,
    trim: int | str = 0,
    gate: str = DEFAULT_GATE,
    private: str | None = None,
    epsilon: float | None = None,
    delta: float = 1e-5,
    clip: float = 1.0,
    noise: float | None = None,
    private_sum: bool = False,
    seed: int = 0,
    until: float | None = None,
    patience: int | None = None,
    publish_metrics: bool = False,
    compare: bool = True,
    out: str | Path | None = None,
    progress: bool = True,
) -> Simulation:
    """Runs a federation on a local chain of its own, with the code of `ape run simulate` and the same options.

    task: a shipped task, a task file, a `table:` address, or a DataFrame with its target (and owner: who holds which row).
    adversaries: {"sign_flip": 1} or ["sign_flip:1"]. compare: measure local-only and centralised training too. out: the folder
    for all files, by default a new one. Raises TreatyError as the command does."""
    load_ape()  # not when this module is imported: it takes seconds
    from fl.tools.simulation.simulate import Watcher, parse_adversaries  # loads Ape and torch
    from fl.tools.simulation.simulate import simulate as run  # loads Ape and torch

    if isinstance(trim, str) and trim != "median":
        raise TaskError(f"trim {trim!r}: give a number of seats to drop on each side, or 'median'")
    folder = Path(mkdtemp(prefix="treaty-")) if out is None else Path(out)
    if isinstance(task, pd.DataFrame):
        name = _table(task, target, owner, folder)
    elif target is None and owner is None:
        name = str(task)
    else:
        raise TaskError("target and owner belong to a DataFrame: in a table's address, write table:FILE.csv?target=COLUMN")
    pairs = [f"{kind}:{count}" for kind, count in adversaries.items()] if isinstance(adversaries, Mapping) else adversaries
    plan = Plan(
        task=name,
        seats=seats,
        rounds=rounds,
        alpha=alpha,
        trim=MEDIAN if isinstance(trim, str) else trim,
        seed=seed,
        adversaries=parse_adversaries((pairs,) if isinstance(pairs, str) else tuple(pairs)),
        privacy=wanted(private, epsilon, delta, clip, noise, rounds),
        gate=gate,
        masked=private_sum,
        until=until,
        patience=patience,
        publish_metrics=publish_metrics,
        compare=compare,
    )
    with connection():
        run(plan, folder, Watcher(say=print, measured=_measured) if progress else None)
    return Simulation(folder, name if Path(name).is_file() else None)


def _measured(number: int, metric: float) -> None:
    print(f"round {number}: {metric:.4f}" if number else f"first model: {metric:.4f}")


def _table(table: pd.DataFrame, target: str | None, owner: str | None, folder: Path) -> str:
    """Writes the table to the folder; returns its address."""
    if target is None:
        raise TaskError(f"say which column to predict, such as target={str(table.columns[-1])!r}")
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "table.csv", index=False)
    words = {"target": target} | ({"owner": owner} if owner else {})
    return f"table:{folder / 'table.csv'}?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in words.items())
