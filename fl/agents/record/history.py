"""The history of a federation, built from its events: seats, rounds, proposals, demands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, field

from fl.network.events import Event
from fl.protocol.committee import unpack
from fl.protocol.scores import trainer_pay
from fl.protocol.seats import from_bitmap
from fl.protocol.signatures import Signature
from fl.protocol.terms import Terms


@dataclass
class SeatLog:
    """A seat, built from its events."""

    owner: str
    operator: str
    stake: int
    leaving: bool = False


@dataclass
class Reveal:
    """An opened commitment to an update."""

    root: bytes
    salt: bytes
    locator: bytes


@dataclass(frozen=True)
class Announcement:
    """The key that a seat announced, and its operator's signature."""

    key: bytes
    signature: Signature


@dataclass
class Proposal:
    """A proposed model, and whether it was disproved."""

    attempt: int
    seat: int
    root: bytes
    fell: bool = False


@dataclass(frozen=True)
class Demanded:
    """The leaf that a demand asks for: of an artifact (fl.protocol.enums.Artifact), and of a seat if that is an update."""

    attempt: int
    artifact: int
    seat: int
    leaf: int


@dataclass
class RoundLog:
    """One round, built from its events. Lists of seats are ascending; the committee is in the order drawn."""

    number: int
    active: list[int]
    base: bytes
    pot: int
    opened_at: int
    commitments: dict[int, bytes] = field(default_factory=dict)
    reveals: dict[int, Reveal] = field(default_factory=dict)
    revealed: list[int] | None = None
    close_block: int = 0
    prev_randao: bytes = b""
    seed: bytes = b""
    committee: list[int] = field(default_factory=list)
    keys: dict[int, Announcement] = field(default_factory=dict)  # what was announced, in masked mode
    score_commitments: dict[int, bytes] = field(default_factory=dict)
    scores: dict[int, bytes] = field(default_factory=dict)
    score_salts: dict[int, bytes] = field(default_factory=dict)
    accepted: list[int] = field(default_factory=list)
    medians: bytes = b""
    validator_pay: list[int] = field(default_factory=list)
    paid: int = 0
    settled: bool = False
    reports: dict[int, list[int]] = field(default_factory=dict)  # by seat, whose accepted updates it could not get
    excluded: list[int] = field(default_factory=list)  # accepted at first, and left out because of such reports
    proposals: list[Proposal] = field(default_factory=list)
    demands: dict[Demanded, int] = field(default_factory=dict)  # open demands, with their deadlines
    answers: dict[Demanded, tuple[bytes, bytes]] = field(default_factory=dict)  # (leaf, path)
    voided: bool = False
    finalized: bool = False
    adopted: bool = False
    model: bytes = b""

    def copy(self) -> RoundLog:
        """A copy of the round that does not change when this one does."""
        other = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, dict | list):
                setattr(other, name, value.copy())
        other.proposals = [copy(proposal) for proposal in self.proposals]
        return other

    def reporters(self, seat: int) -> list[int]:
        """The seats that reported that they could not get the update of this one, ascending."""
        return sorted(by for by, missing in self.reports.items() if seat in missing)

    @property
    def accepted_first(self) -> list[int]:
        """What `settle` accepted, before anything was excluded."""
        return sorted([*self.accepted, *self.excluded])

    @property
    def validators(self) -> list[int]:
        """Committee members that revealed scores, in the order drawn: the order in which `settle` takes their vectors."""
        return [seat for seat in self.committee if seat in self.scores]

    @property
    def proposal(self) -> Proposal | None:
        """The proposal that stands."""
        return self.proposals[-1] if self.proposals and not self.proposals[-1].fell else None

    def settled_pay(self, terms: Terms) -> Counter[int]:
        """What `settle` paid to each seat, for its update and for its scores, in token units."""
        pay = Counter[int]()
        for seat, median in zip(self.revealed or [], self.medians, strict=False):  # no medians before `settle`
            pay[seat] += trainer_pay(terms.trainer_rate, median)
        for seat, amount in zip(self.validators, self.validator_pay, strict=False):
            pay[seat] += amount
        return pay

    def proposer_pay(self, terms: Terms) -> Counter[int]:
        """What `finalize` paid to the proposer's seat, in token units."""
        return Counter({self.proposal.seat: terms.proposer_fee} if self.adopted and self.proposal else {})


def told_excluded(log: RoundLog, seat: int) -> str:
    """Why an accepted update does not enter the model, for people."""
    return told_left_out(seat, len(log.reporters(seat)), len(log.revealed or []))


def told_left_out(seat: int, reports: int, revealed: int) -> str:
    """The same, from how many seats reported it, of how many that revealed."""
    return f"seat {seat} is left out of the model and keeps its pay: {told_reports(reports, revealed)}"


def told_reports(reports: int, revealed: int) -> str:
    return f"{reports} of {revealed} seats reported that its file is missing"


