"""Cheats among validators."""

from __future__ import annotations

from collections.abc import Callable

from fl.agents.record.view import View
from fl.agents.roles.validator import Validator


class LyingValidator(Validator):
    """Turns its scores round: the best get nothing, those left out get everything."""

    def scores(self, view: View) -> bytes:
        return bytes(255 - byte for byte in super().scores(view))


class LazyValidator(Validator):
    """Gives everybody the same without looking."""

    def scores(self, view: View) -> bytes:
        return bytes([128] * len(view.round.revealed or []))


class ColludingValidator(Validator):
    """Gives its accomplices everything and all others nothing."""

    def scores(self, view: View) -> bytes:
        return bytes(255 if seat in self.accomplices else 0 for seat in view.round.revealed or [])


VALIDATORS: dict[str, Callable[..., Validator]] = {
    "lying_validator": LyingValidator,
    "lazy_validator": LazyValidator,
    "colluding_minority": ColludingValidator,
}
