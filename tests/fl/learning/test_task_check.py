"""What a round calls is called before a stake hangs on it: what works passes, and what cannot is refused with the remedy."""

import json
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from fl.errors import TaskError, UndefinedMetricError, UserCodeError
from fl.learning.batched import together
from fl.learning.codec import to_vector
from fl.learning.data.partition import Part, Shard, split
from fl.learning.evaluator import Evaluator
from fl.learning.flower.client_task import ClientTask, LocalClients
from fl.learning.research import baselines
from fl.learning.scoring import PublicRound, ScoredRound, Scorer
from fl.learning.shipped import SHIPPED
from fl.learning.task import Data, LocalTraining, Task, build
from fl.learning.task_check import check_model, check_shard, check_split, check_task, table_of
from fl.learning.task_loading import load_task
from fl.learning.trainer import local_change
from fl.learning.user_code import during, one_number

ROWS = 150


class Sides(Task):
    """Which side of a line a point lies on."""

    name, metric = "sides", "accuracy"
    training = LocalTraining(learning_rate=0.2, steps=12, batch_size=16)

    def data(self) -> Data:
        x = np.random.default_rng(3).normal(size=(ROWS, 3)).astype(np.float32)
        return Data(x, (x[:, 0] > x[:, 1]).astype(np.int64))

    def model(self) -> nn.Module:
        return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))

    def loss(self, outputs, targets):
        return nn.functional.cross_entropy(outputs, targets)

    def evaluate(self, outputs, targets):
        return float((outputs.argmax(1) == targets).float().mean())


def labels(task: Task, **odd: int) -> Data:
    """The task's rows with other labels at some places."""
    data = Sides.data(task)
    for place, label in odd.items():
        data.y[int(place[1:])] = label
    return data


def checked(task: Task) -> float:
    """The whole way of a simulation before anything is sent, then a round of the protocol's arithmetic."""
    table = table_of(task)
    check_task(task, table)
    data = split(table, 3, None, 1)
    check_split(task, data)
    for shard in data.shards:
        check_shard(task, shard)
    return baselines.exact_fedavg(task, data, 4, 1)


# ---- what works