class History:
    """Grows event by event, in order. Readers treat it as read-only."""

    def __init__(self, committee_size: int) -> None:
        self._committee_size = committee_size
        self.seats: dict[int, SeatLog] = {}
        self.rounds: list[RoundLog] = []
        self.events: list[Event] = []

    @property
    def round(self) -> RoundLog | None:
        return self.rounds[-1] if self.rounds else None

    def copy(self) -> History:
        """A copy of the history that does not change when this one grows. Rounds before the last never change."""
        other = History(self._committee_size)
        other.seats = {seat: copy(log) for seat, log in self.seats.items()}
        other.rounds = [*self.rounds[:-1], *(log.copy() for log in self.rounds[-1:])]
        other.events = list(self.events)
        return other

    def model(self, terms: Terms) -> bytes:
        """The root of the last final model, or of the first one."""
        return next((log.model for log in reversed(self.rounds) if log.finalized), terms.genesis)

    def files(self, terms: Terms, rounds: int | None = None) -> set[str]:
        """The names of updates and models that the chain names in all rounds, or in the last ones, with the first model."""
        logs = self.rounds if rounds is None else self.rounds[-rounds:]
        updates = {(r.root.hex(), "masked" if log.keys else "update") for log in logs for r in log.reveals.values()}
        models = {terms.genesis} | {
            root for log in logs for root in (log.base, log.model, *(proposal.root for proposal in log.proposals))
        }
        return {f"{root}.{kind}" for root, kind in updates} | {f"{root.hex()}.model" for root in models}

    def with_next(self, base: bytes, active: list[int]) -> History:
        """A copy in which the next round has opened with the model `base`: for work that need not wait until it has."""
        other = self.copy()
        other.rounds.append(RoundLog(len(self.rounds) + 1, active, base, pot=0, opened_at=0))
        return other

    def apply(self, events: Iterable[Event]) -> None:
        """Applies further events."""
        for event in events:
            self.events.append(event)
            handler = getattr(self, f"_{event.name}", None)
            if handler:
                handler(**event.fields)

    # ---- seats

    def _Joined(self, seat: int, owner: str, operator: str, stake: int) -> None:
        self.seats[seat] = SeatLog(owner, operator, stake)

    def _ToppedUp(self, seat: int, stake: int, **_: object) -> None:
        self.seats[seat].stake = stake

    def _OperatorReplaced(self, seat: int, operator: str) -> None:
        self.seats[seat].operator = operator

    def _HandedOver(self, seat: int, owner: str, operator: str, **_: object) -> None:
        self.seats[seat].owner, self.seats[seat].operator = owner, operator

    def _Leaving(self, seat: int) -> None:
        self.seats[seat].leaving = True

    def _Withdrawn(self, seat: int, **_: object) -> None:
        del self.seats[seat]

    def _Slashed(self, seat: int, stake: int, **_: object) -> None:
        self.seats[seat].stake = stake

    # ---- rounds

    def _RoundOpened(self, round: int, active: int, base: bytes, pot: int, openedAt: int) -> None:
        self.rounds.append(RoundLog(round, from_bitmap(active), base, pot, openedAt))

    def _Announced(self, round: int, seat: int, key: bytes, r: bytes, vs: bytes) -> None:
        self.rounds[-1].keys[seat] = Announcement(key, Signature(r, vs))

    def _Committed(self, round: int, seat: int, commitment: bytes) -> None:
        self.rounds[-1].commitments[seat] = commitment

    def _Revealed(self, round: int, seat: int, root: bytes, salt: bytes, locator: bytes) -> None:
        self.rounds[-1].reveals[seat] = Reveal(root, salt, locator)

    def _Closed(self, round: int, revealed: int, closeBlock: int) -> None:
        self.rounds[-1].revealed = from_bitmap(revealed)
        self.rounds[-1].close_block = closeBlock

    def _DrawPostponed(self, round: int, closeBlock: int) -> None:
        self.rounds[-1].close_block = closeBlock

    def _Drawn(self, round: int, prevRandao: bytes, seed: bytes, committee: int) -> None:
        self.rounds[-1].prev_randao, self.rounds[-1].seed = prevRandao, seed
        self.rounds[-1].committee = unpack(committee, self._committee_size)

    def _ScoresCommitted(self, round: int, seat: int, commitment: bytes) -> None:
        self.rounds[-1].score_commitments[seat] = commitment

    def _ScoresRevealed(self, round: int, seat: int, scores: bytes, salt: bytes) -> None:
        self.rounds[-1].scores[seat] = scores
        self.rounds[-1].score_salts[seat] = salt

    def _Settled(self, round: int, accepted: int, medians: bytes, validatorPay: tuple[int, ...], paid: int) -> None:
        log = self.rounds[-1]
        log.accepted, log.medians, log.validator_pay = from_bitmap(accepted), medians, list(validatorPay)
        log.paid, log.settled = paid, True

    def _MissingReported(self, round: int, seat: int, missing: int) -> None:
        reports = self.rounds[-1].reports
        reports[seat] = sorted({*reports.get(seat, []), *from_bitmap(missing)})

    def _Excluded(self, round: int, accepted: int) -> None:
        log, left = self.rounds[-1], from_bitmap(accepted)
        log.excluded = sorted({*log.excluded, *log.accepted} - {*left})
        log.accepted = left

    def _Proposed(self, round: int, attempt: int, seat: int, root: bytes, locator: bytes) -> None:
        self.rounds[-1].proposals.append(Proposal(attempt, seat, root))

    def _ProposalFell(self, round: int, attempt: int, seat: int, by: str) -> None:
        self.rounds[-1].proposals[attempt - 1].fell = True
        self.rounds[-1].demands.clear()

    def _Demanded(self, round: int, attempt: int, by: str, artifact: int, seat: int, leaf: int, deadline: int) -> None:
        self.rounds[-1].demands[Demanded(attempt, artifact, seat, leaf)] = deadline

    def _Answered(
        self, round: int, attempt: int, by: str, artifact: int, seat: int, leaf: int, content: bytes, path: bytes
    ) -> None:
        demanded = Demanded(attempt, artifact, seat, leaf)
        self.rounds[-1].demands.pop(demanded, None)
        self.rounds[-1].answers[demanded] = (content, path)

    def _Voided(self, round: int) -> None:
        self.rounds[-1].voided = True

    def _Finalized(self, round: int, model: bytes, adopted: bool) -> None:
        log = self.rounds[-1]
        log.finalized, log.model, log.adopted = True, model, bool(adopted)  # Ape decodes it as 1
