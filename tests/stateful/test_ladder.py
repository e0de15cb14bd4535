"""The ladder of machines, at least 10,000 steps; fails too if a phase, a slash, an ending or a refusal that the ladder is meant
to reach was never reached. A million steps: deep.py."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import Phase as Stage
from hypothesis.stateful import run_state_machine_as_test
from stateful.machines import LADDER, Base, Several

from fl.protocol.phases import Phase

# Runs of each machine.
WEIGHTS = {
    "Base": 6,
    "Honest": 10,
    "Dropouts": 20,
    "Liars": 20,
    "Fraud": 80,
    "Hostile": 110,
    "Masked": 80,
    "Several": 14,
    "OnNode": 8,
}
MUST = (
    [f"phase {p.name}" for p in Phase]
    + [f"slash: {act}" for act in ("no reveal", "no scores", "fraud")]
    + [f"ending: {e}" for e in ("adopted", "unchanged", "void at once", "void by the clock", "toppled by the clock")]
    + [f"{act}: done" for act in ("join", "topUp", "setOperator", "exit", "withdraw", "claim", "claimCredit", "sweep", "fund")]
    + [f"{act}: done" for act in ("conclude", "refund", "openRound", "commit", "reveal", "close", "draw", "commitScores")]
    + [f"{act}: done" for act in ("revealScores", "settle", "propose", "challenge", "demand", "answer", "expire", "reclaim")]
    + [
        f"{act}: done"
        for act in ("commitMany", "revealMany", "commitScoresMany", "revealScoresMany", "handover", "announceMany")
    ]
    + [f"{act}: done" for act in ("reportMissing", "reportMissingMany", "finalize")]
    + ["exclusions", "drained"]
    + [
        "withdraw: StillEngaged",
        "challenge: CoordinateCorrect",
        "propose: ProposerFell",
        "answer: WrongLeaf",
        "demand: DemandTooLate",
        "demand: WrongAttempt",
        "propose: WrongRound",
        "commit: WrongRound",
        "commitMany: WrongRound",
        "announceMany: WrongRound",
        "reportMissing: ReportUnchanged",
        "reportMissing: NotOperator",
        "reportMissing: WrongPhase",
        "handover: WrongSignature",
        "topUp: TopUpTooSmall",
        "setOperator: OperatorUnchanged",
    ]
    + ["reveal: WrongOpening", "draw: DrawTooEarly", "settle: WrongScores", "commit: NotActive", "reclaim: ProposalStands"]
)


def climb(machine: type, runs: int, derandomize: bool = True) -> None:
    """Raises what a machine found."""
    steps = 200 if machine is Several else 80
    quiet = {"deadline": None, "database": None, "phases": [Stage.generate], "suppress_health_check": list(HealthCheck)}
    rules = settings(max_examples=runs, stateful_step_count=steps, derandomize=derandomize, **quiet)
    run_state_machine_as_test(machine, settings=rules)


def missing(reached: Counter[str]) -> list[str]:
    return [what for what in MUST if not reached[what]]


@pytest.mark.parametrize("machine", LADDER, ids=lambda m: m.__name__)
@pytest.mark.xdist_group("ladder")
def test_contract_and_ledger__agree_after_every_step(machine):
    climb(machine, WEIGHTS[machine.__name__])


@pytest.mark.xdist_group("ladder")
def test_the_ladder__reached_what_it_is_for():
    assert missing(Base.reached) == []
    assert Base.reached["steps"] >= 10_000
    assert Base.reached["steps on a node"] >= 300
