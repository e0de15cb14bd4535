"""A partner stays away

Tries: announces no key in a private sum, or announces and commits to nothing, so that the round is void
Attacker pays: nothing, not even gas; who announced nothing is known by name
Victim pays: a round's pay and work; the pot pays for a later round. Any partner can stop all learning
"""

import pytest
from attacks.gallery import Money
from support.masked import announce, masked_files, masked_system, random_keys_and_steps, to_commit
from support.relays import batch, commitments, openings
from support.system import owner

from fl.protocol.phases import Phase


@pytest.mark.parametrize("announces", [False, True])
def test_one_of_four_stays_away__and_the_round_is_void_at_no_cost_to_anybody(announces):
    s = masked_system(4, min_reveals=4)
    money = Money(s, attacker=owner(3), victims=[owner(i) for i in range(3)])
    keys, steps = random_keys_and_steps(4)
    if announces:
        to_commit(s, keys)
    else:
        s.open()
        announce(s, {seat: keys[seat] for seat in range(3)})
        s.skip()
    honest = masked_files(s, keys, steps)
    batch(s, "commitMany", 1, commitments(s, {seat: honest[seat] for seat in range(3)}))
    s.skip()
    batch(s, "revealMany", openings(s))
    s.skip()
    s.do("close")
    assert s.phase is Phase.VOID and s.see("model") == s.terms.genesis
    s.do("finalize")
    assert [money.change(party) for party in ("attacker", "victims", "burnt")] == [0, 0, 0]
