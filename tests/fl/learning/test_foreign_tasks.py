"""Tasks that people bring: a written file, a table, an object of NumPyClient's shape, a Flower app at the end of a pipe.

Flower itself cannot be installed beside Ape: here a stand-in of the same interface runs at the far end; the app in
tests/support/flower_app is for the real one (`make flower`)."""

import io
import json
import struct
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load

from fl.errors import PrivacyError, TaskError
from fl.learning.data.local_rows import local_shard
from fl.learning.data.partition import split
from fl.learning.evaluator import Evaluator
from fl.learning.flower.client_task import ClientTask, LocalClients
from fl.learning.flower.worker import pack, unpack
from fl.learning.privacy.mechanisms import check_private
from fl.learning.research import baselines
from fl.learning.task import build
from fl.learning.task_loading import load_task
from fl.tools.federation.deploy import manifest_of
from fl.tools.simulation.new_task import new_task

ROWS = 80


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    age, dose = rng.integers(18, 93, ROWS), rng.uniform(0.02, 0.31, ROWS)
    place = rng.choice(["Basel", "Bern"], ROWS)
    frame = pd.DataFrame({"age": age, "dose": dose, "place": place, "smokes": rng.random(ROWS) < 0.5})
    frame.loc[3, "dose"] = None
    frame["sick"] = np.where(age + 100 * rng.random(ROWS) > 100, "yes", "no")
    frame["days"] = (age * 3.7 + 10).round(2)
    frame["note"] = [f"text {i}" for i in range(ROWS)]
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    return tmp_path


# ---- tables


def test_table__becomes_numbers_by_public_ranges_and_classes(folder):
    task = load_task(f"table:{folder}/t.csv?target=sick&drop=note,days&age=0..100&place=Basel|Bern|Chur")
    assert [(c.name, c.classes, c.low, c.high, c.optional) for c in task.columns] == [
        ("age", (), 0, 100, False),
        ("dose", (), 0, 0.4, True),  # of the table, rounded outward
        ("place", ("Basel", "Bern", "Chur"), 0, 0, False),
        ("smokes", ("False", "True"), 0, 0, False),
    ]
    frame, data = pd.read_csv(folder / "t.csv"), task.data()
    assert data.x.shape == (ROWS, 1 + 2 + 3 + 2) and data.x.dtype == data.y.dtype == np.float32
    assert np.allclose(data.x[:, 0], (frame.age - 50) / 50) and (data.y == (frame.sick == "yes")).all()
    assert data.x[3, 1:3].tolist() == [0, 1] and data.x[:, 2].sum() == 1  # a missing value: the middle, and a flag
    assert (data.x[:, 3:6].sum(axis=1) == 1).all() and task.metric == "AUC"


def test_table__csv_and_parquet_are_one(folder):
    one, other = (load_task(f"table:{folder}/t.{kind}?target=sick&drop=note").data() for kind in ("csv", "parquet"))
    assert (one.x == other.x).all() and (one.y == other.y).all()


def test_table__learns__and_is_measured_in_the_target_s_unit(folder):
    task = load_task(f"table:{folder}/t.csv?target=days&drop=note")
    data = split(task.data(), 3, None, 0)
    before, after = (baselines.exact_fedavg(task, data, rounds, 0) for rounds in (0, 15))
    assert task.metric == "mean absolute error" and not task.higher_is_better
    assert after < before / 2 and 20 < before < 400


def test_table__of_several_classes__and_with_owners(folder):
    frame = pd.read_csv(folder / "t.csv")
    frame["grade"] = np.where(frame.age < 40, 0, np.where(frame.age < 60, 1, 2))
    frame.to_csv(folder / "g.csv", index=False)
    task = load_task(f"table:{folder}/g.csv?target=grade&owner=place&drop=note,days")
    data = split(task.data(), 2, None, 0)
    assert [s.name for s in data.shards] == ["Basel", "Bern"] and task.metric == "accuracy"
    assert baselines.exact_fedavg(task, data, 60, 0) > 0.75


