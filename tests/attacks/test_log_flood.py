"""Flooding the log

Tries: fills the log with events that change next to nothing, so that readers behind nodes that cap answers see none
Attacker pays: for 1,000 events 6.7M gas in operator changes, 7.1M in gifts of one unit, 17.1M if it takes those back
Victim pays: more requests to its node; nothing else, where the reader splits the ranges that a node refuses
"""

import pytest
from support.evm import refused
from support.in_process import InProcessChain, reader_of
from support.system import STRANGER, System, operator, owner, salt

from fl.network.rpc import NodeError


@pytest.fixture
def s() -> System:
    return System.create().join(4).fund().open()


def test_the_same_operator_again__writes_no_event(s):
    same = s.federation.data("setOperator", 3, operator(3))
    with refused("OperatorUnchanged", 3, operator(3)):
        s.do("multicall", [same] * 100, by=owner(3))


def test_the_same_commitment_again__writes_no_event(s):
    once = s.federation.data("commit", 1, 3, salt(3))
    with refused("CommitmentUnchanged", 1, 3):
        s.do("multicall", [once, once], by=operator(3))


def test_dust__adds_to_no_stake(s):
    least = s.terms.min_stake // 100
    with refused("TopUpTooSmall", 1, least):
        s.do("topUp", 3, 1, by=s.rich(STRANGER))
    s.do("topUp", 3, least, by=STRANGER)


# ---- events at the price of gas

GIVE = [("give", STRANGER, 1)]
CLAIMED_BACK = [*GIVE, ("claimCredit", STRANGER)]
TO_AND_FRO = [("setOperator", 3, operator(7)), ("setOperator", 3, operator(3))]
# What is called again and again, by whom, and million gas for 1,000 events.
WAYS = {
    "gifts": (GIVE, STRANGER, 7.1),
    "gifts claimed back": (CLAIMED_BACK, STRANGER, 17.1),
    "operators": (TO_AND_FRO, owner(3), 6.7),
    "funding": ([("fund", 1)], STRANGER, 12.2),
}


def flood(s: System, calls: list[tuple], by: str, times: int) -> tuple[int, int]:
    """(events, gas with that of calldata) of one transaction that makes the calls so many times."""
    data = [s.federation.data(*call) for call in calls] * times
    events = sum(name != "Transfer" for name, _ in s.do("multicall", data, by=by))  # which are in the token's log
    whole = s.federation.data("multicall", data)
    return events, s.evm.vm.result.gas_used + sum(16 if byte else 4 for byte in whole)


@pytest.mark.parametrize("way", WAYS)
def test_a_thousand_events__have_their_price(s, way):
    calls, by, price = WAYS[way]
    s.rich(STRANGER)
    flood(s, calls, by, 1)
    (few, low), (many, high) = flood(s, calls, by, 100), flood(s, calls, by, 300)
    assert (high - low) / (many - few) / 1000 == pytest.approx(price, rel=0.02)


class Capped(InProcessChain):
    """Serves 500 logs at a time."""

    asked = 0

    def _eth_getLogs(self, asked):
        self.asked += 1
        found = super()._eth_getLogs(asked)
        if len(found) > 500:
            raise NodeError("query returned more than 500 results", "refused")
        return found


def test_a_strangers_flood__is_read_whole(s):
    s = System.create(Capped()).join(4).fund().open()
    s.rich(STRANGER)
    for _ in range(10):
        flood(s, CLAIMED_BACK, STRANGER, 100)
    s.do("commit", 3, salt(3), by=operator(3))
    s.evm.mine(100)
    events = reader_of(s).look().events
    assert len(events) > 3_000 and [e.name for e in events].count("CreditClaimed") == 1_000
    assert events[-1].name == "Committed"
    assert s.evm.asked < 60  # some for each flooded block, and not as many as there are events
