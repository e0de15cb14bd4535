"""The actions that a role may return: plain facts, including policy. The executor turns them into files, work and transactions.

The role knows when a call may be sent and how it differs from an earlier one, and states this in the action; the executor
treats no function by its name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fl.agents.record.history import Demanded
from fl.agents.record.view import View
from fl.protocol.artifact import Data, Kind

Files = dict[str, bytes]  # file name in the seat's journal to content, in the order in which they are written


@dataclass(frozen=True)
class Publish:
    """Puts a file into the store. kind None: facts, as canonical JSON, or what is signed, under a name that says whose it is.
    note: the log's text afterwards."""

    data: Data
    kind: Kind | None
    note: str = ""
    signed: str = ""


@dataclass(frozen=True)
class Turn:
    """The turns for a call that anybody may make, so that few pay gas for nothing.

    key: the same for everybody who means the same call. order: the seats; the first calls at once, each next one a few blocks
    later. opens: from this time on nobody waits. ends: nobody waits after half of the time from first sight until this.
    demand: the one that the call answers, which waits while the node knows of a pending answer, too.
    """

    key: str
    order: tuple[int, ...]
    opens: int = 0
    ends: int = 0
    demand: Demanded | None = None


@dataclass(frozen=True)
class Call:
    """One call of the federation.

    seat: whose operator makes it; None if anybody may.
    shared: others may make the same call, and only one can succeed, so a rejection is expected. The calldata is part of its
    name.
    publish: files for the store, before the transaction is sent.
    silence_costs: it is sent even if the store does not accept its files, since not making it costs stake.
    number, times: what else distinguishes it from other calls of the same round and function: the attempt, the block of
    closing; how often the chain answered this very call before, to the byte.
    attempt: the proposal attempt outside of which it must not happen; None if any will do.
    lasting: it is correct in any round.
    revocable: it is cancelled, while no block holds it, once its role does not want it any more.
    confirmed_until: it reveals a secret, or needs the last word of the earlier phase, and waits until no reorganisation can
    reopen that, but at most until then.
    from_block: the first block that may hold it.
    deposit: token units that the contract takes with it.
    calls: several calls of the contract in this one transaction (`multicall`), in order; if the contract rejects them together,
    each is made by itself.
    relay_until: until then a relay may send it, if the seat has one; afterwards the seat sends it itself.
    """

    function: str
    args: tuple[object, ...] = ()
    seat: int | None = None
    shared: bool = False
    publish: tuple[Publish, ...] = ()
    silence_costs: bool = False
    number: int = 0
    times: int = 0
    attempt: int | None = None
    lasting: bool = False
    revocable: bool = False
    confirmed_until: int = 0
    from_block: int = 0
    turn: Turn | None = None
    deposit: int = 0
    calls: tuple[Call, ...] = ()
    relay_until: int = 0


@dataclass(frozen=True)
class Work:
    """Long work, run by a worker while the seat goes on watching the chain. Its results are written to the journal, in order,
    before the role is asked again; results that no role wants any more are dropped.

    run: reads the given view and nothing that changes; it may draw randomness.
    """

    round: int
    run: Callable[[View], Files]


class Train(Work):
    """Trains on local data: the update, its salt and locator, what rounding lost, and what was spent of a privacy budget."""


class Score(Work):
    """Scores a round's updates: the vector and its salt."""


class Look(Work):
    """Looks which accepted updates cannot be had: their seats."""


class Measure(Work):
    """Measures a final model on this seat's own rows, for others to see."""


@dataclass(frozen=True)
class Wait:
    """Do nothing before a time. why: the reason, for people."""

    until: int
    why: str = ""


Action = Call | Publish | Work | Wait
