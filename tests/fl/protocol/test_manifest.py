"""The manifest is a stranger's file: what is sound comes back as it was written, and everything else is refused by name."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.manifests import TRAINING, manifest

from fl.errors import ManifestError
from fl.learning.shipped import SHIPPED
from fl.learning.task_loading import load_task
from fl.network.stores.base import canonical
from fl.protocol.manifest import GATES, MAX_BATCH, MAX_PARAMETERS, MAX_SEED, MAX_STEPS, SCORES, Manifest, Rule, gate_rule
from fl.tools.federation.deploy import manifest_of

SOUND = manifest(321, task="heart", stores=("https://files.example/heart",), genesis_cid="bafk", details={"base": "ab"})
TEXT = st.text(min_size=1, max_size=200)
NUMBER = st.one_of(st.integers(0, 1000), st.floats(0, 1000))
MANIFESTS = st.builds(
    manifest,
    st.integers(1, MAX_PARAMETERS),
    task=TEXT,
    metric=TEXT,
    training=st.builds(replace, st.just(TRAINING), learning_rate=NUMBER, steps=st.integers(1, 9), proximal=NUMBER),
    max_exponent=st.integers(0, 23),
    genesis_seed=st.integers(0, MAX_SEED),
    gate=st.sampled_from([Rule(*named) for named in GATES.items()]),
    genesis_cid=st.none() | TEXT,
    stores=st.lists(TEXT, max_size=16).map(tuple),
    details=st.dictionaries(st.sampled_from(["base", "table", "own"]), st.integers() | st.text() | st.lists(st.integers())),
)


def parsed(**changed: object) -> Manifest:
    """The sound manifest with fields changed; None takes one away."""
    facts = {**SOUND.to_json(), **changed}
    return Manifest.parse({name: value for name, value in facts.items() if value is not None})


@given(MANIFESTS)
def test_manifest__there_and_back__byte_for_byte(stated):
    data = canonical(stated.to_json())
    again = Manifest.parse(json.loads(data))
    assert again == stated and canonical(again.to_json()) == data


@pytest.mark.parametrize("name", SHIPPED)
def test_manifest__of_a_shipped_task(name):
    stated = manifest_of(load_task(name), 3, "none")
    assert Manifest.parse(json.loads(canonical(stated.to_json()))) == stated
    assert (stated.task, stated.genesis_seed, stated.gate) == (name, 3, Rule("none", 1))


UNKNOWN = [
    ({"version": 1}, r"the manifest's format is version 1, .* \(it computes: version 2\)"),
    ({"version": "2"}, "version '2'"),
    ({"version": True}, "version True"),
    ({"version": None}, "version None"),
    ({"gate": {"name": "strict", "version": 1}}, r"gate is 'strict' version 1, .* agreement version 3, none version 1"),
    ({"gate": {"name": "agreement", "version": 2}}, "gate is 'agreement' version 2"),
    ({"score": {"name": "loo", "version": 1}}, r"score is 'loo' version 1, .* leave-one-out version 2"),
    ({"score": {"name": "leave-one-out", "version": 7}}, "score is 'leave-one-out' version 7"),
    ({"fraction_bits": 16}, "number format is 16 fraction bits"),
]


@pytest.mark.parametrize("changed, message", UNKNOWN, ids=str)
def test_version__gate__or_score_that_is_unknown__is_refused_by_name_with_the_remedy(changed, message):
    with pytest.raises(ManifestError, match=message) as caught:
        parsed(**changed)
    assert "lose stake" in str(caught.value) and "use the sponsor's version of Treaty" in str(caught.value)


WRONG = {
    "task": [5, None, "", "x" * 201, ["heart"]],
    "metric": [5, None, ""],
    "training": [None, [], "sgd", 5],
    "parameters": [None, 0, -1, "321", 321.0, True, MAX_PARAMETERS + 1],
    "max_exponent": [None, -1, 24, "16"],
    "genesis_seed": [None, -1, 2**63, "0", 0.5],
    "fraction_bits": [None, "24", -1],
    "gate": [None, "agreement", {}, {"name": 5, "version": 1}, {"name": "agreement"}, {"name": "agreement", "version": "1"}],
    "score": [None, "leave-one-out", {"version": 1}],
    "genesis_cid": [5, "", "x" * 201],
    "stores": [[], "https://files.example", [5], ["https://files.example"] * 17, ["x" * 1001], [""]],
}


@pytest.mark.parametrize("name, value", [(name, value) for name, values in WRONG.items() for value in values])
def test_field__that_is_missing_or_of_another_kind__is_refused_by_name(name, value):
    with pytest.raises(ManifestError, match=f"field {name}") as caught:
        parsed(**{name: value})
    assert "the sponsor must deploy a federation with a sound manifest" in str(caught.value)


BAD_NUMBERS = ["0.1", 1001, None, True, -0.1, float("nan"), float("inf"), 10**400]


@pytest.mark.parametrize("value", BAD_NUMBERS, ids=lambda v: str(v)[:9])
@pytest.mark.parametrize("name", ["learning_rate", "momentum", "weight_decay", "proximal"])
def test_training__that_is_not_a_number_from_0_on__is_refused_by_name(name, value):
    training = {**SOUND.to_json()["training"], name: value}
    with pytest.raises(ManifestError, match=f"field training.{name}"):
        parsed(training={k: v for k, v in training.items() if v is not None})


@pytest.mark.parametrize("name, most", [("steps", MAX_STEPS), ("batch_size", MAX_BATCH)])
def test_training__without_end__is_refused_by_name(name, most):
    training = SOUND.to_json()["training"]
    assert parsed(training={**training, name: most})
    for value in (0, most + 1, 2**62):
        with pytest.raises(ManifestError, match=f"field training.{name} is {value}, not a whole number, 1 to {most}"):
            parsed(training={**training, name: value})


def test_gate_rule__of_an_unknown_name():
    assert gate_rule("agreement") == Rule("agreement", 3)
    with pytest.raises(ManifestError, match=r"'strict', .* agreement, none"):
        gate_rule("strict")
    assert set(SCORES) == {"leave-one-out", "vote"}