def test_table__manifest_states_the_columns__and_another_s_table_is_encoded_by_them(folder):
    task = load_task(f"table:{folder}/t.csv?target=sick&drop=note,days")
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps(manifest_of(task, 0).to_json()))
    other = pd.read_csv(folder / "t.csv").iloc[::-1]
    other.loc[5, "place"] = "Chur"  # a class that nobody stated
    other.loc[6, "age"] = 1000  # beyond the range
    other[["days", "sick", "smokes", "place", "dose", "age"]].to_csv(folder / "other.csv", index=False)
    mine = load_task(f"table:{folder}/other.csv?manifest={manifest}")
    assert mine.columns == task.columns and mine.target == task.target and manifest_of(mine, 0) == manifest_of(task, 0)
    shard = local_shard(mine, None, None, 0)
    assert len(shard.train) + len(shard.held_out) == ROWS and len(shard.held_out) < len(shard.train) / 2
    x, whole = mine.data().x[::-1], task.data().x
    assert x[5, 3:5].tolist() == [0, 0] and x[6, 0] == 1.0
    assert (np.delete(x, [5, 6], 0) == np.delete(whole, [5, 6], 0)).all()


@pytest.mark.parametrize(
    "query, message",
    [
        ("", r"target=note"),
        ("target=sik", "no column 'sik'; it has age, dose"),
        ("target=sick", "column note: 80 different texts .*drop=note"),
        ("target=sick&drop=note&age=young..old", "column age: 'young..old' is not a range"),
        ("target=sick&drop=note&age=9..1", r"column age: the range 9\.\.1 is empty"),
        ("target=sick&drop=note&place=0..1", "column place: row 1 holds 'B.*', which is not a number"),
        ("target=sick&drop=note&place=Basel", "column place: 'Basel' is neither a range"),
        ("target=sick&drop=note&weight=0..1", "no column 'weight'"),
        ("target=sick&drop=note&owner=clinic", "no column 'clinic'"),
        ("target=sick&drop=age,dose,place,smokes,days,note", "no column is left"),
        ("target=sick&drop=note&sick=yes|maybe", "column sick: row .* says 'no', which is none of yes, maybe"),
        ("target=dose&drop=note", "column dose: no target in row 4"),
        ("manifest=nowhere.json", "not the manifest of a table task"),
        ("nonsense", "NAME=VALUE"),
    ],
)
def test_table__whatever_is_wrong__is_told_with_the_column(folder, query, message):
    with pytest.raises(TaskError, match=message):
        load_task(f"table:{folder}/t.csv?{query}").data()


def test_table__file_that_is_missing_or_no_table__is_told(folder):
    (folder / "empty.csv").write_text("")
    (folder / "noise.parquet").write_bytes(b"noise")
    (folder / "twice.csv").write_text("a,b\n")
    for name, message in [("none.csv", "no table"), ("empty.csv", "has no heading"), ("noise.parquet", "holds no rows")]:
        with pytest.raises(TaskError, match=message):
            load_task(f"table:{folder}/{name}?target=a")
    with pytest.raises(TaskError, match="holds no rows"):
        load_task(f"table:{folder}/twice.csv?target=a")


# ---- written files


@pytest.mark.parametrize("client", [False, True], ids=["task", "client"])
def test_new_task__runs_at_once__and_learns(tmp_path, client):
    task = load_task(str(new_task("my_task", tmp_path, client)))
    data = split(task.data(), 3, None, 0)
    before, after = (baselines.exact_fedavg(task, data, rounds, 0) for rounds in (0, 6))
    assert after > max(before, 0.7) and manifest_of(task, 0).metric == "accuracy"


@pytest.mark.parametrize("name", ["My-Task", "", "../x", "1st"])
def test_new_task__with_no_name__is_refused(tmp_path, name):
    with pytest.raises(TaskError, match="not a name for a task"):
        new_task(name, tmp_path, False)


def test_new_task__writes_over_nothing(tmp_path):
    path = new_task("mine", tmp_path, False)
    path.write_text("TASK = 1")
    with pytest.raises(TaskError, match="exists already"):
        new_task("mine", tmp_path, False)
    assert path.read_text() == "TASK = 1"


# ---- clients of NumPyClient's shape


