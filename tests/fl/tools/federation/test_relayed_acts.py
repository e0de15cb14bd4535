"""What relays did for each seat, as `status` tells it without asking the node too much."""

from types import SimpleNamespace

from fl.network.events import Event
from fl.network.rpc import NodeError
from fl.tools.federation.relayed_acts import MOST, Relayed, relayed_acts, told_relayed


def acts(name: str, round_: int, transaction: str, *seats: int) -> list[Event]:
    return [Event(name, {"round": round_, "seat": seat}, 1, 0, transaction) for seat in seats]


def reader(functions: dict[str, str], gas: int, asked: list[str]) -> SimpleNamespace:
    def called(transaction: str) -> tuple[int, str]:
        asked.append(transaction)
        if transaction not in functions:
            raise NodeError("the node does not show it any more")
        return 100, functions[transaction]

    return SimpleNamespace(called=called, gas_of=lambda transaction: gas)


def test_batch__is_divided_among_its_seats__and_what_a_seat_sent_itself_is_not_counted():
    events = [
        *acts("Committed", 1, "old", 0),
        *acts("Committed", 2, "batch", 0, 1, 3),
        *acts("Committed", 2, "own", 2),
        *acts("RoundOpened", 2, "opening", 0),
        *acts("Revealed", 2, "reveals", 0),
    ]
    functions = {"batch": "commitMany", "own": "commit", "reveals": "revealMany"}
    found = relayed_acts(reader(functions, 90_000, []), events)
    assert found == [
        Relayed(2, 0, ("commit", "reveal"), 120_000),
        Relayed(2, 1, ("commit",), 30_000),
        Relayed(2, 3, ("commit",), 30_000),
    ]
    told = "in round 2 hosts sent 4 acts of 3 seats, for 180,000 gas: seat 0 120,000, seat 1 30,000, seat 3 30,000"
    assert told_relayed(found) == [told]


def test_no_more_transactions_are_asked_for_than_one_look_may_take__the_newest_first():
    asked: list[str] = []
    events = [event for n in range(2 * MOST) for event in acts("Committed", 1, f"t{n}", n)]
    assert relayed_acts(reader({}, 0, asked), events) == [] and asked == [f"t{n}" for n in range(MOST, 2 * MOST)]
