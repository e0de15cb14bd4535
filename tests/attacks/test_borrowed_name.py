"""Borrowed name

Tries: seats its own operator under an admitted owner's name, to get into committees; or takes many seats under its own name
Attacker pays: gas of a reverted call
Victim pays: nothing
"""

from eth_abi import encode
from eth_hash.auto import keccak
from support.evm import refused
from support.system import STRANGER, System, operator, owner


def test_an_allowlist__admits_owners_that_come_themselves_and_once():
    words = [keccak(keccak(encode(["address"], [owner(i)]))) for i in (0, 1)]
    s = System.create(allowlist=keccak(b"".join(sorted(words))))
    stake = s.terms.min_stake
    for account in (STRANGER, owner(0)):
        s.rich(account)
    with refused("NotAdmitted", STRANGER):
        s.do("join", owner(0), STRANGER, stake, words[1], by=STRANGER)
    s.do("join", owner(0), operator(0), stake, words[1], by=owner(0))
    with refused("AlreadySeated", owner(0), 0):
        s.do("join", owner(0), STRANGER, stake, words[1], by=owner(0))
    assert s.sets()[0] == 0b1
