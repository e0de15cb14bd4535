"""Demands made to trip honest daemons: all things at once, and the same thing again and again. Each one left open would cost a
right proposal's seat the slash for fraud, and pay the griefer the challenge fee."""

import pytest
from street import Street, told
from system import CHALLENGER

from fl.protocol.phases import Phase

pytestmark = pytest.mark.xdist_group("daemon")

EVERYTHING = [(0, 0, 0), (1, 0, 0), *((2, seat, 0) for seat in range(Street.SEATS))]  # proposed, previous, updates


@pytest.fixture
def challenged(street):
    street.start().play_to(Phase.CHALLENGE)
    street.settle_down()
    street.system.rich(CHALLENGER)
    return street


def test_everything_demanded_at_once__is_answered_in_one_look(challenged):
    for what in EVERYTHING:
        challenged.system.do("demand", *what, by=CHALLENGER)
    challenged.mine(2)
    daemon = challenged.daemons[0]
    daemon.tick()
    challenged.mine()  # a node says that it has a transaction before a block does
    assert challenged.system.round.openDemands == 0, told(daemon)


def test_same_leaf_demanded_again__is_answered_again__by_a_seat_that_is_alone(challenged):
    whole = challenged.stakes()
    challenged.end(1, 2, 3)
    for _ in range(4):
        challenged.system.do("demand", 0, 0, 0, by=CHALLENGER)
        challenged.mine()
        challenged.settle_down()
        assert challenged.system.round.openDemands == 0, told(challenged.daemons[0])[-1000:]
    challenged.start(1, 2, 3).play_round(1)
    assert challenged.stakes() == whole and challenged.daemons[0]._history.rounds[0].adopted
    assert "is not in the chain any more" not in told(challenged.daemons[0])
