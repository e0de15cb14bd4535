"""A federation made by hand for tests of the page: events and a clock, no chain. Five seats, three rounds: one calm, one with a
fall and a seat that did not reveal, one void; then one seat leaves and another takes its place."""

from __future__ import annotations

from dataclasses import replace

from support.manifests import manifest
from support.system import BASE_TERMS, UNIT

from fl.agents.record.history import History
from fl.learning.research.comparison import Baselines
from fl.network.denomination import PLAY, Denomination
from fl.network.events import Event
from fl.protocol import scores
from fl.tools.audit.measured import GasUse
from fl.tools.audit.verdict import Verdict
from fl.tools.report.facts import Facts, Known, gather

TERMS = replace(BASE_TERMS, trainer_rate=10 * UNIT, validator_rate=2 * UNIT, proposer_fee=UNIT, min_stake=100 * UNIT)
START = 1_800_000_000
OWNER = "0x" + "ab" * 20


class Book:
    """Writes events with a clock that moves a minute an event."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.times: dict[int, int] = {}
        self.clock = START

    def note(self, name: str, **fields: object) -> None:
        block = len(self.events) + 1
        self.times[block] = self.clock
        self.events.append(Event(name, fields, block, 0, f"0x{block:064x}"))
        self.clock += 60


def bitmap(seats: list[int]) -> int:
    return sum(1 << s for s in seats)


def play(book: Book, number: int, seats: list[int], silent: tuple[int, ...] = (), fall: int | None = None) -> None:
    """A whole round: everybody commits, the silent do not reveal, the first three who revealed score, the last proposes."""
    opened = book.clock
    book.note("RoundOpened", round=number, active=bitmap(seats), base=b"\2" * 32, pot=60 * UNIT, openedAt=opened)
    for s in seats:
        book.note("Committed", round=number, seat=s, commitment=bytes([s]) * 32)
    book.clock = opened + TERMS.commit_window
    revealed = [s for s in seats if s not in silent]
    for s in revealed:
        book.note("Revealed", round=number, seat=s, root=bytes([s + 1]) * 32, salt=b"\1" * 32, locator=b"")
    book.clock = opened + TERMS.commit_window + TERMS.reveal_window
    for s in silent:
        book.note("Slashed", seat=s, offence=0, amount=10 * UNIT, stake=190 * UNIT)
    book.note("Closed", round=number, revealed=bitmap(revealed), closeBlock=1)
    committee = revealed[:3]
    packed = sum(s << (112 - 8 * i) for i, s in enumerate(committee))
    book.note("Drawn", round=number, prevRandao=b"\6" * 32, seed=b"\5" * 32, committee=packed)
    drawn = book.clock
    vectors = {v: bytes((40 * (i + number) + 3 * v) % 256 if i != 1 else 0 for i in range(len(revealed))) for v in committee}
    for s in committee:
        book.note("ScoresCommitted", round=number, seat=s, commitment=b"\6" * 32)
    book.clock = drawn + TERMS.score_commit_window
    for s in committee:
        book.note("ScoresRevealed", round=number, seat=s, scores=vectors[s], salt=b"\7" * 32)
    book.clock = drawn + TERMS.score_commit_window + TERMS.score_reveal_window
    medians = scores.medians(revealed, vectors)
    accepted = scores.accepted(revealed, medians)
    pay = [UNIT, UNIT, 0]
    book.note("Settled", round=number, accepted=bitmap(accepted), medians=medians, validatorPay=tuple(pay), paid=9 * UNIT)
    book.clock += TERMS.show_window
    attempt = 1
    if fall is not None:
        book.note("Proposed", round=number, attempt=1, seat=fall, root=b"\x0b" * 32, locator=b"")
        book.note("Slashed", seat=fall, offence=2, amount=50 * UNIT, stake=150 * UNIT)
        book.note("ProposalFell", round=number, attempt=1, seat=fall, by=OWNER)
        attempt = 2
    book.note("Proposed", round=number, attempt=attempt, seat=revealed[-1], root=b"\x0c" * 32, locator=b"")
    book.clock += TERMS.challenge_window
    book.note("Finalized", round=number, model=b"\x0c" * 32, adopted=True)


def federation() -> Book:
    book = Book()
    for s in range(5):
        book.note("Joined", seat=s, owner=OWNER, operator=OWNER, stake=200 * UNIT)
    play(book, 1, [0, 1, 2, 3, 4])
    play(book, 2, [0, 1, 2, 3, 4], silent=(3,), fall=2)
    book.note("Leaving", seat=0)
    book.note("Withdrawn", seat=0, to=OWNER, stake=200 * UNIT, earned=UNIT)
    book.note("Joined", seat=0, owner="0x" + "cd" * 20, operator=OWNER, stake=300 * UNIT)
    book.note("RoundOpened", round=3, active=bitmap([1, 2, 4]), base=b"\x0c" * 32, pot=UNIT, openedAt=book.clock)
    book.clock += 99_999
    book.note("Voided", round=3)
    book.note("Finalized", round=3, model=b"\x0c" * 32, adopted=False)
    return book


KNOWN = Known(
    names={0: "Cleveland", 1: "Hungary", 2: "the forger", 3: "the silent", 4: "VA Long Beach"},
    kinds={0: "honest", 1: "honest", 2: "wrong_model_once", 3: "no_reveal", 4: "honest"},
    metric="AUC",
    metrics={0: 0.5, 1: 0.75, 2: 0.8, 3: 0.8},
    baselines=Baselines(
        local_only={"Cleveland": 0.7, "Hungary": 0.6},
        pooled=0.9,
        float_fedavg=0.81,
        curves={"pooled": (0.5, 0.8, 0.85, 0.9), "float_fedavg": (0.5, 0.76, 0.8, 0.81)},
    ),
    gas={"commit": GasUse(calls=10, mean=37_000, most=40_000, bytes=680)},
    gas_of_round={1: {"commit": 200_000, "finalize + openRound": 90_000}, 2: {"commit": 170_000, "challenge": 300_000}},
    gas_of_seat={0: 1, 1: 2, 2: 3, 3: 4, 4: 5},
    manifest=manifest(321, task="heart"),
    audit=Verdict(True, checks={"events": 10, "medians": 5}),
    commands=("ape run audit --summary summary.json",),
)


def facts(known: Known = KNOWN, book: Book | None = None, denomination: Denomination = PLAY, **moment: object) -> Facts:
    book = book or federation()
    history = History(TERMS.committee)
    history.apply(book.events)
    return gather(31337, OWNER, TERMS, history, book.times, known, denomination=denomination, **moment)
