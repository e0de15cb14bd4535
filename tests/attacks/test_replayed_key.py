"""Replayed and copied round keys

Tries: announces, for another seat, an announcement of an earlier round, or a partner's key under its own signature
Attacker pays: gas
Victim pays: nothing for an old signature, which is skipped. With a copied key nobody masks: a void round, its author named
"""

import numpy as np
import pytest
from attacks.gallery import Money
from support.masked import announce, company_of, masked_system, random_keys_and_steps, round_key
from support.relays import batch, signed
from support.system import STRANGER, owner

from fl.errors import ArtifactError
from fl.protocol.masks import mask, stream
from fl.protocol.phases import Phase
from fl.protocol.signatures import ActKind


def test_an_old_announcement__is_skipped_in_the_next_round():
    s = masked_system(4)
    money = Money(s, attacker=STRANGER, victims=[owner(i) for i in range(4)])
    s.open()
    old = [signed(s, seat, round_key(seat).public, ActKind.ANNOUNCE) for seat in range(4)]
    while s.phase is not Phase.DRAW:
        s.skip()
    s.do("close")
    s.do("finalize")
    s.open()
    assert s.round.number == 2
    assert batch(s, "announceMany", 2, old)[0] == 0 and s.round.active == 0
    assert money.change("victims") == money.change("attacker") == 0


def test_a_copied_key__stops_the_round__and_opens_nothing():
    s = masked_system(4)
    keys, _ = random_keys_and_steps(4)
    s.open()
    assert announce(s, {**keys, 3: keys[0]}) == 0b1111  # the operator of seat 3 signs the key of seat 0
    with pytest.raises(ArtifactError, match="seats 0 and 3 announced the same key"):
        company_of(s, {**keys, 3: keys[0]})
    while s.phase is not Phase.DRAW:
        s.skip()
    s.do("close")
    assert s.phase is Phase.VOID


def test_two_of_three_partners_and_a_key_of_their_own__open_nothing():
    s = masked_system(4)
    keys, steps = random_keys_and_steps(4)
    s.open()
    announce(s, keys)
    company = company_of(s, keys)
    masked = np.frombuffer(mask(steps[0], 0, keys[0], company), "<u2")
    pairs = {seat: company.seeds(seat, keys[seat])[0] for seat in (1, 2, 3)}
    known = sum(stream(pairs[seat], masked.size).astype(np.int64) for seat in (1, 2, 3))
    assert (np.uint16((masked - known) & 0xFFFF).view(np.int16) == steps[0]).all()  # all three together open it
    without = sum(stream(pairs[seat], masked.size).astype(np.int64) for seat in (1, 2))
    guess = without + stream(round_key(99).shared(keys[0].public), masked.size)
    assert (np.uint16((masked - guess) & 0xFFFF).view(np.int16) == steps[0]).mean() < 0.05
