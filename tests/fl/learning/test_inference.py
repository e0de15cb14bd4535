"""What a finished model says of rows: classes by name, numbers in their own unit, one clear line where a task does not fit."""

import numpy as np
import pytest
import torch
from support.mistakes import TASK

from fl.errors import TaskError
from fl.learning import onnx_export
from fl.learning.data.given_table import RowShape, read_given
from fl.learning.data.table import table_task
from fl.learning.inference import module_from, outputs_of, predictions, tensors_of
from fl.learning.task import build
from fl.learning.task_check import table_of
from fl.learning.task_loading import SHIPPED, load_task


def own(tmp_path, *changes: tuple[str, str]):
    text = TASK
    for right, other in changes:
        assert text.count(right) == 1, right
        text = text.replace(right, other)
    (tmp_path / "own.py").write_text(text)
    return load_task(str(tmp_path / "own.py"))


# ---- classes and numbers


def test_log_odds__are_probabilities_of_the_second_class():
    result = predictions(load_task("heart"), torch.tensor([0.0, 2.0, -800.0]))
    assert result.classes == ("no disease", "disease")
    assert result.probabilities[:, 1] == pytest.approx([0.5, 1 / (1 + np.exp(-2.0)), 0.0])
    assert result.probabilities.sum(axis=1) == pytest.approx([1, 1, 1])


def test_many_outputs__are_a_softmax():
    result = predictions(load_task("digits"), torch.tensor([[1000.0] + [0.0] * 9, [0.0] * 10]))
    assert result.probabilities[0, 0] == 1 and result.probabilities[1] == pytest.approx([0.1] * 10)


def test_adapter__predicts_the_letter_after_the_text():
    task = load_task("adapter")
    outputs = torch.zeros(2, 32, len(task.classes))
    outputs[0, -1, 5] = outputs[1, 0, 7] = 9.0
    result = predictions(task, outputs)
    assert result.probabilities[0].argmax() == 5 and result.probabilities[1] == pytest.approx(
        [1 / len(task.classes)] * len(task.classes)
    )


def test_a_tables_number__is_in_its_own_unit(tmp_path):
    (tmp_path / "t.csv").write_text("\n".join(["age,days", *(f"{20 + i},{i * 1.5}" for i in range(20))]))
    task = table_task(f"table:{tmp_path}/t.csv?target=days&days=0..100")
    assert predictions(task, torch.tensor([-1.0, 0.0, 0.5])).values[:, 0].tolist() == [0.0, 50.0, 75.0]


@pytest.mark.parametrize(
    "outputs, message",
    [
        (torch.zeros(2, 3), "names 10 classes, and its model gives 3 outputs a row"),
        (torch.tensor([[0.0] * 10, [float("nan")] * 10]), "the model's output for row 2 is not a number"),
    ],
)
def test_outputs_that_fit_no_class__are_refused(outputs, message):
    with pytest.raises(TaskError, match=message):
        predictions(load_task("digits"), outputs)


def test_parameters_of_another_model__are_named():
    heart, linear = load_task("heart"), load_task("linear")
    tensors = tensors_of(build(linear, 0))
    with pytest.raises(TaskError, match=r"0.weight is missing in the file and \(16, 31\) in the task's model"):
        module_from(heart, tensors)
    with pytest.raises(TaskError, match=r"more is \(1,\) in the file and unknown in the task's model"):
        module_from(linear, {**tensors, "more": np.zeros(1, np.float32)})


# ---- rows


SHAPE = RowShape((3,), (), "float32")


def given(tmp_path, task, text: str, *, targets: bool = False, shape: RowShape | None = SHAPE):
    (tmp_path / "rows.csv").write_text(text)
    return read_given(task, tmp_path / "rows.csv", shape, targets=targets)


def test_by_place__with_and_without_the_target(tmp_path):
    task = own(tmp_path)
    assert given(tmp_path, task, "a,b,c\n1,2,3\n").x.tolist() == [[1, 2, 3]]
    both = given(tmp_path, task, "a,b,c,d\n1,2,3,4\n")
    assert (both.x.tolist(), both.y, both.remarks) == (
        [[1, 2, 3]],
        None,
        ("column d, the last, is the target: it was ignored",),
    )
    measured = given(tmp_path, task, "a,b,c,d\n1,2,3,4\n", targets=True)
    assert (measured.x.tolist(), measured.y.tolist()) == ([[1, 2, 3]], [4])