class Client:
    """Moves towards its own number; one array floats, one counts."""

    def __init__(self, who: int):
        self.goal = np.full(3, who, np.float32)

    def get_parameters(self, config):
        return [np.zeros(3, np.float32), np.array(7, np.int64)]

    def fit(self, parameters, config):
        assert parameters[1] == 7
        return [parameters[0] + (self.goal - parameters[0]) / 2, np.array(9)], 10, {}

    def evaluate(self, parameters, config):
        return float(np.abs(parameters[0] - self.goal).mean()), 10 + int(self.goal[0]), {}


def clients(kind: type = Client) -> ClientTask:
    return ClientTask("crowd", LocalClients(lambda context: kind(context.node_config["partition-id"])))


def test_client__is_federated_by_its_floats_alone():
    task = clients()
    data = split(task.data(), 3, None, 0)
    assert sum(p.numel() for p in build(task, 0).parameters()) == 3
    # Everybody goes half of the way towards 0, 1 and 2: towards 1 together, that is 1/2, 3/4, 7/8. The mean distance to
    # 0, 1 and 2 at 7/8 is weighted by 10, 11 and 12 examples.
    found = baselines.exact_fedavg(task, data, 3, 0)
    assert found == pytest.approx((10 * 7 / 8 + 11 / 8 + 12 * 9 / 8) / 33, abs=1e-2) and task.metric == "loss"
    assert Evaluator(task).loss(np.zeros(256, np.int32), data.shards[2].held_out) == 2.0


def test_client__of_another_shape__is_refused():
    with pytest.raises(TaskError, match="SimpleNamespace without get_parameters"):
        clients(lambda who: SimpleNamespace(fit=1))

    class Growing(Client):
        def fit(self, parameters, config):
            return [*parameters, parameters[0]], 10, {}

    task = clients(Growing)
    with pytest.raises(TaskError, match="shapes differ"):
        baselines.exact_fedavg(task, split(task.data(), 3, None, 0), 1, 0)


def test_client__can_be_private_as_a_whole_only():
    task = clients()
    part = split(task.data(), 3, None, 0).shards[0].train
    with pytest.raises(PrivacyError, match="--private update"):
        check_private(task, part, "sgd")
    check_private(task, part, "update")


# ---- the pipe


def test_frame__is_a_safetensors_file__and_comes_back():
    arrays = [np.arange(6, dtype=np.float32).reshape(2, 3), np.array(5, np.int64), np.zeros((0, 4)), np.array([True, False])]
    data = pack({"do": "fit", "who": 1, "ö": [1.5, None]}, arrays)
    assert all((load(data[8:])[str(i)] == a).all() for i, a in enumerate(arrays))
    stream = io.BytesIO(data * 2)
    for _ in range(2):
        facts, back = unpack(stream)
        assert facts == {"do": "fit", "who": 1, "ö": [1.5, None]}
        assert all((b == a).all() and b.dtype == a.dtype and b.shape == a.shape for a, b in zip(arrays, back, strict=True))
    assert unpack(stream) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d[:5],
        lambda d: d[:-1],
        lambda d: struct.pack("<Q", 1 << 40) + d[8:],
        lambda d: d[:8] + struct.pack("<Q", 1 << 40) + d[16:],
        lambda d: d.replace(b'"F32"', b'"O32"'),
        lambda d: d.replace(b"[0, 12]", b"[0, 99]"),
        lambda d: d.replace(b"[3]", b"[9]"),
    ],
)
def test_frame__that_is_malformed__is_refused(damage):
    data = pack({}, [np.zeros(3, np.float32)])
    assert damage(data) != data
    with pytest.raises((ValueError, KeyError)):
        unpack(io.BytesIO(damage(data)))


def test_frame__takes_no_objects():
    with pytest.raises(ValueError, match="cannot be sent"):
        pack({}, [np.array([object()])])


# ---- a Flower app at the far end

