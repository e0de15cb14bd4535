"""A reporter fetches every accepted update before anybody proposes, and reports those that it cannot get.

An update that more than half of all who revealed report is left out of the model, so that no hidden file can hold the model up,
or let a wrong one stand that few can check."""

from __future__ import annotations

from pathlib import Path

from fl.agents.record.view import View
from fl.agents.runtime.actions import Action, Call, Files, Look, Wait
from fl.protocol.phases import Phase
from fl.protocol.seats import from_bitmap, to_bitmap

BYTES = 16  # of a set of seats


class Reporter:
    """Reports for one seat, once in a round. Deciding reads the accepted updates from the store, and the journal."""

    def __init__(self, seat: int, journal: Path):
        self.seat, self.journal = seat, journal

    def decide(self, view: View) -> list[Action]:
        if view.phase is not Phase.SHOW or self.seat not in (view.round.revealed or []) or self.seat in view.round.reports:
            return []
        return self.reports(view)

    def reports(self, view: View) -> list[Action]:
        """At half of the phase: a file may be on its way, or a store down for a moment. A relay has half of what is left."""
        number, window = view.round.number, view.terms.show_window
        half = view.phase_end - window // 2
        kept = self._kept(number)
        if kept is None and view.time >= half:
            return [Look(number, self.look)]
        missing = view.record.lacking(view.round) if kept is None else kept
        if not set(missing).intersection(view.round.accepted):  # others have reported enough
            return []
        if view.time < half:
            names = ", ".join(map(str, missing))
            why = f"the accepted updates of seats {names} cannot be fetched: they are reported at half of this phase"
            return [Wait(half, why)]
        # Rejected if a majority has been quicker.
        args = (number, self.seat, to_bitmap(missing))
        return [Call("reportMissing", args, self.seat, shared=True, relay_until=view.phase_end - window // 4)]

    def look(self, view: View) -> Files:
        """The worker's part: what this seat lacks at half of the phase. After a restart it reports this and nothing else."""
        return {f"{view.round.number}.missing": to_bitmap(view.record.lacking(view.round)).to_bytes(BYTES)}

    def _kept(self, number: int) -> list[int] | None:
        """What was missing when this seat looked at half of the phase; None if it has not looked yet."""
        path = self.journal / f"{number}.missing"
        return from_bitmap(int.from_bytes(path.read_bytes())) if path.is_file() else None
