"""Cheats among validators."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from fl.agents.record.view import View
from fl.agents.roles.validator import Validator


class DishonestValidator(Validator):
    """A validator that may know seats of the same kind."""

    def __init__(self, *args: Any, accomplices: Collection[int] = ()):
        super().__init__(*args)
        self.accomplices = frozenset(accomplices)


class LyingValidator(DishonestValidator):
    """Inverts its scores: the best get nothing, those left out get the maximum."""

    def scores(self, view: View) -> bytes:
        return bytes(255 - byte for byte in super().scores(view))


class LazyValidator(DishonestValidator):
    """Gives everybody the same score without looking."""

    def scores(self, view: View) -> bytes:
        return bytes([128] * len(view.round.revealed or []))


class ColludingValidator(DishonestValidator):
    """Gives its accomplices the maximum and all others nothing."""

    def scores(self, view: View) -> bytes:
        return bytes(255 if seat in self.accomplices else 0 for seat in view.round.revealed or [])


VALIDATORS: dict[str, type[DishonestValidator]] = {
    "lying_validator": LyingValidator,
    "lazy_validator": LazyValidator,
    "colluding_minority": ColludingValidator,
}
