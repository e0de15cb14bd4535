"""The ladder of machines, at least 10,000 steps in `make test` and a million in `make deep`; fails too if a phase, a slash, an
ending or a refusal that the ladder is meant to reach was never reached."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import Phase as Stage
from hypothesis.stateful import run_state_machine_as_test
from stateful.machines import LADDER, Base, OnNode, Several

from fl.protocol.phases import Phase

RECORD = Path(__file__).parent / "deep.md"
STARTED = time.monotonic()
DEEP = int(os.environ.get("TREATY_EXAMPLES", "0"))
# Runs of each machine; in a deep campaign so many times TREATY_EXAMPLES.
WEIGHTS = {"Base": 6, "Honest": 10, "Dropouts": 20, "Liars": 20, "Fraud": 50, "Hostile": 60, "Several": 10, "OnNode": 8}
MUST = (
    [f"phase {p.name}" for p in Phase]
    + [f"slash: {deed}" for deed in ("no reveal", "no scores", "fraud")]
    + [f"ending: {e}" for e in ("adopted", "unchanged", "void at once", "void by the clock", "toppled by the clock")]
    + [
        f"{deed}: done"
        for deed in ("join", "topUp", "setOperator", "exit", "withdraw", "claim", "claimCredit", "sweep", "fund")
    ]
    + [f"{deed}: done" for deed in ("conclude", "refund", "openRound", "commit", "reveal", "close", "draw", "commitScores")]
    + [f"{deed}: done" for deed in ("revealScores", "settle", "propose", "challenge", "demand", "answer", "expire", "reclaim")]
    + ["finalize: done", "drained"]
    + [
        "withdraw: StillEngaged",
        "challenge: NumberIsRight",
        "propose: ProposerFell",
        "answer: WrongLeaf",
        "demand: DemandTooLate",
    ]
    + ["reveal: WrongOpening", "draw: DrawTooEarly", "settle: WrongScores", "commit: NotActive", "reclaim: ProposalStands"]
)


@pytest.mark.parametrize("machine", LADDER, ids=lambda m: m.__name__)
@pytest.mark.xdist_group("ladder")
def test_contract_and_ledger__agree_after_every_step(machine):
    weight = WEIGHTS[machine.__name__]
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=weight if machine is OnNode else (DEEP or 1) * weight,
            stateful_step_count=200 if machine is Several else 80,
            deadline=None,
            database=None,
            derandomize=not DEEP,
            phases=[Stage.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.xdist_group("ladder")
def test_the_ladder__reached_what_it_is_for():
    missing = [what for what in MUST if not Base.reached[what]]
    table = "".join(f"| {what} | {count:,} |\n" for what, count in sorted(Base.reached.items()))
    if DEEP:
        took = f"{(time.monotonic() - STARTED) / 60:.0f} minutes"
        title = f"# A deep campaign (`make deep`)\n\n{Base.reached['steps']:,} steps, contract and ledger agreeing, in {took}."
        RECORD.write_text(f"{title} What was called, and what came of it:\n\n| outcome | times |\n| --- | ---: |\n{table}")
    assert missing == []
    assert Base.reached["steps"] >= (1_000_000 if DEEP else 10_000)
    assert Base.reached["steps on a node"] >= 300
