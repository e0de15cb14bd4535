"""Garbage in a private sum

Tries: publishes random bytes instead of a masked update, so that nobody's masks cancel
Attacker pays: gas, and like everybody its pay for the round, which the vote refuses: 10. Nobody learns who it was
Victim pays: a round's pay and work: 10 each. It works in each round, until an auditor or the partners find who it is
"""

import numpy as np
from attacks.gallery import Money
from support.masked import masked_files, masked_system, propose, random_keys_and_steps, to_commit, to_settle
from support.system import owner

from fl.protocol.phases import Phase


def with_garbage(votes: int):
    s = masked_system(4)
    money = Money(s, attacker=owner(3), victims=[owner(i) for i in range(3)])
    keys, steps = random_keys_and_steps(4)
    to_commit(s, keys)
    files = masked_files(s, keys, steps)
    files[3] = np.random.default_rng(9).bytes(len(files[3]))
    to_settle(s, files, votes).settle()
    return s, money


def test_a_refused_sum__pays_nobody_for_an_update_and_leaves_the_model():
    s, money = with_garbage(votes=0)
    scored = s.committee()
    s.skip()
    assert s.aggregate() == s.model
    propose(s, s.model)
    s.skip()
    s.do("finalize")
    assert s.see("model") == s.terms.genesis
    paid = {seat: s.seat(seat)["earned"] for seat in range(4)}
    fee = {seat: s.terms.validator_rate * (seat in scored) for seat in range(4)}
    assert {seat: paid[seat] - fee[seat] for seat in (1, 2, 3)} == dict.fromkeys((1, 2, 3), 0)
    assert money.change("attacker") == fee[3] and money.change("burnt") == 0


def test_an_accepted_one__moves_no_parameter_further_than_four_honest_seats_could():
    s, _ = with_garbage(votes=255)
    s.skip()
    assert s.phase is Phase.PROPOSE
    moved = np.frombuffer(s.aggregate(), ">i4").astype(np.int64) - np.frombuffer(s.model, ">i4")
    assert 0 < np.abs(moved).max() <= 255 << s.terms.max_exponent
