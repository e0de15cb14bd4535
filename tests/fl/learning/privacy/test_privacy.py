"""The budget: what the accountant says against closed forms, stops before it is exceeded, survives restarts. The mechanisms:
clips that hold, noise of the right size from a source that nobody knows, and what cannot be private is refused."""

import json
from collections.abc import Sequence
from dataclasses import replace
from math import erf, sqrt
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save
from torch import nn

from fl.agents.roles.participant import Participant
from fl.agents.roles.privacy_guard import PrivacyGuard
from fl.agents.roles.training import TrainingOptions
from fl.agents.runtime.actions import Train, Wait
from fl.errors import PrivacyError
from fl.learning.codec import load_vector, to_vector
from fl.learning.data.partition import Part, Shard
from fl.learning.evaluator import Evaluator
from fl.learning.privacy.budget import Ledger, Privacy, Spending, epsilon_of, least_noise, most_auc, schedule, spending
from fl.learning.privacy.mechanisms import PerRow, Secret, Seeded, check_private, normal, private_change
from fl.learning.research.membership import attack
from fl.learning.task import LocalTraining, build
from fl.learning.task_loading import load_task
from fl.learning.trainer import generator, local_change
from fl.network.events import Event
from fl.protocol.artifact import Kind, parse_update
from fl.protocol.fixed_point import to_float
from fl.protocol.leaves import root_of
from fl.protocol.mode import Mode
from fl.protocol.phases import Phase

TASK = load_task("breast_cancer")
TABLE = TASK.data()
PART = Part(TABLE.x[:60], TABLE.y[:60])
BASE = to_vector(build(TASK, 0))
SGD = Privacy(epsilon=3.0, rounds=2)


def gaussian(noise: float, round_: int = 1, federation: str = "here") -> Spending:
    return Spending(federation, round_, "update", noise, 1.0, 1)


def phi(x: float) -> float:
    return (1 + erf(x / sqrt(2))) / 2


# ---- the accountant


@pytest.mark.parametrize("noise", [0.7, 1.0, 4.0])
def test_epsilon__of_one_gaussian__is_the_closed_form(noise):
    # Balle and Wang, "Improving the Gaussian mechanism for differential privacy", 2018, theorem 8.
    epsilon = epsilon_of((gaussian(noise),), 1e-5)
    delta = phi(1 / (2 * noise) - epsilon * noise) - np.exp(epsilon) * phi(-1 / (2 * noise) - epsilon * noise)
    assert delta == pytest.approx(1e-5, rel=0.05)


def test_epsilon__of_four_rounds__is_that_of_half_the_noise():
    four = tuple(gaussian(2.0, n) for n in range(4))
    assert epsilon_of(four, 1e-5) == pytest.approx(epsilon_of((gaussian(1.0),), 1e-5), rel=1e-3)


def test_epsilon__is_lowered_by_sampling__and_counts_every_step():
    whole, sampled = Spending("", 1, "sgd", 1.0, 1.0, 10), Spending("", 1, "sgd", 1.0, 0.1, 10)
    assert epsilon_of((sampled,), 1e-5) < epsilon_of((whole,), 1e-5) / 3
    assert epsilon_of((sampled,) * 2, 1e-5) > epsilon_of((sampled,), 1e-5)


def test_most_auc__of_a_gaussian__is_the_closed_form():
    # Dong et al.: the best test at noise z has the curve of two normals 1 / z apart, and so the area phi(1 / z sqrt 2).
    assert most_auc((gaussian(1.0),)) == pytest.approx(phi(1 / sqrt(2)), abs=0.01) and most_auc((gaussian(1.0),)) > 0.76


@pytest.mark.parametrize("mechanism", ["sgd", "update"])
def test_budget__lasts_as_many_rounds_as_asked__and_not_one_more(mechanism):
    privacy = Privacy(epsilon=3.0, mechanism=mechanism, rounds=4)
    ledger, rounds = Ledger(), 0
    while ledger.allows(release := spending(privacy, TASK.training, len(PART), "here", rounds + 1), privacy):
        ledger, rounds = ledger.with_(release), rounds + 1
        assert ledger.epsilon(privacy.delta) <= 3.0
    assert rounds == 4 and ledger.epsilon(privacy.delta) > 2.95
    assert epsilon_of((*ledger.history, release), privacy.delta) > 3.0


