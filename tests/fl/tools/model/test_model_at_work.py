"""predict and evaluate, on files as people have them."""

import csv
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score
from support.mistakes import TASK
from support.models import source

from fl.errors import TaskError, TreatyError
from fl.learning.data.table import table_task
from fl.learning.task_check import table_of
from fl.learning.task_loading import load_task
from fl.tools.model.evaluate import Wishes, evaluate
from fl.tools.model.export import export
from fl.tools.model.folder import load, read_config
from fl.tools.model.loading import load_model
from fl.tools.model.loading import predict as predict_frame
from fl.tools.model.predict import predict

PATIENTS = [
    "id,age,sex,cp,trestbps,chol,fbs,restecg,thalch,exang,oldpeak,slope,ca,thal",
    "a,63,Male,typical angina,145,233,True,lv hypertrophy,150,False,2.3,downsloping,0,fixed defect",
    "b,67,Male,asymptomatic,,,False,normal,108,True,1.5,,,",
]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("heart")
    export(source(load_task("heart"), folder / "store"), folder / "model")
    return folder / "model"


@pytest.fixture(scope="module")
def encoded(tmp_path_factory) -> Path:
    """The task's own rows, encoded, with the target last: by place."""
    data = load_task("heart").data()
    frame = pd.DataFrame(data.x).assign(target=data.y)
    path = tmp_path_factory.mktemp("rows") / "rows.csv"
    frame[500:800].to_csv(path, index=False)
    return path


def test_predict__by_hand(model, tmp_path):
    (tmp_path / "new.csv").write_text("\n".join(PATIENTS) + "\n")
    result = predict(model, tmp_path / "new.csv", tmp_path / "p.csv", keep=["id"])
    outcome = pd.read_csv(tmp_path / "p.csv")
    assert list(outcome) == ["id", "prediction", "p(no disease)", "p(disease)"] and outcome.id.tolist() == ["a", "b"]
    task, module = load_task("heart"), load_model(model)
    with torch.no_grad():
        right = torch.sigmoid(module(torch.from_numpy(task.encode(pd.read_csv(tmp_path / "new.csv"))))).numpy()
    assert outcome["p(disease)"].to_numpy() == pytest.approx(right, abs=1e-6)
    assert outcome.prediction.tolist() == [task.classes[int(p > 0.5)] for p in right]
    assert result.facts["rows"] == 2 and "columns that the task does not read: id" in result.facts["remarks"]
    frame = pd.read_csv(tmp_path / "new.csv", index_col="id")
    assert predict_frame(model, frame)["p(disease)"].round(6).to_dict() == dict(zip("ab", outcome["p(disease)"], strict=True))


def test_predict__every_shipped_task(tmp_path):
    tables = {
        "linear": pd.DataFrame({"x": [1.0, 6.0]}),
        "digits_mlp": pd.DataFrame(np.zeros((2, 64)), columns=load_task("digits").feature_columns),
        "digits": pd.DataFrame(np.zeros((2, 64)), columns=load_task("digits").feature_columns),
        "breast_cancer": pd.DataFrame(np.ones((2, 30)), columns=load_task("breast_cancer").feature_columns),
        "adapter": pd.DataFrame({"text": ["the number of instance", "q"]}),
    }
    for name, table in tables.items():
        export(source(load_task(name), tmp_path / name / "store"), tmp_path / name / "model")
        table.to_csv(tmp_path / "new.csv", index=False)
        predict(tmp_path / name / "model", tmp_path / "new.csv", tmp_path / f"{name}.csv")
        result = pd.read_csv(tmp_path / f"{name}.csv", keep_default_na=False)
        assert len(result) == 2 and len(result.columns) == 1 + len(load_task(name).classes), name


def test_predict__an_own_task__needs_its_file(tmp_path):
    file = tmp_path / "own.py"
    file.write_text(TASK)
    export(source(load_task(str(file)), tmp_path / "store"), tmp_path / "model", task=str(file))
    (tmp_path / "new.csv").write_text("a,b,c\n1,2,3\n")
    with pytest.raises(TaskError, match="give its file, --task FILE"):
        predict(tmp_path / "model", tmp_path / "new.csv", tmp_path / "p.csv")
    predict(tmp_path / "model", tmp_path / "new.csv", tmp_path / "p.csv", str(file))
    assert list(pd.read_csv(tmp_path / "p.csv")) == ["prediction"]


@pytest.mark.parametrize("before", ["", "\t", "\r"], ids=["plain", "tab", "return"])
def test_predict__a_table_task__with_a_strangers_classes(tmp_path, before):
    """Classes that look like formulas to a spreadsheet are written as text."""
    rows = [f"{20 + i},{'=HYPERLINK(1)' if i % 2 else 'none'}" for i in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["age,sick", *rows]))
    export(source(table_task(f"table:{tmp_path}/t.csv?target=sick"), tmp_path / "store"), tmp_path / "model")
    config = tmp_path / "model" / "config.json"
    config.write_text(config.read_text().replace("=HYPER", json.dumps(before)[1:-1] + "=HYPER"))
    (tmp_path / "new.csv").write_text("age\n" + "\n".join(map(str, range(20, 60))) + "\n")
    predict(tmp_path / "model", tmp_path / "new.csv", tmp_path / "p.csv")
    with (tmp_path / "p.csv").open(newline="") as file:
        assert {row["prediction"] for row in csv.DictReader(file)} <= {f"'{before}=HYPERLINK(1)".replace("\r", " "), "none"}


