"""From a federation to predictions, as people type it: the same model by chain and by summary, with the metric it claimed."""

import json
from pathlib import Path

import pandas as pd
import pytest
from support.cli import Commands

import fl
from fl.learning.data.partition import split
from fl.learning.task_loading import load_task

pytestmark = pytest.mark.xdist_group("commands")


@pytest.fixture(scope="module")
def simulated(commands: Commands, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("heart") / "sim"
    done = commands("simulate", "--task", "heart", "--seats", 4, "--rounds", 2, "--seed", 1, "--out", folder)
    assert done.code == 0, done.err
    return folder


@pytest.fixture(scope="module")
def model(commands: Commands, simulated) -> Path:
    done = commands("model", "--summary", simulated / "summary.json", "--out", simulated.parent / "model")
    assert done.code == 0, done.err
    assert done.out.count("verified: ") == 4 and f"written: {simulated.parent}/model" in done.out
    return simulated.parent / "model"


def test_model__from_chain_and_from_summary__are_the_same_bytes(commands, simulated, model, tmp_path):
    summary = json.loads((simulated / "summary.json").read_text())
    call = ["model", "--federation", summary["federation"], "--store", simulated / "store", "--out", tmp_path / "live"]
    facts = commands.json(*call)
    assert (facts["round"], facts["root"]) == (2, summary["totals"]["model_root"])
    assert any("model() and its last Finalized event name the same root" in line for line in facts["verified"])
    assert (tmp_path / "live" / "model.safetensors").read_bytes() == (model / "model.safetensors").read_bytes()


def test_evaluate__on_the_federations_test_rows__is_the_summarys_metric(commands, simulated, model, tmp_path):
    task = load_task("heart")
    test = split(task.data(), 4, None, 1).test
    pd.DataFrame(test.x).assign(target=test.y).to_csv(tmp_path / "test.csv", index=False)
    facts = commands.json("evaluate", "--model", model, "--data", tmp_path / "test.csv", "--resamples", 100)
    summary = json.loads((simulated / "summary.json").read_text())
    assert facts["value"] == pytest.approx(summary["totals"]["final"], abs=1e-9) and facts["rows"] == len(test)
    assert facts["low"] < facts["value"] < facts["high"]


def test_predict__a_table_written_by_hand(commands, model, tmp_path):
    rows = [
        "patient,age,sex,cp,trestbps,chol,fbs,restecg,thalch,exang,oldpeak,slope,ca,thal",
        "7,63,Male,typical angina,145,233,True,lv hypertrophy,150,False,2.3,downsloping,0,fixed defect",
        "8,41,Female,atypical angina,130,,False,lv hypertrophy,172,False,1.4,upsloping,0,normal",
    ]
    (tmp_path / "new.csv").write_text("\n".join(rows) + "\n")
    call = ["predict", "--model", model, "--data", tmp_path / "new.csv", "--keep", "patient", "--out", tmp_path / "p.csv"]
    done = commands(*call)
    assert done.code == 0, done.err
    result = pd.read_csv(tmp_path / "p.csv")
    assert list(result) == ["patient", "prediction", "p(no disease)", "p(disease)"] and result.patient.tolist() == [7, 8]
    assert result["p(disease)"][0] > result["p(disease)"][1]


def test_load_model__by_a_federations_address__is_the_same_module(commands, simulated, model):
    summary = json.loads((simulated / "summary.json").read_text())
    live = fl.load_model(summary["federation"], store=str(simulated / "store"), network=commands.node)
    kept = dict(fl.load_model(model).named_parameters())
    assert not live.training and all(bool((p == kept[name]).all()) for name, p in live.named_parameters())