def test_by_name__in_any_order__the_target_left_aside(tmp_path):
    task = load_task("linear")
    found = given(tmp_path, task, "id,y,x\n7,2,1\n8,4,2\n", shape=None)
    assert found.x.tolist() == [[1], [2]] and found.y is None
    assert found.remarks == (
        "columns that the task does not read: id",
        "column y is the target: it was ignored (`ape run evaluate` measures against it)",
    )
    assert given(tmp_path, task, "y,x\n2,1\n", targets=True).y.tolist() == [[2]]


@pytest.mark.parametrize(
    "text, targets, shape, message",
    [
        (
            "a,b\n1,2\n",
            False,
            SHAPE,
            "rows.csv has 2 columns, and a row of task own has 3 features: give exactly those, in order",
        ),
        ("a,b,c\n1,2,3\n", True, SHAPE, "3 columns, and a row of task own has 3 features and then 1 of the target"),
        ("a,b,c\n1,2,x\n", False, SHAPE, "rows.csv, column c: row 1 holds 'x', which is not a number"),
        ("a,b,c\n1,2,3\n1,,3\n", False, SHAPE, "rows.csv, column b: no value in row 2: fill it, or leave the row out"),
        ("a,b,c\n1,2,3\n", False, None, "task own names no columns, and the shape of its rows is not known here"),
        ("a,b,c\n1,2,1e300\n", False, SHAPE, "rows.csv, row 1: task own turns it into NaN or Inf"),
    ],
)
def test_rows_that_do_not_fit__are_refused_by_column_and_row(text, targets, shape, message, tmp_path):
    with pytest.raises(TaskError, match=message):
        given(tmp_path, own(tmp_path), text, targets=targets, shape=shape)


def test_a_missing_column__is_named(tmp_path):
    with pytest.raises(TaskError, match=r"rows.csv has no column 'age', which task heart reads; it has a, b"):
        given(tmp_path, load_task("heart"), "a,b\n1,2\n", shape=RowShape((31,), (), "float32"))
    with pytest.raises(TaskError, match=r"rows.csv has no column 'y', which is the target to measure against; it has x"):
        given(tmp_path, load_task("linear"), "x\n1\n", targets=True)


def test_a_task_that_keeps_its_rows__predicts_with_its_own_code(tmp_path):
    (tmp_path / "client.py").write_text(
        "import numpy as np\n"
        "class Client:\n"
        "    def get_parameters(self, config): return [np.zeros(2, np.float32)]\n"
        "    def fit(self, parameters, config): return parameters, 1, {}\n"
        "    def evaluate(self, parameters, config): return 0.0, 1, {'accuracy': 1.0}\n"
        "def client_fn(context): return Client()\n"
    )
    with pytest.raises(TaskError, match="measures with its own code, on rows that the code keeps"):
        given(tmp_path, load_task(str(tmp_path / "client.py")), "a\n1\n")


# ---- ONNX


@pytest.mark.parametrize("name", SHIPPED)
def test_onnx__of_every_shipped_task__answers_like_pytorch(name):
    pytest.importorskip("onnx")
    task = load_task(name)
    x = table_of(task).x
    file, difference = onnx_export.export(task, build(task, 1).eval(), x[np.random.default_rng(0).integers(0, len(x), 16)])
    assert len(file) > 100 and difference < 1e-4


@pytest.mark.parametrize(
    "forward, message",
    [
        ("return x.sum(1) * len(x)", "differs from PyTorch by"),  # traced on three rows, and bound to them
        ("return torch.fft.fft(x).abs().sum(1) * torch.special.bessel_j0(x.sum(1))", "has no ONNX form"),
    ],
)
def test_onnx__that_is_another_model__is_noticed(forward, message, tmp_path):
    pytest.importorskip("onnx")
    task = own(
        tmp_path,
        ("class Own(Task):", f"class Net(nn.Linear):\n    def forward(self, x):\n        {forward}\n\nclass Own(Task):"),
        ("return nn.Sequential(nn.Linear(3, 1), nn.Flatten(0))", "return Net(3, 1)"),
    )
    with pytest.raises(TaskError, match=message):
        onnx_export.export(task, build(task, 0).eval(), np.random.default_rng(0).normal(size=(16, 3)).astype(np.float32))


def test_outputs__do_not_depend_on_how_rows_are_batched(monkeypatch):
    task = load_task("digits")
    x, module = table_of(task).x[:50], build(task, 0).eval()
    whole = outputs_of(task, module, x)
    monkeypatch.setattr("fl.learning.inference.BATCH", 7)
    assert torch.allclose(outputs_of(task, module, x), whole, atol=1e-6)
