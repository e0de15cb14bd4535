"""A model leaves the federation as a folder: whole or not at all, by PyTorch's own names; a stranger's file is never run."""

import json
import os
import re
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from support.mistakes import TASK
from support.models import source, trained

from fl.errors import StoreError, TaskError, TreatyError
from fl.learning.data.table import table_task
from fl.learning.inference import module_of, outputs_of
from fl.learning.shipped import SHIPPED
from fl.learning.task_check import table_of
from fl.learning.task_loading import load_task
from fl.network.stores.files import write_durably
from fl.protocol.artifact import Kind
from fl.tools.model.export import export
from fl.tools.model.folder import load, read_config


@pytest.fixture(scope="module")
def heart(tmp_path_factory) -> tuple[object, Path]:
    """(the record of a federation, the folder of its model)"""
    folder = tmp_path_factory.mktemp("heart")
    record = source(load_task("heart"), folder / "store")
    export(record, folder / "model")
    return record, folder / "model"


def copied(heart, tmp_path) -> Path:
    out = tmp_path / "copy"
    out.mkdir()
    for path in heart[1].iterdir():
        (out / path.name).write_bytes(path.read_bytes())
    return out


def changed(folder: Path, **changes) -> Path:
    facts = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**facts, **changes}))
    return folder


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_task__comes_back_as_the_module_that_it_was(name, tmp_path):
    task = load_task(name)
    vector = trained(task)
    result = export(source(task, tmp_path / "store", vector=vector), tmp_path / "model")
    model = load(tmp_path / "model")
    x = table_of(task).x[:5]
    right = module_of(task, vector)
    assert torch.equal(outputs_of(task, model.module, x), outputs_of(task, right, x))
    assert not model.module.training and model.config.rows.x == x.shape[1:]
    names = [n for n, _ in right.named_parameters()]
    assert sorted(load_file(tmp_path / "model" / "model.safetensors")) == sorted(names)
    assert any("makes the federation's first model from seed 3" in line for line in result.facts["verified"])


def test_plain_pytorch__reads_the_parameters(heart):
    module = load_task("heart").model()
    tensors = {name: torch.from_numpy(values) for name, values in load_file(heart[1] / "model.safetensors").items()}
    assert str(module.load_state_dict(tensors)) == "<All keys matched successfully>"


def test_table__needs_no_file__and_keeps_its_columns(tmp_path):
    rows = [f"{20 + i},{'north' if i % 2 else 'south'},{'ill' if i % 3 else 'well'}" for i in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["age,ward,sick", *rows]))
    task = table_task(f"table:{tmp_path}/t.csv?target=sick")
    export(source(task, tmp_path / "store"), tmp_path / "model")
    (tmp_path / "t.csv").unlink()
    model = load(tmp_path / "model")
    assert (model.task.classes, model.task.feature_columns) == (("ill", "well"), ("age", "ward"))
    assert model.config.task.kind == "table" and model.config.rows.x == (3,)


def test_own_task__is_known_by_its_files_digest__and_run_only_when_given(tmp_path):
    file = tmp_path / "own.py"
    file.write_text(TASK)
    record = source(load_task(str(file)), tmp_path / "store")
    with pytest.raises(TaskError, match="is 'own', which is not shipped: get its file"):
        export(record, tmp_path / "model")
    assert not (tmp_path / "model").exists()
    export(record, tmp_path / "model", task=str(file))
    assert read_config(tmp_path / "model").task.sha256 == sha256(TASK.encode()).hexdigest()
    assert [p.name for p in (tmp_path / "model").glob("*.py")] == []
    with pytest.raises(TaskError, match="somebody's own task, 'own': give its file, --task FILE"):
        load(tmp_path / "model")
    assert load(tmp_path / "model", str(file)).task.name == "own"
    file.write_text(TASK + "raise SystemExit('run')\n")
    with pytest.raises(TaskError, match="is not the file that the model was exported with"):
        load(tmp_path / "model", str(file))


