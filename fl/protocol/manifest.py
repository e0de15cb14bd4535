"""The manifest: what a federation's participants must agree on off-chain, as one JSON object whose SHA-256 the contract keeps.

The sponsor wrote it, so every reader treats it as a stranger's file: each field is checked before anything uses it, and a
version, gate or score that this code does not know is rejected with an error that names it, since guessing would cost stake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from fl.errors import ManifestError
from fl.protocol.artifact import LEAF_PARAMETERS, MAX_DEPTH, depth_for
from fl.protocol.blocks import MAX_EXPONENT
from fl.protocol.fixed_point import FRACTION_BITS
from fl.protocol.mode import Mode
from fl.protocol.terms import Terms

VERSION = 2  # 1 counted local work in epochs
# The gates and scores that this code computes, with the version of each that it computes. A change of one that alters a
# single verdict or byte is a new version: members of one federation must agree to the byte.
GATES = {"agreement": 3, "none": 1}
SCORES = {"leave-one-out": 2, "vote": 1}
DEFAULT_GATE, DEFAULT_SCORE = "agreement", "leave-one-out"
MASKED_GATE, MASKED_SCORE = "none", "vote"  # no single update can be judged, only the model that their sum makes
MAX_TEXT = 200  # letters of a name
MAX_STORES = 16
MAX_ADDRESS = 1000  # letters of a store's address
MAX_SEED = 2**63 - 1
MAX_SETTING = 1000.0  # of a training setting that is not a count
MAX_STEPS = 100_000  # a sponsor could otherwise make every participant train without end
MAX_BATCH = 1 << 20  # rows of a batch
MAX_PARAMETERS = LEAF_PARAMETERS << MAX_DEPTH


@dataclass(frozen=True)
class Rule:
    """A gate or a score, by name and version."""

    name: str
    version: int


@dataclass(frozen=True)
class Training:
    """How every participant trains between two rounds; see fl.learning.task.LocalTraining."""

    learning_rate: float
    steps: int
    batch_size: int
    momentum: float
    weight_decay: float
    proximal: float


@dataclass(frozen=True)
class Manifest:
    """A federation's manifest, whole and checked.

    genesis_cid: where the first model may be fetched. stores: public addresses for everybody. details: what this kind of task
    adds, such as a table's columns; only the task's own code reads it.
    """

    task: str
    metric: str
    training: Training
    parameters: int
    max_exponent: int
    genesis_seed: int
    gate: Rule
    score: Rule = Rule(DEFAULT_SCORE, SCORES[DEFAULT_SCORE])
    fraction_bits: int = FRACTION_BITS
    version: int = VERSION
    genesis_cid: str | None = None
    stores: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def mode(self) -> Mode:
        """Masked where validators vote on the candidate model: such a federation has the contract for it."""
        return Mode.MASKED if self.score.name == MASKED_SCORE else Mode.OPEN

    def to_json(self) -> dict[str, Any]:
        """The JSON object: the details beside the other fields, and what is not set left out."""
        facts = {name: value for name, value in asdict(self).items() if name != "details" and value not in (None, ())}
        if self.stores:
            facts["stores"] = list(self.stores)
        return {**self.details, **facts}

    @classmethod
    def parse(cls, facts: Mapping[str, Any]) -> Manifest:
        """The manifest that a JSON object states. Raises ManifestError that names the field and the remedy."""
        if (version := facts.get("version")) != VERSION or isinstance(version, bool):
            raise _unknown("format", f"version {version!r}", f"version {VERSION}")
        read = _Reader(facts)
        bits = read.whole("fraction_bits", 0, 64)
        if bits != FRACTION_BITS:
            raise _unknown("number format", f"{bits} fraction bits", f"{FRACTION_BITS} fraction bits")
        gate, score = _rule("gate", read, GATES), _rule("score", read, SCORES)
        if score.name == MASKED_SCORE and gate.name != MASKED_GATE:
            raise ManifestError(f"the manifest's gate is {gate.name!r}, and a vote goes with {MASKED_GATE!r}: {_REMEDY}")
        return cls(
            task=read.text("task"),
            metric=read.text("metric"),
            training=_training(_Reader(read.object("training"), "training.")),
            parameters=read.whole("parameters", 1, MAX_PARAMETERS),
            max_exponent=read.whole("max_exponent", 0, MAX_EXPONENT),
            genesis_seed=read.whole("genesis_seed", 0, MAX_SEED),
            gate=gate,
            score=score,
            genesis_cid=read.text("genesis_cid") if "genesis_cid" in facts else None,
            stores=read.addresses("stores") if "stores" in facts else (),
            details={name: value for name, value in facts.items() if name not in OWN_FIELDS},
        )


def check_terms(manifest: Manifest, terms: Terms) -> None:
    """Raises ManifestError unless manifest and terms can belong together: whoever believed the one would find every honest
    update of the other malformed."""
    if manifest.mode is Mode.MASKED and terms.trim:
        raise ManifestError(f"masked updates cannot be sorted, and the contract's terms trim {terms.trim}: {_REMEDY}")
    depth = depth_for(manifest.parameters)
    stated = {"parameters": f"{manifest.parameters:,}, a depth of {depth}", "max_exponent": str(manifest.max_exponent)}
    wanted = {"parameters": f"a depth of {terms.depth}", "max_exponent": str(terms.max_exponent)}
    odd = [
        name
        for name, fits in (("parameters", depth == terms.depth), ("max_exponent", manifest.max_exponent == terms.max_exponent))
        if not fits
    ]
    if odd:
        cause = f"the manifest's field {odd[0]} is {stated[odd[0]]}, and the contract's terms say {wanted[odd[0]]}"
        raise ManifestError(f"{cause}: {_REMEDY}")


OWN_FIELDS = frozenset(f.name for f in fields(Manifest) if f.name != "details")


def gate_rule(name: str) -> Rule:
    """The gate of this name, as a manifest states it. Raises ManifestError."""
    if name not in GATES:
        raise _unknown("gate", repr(name), ", ".join(GATES))
    return Rule(name, GATES[name])


def score_rule(name: str) -> Rule:
    """The score of this name, as a manifest states it. Raises ManifestError."""
    if name not in SCORES:
        raise _unknown("score", repr(name), ", ".join(SCORES))
    return Rule(name, SCORES[name])


def _unknown(what: str, found: str, known: str) -> ManifestError:
    return ManifestError(
        f"the manifest's {what} is {found[:MAX_TEXT]}, which this version of Treaty does not compute (it computes: {known}): "
        "members who compute anything else disagree with the others and lose stake; use the sponsor's version of Treaty"
    )


def _training(read: _Reader) -> Training:
    return Training(
        learning_rate=read.number("learning_rate"),
        steps=read.whole("steps", 1, MAX_STEPS),
        batch_size=read.whole("batch_size", 1, MAX_BATCH),
        momentum=read.number("momentum"),
        weight_decay=read.number("weight_decay"),
        proximal=read.number("proximal"),
    )


def _rule(what: str, outer: _Reader, known: Mapping[str, int]) -> Rule:
    read = _Reader(outer.object(what), f"{what}.")
    rule = Rule(read.text("name"), read.whole("version", 1, MAX_SEED))
    if known.get(rule.name) != rule.version:
        computed = ", ".join(f"{name} version {version}" for name, version in known.items())
        raise _unknown(what, f"{rule.name!r} version {rule.version}", computed)
    return rule


class _Reader:
    """Reads the fields of a JSON object, each of the kind that is asked for. Raises ManifestError."""

    def __init__(self, facts: Mapping[str, Any], path: str = ""):
        self._facts, self._path = facts, path

    def text(self, name: str) -> str:
        value: str = self._checked(
            name, lambda v: isinstance(v, str) and 0 < len(v) <= MAX_TEXT, f"a text of at most {MAX_TEXT} letters"
        )
        return value

    def whole(self, name: str, least: int, most: int) -> int:
        value: int = self._checked(name, lambda v: type(v) is int and least <= v <= most, f"a whole number, {least} to {most}")
        return value

    def number(self, name: str) -> float:
        value: float = self._checked(
            name, lambda v: type(v) in (int, float) and 0 <= v <= MAX_SETTING, f"a number, 0 to {MAX_SETTING:g}"
        )
        return value

    def object(self, name: str) -> Mapping[str, Any]:
        value: Mapping[str, Any] = self._checked(name, lambda v: isinstance(v, dict), "an object")
        return value

    def addresses(self, name: str) -> tuple[str, ...]:
        def fits(value: Any) -> bool:
            few = isinstance(value, list) and 0 < len(value) <= MAX_STORES
            return few and all(isinstance(place, str) and 0 < len(place) <= MAX_ADDRESS for place in value)

        return tuple(self._checked(name, fits, f"a list of 1 to {MAX_STORES} addresses"))

    def _checked(self, name: str, fits: Callable[[Any], bool], wanted: str) -> Any:
        if name not in self._facts:
            raise ManifestError(f"the manifest has no field {self._path}{name}, {wanted}: {_REMEDY}")
        if not fits(value := self._facts[name]):
            raise ManifestError(f"the manifest's field {self._path}{name} is {repr(value)[:80]}, not {wanted}: {_REMEDY}")
        return value


_REMEDY = "nobody can take part under it; the sponsor must deploy a federation with a sound manifest"
