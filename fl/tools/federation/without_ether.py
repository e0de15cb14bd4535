"""Who may take part with an operator that holds too little ether: whoever names two hosts of different owners, and accepts in
words what it may lose when both fail. `doctor` and `take-part` ask the same question here."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from fl.errors import TreatyError
from fl.network import gas
from fl.network.federation import FederationReader
from fl.network.sender import BUSY
from fl.tools.federation.invitation import Place


def ether_to_hold(price: int) -> int:
    """Wei for a round's calls at several times this price of gas, so that a busy day does not stop a seat."""
    return BUSY * gas.ROUND * price


def loss_words(reader: FederationReader) -> str:
    """What a participant says who takes part without ether."""
    terms = reader.terms
    slash = reader.denomination.show(max(terms.no_reveal_slash, terms.no_scores_slash))
    return f"I may lose {slash} a round if my hosts fail"


def suffice(hosts: Sequence[Place]) -> bool:
    """Whether two of these hosts have different owners and machines."""
    return len({place.owner for place in hosts}) > 1 and len({urlsplit(place.url).hostname for place in hosts}) > 1


def hosts_stand_in(reader: FederationReader, words: str | None, hosts: Sequence[Place]) -> bool:
    """Whether an operator without ether is acceptable; words: those of --accept-loss, if it was given. Raises TreatyError if
    they are others, or the hosts do not suffice."""
    if words is None:
        return False
    if words != (wanted := loss_words(reader)):
        raise TreatyError(f"--accept-loss wants exactly these words: {wanted!r}; nothing was signed")
    if not suffice(hosts):
        raise TreatyError(
            "--accept-loss needs two hosts of different owners, in the invitation or named with --relay: send the operator "
            "ether instead; nothing was signed"
        )
    return True