def test_least_noise__beyond_reason__is_refused():
    with pytest.raises(PrivacyError, match="fewer rounds or steps"):
        least_noise(1e-4, 1e-9, 1.0, 100_000)


def test_epsilon__of_hardly_any_noise__is_beyond_every_budget():
    assert epsilon_of(tuple(gaussian(0.01, n) for n in range(10)), 1e-5) == float("inf")


# ---- the ledger


def test_ledger__comes_back_from_disk__and_counts_a_round_once(tmp_path):
    ledger = (
        Ledger().with_(gaussian(2.0, 1)).with_(gaussian(2.0, 1)).with_(gaussian(2.0, 2)).with_(gaussian(2.0, 1, "elsewhere"))
    )
    assert len(ledger.history) == 3 and ledger.rounds("here", 0) == [1, 2]
    (tmp_path / "privacy.json").write_bytes(ledger.to_json())
    assert Ledger.read(tmp_path) == ledger


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-20],
        lambda text: text.replace('"noise": 2.0', '"noise": -2.0'),
        lambda text: text.replace('"noise": 2.0', '"noise": NaN'),
        lambda text: text.replace('"steps": 1', '"steps": 0'),
        lambda text: text.replace('"rate"', '"rat"'),
        lambda text: text.replace('"version": 1', '"version": 2'),
        lambda text: "[]",
    ],
)
def test_ledger__that_is_damaged__is_refused(tmp_path, damage):
    text = Ledger((gaussian(2.0),)).to_json().decode()
    assert damage(text) != text
    (tmp_path / "privacy.json").write_text(damage(text))
    with pytest.raises(PrivacyError, match="restore it"):
        Ledger.read(tmp_path)


def test_ledger__that_is_lost__is_refused(tmp_path):
    assert Ledger.read(tmp_path) == Ledger()
    (tmp_path / "3.privacy.json").write_text("{}")
    with pytest.raises(PrivacyError, match="lost"):
        Ledger.read(tmp_path)


# ---- the mechanisms


def opacus_sgd(clip: float) -> np.ndarray:
    """One epoch over the whole table at a time by Opacus's own optimizer, without noise."""
    from opacus import GradSampleModule
    from opacus.optimizers import DPOptimizer

    model = GradSampleModule(load_vector(build(TASK, 0), BASE).train())
    plain = torch.optim.SGD(model.parameters(), lr=TASK.training.learning_rate, momentum=TASK.training.momentum)
    plain.param_groups[0]["weight_decay"] = TASK.training.weight_decay
    optimizer = DPOptimizer(plain, noise_multiplier=0.0, max_grad_norm=clip, expected_batch_size=TASK.training.batch_size)
    x, y = torch.from_numpy(PART.x), torch.from_numpy(PART.y)
    for _ in range(4):
        optimizer.zero_grad()
        TASK.loss(model(x), y).backward()
        optimizer.step()
    return np.concatenate([p.detach().numpy().reshape(-1) for p in model.parameters()]) - to_float(BASE)[: size_of_model()]


def size_of_model() -> int:
    return sum(p.numel() for p in build(TASK, 0).parameters())


@pytest.mark.parametrize("clip", [0.05, 100.0])
def test_sgd__without_noise__does_what_opacus_does(clip):
    plan = Spending("", 1, "sgd", 1e-12, 1.0, 4)
    ours = private_change(TASK, BASE, PART, replace(SGD, clip=clip), plan, Seeded(0, 1, 0), generator(0, 1, 0))
    assert np.abs(ours - opacus_sgd(clip)).max() < 1e-6 < np.abs(ours).max()