def test_other_code__is_told_apart_from_the_federations(tmp_path):
    (tmp_path / "own.py").write_text(TASK)
    record = source(load_task(str(tmp_path / "own.py")), tmp_path / "store")
    (tmp_path / "other.py").write_text(TASK.replace("nn.Linear(3, 1)", "nn.Linear(3, 3), nn.Linear(3, 1)"))
    with pytest.raises(TaskError, match="has 16 parameters, and the federation's has 4"):
        export(record, tmp_path / "model", task=str(tmp_path / "other.py"))
    (tmp_path / "named.py").write_text(TASK.replace('"own"', '"named"'))
    with pytest.raises(TaskError, match="is task 'named', and the federation's is 'own'"):
        export(record, tmp_path / "model", task=str(tmp_path / "named.py"))
    (tmp_path / "start.py").write_text(TASK.replace("nn.Linear(3, 1),", "nn.Linear(3, 1), nn.ReLU(inplace=False),"))
    assert "makes the federation's first model" in str(export(record, tmp_path / "same", task=str(tmp_path / "start.py")).lines)
    zero = TASK.replace(
        "return nn.Sequential(nn.Linear(3, 1), nn.Flatten(0))",
        "torch.rand(1); return nn.Sequential(nn.Linear(3, 1), nn.Flatten(0))",
    )
    (tmp_path / "zero.py").write_text(zero)
    assert "Its code does not make the federation's first model" in str(
        export(record, tmp_path / "zero", task=str(tmp_path / "zero.py")).lines
    )


def test_a_round__is_chosen(heart, tmp_path):
    record, _ = heart
    first = export(record, tmp_path / "first", round=0)
    assert (first.facts["round"], first.facts["root"]) == (0, record.terms.genesis.hex())
    assert "Nobody: this is the first model" in (tmp_path / "first" / "README.md").read_text()
    with pytest.raises(TreatyError, match="round 2 is not final: choose --round from 0 \\(the first model\\) to 1"):
        export(record, tmp_path / "second", round=2)


def test_a_model_that_the_store_altered__is_not_written(heart, tmp_path):
    record, _ = heart
    root = record.history.rounds[0].model
    path = record.store.path / f"{root.hex()}.{Kind.MODEL.name.lower()}"
    right = path.read_bytes()
    path.write_bytes(right[:100] + bytes([right[100] ^ 1]) + right[101:])
    try:
        with pytest.raises(StoreError, match="does not hash to its name"):
            export(record, tmp_path / "model")
    finally:
        path.write_bytes(right)
    assert list(tmp_path.iterdir()) == []


# ---- where it is written


def test_export__again__gives_the_same_bytes_in_the_same_place(heart, tmp_path):
    record, folder = heart
    out = tmp_path / "model"
    out.mkdir()  # an empty folder will do
    for _ in range(2):
        export(record, out)
        for path in folder.iterdir():
            assert (out / path.name).read_bytes() == path.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model"]


@pytest.mark.parametrize("names", [["mine.txt"], ["README.md"], ["config.json"], ["config.json", "thesis.tex"]])
def test_a_folder_with_other_files__stays_as_it_is(names, heart, tmp_path):
    for name in names:
        (tmp_path / name).write_text("{}")
    with pytest.raises(TreatyError, match=r"holds other files|describes no model"):
        export(heart[0], tmp_path)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == dict.fromkeys(names, "{}")


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("fails", ["write", "replace"])
def test_a_write_that_fails__leaves_what_was_there(before, fails, heart, tmp_path, monkeypatch):
    record, _ = heart
    out = tmp_path / "model"
    if before:
        export(record, out, round=0)
    kept = {p.name: p.read_bytes() for p in out.iterdir()} if before else None
    real = os.replace

    def full(path, data):
        if path.name == "README.md":
            raise OSError(28, "No space left on device")
        write_durably(path, data)

    def replace_(source_, target):
        if (
            Path(target) == out
            and (Path(source_) / "config.json").exists()
            and b'"round": 1' in (Path(source_) / "config.json").read_bytes()
        ):
            raise OSError(5, "Input/output error")
        real(source_, target)

    if fails == "write":
        monkeypatch.setattr("fl.tools.model.folder.write_durably", full)
    else:
        monkeypatch.setattr("fl.tools.model.folder.os.replace", replace_)
    with pytest.raises(TreatyError, match="cannot be written"):
        export(record, out)
    assert ({p.name: p.read_bytes() for p in out.iterdir()} if out.exists() else None) == kept


