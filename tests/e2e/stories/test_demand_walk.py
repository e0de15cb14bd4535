"""Files that a proposer shows to nobody: demands force them open leaf by leaf, and who cannot or may not open one falls."""

import pytest
from support.in_process import HOUSE, InProcessFederation, operated
from support.keys import key_of

from fl.agents import adversaries
from fl.agents.record.view import View
from fl.agents.runtime.actions import Action, Call
from fl.agents.runtime.agent import Agent
from fl.protocol.artifact import LEAF_PARAMETERS, Kind, pack_model, parse_model
from fl.protocol.enums import Artifact
from fl.protocol.fraud import Opened
from fl.protocol.phases import Phase


class Forger(adversaries.WrongModel):
    """Proposes a model with one wrong number, publishes nothing, and answers demands itself, but for leaves it hides."""

    def __init__(self, seat: int, leaf: int, hides: bool):
        super().__init__(seat)
        self.leaf, self.hides, self.forged = leaf, hides, None

    def model(self, view: View) -> bytes:
        values = parse_model(view.record.next_model(view.round), view.terms.depth)
        values[self.leaf * LEAF_PARAMETERS + 77] += 1
        self.forged = Opened.of(pack_model(values), Kind.MODEL)
        return pack_model(values)

    def publishes(self, view: View) -> bool:
        return False

    def decide(self, view: View) -> list[Action]:
        answers = []
        if view.phase is Phase.CHALLENGE and view.round.proposal.root == self.forged.tree.root:
            for d in view.round.demands:
                if not (self.hides and d.leaf == self.leaf):
                    shown = self.forged.show(d.leaf)
                    size = Kind.MODEL.value
                    answers.append(Call("answer", (Artifact.PROPOSED, 0, d.leaf, shown[:size], shown[size:]), shared=True))
        return answers or super().decide(view)


class RandomRoot(adversaries.WrongModel):
    """Proposes 32 random bytes."""

    def decide(self, view: View) -> list[Action]:
        wanted = [a for a in super().decide(view) if isinstance(a, Call)]
        return [Call("propose", (*a.args[:3], b"\x99" * 32, b""), self.seat, shared=True) for a in wanted]


def town_with(tmp_path, role) -> InProcessFederation:
    federation = InProcessFederation(tmp_path, "digits", honest=4, rounds=1)
    key = operated(federation.system.join(1), 4)
    forger = Agent("forger", key, (role,), tmp_path / "forger", federation.store, 4, "forger")
    federation.play([forger, *federation.agents])
    return federation


def fell_and_paid(federation: InProcessFederation, demands: int) -> None:
    """The forger fell and paid; the honest model that followed stands; the watcher is out of pocket by gas alone."""
    log = federation.loop.history.rounds[0]
    assert next((p.seat, p.fell) for p in log.proposals) == (4, True)
    assert log.adopted and log.proposal.seat != 4
    terms = federation.system.terms
    assert federation.system.seat(4).stake == terms.min_stake - terms.fraud_slash
    made = [e for e in federation.loop.history.events if e.name == "Demanded"]
    assert len(made) == demands
    assert federation.system.accounting()["deposits"] == 0
    answered = sum(e.name == "Answered" and e.fields["by"] == key_of(4).address for e in federation.loop.history.events)
    won = demands - answered
    assert federation.system.see("credits", HOUSE.address) == terms.challenge_fee + won * terms.demand_deposit
    federation.audit()


@pytest.mark.parametrize("leaf, demands", [(0, 1), (1, 2), (3, 3), (5, 3), (7, 4)])
def test_one_withheld_wrong_leaf__is_found_in_at_most_depth_plus_one_demands__and_its_proposer_falls(tmp_path, leaf, demands):
    federation = town_with(tmp_path, Forger(4, leaf, hides=True))
    assert federation.system.terms.depth == 3
    federation.run()
    fell_and_paid(federation, demands)
    assert not [e for e in federation.loop.history.events if e.name == "Answered" and e.fields["leaf"] == leaf]


def test_one_wrong_leaf_shown_on_demand__is_disproved_by_what_the_answer_showed(tmp_path):
    federation = town_with(tmp_path, Forger(4, 6, hides=False))
    federation.run()
    fell_and_paid(federation, 3)


def test_a_random_root__falls_at_the_first_demand(tmp_path):
    federation = town_with(tmp_path, RandomRoot(4))
    federation.run()
    fell_and_paid(federation, 1)