STAND_IN = {
    "flwr/__init__.py": "",
    "flwr/common/__init__.py": "",
    "flwr/common/config.py": "def flatten_dict(d): return dict(d)",
    "flwr/app.py": """
import numpy as np
class Array:
    def __init__(self, a): self.a = a
    def numpy(self): return self.a
class ArrayRecord(dict): pass
class MetricRecord(dict): pass
class ConfigRecord(dict): pass
class RecordDict(dict):
    def _of(self, kind): return {k: v for k, v in self.items() if isinstance(v, kind)}
    array_records = property(lambda self: self._of(ArrayRecord))
    metric_records = property(lambda self: self._of(MetricRecord))
    config_records = property(lambda self: self._of(ConfigRecord))
class Context:
    def __init__(self, **facts): self.__dict__ |= facts
class Message:
    def __init__(self, content, dst_node_id=None, message_type=None, reply_to=None):
        self.content = content
        self.metadata = reply_to.metadata if reply_to else type("Metadata", (), {"message_type": message_type})()
    def has_error(self): return False
""",
    "flwr/serverapp.py": "class Grid: pass",
    "toy/__init__.py": "",
    "toy/server_app.py": """
from flwr.app import *
def app(grid, context):
    start = ArrayRecord({"w": Array(np.zeros(3, np.float32)), "seen": Array(np.array(0))})
    content = RecordDict({"arrays": start, "config": ConfigRecord({"rate": context.run_config["rate"]})})
    grid.send_and_receive([Message(content, dst_node_id=n, message_type="train") for n in grid.get_node_ids()])
""",
    "toy/client_app.py": """
import sys
from flwr.app import *
def app(message, context):
    print("whatever the app prints stays out of the pipe")
    part = context.node_config["partition-id"]
    w = message.content["arrays"]["w"].numpy()
    if message.metadata.message_type == "train":
        if part == 9: sys.exit("the app has crashed")
        if part == 8: raise ValueError("no data for 8")
        w = w + message.content["config"]["rate"] * (part + np.random.normal(0, 1e-3, 3).astype(np.float32) - w)
        arrays = ArrayRecord({"w": Array(w), "seen": Array(np.array(1))})
        return Message(RecordDict({"arrays": arrays, "metrics": MetricRecord({"num-examples": 4})}), reply_to=message)
    told = {"eval_loss": float(abs(w - part).mean()), "eval_acc": float(w.mean()), "num-examples": 4}
    return Message(RecordDict({"metrics": MetricRecord(told)}), reply_to=message)
""",
    "pyproject.toml": """
[tool.flwr.app.components]
serverapp = "toy.server_app:app"
clientapp = "toy.client_app:app"
[tool.flwr.app.config]
rate = 0.5
""",
}


@pytest.fixture
def app(tmp_path):
    for name, text in STAND_IN.items():
        path = tmp_path / "app" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return f"flower:{tmp_path}/app?python={sys.executable}"


def test_flower_app__is_a_task__and_repeats(app):
    found = []
    for _ in range(2):
        task = load_task(app)
        data = split(task.data(), 3, None, 0)
        found.append(baselines.exact_fedavg(task, data, 3, 0))
        task.clients.close()
    assert found[0] == found[1] == pytest.approx(7 / 8, abs=1e-2) and task.metric == "eval_acc"


def test_flower_app__is_set_by_the_address(app):
    task = load_task(f"{app}&rate=1.0")
    assert baselines.exact_fedavg(task, split(task.data(), 3, None, 0), 1, 0) == pytest.approx(1.0, abs=1e-2)
    task.clients.close()
    with pytest.raises(TaskError, match="no setting 'speed'; it has rate"):
        load_task(f"{app}&speed=1")


def test_flower_app__that_fails_or_dies__is_told(app):
    task = load_task(app)
    data = split(task.data(), 10, None, 0)
    with pytest.raises(TaskError, match="ValueError: no data for 8"):
        baselines.alone(task, data.shards[8].train, data.test, 1, 0)
    with pytest.raises(TaskError, match="has ended; what it said is in"):
        baselines.alone(task, data.shards[9].train, data.test, 1, 0)
    assert "the app has crashed" in task.clients.log.read_text()


def test_flower_app__that_is_not_there__is_told(tmp_path):
    with pytest.raises(TaskError, match="not a Flower app"):
        load_task(f"flower:{tmp_path}")
    (tmp_path / "pyproject.toml").write_text("")
    with pytest.raises(TaskError, match="make flower"):
        load_task(f"flower:{tmp_path}?python={tmp_path}/python")
    with pytest.raises(TaskError, match="the Flower app says"):
        load_task(f"flower:{tmp_path}?python={sys.executable}")
