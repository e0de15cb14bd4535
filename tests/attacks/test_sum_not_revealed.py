"""Reading the others' sum first

Tries: commits in a private sum, waits until its partners have revealed, and reveals only if their sum pleases it
Attacker pays: the slash for not revealing: 10, in each round that it stops so
Victim pays: a round's pay and work. What the others' files add up to, the attacker knows after an honest round as well
"""

from attacks.gallery import Money
from support.masked import masked_files, masked_system, random_keys_and_steps, to_commit
from support.relays import batch, commitments, openings
from support.system import owner

from fl.protocol.phases import Phase


def test_one_of_four_commits_and_never_reveals__and_pays_for_the_void_round():
    s = masked_system(4)
    money = Money(s, attacker=owner(3), victims=[owner(i) for i in range(3)])
    keys, steps = random_keys_and_steps(4)
    to_commit(s, keys)
    batch(s, "commitMany", 1, commitments(s, masked_files(s, keys, steps)))
    s.skip()
    batch(s, "revealMany", openings(s)[:3])
    s.skip()
    s.do("close")
    assert s.phase is Phase.VOID and s.see("model") == s.terms.genesis
    s.do("finalize")
    assert money.change("attacker") == -s.terms.no_reveal_slash == -money.change("burnt")
    assert money.change("victims") == 0