def test_clipped_sum__no_row_has_more_than_the_clip__nor_spoils_it_with_nonsense():
    wild = Part(PART.x.copy(), PART.y.copy())
    wild.x[3] *= 1e6
    wild.y[3] = 0.5  # the label is wrong, whichever way the model is sure
    rows = PerRow(TASK, load_vector(build(TASK, 0), BASE).train(), wild)
    one = torch.cat([g.flatten() for g in rows.clipped_sum(np.array([3]), 0.5)])
    assert 0.49 < float(one.norm()) <= 0.5
    wild.x[3] = np.nan
    assert all(torch.isfinite(g).all() for g in rows.clipped_sum(np.arange(10), 0.5))
    assert all((g == 0).all() for g in rows.clipped_sum(np.array([], int), 0.5))


def test_sgd__noise_has_the_size_that_is_accounted_for():
    plan, quiet = Spending("", 1, "sgd", 50.0, 0.5, 1), Spending("", 1, "sgd", 1e-12, 0.5, 1)
    task = type(TASK)()
    task.training = LocalTraining(learning_rate=0.1)
    result = [private_change(task, BASE, PART, SGD, p, Seeded(0, 1, 0), generator(0, 1, 0)) for p in (plan, quiet)]
    noise = result[0] - result[1]
    assert noise.std() == pytest.approx(0.1 * 50.0 * SGD.clip / 32, rel=0.1)


def test_update__is_clipped_before_the_noise__whose_size_is_twice_the_clip():
    privacy, quiet = Privacy(8.0, mechanism="update", clip=0.01), gaussian(1e-9)
    raw = local_change(TASK, BASE, PART, generator(0, 1, 0))
    bare = private_change(TASK, BASE, PART, privacy, quiet, Seeded(0, 1, 0), generator(0, 1, 0))
    assert np.linalg.norm(raw) > 0.1 and np.linalg.norm(bare) == pytest.approx(0.01, rel=1e-3)
    noised = private_change(TASK, BASE, PART, privacy, gaussian(3.0), Seeded(0, 1, 0), generator(0, 1, 0))
    assert (noised - bare).std() == pytest.approx(2 * 0.01 * 3.0, rel=0.1)


def test_update__that_diverged__becomes_noise_and_no_refusal():
    task = type(TASK)()
    task.training = LocalTraining(learning_rate=1000.0, weight_decay=1000.0, steps=80)
    assert not np.isfinite(local_change(task, BASE, PART, generator(0, 1, 0))).all()
    privacy = Privacy(8.0, mechanism="update")
    assert np.isfinite(private_change(task, BASE, PART, privacy, gaussian(1.0), Seeded(0, 1, 0), generator(0, 1, 0))).all()


def test_normal__is_normal():
    drawn = normal(Seeded(1, 2, 3), 200_000)
    assert abs(drawn.mean()) < 0.01 and drawn.std() == pytest.approx(1, abs=0.01)
    assert (np.abs(drawn) > 2).mean() == pytest.approx(0.0455, abs=0.003)


def test_secret_noise__repeats_under_no_seed__and_a_simulation_s_does():
    def change(source, world):
        np.random.seed(world)
        torch.manual_seed(world)
        return private_change(TASK, BASE, PART, SGD, Spending("", 1, "sgd", 1.0, 0.5, 2), source, generator(0, 1, 0))

    assert (change(Secret(), 1) != change(Secret(), 1)).all()
    assert (change(Seeded(0, 1, 0), 1) == change(Seeded(0, 1, 0), 2)).all()
    assert (change(Seeded(0, 1, 0), 1) != change(Seeded(0, 2, 0), 1)).all()
    assert PrivacyGuard(SGD, TASK, PART, Path("nowhere")).source(1).name == Secret.name


# ---- what cannot be private


class Other(type(TASK)):
    """The task with another model."""

    def __init__(self, *layers: nn.Module):
        self.layers = layers

    def model(self) -> nn.Module:
        return nn.Sequential(nn.Linear(30, 8), *self.layers, nn.Linear(8, 1), nn.Flatten(0))


class Centred(nn.Module):
    def forward(self, x):
        return x - x.mean(dim=0)


class Summed(type(TASK)):
    def loss(self, outputs, targets):
        return super().loss(outputs, targets) * len(outputs)


