"""Hidden correct model

Tries: proposes the correct root before anybody else and shows nobody the file, so that nobody can start the next round
Attacker pays: nothing: it earns the proposer's fee of 2
Victim pays: nothing: a checker has rebuilt the file and publishes it. If nobody had checked, nobody could train the next round
"""

from attacks.gallery import Money, files, leaf_and_path, root
from support.system import CHALLENGER, System, operator, owner

from fl.protocol.artifact import Kind


def test_whoever_has_the_updates__can_show_every_leaf_of_what_was_hidden():
    s = System.create(depth=1).join(4).fund().to_propose(files(4, depth=1))
    s.rich(CHALLENGER)
    money = Money(s, hider=owner(3), checker=CHALLENGER)
    rebuilt = s.aggregate()
    s.do("propose", 3, root(rebuilt, Kind.MODEL), b"", by=operator(3))
    for leaf in range(2):
        s.do("demand", 0, 0, leaf, by=CHALLENGER)
        s.do("answer", 0, 0, leaf, *leaf_and_path(rebuilt, Kind.MODEL, leaf), by=CHALLENGER)
    s.proposal = rebuilt
    s.finish()
    assert (money.change("hider"), money.change("checker")) == (s.terms.proposer_fee, 0)
    s.to_challenge(files(4, depth=1, seed=8)).finish()
    assert s.see("model") == root(s.model, Kind.MODEL) != root(rebuilt, Kind.MODEL)