@pytest.mark.parametrize(
    "out, keep, message",
    [
        ("new.csv", (), "is the table to predict: give --out another file"),
        ("p.txt", (), "give --out a name that ends in .csv"),
        ("p.csv", ("name",), "has no column 'name' to keep; it has id, age"),
    ],
)
def test_predict__never_replaces_the_rows(out, keep, message, model, tmp_path):
    (tmp_path / "new.csv").write_text("\n".join(PATIENTS) + "\n")
    with pytest.raises(TreatyError, match=message):
        predict(model, tmp_path / "new.csv", tmp_path / out, keep=keep)
    assert (tmp_path / "new.csv").read_text() == "\n".join(PATIENTS) + "\n" and len(list(tmp_path.iterdir())) == 1


# ---- evaluate


def test_evaluate__tells_the_tasks_own_metric__by_place_or_by_name(model, encoded):
    result = evaluate(model, encoded, Wishes(resamples=100))
    data = load_task("heart").data()
    with torch.no_grad():
        outputs = load_model(model)(torch.from_numpy(data.x[500:800]))
    right = roc_auc_score(data.y[500:800], outputs.numpy())
    assert result.facts["value"] == pytest.approx(right, abs=1e-12) and result.facts["rows"] == 300
    assert result.facts["low"] < right < result.facts["high"]
    assert sum(b["rows"] for b in result.facts["calibration"]["bins"]) == 300
    assert "no column is named age: the columns are matched by position" in result.facts["remarks"][0]


def test_evaluate__draws_calibration_as_one_plain_picture(model, encoded, tmp_path):
    evaluate(model, encoded, Wishes(resamples=100, picture=tmp_path / "c.svg"))
    text = (tmp_path / "c.svg").read_text()
    root = ElementTree.fromstring(text)
    dots = [e for e in root.iter() if e.tag.endswith("circle")]
    assert len(dots) >= 3 and "http" not in text.replace("http://www.w3.org/2000/svg", "") and "<script" not in text


def test_evaluate__a_number_has_no_calibration(tmp_path):
    export(source(load_task("linear"), tmp_path / "store"), tmp_path / "model")
    (tmp_path / "mine.csv").write_text("x,y\n1,2\n2,4\n3,6\n")
    result = evaluate(tmp_path / "model", tmp_path / "mine.csv", Wishes(resamples=100))
    assert result.facts["calibration"] is None and result.facts["metric"] == "mean squared error"
    with pytest.raises(TaskError, match="--picture shows how well probabilities are calibrated, and this task"):
        evaluate(tmp_path / "model", tmp_path / "mine.csv", Wishes(resamples=100, picture=tmp_path / "c.svg"))


def test_personalise__helps_where_rows_are_of_another_kind__and_never_touches_the_shared_model(tmp_path):
    """One whose label means the opposite: the shared model is worse than chance for it, its own is not."""
    export(source(load_task("heart"), tmp_path / "store"), tmp_path / "model")
    data = table_of(load_task("heart"))
    pd.DataFrame(data.x).assign(target=1 - data.y)[:600].to_csv(tmp_path / "mine.csv", index=False)
    before = {p.name: p.read_bytes() for p in (tmp_path / "model").iterdir()}
    wishes = Wishes(resamples=100, personalise=6, save=tmp_path / "mine")
    personal = evaluate(tmp_path / "model", tmp_path / "mine.csv", wishes).facts["personal"]
    assert personal["verdict"] == "better" and personal["difference"]["low"] > 0.2
    assert personal["difference"]["value"] == pytest.approx(personal["personal"]["value"] - personal["shared"]["value"])
    assert personal["rows"] + personal["held_out"] == 600 and 140 <= personal["held_out"] <= 160
    assert {p.name: p.read_bytes() for p in (tmp_path / "model").iterdir()} == before
    kept = load(tmp_path / "mine")
    assert kept.config.personal.epochs == 6 and kept.config.origin == read_config(tmp_path / "model").origin
    assert "**This is not the federation's model, and it is not published.**" in (tmp_path / "mine" / "README.md").read_text()
    assert evaluate(tmp_path / "mine", tmp_path / "mine.csv", Wishes(resamples=100)).facts["value"] > 0.6


def test_personalise__wants_rows_enough__and_a_reason_to_save(model, tmp_path):
    with pytest.raises(TreatyError, match="--save keeps the model that --personalise trains"):
        evaluate(model, tmp_path / "x.csv", Wishes(save=tmp_path / "mine"))
    data = load_task("heart").data()
    pd.DataFrame(data.x).assign(target=data.y)[:12].to_csv(tmp_path / "few.csv", index=False)
    with pytest.raises(TaskError, match="has 12 rows: --personalise needs 16"):
        evaluate(model, tmp_path / "few.csv", Wishes(resamples=100, personalise=1))


def test_load_model__of_a_folder_takes_no_network(model):
    assert not load_model(str(model)).training
    with pytest.raises(TreatyError, match="belong to a federation's address"):
        load_model(model, round=1)
