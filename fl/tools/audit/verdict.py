"""The result of an audit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Verdict:
    """Whether everything that was recomputed agreed, and how many facts of each kind did.

    not_shown: updates that the committee left out and that no store shows. difference: the first one found, if any was.
    """

    passed: bool
    rounds: int = 0
    model: str = ""
    checks: Mapping[str, int] = field(default_factory=dict)
    not_shown: tuple[str, ...] = ()
    difference: str = ""

    @classmethod
    def failed(cls, difference: Exception) -> Verdict:
        return cls(False, difference=str(difference))
