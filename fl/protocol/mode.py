"""The two modes of a federation: open, where every update is a public file of its own, and masked, where only their sum means
something. What they share is in the contract's common code; what differs between them in files and numbers is here."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from fl.protocol import masks
from fl.protocol.aggregate import aggregate_coordinate
from fl.protocol.artifact import Data, Kind, UpdateNumbers, pack_model, parse_model
from fl.protocol.stream import aggregate_files
from fl.protocol.terms import Terms


class Mode(Enum):
    """How updates are published."""

    OPEN = "open"
    MASKED = "masked"

    @property
    def kind(self) -> Kind:
        """What an update's file is."""
        return Kind.UPDATE if self is Mode.OPEN else Kind.MASKED

    def next_file(self, base: Data, files: Sequence[Data], terms: Terms) -> bytes:
        """The next model's file, or a leaf of it, from the base's and those of all accepted updates. Raises ArtifactError."""
        if self is Mode.OPEN:
            return bytes(aggregate_files(base, files, terms.trim, terms.max_exponent))
        depth = masks.depth_of_model(base)
        numbers = [masks.parse_masked(file, depth) for file in files]
        return pack_model(masks.next_model(parse_model(base, depth), numbers, terms.max_exponent))

    def next_parameter(self, previous: int, values: Sequence[int], trim: int, exponent: int) -> int:
        """The same for one parameter, as the contract computes it."""
        if self is Mode.OPEN:
            return aggregate_coordinate(previous, values, trim)
        return masks.next_parameter(previous, values, exponent)

    def number_in(self, leaf: Data, coordinate: int, exponent: int) -> int:
        """What an update's leaf says of one of its parameters."""
        if self is Mode.OPEN:
            return int(UpdateNumbers(leaf, 0, exponent)[coordinate : coordinate + 1][0])
        return int(masks.parse_masked(leaf, 0)[coordinate])


def mode_of(masked: bool) -> Mode:
    return Mode.MASKED if masked else Mode.OPEN
