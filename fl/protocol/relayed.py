"""Acts of a seat that somebody else may send: a signed commitment or report, and what opens a commitment. As JSON between
daemon and host, and as an entry of the contract's batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fl.protocol.commitment import score_commitment, update_commitment
from fl.protocol.phases import Phase
from fl.protocol.signatures import ActKind, Signature, TypedData, act

MAX_SEATS = 128
MAX_LOCATOR = 64


@dataclass(frozen=True)
class _Form:
    """How one kind of act is sent. fields: the name of each byte string, with its least and largest length."""

    batch: str
    phase: Phase
    fields: tuple[tuple[str, int, int], ...]
    signs: ActKind | None = None


# By the name of the direct call; `announce` has none, and its batch takes one entry as well.
FORMS = {
    "commit": _Form("commitMany", Phase.COMMIT, (("value", 32, 32), ("signature", 65, 65)), ActKind.COMMIT),
    "commitScores": _Form(
        "commitScoresMany", Phase.SCORE_COMMIT, (("value", 32, 32), ("signature", 65, 65)), ActKind.COMMIT_SCORES
    ),
    "reportMissing": _Form("reportMissingMany", Phase.SHOW, (("value", 32, 32), ("signature", 65, 65)), ActKind.MISSING),
    "announce": _Form("announceMany", Phase.ANNOUNCE, (("value", 32, 32), ("signature", 65, 65)), ActKind.ANNOUNCE),
    "reveal": _Form("revealMany", Phase.REVEAL, (("root", 32, 32), ("salt", 32, 32), ("locator", 0, MAX_LOCATOR))),
    "revealScores": _Form("revealScoresMany", Phase.SCORE_REVEAL, (("scores", 0, MAX_SEATS), ("salt", 32, 32))),
}
BATCHES = {form.batch: kind for kind, form in FORMS.items()}  # by the batch's function, the act that it carries


def in_bytes(value: bytes | int) -> bytes:
    """A call's value as it is signed: a commitment, or a set of seats."""
    return value if isinstance(value, bytes) else value.to_bytes(32)


@dataclass(frozen=True)
class Act:
    """One act. kind: the direct call's name. parts: in the order of the form's fields."""

    kind: str
    round: int
    seat: int
    parts: tuple[bytes, ...]

    @property
    def form(self) -> _Form:
        return FORMS[self.kind]

    def to_json(self) -> dict[str, Any]:
        named = {name: part.hex() for (name, _, _), part in zip(self.form.fields, self.parts, strict=True)}
        return {"kind": self.kind, "round": self.round, "seat": self.seat, **named}

    @classmethod
    def parse(cls, facts: Any) -> Act:
        """From JSON that a stranger wrote. Raises ValueError."""
        if not isinstance(facts, Mapping) or not isinstance(facts.get("kind"), str) or facts["kind"] not in FORMS:
            raise ValueError(f"kind: one of {', '.join(FORMS)}")
        round_, seat = facts.get("round"), facts.get("seat")
        if type(round_) is not int or type(seat) is not int or not 0 <= round_ < 1 << 63 or not 0 <= seat < MAX_SEATS:
            raise ValueError("round and seat: whole numbers")
        parts = []
        for name, least, most in FORMS[facts["kind"]].fields:
            text = facts.get(name)
            if not isinstance(text, str) or not 2 * least <= len(text) <= 2 * most:
                raise ValueError(f"{name}: {least} to {most} bytes in hexadecimal")
            parts.append(bytes.fromhex(text))
        return cls(facts["kind"], round_, seat, tuple(parts))

    @classmethod
    def of_call(cls, function: str, args: tuple[Any, ...], round_: int, sign: Any, chain_id: int, federation: str) -> Act:
        """The act that stands for a direct call of a seat's operator. sign: its signature over typed data."""
        if (kind := FORMS[function].signs) is not None:
            number, seat, value = args
            signed = in_bytes(value)
            return cls(function, number, seat, (signed, sign(act(kind, chain_id, federation, number, seat, signed))))
        return cls(function, round_, args[0], tuple(args[1:]))

    @property
    def entry(self) -> tuple[Any, ...]:
        """The entry of the contract's batch. Raises ValueError for a signature that is none."""
        if self.form.signs is None:
            return self.seat, *self.parts
        signature = Signature.of(self.parts[1])
        return self.seat, self.parts[0], signature.r, signature.vs

    def statement(self, chain_id: int, federation: str) -> TypedData | None:
        """What its operator has signed; None for an act that needs no signature."""
        kind = self.form.signs
        return None if kind is None else act(kind, chain_id, federation, self.round, self.seat, self.parts[0])

    def opens(self, chain_id: int, federation: str, commitment: bytes) -> bool:
        """Whether a reveal opens this commitment."""
        where = chain_id, federation, self.round, self.seat
        if self.kind == "reveal":
            return update_commitment(*where, *self.parts) == commitment
        return score_commitment(*where, *self.parts) == commitment
