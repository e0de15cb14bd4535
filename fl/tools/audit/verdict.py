"""The result of an audit: what was found about each part of a record, each judged on its own."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from fl.errors import AuditError, plain

# The parts, in the order in which they are shown, and what is compared in each.
PARTS = {
    "events": "order, phases, who was entitled to act, commitments, draws, who is excluded",
    "money": "scores, pay, slashes and why, fees, deposits, the accounting",
    "models": "every model, from the one before and the accepted updates",
    "committee": "which updates were let in, by the manifest's gate",
    "summary": "what the summary says of these",
}
SHOWN = 5  # of the facts that are not known, and of the notes


@dataclass(frozen=True)
class Judgement:
    """What was found about one part.

    difference: the first one; later ones of the same part may follow from it and are not reported. unknown: what could not be
    recomputed, because no store given shows what it takes.
    """

    agrees: bool
    difference: str = ""
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """Whether everything that was recomputed agreed, and how many facts of each kind did.

    difference: the first one found, in any part. notes: what looks odd but contradicts nothing, such as tokens that
    somebody sent to the contract.
    """

    passed: bool
    rounds: int = 0
    model: str = ""
    checks: Mapping[str, int] = field(default_factory=dict)
    parts: Mapping[str, Judgement] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    difference: str = ""

    @classmethod
    def failed(cls, difference: Exception) -> Verdict:
        return cls(False, difference=str(difference))

    @property
    def unknown(self) -> tuple[str, ...]:
        """What could not be recomputed, over all parts."""
        return tuple(what for part in self.parts.values() for what in part.unknown)

    def or_raise(self) -> Verdict:
        """The verdict if it passed. Raises AuditError with the first difference otherwise."""
        if not self.passed:
            raise AuditError(self.difference)
        return self


class Findings:
    """Collects what an audit finds."""

    def __init__(self) -> None:
        self.checks: Counter[str] = Counter()
        self.notes: list[str] = []
        self.differences: dict[str, str] = {}  # by part, the earliest part first
        self._unknown: dict[str, list[str]] = defaultdict(list)

    def same(self, part: str, what: str, recomputed: object, recorded: object) -> bool:
        """Whether the two are equal; if not, this is a difference of that part."""
        if recomputed != recorded:
            self.wrong(part, f"{what}: recomputed {recomputed}, recorded {recorded}")
        return recomputed == recorded

    def wrong(self, part: str, what: str) -> None:
        self.differences.setdefault(part, what)

    def unknown(self, part: str, what: str) -> None:
        self._unknown[part].append(what)

    def note(self, what: str) -> None:
        self.notes.append(what)

    def verdict(self, rounds: int, model: str, parts: tuple[str, ...]) -> Verdict:
        """The verdict on these parts."""
        found = {
            part: Judgement(part not in self.differences, self.differences.get(part, ""), tuple(self._unknown[part]))
            for part in parts
        }
        first = next(iter(self.differences.values()), "")
        return Verdict(not self.differences, rounds, model, dict(self.checks), found, tuple(self.notes), first)


def lines(verdict: Verdict) -> Iterator[str]:
    """A verdict in words: what was counted, each part, what could not be told, what looks odd, and the whole if it passed."""
    return map(plain, _lines(verdict))


def _lines(verdict: Verdict) -> Iterator[str]:
    for what, n in verdict.checks.items():
        yield f"{n:8,} {what} agree"
    for name, part in verdict.parts.items():
        state = "agrees" if part.agrees and not part.unknown else "agrees, as far as files show" if part.agrees else "DIFFERS"
        yield f"{name:9} {state}: {PARTS[name]}" + (f"; {part.difference}" if part.difference else "")
        for what in part.unknown[:SHOWN]:
            yield f"          not known: {what}"
        if len(part.unknown) > SHOWN:
            yield f"          not known: {len(part.unknown) - SHOWN} more"
    for note in verdict.notes[:SHOWN]:
        yield f"note: {note}"
    if len(verdict.notes) > SHOWN:
        yield f"note: {len(verdict.notes) - SHOWN} more; --json shows them all"
    if verdict.passed:
        open_ = f", {len(verdict.unknown)} facts not known" if verdict.unknown else ""
        yield f"audit passed: {verdict.rounds} rounds{open_}, model {verdict.model}"