class Frozen(type(TASK)):
    def model(self) -> nn.Module:
        model = super().model()
        next(model.parameters()).requires_grad_(False)
        return model


@pytest.mark.parametrize(
    "task, message",
    [
        (Other(nn.BatchNorm1d(8, track_running_stats=False)), "BatchNorm1d, which mixes rows: use GroupNorm or LayerNorm"),
        (Other(Centred()), "depends on the other rows"),
        (Summed(), "not the mean of its rows' losses"),
    ],
    ids=["batch norm", "centred", "summed"],
)
def test_models_that_cannot_be_private__are_refused_with_the_remedy(task, message):
    with pytest.raises(PrivacyError, match=f"{message}.*--private update"):
        check_private(task, PART, "sgd")
    check_private(task, PART, "update")


def test_models_that_can_be_private__pass():
    check_private(Other(nn.GroupNorm(2, 8), nn.ReLU(), nn.Dropout(0.5)), PART, "sgd")
    check_private(
        load_task("digits"), Part(*[a[:20] for a in (load_task("digits").data().x, load_task("digits").data().y)]), "sgd"
    )


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"epsilon": 0.0}, "epsilon 0"),
        ({"epsilon": float("nan")}, "epsilon nan"),
        ({"delta": 1.0}, "delta"),
        ({"mechanism": "laplace"}, "choose from sgd, update"),
        ({"clip": -1.0}, "clip"),
        ({"noise": 0.0}, "noise"),
        ({"noise": 0.1}, "hides nothing"),
        ({"rounds": 0}, "rounds"),
    ],
)
def test_settings_that_promise_nothing__are_refused(settings, message):
    with pytest.raises(PrivacyError, match=message):
        Privacy(**{"epsilon": 1.0, **settings})


def test_noise__with_which_not_one_round_fits__is_refused(tmp_path):
    with pytest.raises(PrivacyError, match=r"one round spends epsilon .* raise --noise"):
        PrivacyGuard(Privacy(1.0, noise=0.5), TASK, PART, tmp_path)


def test_delta__that_allows_a_row_to_be_shown__is_refused():
    with pytest.raises(PrivacyError, match="take less than"):
        spending(Privacy(1.0, delta=0.02), TASK.training, len(PART), "", 1)


def test_schedule__takes_the_steps_of_training_in_the_clear():
    assert schedule(LocalTraining(0.1, steps=12, batch_size=16), 60) == (16 / 60, 12)
    assert schedule(LocalTraining(0.1, steps=2, batch_size=100), 60) == (1.0, 2)


# ---- the participant


def view(number: int, revealed: Sequence[Event] = ()) -> SimpleNamespace:
    log = SimpleNamespace(number=number, base=b"", active=[0], commitments={}, reveals={})
    record = SimpleNamespace(
        model=lambda root: BASE,
        model_file=lambda root: b"",
        bound=lambda history: None,
        mode=Mode.OPEN,
        store=SimpleNamespace(locator=lambda data: b""),
    )
    terms = SimpleNamespace(depth=2, reveal_window=600)
    return SimpleNamespace(
        phase=Phase.COMMIT,
        phase_end=600,
        chain_id=31337,
        federation="0x" + "11" * 20,
        history=SimpleNamespace(events=revealed),
        round=log,
        record=record,
        terms=terms,
    )


def seat(journal, privacy: Privacy | None = SGD, seeded: bool = True, ledger=None, **options) -> Participant:
    source = {"source": lambda number: Seeded(0, number, 0)} if seeded else {}
    guard = PrivacyGuard(privacy, TASK, PART, ledger or journal, **source, **options) if privacy else None
    return Participant(0, TASK, Shard("here", PART, PART), 0, journal, TrainingOptions(guard=guard))


def commit(participant: Participant, number: int) -> dict[str, bytes] | None:
    """What it keeps, on disk as the executor would put it there; None if it sits out."""
    actions = participant.decide(view(number))
    made = actions[0].run(view(number)) if actions else {}
    participant.journal.mkdir(exist_ok=True)
    for name, data in made.items():
        (participant.journal / name).write_bytes(data)
    return made or None


