"""What a role may want done: plain facts, policy included. The executor turns them into files, work and transactions.

When a call may go out, and what tells it apart from an earlier one, is known to the role that wants it and stands on the
action; the executor knows no function by its name.
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
    """Put a file into the store. kind None: facts, as canonical JSON. note: what the log says when it was put."""

    data: Data
    kind: Kind | None
    note: str = ""


@dataclass(frozen=True)
class Turn:
    """Whose turn it is to make a call that anybody may make, so that few pay gas for nothing.

    key: the same for everybody who means the same call. order: the seats, the first at once, each after a few blocks.
    opens: from this time on nobody waits any more. ends: the same from half of what was left until then at first sight.
    demand: nobody answers it either while an answer is on its way, as far as the node knows.
    """

    key: str
    order: tuple[int, ...]
    opens: int = 0
    ends: int = 0
    demand: Demanded | None = None


@dataclass(frozen=True)
class Call:
    """One call of the federation.

    seat: whose operator makes it; None where anybody may.
    shared: others may want the same call, which only one can make: a refusal is no news. The calldata is a part of its name.
    publish: files for the store, before the transaction leaves.
    silence_costs: it goes out even if the store does not take its files, since not making it costs stake.
    number, times: what else tells it from other calls of one round and function: the attempt, the block of closing; how often
    the chain answered this very call before, to the byte.
    attempt: the proposal attempt outside of which it must not happen; None where any will do.
    lasting: it is right in any round.
    revocable: it is withdrawn, while no block holds it, once its role does not want it any more.
    confirmed_until: it shows a secret, which waits until no reorganisation can reopen the phase before; at most until then.
    from_block: the first block that may hold it.
    deposit: token units that the contract takes with it.
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


@dataclass(frozen=True)
class Work:
    """Something long, run by a worker while the seat goes on looking. What it makes is written to the journal, in its order,
    before the role is asked again; what nobody wants any more when it is done is dropped.

    run: reads the view that it is given and nothing that changes; it may draw randomness.
    """

    round: int
    run: Callable[[View], Files]


class Train(Work):
    """Trains on local data: the update, its salt and locator, what rounding lost, and what was spent of a privacy budget."""


class Score(Work):
    """Scores a round's updates: the vector and its salt."""


@dataclass(frozen=True)
class Wait:
    """Nothing before a time. why: what somebody should know about it."""

    until: int
    why: str = ""


Action = Call | Publish | Work | Wait
