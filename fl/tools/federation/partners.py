"""A seat's partners in a masked federation: whether they go with it, and what people are told of them."""

from __future__ import annotations

from collections.abc import Iterator

from fl.errors import ChainError, TermsError
from fl.network.federation import FederationReader
from fl.protocol.manifest import Manifest
from fl.protocol.masks import MIN_SEATS
from fl.protocol.mode import Mode
from fl.tools.federation.spoken import spoken


def check_mode(manifest: Manifest, reader: FederationReader) -> None:
    """Raises ChainError unless the contract is one for the manifest's mode: nobody could make sense of a masked update in
    an open federation, and in the other case an update would be public."""
    if manifest.mode is not reader.mode:
        said, is_ = manifest.mode.value, reader.mode.value
        raise ChainError(f"the manifest says that updates are {said}, and the contract is for {is_} ones: stay away")


def check_partners(partners: tuple[str, ...], operator: str, manifest: Manifest, reader: FederationReader) -> None:
    """Raises TermsError unless these partners go with the federation and with this operator."""
    if manifest.mode is Mode.OPEN:
        if partners:
            raise TermsError("--partners: this federation is open, and every update that is revealed is public; leave it out")
        return
    if not partners:
        listed = "; ".join(lines_of(seated(reader)))
        raise TermsError(
            "this federation sums masked updates, and you must say with whom: --partners FILE, one operator's address a line, "
            f"yours too. Seated now: {listed or 'nobody'}. Compare the words with each of them by telephone; nothing was sent"
        )
    if operator.lower() not in {partner.lower() for partner in partners}:
        raise TermsError(f"--partners does not name your own operator {operator}: add it, as the others have it in their files")


def seated(reader: FederationReader) -> tuple[str, ...]:
    """The operators of all seats, as the chain shows them, which proves nothing of who they are."""
    return tuple(facts.operator for _, facts in sorted(reader.seats(reader.seat_sets().taken).items()))


def lines_of(partners: tuple[str, ...]) -> Iterator[str]:
    """Each address with its four words."""
    for address in partners:
        yield f"{address} {spoken(address.lower(), 'Treaty partner')}"


def warnings_of(partners: tuple[str, ...]) -> Iterator[str]:
    """What to know before masking for them."""
    n = len(partners)
    yield f"{n} partners: {n - 1} of them together read the update of the last; {n - 2} together read the sum of two"
    if n == MIN_SEATS:
        yield "with three partners, two that talk to each other read the third's updates"
