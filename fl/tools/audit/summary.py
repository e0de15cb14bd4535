"""A simulation's summary.json as typed facts. Nothing in it should be trusted before the audit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fl.errors import AuditError, PrivacyError
from fl.learning.research.comparison import Baselines
from fl.network.denomination import Denomination
from fl.network.federation import Accounting
from fl.network.stores.files import write_durably
from fl.protocol.seat_metric import SeatMetric
from fl.tools.audit.measured import GasUse, PrivacySpent
from fl.tools.audit.typed_json import read
from fl.tools.audit.verdict import Verdict
from fl.tools.federation.deployment import Deployment
from fl.tools.simulation.plan import Plan

VERSION = 1  # of the format, which fl/guides/record-format.md describes


@dataclass(frozen=True)
class Token:
    """The federation's token, and what its amounts are shown in."""

    address: str
    decimals: int
    symbol: str


@dataclass(frozen=True)
class RoundSummary:
    """One round. All but metrics and gas follows from its events.

    left_out: by the committee, unpaid. excluded: accepted and paid, and not in the model; by seat, how many reported that its
    file is missing. scores: the medians by seat. seat_metrics: what honest seats measure on their own held-out rows, if layers
    stay at home or seats publish it.
    """

    number: int
    model_root: str
    active: tuple[int, ...]
    revealed: tuple[int, ...]
    accepted: tuple[int, ...]
    left_out: tuple[int, ...]
    excluded: Mapping[int, int]
    committee: tuple[int, ...]
    scores: Mapping[int, int]
    voided: bool
    adopted: bool
    proposer: int | None
    fallen: tuple[int, ...]
    metric: float
    gas: Mapping[str, int]
    seat_metrics: Mapping[int, SeatMetric] = field(default_factory=dict)


@dataclass(frozen=True)
class SeatSummary:
    """One seat. Amounts in tokens; scores: its median in each round, None where it has none; slashes by offence."""

    seat: int
    name: str
    kind: str
    owner: str
    stake: float
    scores: tuple[int | None, ...]
    slashes: Mapping[str, float]
    pay: float
    gas: int
    privacy: PrivacySpent | None


@dataclass(frozen=True)
class Totals:
    """Over the whole simulation. Amounts in tokens."""

    final: float
    model_root: str
    parameters: int
    model_bytes: int
    paid: float
    slashed: float
    gas: int


@dataclass(frozen=True)
class Summary:
    """Everything that a simulation reports. times: block to seconds. audit: None until it was made."""

    plan: Plan
    metric: str
    higher_is_better: bool
    chain_id: int
    federation: str
    deployment: Deployment
    token: Token
    terms: Mapping[str, Any]
    start: float
    rounds: tuple[RoundSummary, ...]
    seats: tuple[SeatSummary, ...]
    adversaries: Mapping[str, tuple[int, ...]]
    totals: Totals
    gas: Mapping[str, GasUse]
    times: Mapping[int, int]
    baselines: Baselines | None
    accounting: Accounting
    audit: Verdict | None = None
    version: int = VERSION

    @property
    def denomination(self) -> Denomination:
        """The denomination of its amounts, as the summary states it."""
        return Denomination(self.token.decimals, self.token.symbol)

    def write(self, path: Path) -> None:
        facts = asdict(self)
        facts["accounting"] = {name: str(units) for name, units in facts["accounting"].items()}
        write_durably(path, json.dumps(facts, indent=1).encode())

    @classmethod
    def read(cls, path: Path) -> Summary:
        """The summary that `simulate` wrote. Raises AuditError if the file is not one."""
        if path.is_dir():
            raise AuditError(f"{path} is a folder: give the summary.json in it")
        try:
            facts = json.loads(path.read_text())
        except FileNotFoundError:
            raise AuditError(f"no summary {path}: give the summary.json that simulate wrote") from None
        except (OSError, ValueError, RecursionError) as error:
            cause = f"{path} is damaged or not a summary of a simulation ({error})"
            raise AuditError(f"{cause}: give the summary.json that simulate wrote") from error
        try:
            if isinstance(facts, dict) and isinstance(facts.get("accounting"), dict):
                facts["accounting"] = {name: _units(name, units) for name, units in facts["accounting"].items()}
            summary = read(cls, facts)
            if summary.version != VERSION:
                raise ValueError(f"its version is {summary.version}, not {VERSION}")
            _ = summary.denomination  # refuses decimals that no token has
        except (ValueError, PrivacyError) as error:
            cause = f"{path} is not a summary of a simulation: {error}"
            raise AuditError(f"{cause}; give the summary.json that simulate wrote") from error
        return summary


def _units(name: str, written: Any) -> int:
    """An amount in token units, written in decimal digits. Raises ValueError."""
    if not isinstance(written, str) or not written.isascii() or not written.isdecimal():
        raise ValueError(f"accounting.{name} is {str(written)[:80]!r}, not a text of decimal digits")
    return int(written)
