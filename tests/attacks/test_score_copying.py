"""Score copying

Tries: copies another validator's score commitment, to be paid for agreement without any work
Attacker pays: the slash for not scoring: 10, and a validator's pay
Victim pays: nothing
"""

from attacks.gallery import Money, files
from support.evm import refused
from support.system import System, operator, owner, salt

from fl.protocol.commitment import score_commitment


def test_copied_scores__cannot_be_opened_for_another_seat():
    s = System.create().join(4).fund()
    s.open().commit(files(4))
    s.skip()
    s.reveal()
    s.skip()
    honest, lazy, other = s.draw()
    money, vector = Money(s, attacker=owner(lazy)), bytes([200] * 4)
    s.commit_scores({honest: vector, other: vector})
    facts = s.evm.chain_id, s.federation.address, 1
    copied = score_commitment(*facts, honest, vector, salt(honest, "scores"))
    s.do("commitScores", lazy, copied, by=operator(lazy))
    s.skip()
    s.reveal_scores()
    opened = score_commitment(*facts, lazy, vector, salt(honest, "scores"))
    with refused("WrongOpening", copied[:28], opened):
        s.do("revealScores", lazy, vector, salt(honest, "scores"), by=operator(lazy))
    s.skip()
    s.settle()
    assert money.change("attacker") == s.terms.trainer_rate * 200 // 255 - s.terms.no_scores_slash
