"""Admin theft

Tries: calls every function as sponsor and deployer, with everybody's seats
Attacker pays: gas
Victim pays: nothing: there is no admin; the sponsor's notice can only stop the next round
"""

import pytest
from attacks.gallery import Money, files
from support.evm import Reverted
from support.system import DEPLOYER, SPONSOR, System, owner

STAND_IN = {
    "uint256": 0,
    "uint8": 0,
    "uint128": 1,
    "address": SPONSOR,
    "bytes32": b"\x01" * 32,
    "bytes": b"",
    "bytes[]": [],
    "tuple[]": [],
}


@pytest.mark.parametrize("who", ["sponsor", "deployer"])
@pytest.mark.parametrize("stage", ["idle", "propose", "challenge"])
def test_no_call_by_those_in_charge__takes_anybody_s_money(who, stage):
    s = System.create().join(4).fund()
    s.to_challenge(files(4)).finish()
    if stage != "idle":
        s.to_propose(files(4, seed=8))
    if stage == "challenge":
        s.propose(s.aggregate(), 1)
    caller = {"sponsor": SPONSOR, "deployer": DEPLOYER}[who]
    s.rich(caller)
    seats = [owner(i) for i in range(4)]
    money = Money(s, seats=seats, caller=caller)
    taken = set()
    for name, entry in s.federation.type.functions.items():
        if entry["stateMutability"] == "view":
            continue
        for seat in range(4):
            args = [STAND_IN[i["type"]] for i in entry["inputs"]]
            for place, asked in enumerate(entry["inputs"]):
                if asked["name"] == "seat":
                    args[place] = seat
            args = args[len(s.named(name)) :]
            try:
                s.do(name, *args, by=caller)
                taken.add(name)
            except Reverted:
                pass
    assert taken <= {
        "conclude",
        "multicall",
        "refund",
        "openRound",
        "claimCredit",
        "finalize",
        "demand",
        "permit",
        "sweep",
        "attempt",
    }
    assert money.change("seats") >= 0