class WithConstants(Sides):
    def model(self):
        class Shifted(nn.Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("middle", torch.tensor([0.5, -0.5, 0.0]), persistent=False)
                self.inner = Sides().model()

            def forward(self, x):
                return self.inner(x - self.middle)

        return Shifted()


class Lazy(Sides):
    def model(self):
        return nn.Sequential(nn.LazyLinear(5), nn.Tanh(), nn.LazyLinear(2))


class Doubled(Sides):
    def model(self):
        class Exact(nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = Sides().model().double()

            def forward(self, x):
                return self.inner(x.double())

        return Exact()


class Tuned(Sides):
    """Only the last layer is trained."""

    def model(self):
        model = super().model()
        model[0].requires_grad_(False)
        return model


class Structured(Sides):
    def model(self):
        class Rich(nn.Module):
            def __init__(self):
                super().__init__()
                self.first, self.last = nn.Linear(3, 5), nn.Linear(5, 2)

            def forward(self, x):
                hidden = torch.tanh(self.first(x))
                return {"logits": self.last(hidden), "extra": (hidden, [hidden])}

        return Rich()

    def loss(self, outputs, targets):
        return super().loss(outputs["logits"], targets)

    def evaluate(self, outputs, targets):
        return super().evaluate(outputs["logits"], targets)


class Words(Sides):
    """Token numbers in, by way of an embedding and a recurrent layer, which vmap cannot do."""

    def data(self):
        x = np.random.default_rng(3).integers(0, 9, (ROWS, 4))
        return Data(x, (x[:, 0] > 4).astype(np.int64))

    def model(self):
        class Reader(nn.Module):
            def __init__(self):
                super().__init__()
                self.words, self.read, self.say = nn.Embedding(9, 4), nn.GRU(4, 5, batch_first=True), nn.Linear(5, 2)

            def forward(self, x):
                return self.say(self.read(self.words(x))[0][:, 0])

        return Reader()


class Unlabelled(Sides):
    """A fifth of the rows, all at the end, have no label."""

    def data(self):
        data = super().data()
        data.y[-ROWS // 5 :] = -100
        return data


@pytest.mark.parametrize("kind", [WithConstants, Lazy, Doubled, Tuned, Structured, Words, Unlabelled])
def test_check__what_works__passes_and_learns(kind):
    assert checked(kind()) > 0.6


def test_check__of_the_shipped_tasks__passes():
    for name in set(SHIPPED) - {"adapter"}:
        task = load_task(name)
        check_task(task, table_of(task))


@pytest.mark.parametrize(
    "given",
    [
        np.float32(0.75),
        np.float64(0.75),
        torch.tensor(0.75),
        torch.tensor([0.75], requires_grad=True),
        np.array(0.75, np.float32),
    ],
    ids=lambda given: f"{type(given).__name__} {given}",
)
def test_metric__of_any_kind_of_number__is_a_float_that_json_holds(given):
    class Kind(Sides):
        def evaluate(self, outputs, targets):
            return given

    result = checked(Kind())
    assert type(result) is float and json.loads(json.dumps(result)) == 0.75


@pytest.mark.parametrize("given", [None, "0.5", [1], torch.zeros(2), np.zeros(3), 1j, torch.tensor(1j)], ids=str)
def test_metric__of_no_number__is_none(given):
    assert one_number(given) is None


# ---- what cannot work


class Unseeded(Sides):
    def model(self):
        model = super().model()
        with torch.no_grad():
            model[0].weight.copy_(torch.from_numpy(np.random.normal(0, 0.3, (5, 3))))
        return model


class RandomConstants(Sides):
    def model(self):
        model = super().model()
        model.register_buffer("frequencies", torch.from_numpy(np.random.normal(size=3)))
        return model


class Counting(Sides):
    def model(self):
        class Counted(nn.Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("seen", torch.zeros(1))
                self.inner = Sides().model()

            def forward(self, x):
                if self.training:
                    self.seen += len(x)
                return self.inner(x)

        return Counted()


class FarAway(Sides):
    def model(self):
        model = super().model()
        nn.init.constant_(model[0].bias, 200.0)
        return model


class Squeezing(Sides):
    def loss(self, outputs, targets):
        return super().loss(outputs.squeeze(), targets)


class Needy(Sides):
    """Its layer needs more than one row to train."""

    def model(self):
        return nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5, track_running_stats=False), nn.Linear(5, 2))


class Mistyped(Sides):
    def data(self):
        return labels(self, _97=2)


class MistypedToken(Words):
    def data(self):
        data = super().data()
        data.x[41, 2] = 9
        return data


class Boundless(Sides):
    """A loss that is infinite for one row."""

    def loss(self, outputs, targets):
        return super().loss(outputs, targets.clamp(max=1)) + torch.where(targets == 5, torch.inf, 0.0).sum()

    def data(self):
        return labels(self, _60=5)


class Divided(Sides):
    """A loss divided by what its rows count, which is nothing in a batch of rows that do not."""

    def loss(self, outputs, targets):
        counts = (targets < 2).float()
        each = nn.functional.cross_entropy(outputs, targets.clamp(max=1), reduction="none")
        return (each * counts).sum() / counts.sum()

    def data(self):
        return labels(self, _60=2)


class InPlace(Sides):
    """A model that scales its inputs where they lie."""

    def model(self):
        class Scaling(nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = Sides().model()

            def forward(self, x):
                return self.inner(x.mul_(2))

        return Scaling()


class Spread(Sides):
    """A loss with the variance over the batch, which one row has not."""

    def loss(self, outputs, targets):
        return super().loss(outputs, targets) + outputs.var(0).sum()


class Exiting(Sides):
    def loss(self, outputs, targets):
        raise SystemExit("no license")


class Detached(Sides):
    def loss(self, outputs, targets):
        return super().loss(outputs.detach(), targets)


@pytest.mark.parametrize(
    "kind, message",
    [
        (Unseeded, r"model\(\) returns a different first model at every call.*draw it with torch"),
        (RandomConstants, r"model\(\) returns a different first model at every call.*draw it with torch"),
        (Counting, r"training changes the buffer seen, which is not a parameter.*keep it constant"),
        (FarAway, r"the first model holds 200, and the bound is 128"),
        (Squeezing, r"in a batch of one row, which may be all that a participant has.*squeeze\(-1\)"),
        (Needy, r"Expected more than 1 value per channel.*in a batch of one row"),
        (Mistyped, r"loss\(\) fails on .*Target 2 is out of bounds. \(row 98, target 2\)"),
        (MistypedToken, r"model\(\) does not take .*index out of range in self \(row 42, target [01]\)"),
        (Boundless, r"loss\(\) returns inf with the first model \(row 61\)"),
        (Divided, r"in a batch of one row.*\(row 61\), the gradient is not finite: .* return 0"),
        (InPlace, r"model\(\) or loss\(\) changes the rows that it is given.*work on a copy"),
        (Spread, r"in a batch of one row.*the gradient is not finite: let loss\(\) take a single row"),
        (Exiting, r"loss\(\) fails on .*SystemExit: no license"),
        (Detached, r"loss\(\) depends on no parameter, so nothing can be learned"),
    ],
)
def test_check__what_cannot_work__is_refused_in_one_line_with_the_remedy(kind, message):
    with pytest.raises(TaskError, match=message) as caught:
        checked(kind())
    assert "\n" not in str(caught.value) and str(caught.value).startswith("task sides: ")


def test_check__a_sponsor_without_rows__still_builds_the_first_model():
    class Elsewhere(Unseeded):
        def data(self):
            raise FileNotFoundError("patients.csv")

    with pytest.raises(UserCodeError, match=r"data\(\) fails: FileNotFoundError"):
        table_of(Elsewhere())
    with pytest.raises(TaskError, match="a different first model"):
        check_model(Elsewhere())


FILE = """
import numpy as np
import torch
from torch import nn
from fl.learning.task import Data, LocalTraining, Task
{drawn}
class Drawn(Task):
    name, metric = "drawn", "accuracy"
    training = LocalTraining(learning_rate=0.1)
    def data(self):
        return Data(np.zeros((8, 3), np.float32), np.zeros(8, np.int64))
    def model(self):
        line = nn.Linear(3, 2)
        with torch.no_grad():
            line.weight.copy_(torch.as_tensor(START))
        return line
    def loss(self, outputs, targets):
        return nn.functional.cross_entropy(outputs, targets)
    def evaluate(self, outputs, targets):
        return 0.0

TASK = Drawn()
"""


@pytest.mark.parametrize("drawn", ["START = np.random.normal(size=(2, 3))", "START = torch.randn(2, 3)"])
def test_check__a_start_drawn_while_the_file_is_read__is_everybody_s(tmp_path, drawn):
    (tmp_path / "mine.py").write_text(FILE.format(drawn=drawn))
    state = np.random.get_state()[1].copy()
    first = check_model(load_task(str(tmp_path / "mine.py")))
    assert (np.random.get_state()[1] == state).all()
    np.random.normal()
    torch.randn(1)
    assert torch.equal(first.weight, check_model(load_task(str(tmp_path / "mine.py"))).weight)


def test_check__a_start_drawn_from_the_system_while_the_file_is_read__is_refused(tmp_path):
    (tmp_path / "mine.py").write_text(FILE.format(drawn="START = np.random.default_rng().normal(size=(2, 3))"))
    with pytest.raises(TaskError, match=r"mine\.py builds a different first model each time that it is loaded"):
        check_model(load_task(str(tmp_path / "mine.py")))


@pytest.mark.parametrize(
    "owner, owners, message",
    [
        (np.zeros(ROWS - 1, np.int64), ("a",), "one for each of the 150 rows"),
        (np.zeros(ROWS), ("a",), "an array of whole numbers"),
        (np.arange(ROWS) % 3, ("a", "b"), "owner 2 has no name in owners"),
        (np.arange(ROWS) % 2, ("a", "b", "c"), "owner 2 has no name in owners, or no row"),
        (np.arange(ROWS) % 2 - 1, ("a", "b"), "owner -1 has no name"),
    ],
)
def test_check__owners_that_do_not_fit_the_rows__are_refused(owner, owners, message):
    class Owned(Sides):
        def data(self):
            data = super().data()
            return Data(data.x, data.y, owner, owners)

    with pytest.raises(TaskError, match=message):
        table_of(Owned())


def test_check__rows_in_any_memory__are_taken__and_masked_ones_are_not():
    class Mirrored(Sides):
        def data(self):
            data = super().data()
            data.x.flags.writeable = False
            return Data(data.x[::-1], data.y[::-1])

    class Masked(Sides):
        def data(self):
            data = super().data()
            return Data(np.ma.masked_less(data.x, 0), data.y)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert checked(Mirrored()) > 0.6
    with pytest.raises(TaskError, match="x is a MaskedArray"):
        table_of(Masked())


def test_check__one_participant_s_rows__are_all_tried__and_named_by_their_line():
    task = Sides()
    data = task.data()
    rows = np.arange(ROWS)[::-1].copy()
    for place in (2, 60):  # one to train on, one to score with
        y = data.y[rows].copy()
        y[place] = 7
        parts = [Part(data.x[rows[a:b]], y[a:b], rows[a:b]) for a, b in ((0, 50), (50, 70))]
        with pytest.raises(UserCodeError, match=rf"\(row {ROWS - place}, target 7\)"):
            check_shard(task, Shard("mine", *parts))


def test_check__nobody_can_be_scored_with_rows_that_do_not_count():
    task = Unlabelled()
    data = task.data()
    shard = Shard("mine", Part(data.x[:60], data.y[:60]), Part(data.x[-20:], data.y[-20:]))
    with pytest.raises(TaskError, match=r"loss\(\) returns nan with the first model \(row 1 of its part\)"):
        check_shard(task, shard)


class Rare(Sides):
    """One row of the second class, which no test share holds; measured by what needs both."""

    def data(self):
        data = super().data()
        data.y[:] = 0
        data.y[3] = 1
        return data

    def evaluate(self, outputs, targets):
        from sklearn.metrics import roc_auc_score

        return float(roc_auc_score(targets.numpy(), outputs[:, 1].numpy()))


class Strict(Rare):
    def evaluate(self, outputs, targets):
        if targets.unique().numel() < 2:
            raise ValueError("both classes, please")
        return 0.5


@pytest.mark.parametrize("kind", [Rare, Strict])
def test_check__a_metric_that_the_test_rows_lack__is_refused_before_a_simulation__and_no_matter_to_a_participant(kind):
    task = kind()
    table = table_of(task)
    data = split(table, 3, None, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_task(task, table)
        for shard in data.shards:
            check_shard(task, shard)
        with pytest.raises(UndefinedMetricError, match=r"evaluate\(\) (returns nan|fails) on \d+ (test )?rows"):
            check_split(task, data)


def test_check__tries_the_code_and_leaves_no_trace():
    task, torch_state = Sides(), torch.random.get_rng_state()
    before = to_vector(build(task, 5))
    checked(task)
    assert torch.equal(torch.random.get_rng_state(), torch_state) and task.training.steps == 12
    assert (to_vector(build(task, 5)) == before).all()


# ---- later calls


def test_later_calls__name_what_failed_and_where():
    task = Sides()
    data = table_of(task)
    part = Part(data.x[:40], data.y[:40].copy(), np.arange(100, 140))
    part.y[11] = 4
    vector = to_vector(build(task, 0))
    with (
        pytest.raises(UserCodeError, match=r"round 3 for seat 1: task sides: .*\(row 112, target 4\)"),
        during("round 3 for seat 1"),
    ):
        local_change(task, vector, part, np.random.default_rng(0))
    evaluator = Evaluator(task)
    for call in (lambda: evaluator.loss(vector, part), lambda: evaluator.losses(np.stack([vector, vector]), part)):
        with pytest.raises(UserCodeError, match=r"loss\(\) fails on .*Target 4"):
            call()
    wide = Part(data.x[:5, :2], data.y[:5])
    with pytest.raises(UserCodeError, match=r"model\(\) does not take rows of shape \(2,\)"):
        evaluator.metric(vector, wide)


def test_scorer__whose_task_fails__says_what_everybody_computes__rather_than_nothing():
    task = Sides()
    base = to_vector(build(task, 0))
    updates = {seat: np.full(base.size, 100 * (seat + 1), np.int32) for seat in range(3)}
    round_ = PublicRound(7, base, updates, 0)

    def fails(models, part):
        raise UserCodeError("task sides: loss() fails")

    scorer = Scorer(fails, Part(np.zeros((1, 3), np.float32), np.zeros(1, np.int64)))
    earlier = [ScoredRound([0, 1, 2], {0: bytes([0, 200, 100]), 1: bytes([90, 0, 100])}, bytes([90, 200, 100]))]
    scores = scorer.score([0, 1, 2], round_, {}, earlier)
    assert scorer.failures == {7: "task sides: loss() fails"}
    assert len(scores) == 3 and scores[1] > scores[2] > scores[0] > 0  # the public prior's order


# ---- clients


class Mean:
    """Moves towards the mean of its own numbers."""

    examples, result = 10, {"accuracy": 0.5}

    def __init__(self, who: int):
        self.who, self.fits = who, 0

    def get_parameters(self, config):
        return [np.random.normal(size=3).astype(np.float32)]

    def fit(self, parameters, config):
        self.fits += 1
        return [parameters[0] + (self.who - parameters[0]) / 2], 10, {}

    def evaluate(self, parameters, config):
        return float(abs(parameters[0] - self.who).mean()), self.examples, self.result


def clients(kind: type = Mean) -> ClientTask:
    return ClientTask("mean", LocalClients(lambda context: kind(context.node_config["partition-id"])))


def client_check(task: ClientTask) -> None:
    data = split(table_of(task), 3, None, 0)
    check_task(task, table_of(task))
    check_split(task, data)


def test_client__whose_first_model_is_drawn__is_everybody_s():
    assert (clients().start[0] == clients().start[0]).all()


def test_client__tried__remembers_nothing():
    task = clients()
    client_check(task)
    check_shard(task, split(table_of(task), 3, None, 0).shards[1])
    assert all(client.fits == 0 for client in task.clients._made.values())


def second(method: str, what):
    """A client whose second participant answers a call with something else."""

    def answer(self, parameters, config):
        if self.who == 1:
            if isinstance(what, Exception):
                raise what
            return what
        return getattr(Mean, method)(self, parameters, config)

    return type("Odd", (Mean,), {method: answer})


@pytest.mark.parametrize(
    "kind, message",
    [
        (second("fit", ValueError("Target 7 is out of bounds")), r"client 1: fit\(\) fails: ValueError: Target 7"),
        (second("fit", ([np.zeros(3)], 10)), r"client 1: fit\(\) returns 2 values: return three"),
        (second("fit", None), r"client 1: fit\(\) returns NoneType: return three"),
        (second("fit", ({"w": np.zeros(3)}, 10, {})), r"client 1: fit\(\) returns dict: return a list"),
        (second("fit", ([np.array(["a"])], 10, {})), r"client 1: array 0 of fit\(\) holds <U1"),
        (second("fit", ([np.zeros(4)], 10, {})), r"client 1 returned arrays whose shapes differ"),
        (second("fit", ([np.full(3, np.nan)], 10, {})), r"client 1: fit\(\) takes a parameter to nan"),
        (second("fit", ([np.full(3, 1e6)], 10, {})), r"client 1: fit\(\) takes a parameter to 1e\+06, and the bound is 128"),
        (second("evaluate", (0.5, 10, {})), r"client 1: evaluate\(\) returns no accuracy"),
        (second("evaluate", (0.5, 0, {"accuracy": 0.0})), r"client 1 measures on 0 rows"),
        (second("evaluate", (np.nan, 9, {"accuracy": 0.0})), r"client 1: evaluate\(\) returns no loss"),
        (second("evaluate", (0.5, 10)), r"client 1: evaluate\(\) returns 2 values"),
        (second("evaluate", ("low", 10, {})), r"client 1: evaluate\(\) returns \(str, int, dict\)"),
        (second("evaluate", KeyError("x")), r"client 1: evaluate\(\) fails: KeyError"),
    ],
)
def test_client__of_which_one_cannot__is_refused_by_its_number__before_anything_is_sent(kind, message):
    task = clients(kind)
    with pytest.raises(TaskError, match=message) as caught:
        client_check(task)
    assert "\n" not in str(caught.value)
    check_shard(task, split(table_of(task), 3, None, 0).shards[2])  # others are not concerned


@pytest.mark.parametrize(
    "client_fn, message",
    [
        (lambda context: int(context), r"client 0: client_fn\(context\) fails: TypeError"),
        (lambda context: None, "client_fn made a NoneType without get_parameters"),
        (
            lambda context: SimpleNamespace(get_parameters=lambda c: None, fit=abs, evaluate=abs),
            "returns NoneType: return a list",
        ),
        (lambda context: SimpleNamespace(get_parameters=lambda c: 1 / 0, fit=abs, evaluate=abs), "ZeroDivisionError"),
    ],
)
def test_client_fn__that_gives_something_else__is_refused(client_fn, message):
    with pytest.raises(TaskError, match=message):
        ClientTask("odd", LocalClients(client_fn))


def test_client__metric_as_numpy_or_tensor__is_a_float():
    class Kind(Mean):
        result = {"accuracy": np.float32(0.25)}

        def evaluate(self, parameters, config):
            return torch.tensor(0.5), np.int64(10), self.result

    task = clients(Kind)
    client_check(task)
    assert type(baselines.exact_fedavg(task, split(table_of(task), 3, None, 0), 1, 0)) is float


def test_together__follows_the_loss__not_the_first_rows():
    class Weighted(Sides):
        """Class weights, and the rare class stands at the end of the table."""

        def data(self):
            data = super().data()
            order = np.argsort(data.y, kind="stable")
            return Data(data.x[order], data.y[order])

        def loss(self, outputs, targets):
            return nn.functional.cross_entropy(outputs, targets, weight=torch.tensor([1.0, 9.0]))

    assert together(Sides()) and not together(Weighted())