def test_participant__sits_out_when_the_budget_is_spent__also_after_a_restart(tmp_path):
    assert commit(seat(tmp_path), 1) and commit(seat(tmp_path), 2)  # each time another process
    assert commit(seat(tmp_path), 3) is None and commit(seat(tmp_path), 4) is None
    assert seat(tmp_path).guard.spent()["spent"] <= 3.0
    assert commit(seat(tmp_path, Privacy(6.0, rounds=2)), 3)  # it may choose a larger budget


def test_participant__enters_the_release_before_anything_of_the_update_is_kept(tmp_path):
    (train,) = seat(tmp_path).decide(view(1))
    kept = train.run(view(1))
    assert Ledger.read(tmp_path).rounds("31337/0x" + "11" * 20, 0) == [1]
    assert next(iter(kept)) == "1.privacy.json" and {"1.update", "1.salt", "1.residual"} < set(kept)


def test_participant__that_crashed_before_its_update_was_kept__trains_again_and_pays_once(tmp_path):
    first = commit(seat(tmp_path), 1)
    for name in ("1.update", "1.salt", "1.residual", "1.privacy.json"):
        (tmp_path / name).unlink()
    again = commit(seat(tmp_path), 1)
    assert again["1.update"] == first["1.update"] and len(Ledger.read(tmp_path).history) == 1


def shown(*rounds: int) -> list[Event]:
    """The events of a seat that somebody else held in round 1, and that revealed in these rounds since it was taken anew."""
    facts = [("Revealed", 1), ("Joined", 1), *(("Revealed", n) for n in rounds)]
    return [Event(name, {"seat": 0, "round": n}, block, 0, "") for block, (name, n) in enumerate(facts)]


def test_participant__whose_ledger_lacks_what_the_chain_shows__sits_out_and_says_what_to_do(tmp_path):
    assert commit(seat(tmp_path / "old"), 2)
    (wait,) = seat(tmp_path / "new").decide(view(4, shown(2, 3)))
    assert isinstance(wait, Wait) and "seat 0 from rounds 2, 3, and the privacy ledger" in wait.why
    assert "--private-from 4" in wait.why
    (wait,) = seat(tmp_path / "old").decide(view(4, shown(2, 3)))
    assert "from round 3, and" in wait.why
    assert isinstance(seat(tmp_path / "old").decide(view(3, shown(2)))[0], Train)
    assert isinstance(seat(tmp_path / "new", begins=4).decide(view(4, shown(2, 3)))[0], Train)


def test_ledger__that_two_federations_share__holds_the_budget_of_both(tmp_path):
    one, other = seat(tmp_path / "one", ledger=tmp_path / "both"), seat(tmp_path / "other", ledger=tmp_path / "both")
    elsewhere = view(2)
    elsewhere.federation = "0x" + "22" * 20
    (train,) = other.decide(elsewhere)  # both were allowed to train before either was done
    assert commit(one, 1) and commit(one, 2)
    with pytest.raises(PrivacyError, match=r"of epsilon 3 is spent, and round 2 would exceed it: nothing is released"):
        train.run(elsewhere)
    assert other.decide(elsewhere) == [] and len(Ledger.read(tmp_path / "both").history) == 2
    assert not (tmp_path / "one" / "privacy.json").exists()


def test_ledger__of_two_seats_in_one_round__counts_both(tmp_path):
    both = tmp_path / "both"
    assert commit(seat(tmp_path / "one", ledger=both), 1) and commit(seat(tmp_path / "other", ledger=both, seat=1), 1)
    assert len(Ledger.read(both).history) == 2


def test_participant__residue_holds_noised_numbers_only(tmp_path):
    raw = np.full(size_of_model(), 0.25)
    (tmp_path / "1.residual").write_bytes(save({"residual": raw}))  # of a round before privacy was switched on
    data = commit(seat(tmp_path), 2)["2.update"]
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    assert data == commit(seat(fresh), 2)["2.update"] != commit(seat(tmp_path / "..", None), 2)["2.update"]
    # What was sent and what was kept together are the noised change, to the last bit that a float has.
    plan = spending(SGD, TASK.training, len(PART), "", 2)
    noised = private_change(TASK, BASE, PART, SGD, plan, Seeded(0, 2, 0), generator(0, 2, 0))
    sent = to_float(parse_update(data, 2, TASK.max_exponent))[: noised.size]
    assert np.abs(sent + load((tmp_path / "2.residual").read_bytes())["residual"] - noised).max() < 1e-12