# ---- a stranger's folder


def test_altered_parameters__are_refused(heart, tmp_path):
    folder = copied(heart, tmp_path)
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "model.safetensors").write_bytes(data)
    with pytest.raises(TreatyError, match="it was altered"):
        load(folder)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"format": "other"}, "describes no model of a federation"),
        ({"version": 2}, "is of version 2, and this program reads 1"),
        ({"task": {"kind": "shipped", "name": "large"}}, "is of task 'large', which this version does not have"),
        ({"task": {"kind": "shipped", "name": "../../evil"}}, "which this version does not have"),
        ({"task": {"kind": "module", "name": "os"}}, "which this version does not have"),
        ({"task": {"kind": "shipped", "name": "heart", "run": "x"}}, "is damaged"),
        ({"task": {"kind": "table", "name": "table", "table": {"columns": [{}], "target": {}}}}, "has no valid columns"),
        ({"task": {"kind": "shipped", "name": "linear"}}, "do not fit task linear"),
        ({"rows": {"x": [-1], "y": [], "y_dtype": "float32"}}, "is damaged"),
        ({"files": {}}, "it was altered"),
        ({"origin": {}}, "is damaged"),
        ({"parameters": float("inf")}, "is damaged"),
        ({"rows": {"x": [float("inf")], "y": [], "y_dtype": "float32"}}, "is damaged"),
    ],
)
def test_a_strange_config__is_refused_by_name(changes, message, heart, tmp_path):
    with pytest.raises(TreatyError, match=message):
        load(changed(copied(heart, tmp_path), **changes))


def test_parameters_larger_than_a_model_can_be__are_refused_unread(heart, tmp_path, monkeypatch):
    folder = copied(heart, tmp_path)
    monkeypatch.setattr("fl.tools.model.folder.gathered", lambda *_: pytest.fail("it was read"))
    with (folder / "model.safetensors").open("r+b") as file:
        file.truncate(1 << 40)  # sparse: it takes no room
    with pytest.raises(TreatyError, match=r"has 1,099,511,627,776 bytes, more than a model of .* parameters takes"):
        load(folder)
    changed(folder, parameters=1 << 60)
    with pytest.raises(TreatyError, match="more than a model"):
        load(folder)


def test_no_model__is_said(tmp_path):
    with pytest.raises(TreatyError, match=r"no model in .*: give a folder that `ape run model --out` wrote"):
        load(tmp_path)
    (tmp_path / "config.json").write_text("[" * 100_000)
    with pytest.raises(TreatyError, match="cannot be read"):
        load(tmp_path)
    os.remove(tmp_path / "config.json")
    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(TreatyError, match="cannot be read"):
        load(tmp_path)


def test_card__tells_strangers_words_as_text(heart, tmp_path):
    record, _ = heart
    metric = "<script>alert(1)</script>\n# Free money | [click](javascript:x)\x1b[2J"
    people = [SimpleNamespace(seat=i, name=metric, privacy=None) for i in range(3)]
    result = SimpleNamespace(start=0.5, rounds=[SimpleNamespace(number=1, metric=0.6)], seats=people)
    export(replace(record, summary=result), tmp_path / "model", licence='MIT"\nevil: yes')
    card = (tmp_path / "model" / "README.md").read_text()
    assert "<script>" not in card and "\n# Free" not in card and "\x1b" not in card and "](javascript" not in card
    assert card.splitlines()[1] == 'license: "MIT�evil: yes"'


def test_card__says_who_how_and_how_to_verify(heart):
    record, folder = heart
    card = (folder / "README.md").read_text()
    root = record.history.rounds[0].model.hex()
    for fact in (
        root,
        record.terms.manifest.hex(),
        record.federation,
        "seat",
        "not stated",
        "This model was not measured on test rows here",
    ):
        assert fact in card
    assert len(re.findall(r"^\| \d \| `0x\w+` \|  \| 1 \|$", card, re.MULTILINE)) == 2  # of three seats, two were accepted
    assert "ape run audit --federation" in card and str(record.store.path) not in card
    assert np.all([len(line) < 600 for line in card.splitlines()])
