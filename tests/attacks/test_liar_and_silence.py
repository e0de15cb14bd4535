"""A liar and a silent validator

Tries: of three validators one lies and one stays silent, so that the honest one is not outvoted but has no majority either
Attacker pays: 10 for the silence
Victim pays: the round's pay for an update that the liar rejects; a file that only the liar accepts is not accepted
"""

import pytest
from attacks.gallery import Money, files
from support.system import System, owner

from fl.protocol.seats import from_bitmap


def judged(liar_says: int, honest_says: int) -> tuple[System, int, Money]:
    """A settled round of seven: what the liar and the one honest validator say of a seat outside the committee."""
    s = System.create().join(7).fund()
    s.open().commit(files(7)).skip()
    s.reveal().skip()
    liar, honest, silent = s.draw()
    author = next(seat for seat in range(7) if seat not in (liar, honest, silent))
    money = Money(s, author=owner(author), honest=owner(honest), silent=owner(silent))
    said = {liar: liar_says, honest: honest_says}
    s.commit_scores({v: bytes(byte if seat == author else 200 for seat in range(7)) for v, byte in said.items()})
    s.skip()
    s.reveal_scores().skip()
    s.settle()
    return s, author, money


def test_a_liar_s_vote_alone__accepts_no_file_that_nobody_else_holds():
    s, author, money = judged(255, 0)
    assert author not in from_bitmap(s.round.accepted)
    assert money.change("author") == 0
    assert money.change("silent") == s.terms.trainer_rate * 200 // 255 - s.terms.no_scores_slash


@pytest.mark.parametrize("liar, honest", [(255, 0), (0, 200)])
def test_a_tie_that_rejects__costs_the_honest_validator_nothing(liar, honest):
    s, author, money = judged(liar, honest)
    assert author not in from_bitmap(s.round.accepted)
    assert money.change("honest") == s.terms.trainer_rate * 200 // 255 + s.terms.validator_rate


def test_of_two_accepting_votes__the_lower_is_the_pay():
    s, _, money = judged(255, 100)
    assert money.change("author") == s.terms.trainer_rate * 100 // 255
