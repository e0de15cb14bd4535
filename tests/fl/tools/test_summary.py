"""summary.json is a stranger's file: what simulate wrote comes back, and any other field is refused by name."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from support.manifests import TRAINING

from fl.errors import AuditError
from fl.learning.privacy.budget import Privacy
from fl.learning.research.comparison import Baselines
from fl.network.federation import Accounting
from fl.tools.audit import typed_json
from fl.tools.audit.measured import GasUse, PrivacySpent
from fl.tools.audit.summary import RoundSummary, SeatSummary, Summary, Token, Totals
from fl.tools.audit.verdict import Verdict
from fl.tools.federation.deployment import Deployment
from fl.tools.simulation.plan import Plan

PRIVATE = PrivacySpent("sgd", None, 1.0, 8.0, 1e-5, rounds=(1,), sat_out=(), series={1: 1.0}, statements={1: "a"})
SUMMARY = Summary(
    plan=Plan("linear", 4, 1, adversaries=(("sign_flip", 1),), privacy=Privacy(8.0)),
    metric="mean squared error",
    higher_is_better=False,
    chain_id=31337,
    federation="0x" + "11" * 20,
    deployment=Deployment(31337, "0xaa", "0xbb", "0xcc", "0xc0", "0xdd", "ee", "ff", {"create": 5}, 7),
    token=Token("0xdd", 18, "TTT"),
    terms={"committee": 3},
    start=1.5,
    rounds=(
        RoundSummary(
            number=1,
            model_root="ab",
            active=(0, 1),
            revealed=(0, 1),
            accepted=(0,),
            left_out=(1,),
            excluded={},
            committee=(0,),
            scores={0: 255, 1: 0},
            voided=False,
            adopted=True,
            proposer=None,
            fallen=(),
            metric=0.5,
            gas={"commit": 9},
        ),
    ),
    seats=(SeatSummary(0, "Ann", "honest", "0x", 10.0, (255, None), {}, 1.0, 9, PRIVATE),),
    adversaries={"sign_flip": (3,)},
    totals=Totals(0.5, "ab", 2, 1024, 1.0, 0.0, 9),
    gas={"commit": GasUse.of([4, 6, 2], 30)},
    times={1: 1000},
    baselines=Baselines({"Ann": 0.7}, 0.1, 0.2, {"pooled": (1.5, 0.1)}),
    accounting=Accounting(1, 2, 3, 4, 5, 6, 7, 8, 36),
    audit=Verdict(True, 1, "ab", {"events": 9}),
)


def written(folder: Path, change: Any = lambda facts: None) -> Path:
    path = folder / "summary.json"
    SUMMARY.write(path)
    facts = json.loads(path.read_text())
    change(facts)
    path.write_text(json.dumps(facts))
    return path


def test_summary__there_and_back(tmp_path):
    assert Summary.read(written(tmp_path)) == SUMMARY
    assert SUMMARY.gas["commit"] == GasUse(calls=3, mean=4, most=6, bytes=30) and SUMMARY.denomination.show(10**18) == "1 TTT"


CHANGES = {
    "it lacks 'accounting'": lambda s: s.pop("accounting"),
    r"it lacks 'seats\[0\].pay'": lambda s: s["seats"][0].pop("pay"),
    r"rounds\[0\].metric is 'high', not a number": lambda s: s["rounds"][0].update(metric="high"),
    r"rounds\[0\].scores has the key 'x', which is not a number": lambda s: s["rounds"][0].update(scores={"x": 1}),
    r"rounds\[0\].accepted is '5', not a list": lambda s: s["rounds"][0].update(accepted=5),
    r"seats\[0\].scores\[1\] is 'True', not a whole number": lambda s: s["seats"][0].update(scores=[1, True]),
    "totals is not an object": lambda s: s.update(totals=[]),
    "higher_is_better is '1', not true or false": lambda s: s.update(higher_is_better=1),
    "a token has 0 to 255 decimals": lambda s: s["token"].update(decimals=256),
    r"plan.adversaries\[0\] has 1 parts, not 2": lambda s: s["plan"].update(adversaries=[["lean"]]),
    "privacy mechanism 'magic'": lambda s: s["plan"]["privacy"].update(mechanism="magic"),
}


@pytest.mark.parametrize("message", CHANGES)
def test_summary__with_one_field_wrong__is_refused_by_name(tmp_path, message):
    whole = f"is not a summary of a simulation: {message}.*give the summary.json that simulate wrote"
    with pytest.raises(AuditError, match=whole):
        Summary.read(written(tmp_path, CHANGES[message]))


def test_summary__of_a_folder__or_of_nothing(tmp_path):
    for path, message in ((tmp_path, "is a folder"), (tmp_path / "gone.json", "no summary")):
        with pytest.raises(AuditError, match=message):
            Summary.read(path)


def test_typed_json__reads_no_kind_that_it_does_not_know():
    @dataclass(frozen=True)
    class Odd:
        value: set[int]

    with pytest.raises((TypeError, NameError)):
        typed_json.read(Odd, {"value": [1]})
    assert typed_json.read(type(TRAINING), asdict(TRAINING)) == TRAINING