def test_participant__carries_a_private_residue_on(tmp_path):
    commit(seat(tmp_path), 1)
    second = commit(seat(tmp_path), 2)["2.update"]
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    assert second != commit(seat(fresh), 2)["2.update"]


def test_participant__states_what_holds_for_which_update(tmp_path):
    commit(seat(tmp_path), 1)
    kept = commit(seat(tmp_path, seeded=False), 2)
    result = json.loads(kept["2.privacy.json"])
    assert result["update"] == root_of(kept["2.update"], Kind.UPDATE).hex()
    guarantee = result["guarantee"]
    assert guarantee["rounds"] == [1, 2] and guarantee["delta"] == 1e-5 and "one training row" in guarantee["neighbours"]
    assert 2.9 < guarantee["epsilon"] <= result["budget"]["epsilon"] == 3.0
    assert result["noise_source"] == Secret.name and any("held-out" in line for line in result["not_covered"])
    assert "SIMULATION" in json.loads((tmp_path / "1.privacy.json").read_text())["noise_source"]


def test_participant__publishes_the_statement_with_its_update(tmp_path):
    participant = seat(tmp_path)
    commit(participant, 1)
    now = view(1)
    now.phase, now.phase_end, now.round.commitments = Phase.REVEAL, 600, {0: b""}
    (action,) = participant.decide(now)
    assert [f.kind for f in action.publish] == [Kind.UPDATE, None]
    assert action.publish[1].data == (tmp_path / "1.privacy.json").read_bytes()


def test_update_mechanism__promises_for_the_whole_table(tmp_path):
    result = json.loads(commit(seat(tmp_path, Privacy(8.0, mechanism="update")), 1)["1.privacy.json"])
    assert "whole training table" in result["guarantee"]["neighbours"] and "twice the clip" in result["mechanism"]


# ---- it means something


def test_membership__is_told_without_privacy__and_within_the_bound_with_it():
    part, rounds = Part(PART.x[:30], PART.y[:30]), 2
    clear, error = attack(TASK, part, None, rounds, 30, 0)
    assert clear - 4 * error > 0.7
    privacy = Privacy(epsilon=1.0, rounds=rounds)
    bound = most_auc(tuple(spending(privacy, TASK.training, 30, "", n) for n in range(1, rounds + 1)))
    private, error = attack(TASK, part, privacy, rounds, 30, 0)
    assert bound < 0.6 and private < bound + 3 * error and private < clear - 0.2


def test_private_training__still_learns():
    data, vector = load_task("breast_cancer").data(), BASE
    part, rest = Part(data.x[:300], data.y[:300]), Part(data.x[300:], data.y[300:])
    plan = spending(Privacy(8.0, rounds=1), TASK.training, 300, "", 1)
    delta = private_change(TASK, vector, part, SGD, plan, Seeded(0, 1, 0), generator(0, 1, 0))
    moved = vector.copy()
    moved[: delta.size] += np.rint(delta * 2**24).astype(np.int32)
    before, after = (Evaluator(TASK).metric(v, rest) for v in (vector, moved))
    assert after > max(before, 0.95)


def test_series__is_what_was_spent_after_each_round__elsewhere_included():
    history = gaussian(2.0, 1), gaussian(2.0, 1, "elsewhere"), gaussian(2.0, 4)
    ledger = Ledger(history)
    series = ledger.series(history[0].federation, history[0].seat, 1e-5)
    assert list(series) == [1, 4] and series[4] == ledger.epsilon(1e-5)
    assert 0 < series[1] == Ledger(history[:1]).epsilon(1e-5) < Ledger(history[:2]).epsilon(1e-5) < series[4]
    assert ledger.series(history[0].federation, history[0].seat + 1, 1e-5) == {}
