"""The facts on a federation's page, from events and the clock. What only a simulation knows (names, who cheats,
baselines, gas by function) is added from its summary; nothing here is needed to follow the protocol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fl.agents.record.history import History, RoundLog, told_excluded
from fl.errors import plain
from fl.learning.research.comparison import Baselines
from fl.network.denomination import Denomination
from fl.network.events import Event
from fl.protocol import votes
from fl.protocol.enums import Offence
from fl.protocol.manifest import Manifest
from fl.protocol.phases import Phase
from fl.protocol.seat_metric import SeatMetric
from fl.protocol.seats import from_bitmap
from fl.protocol.terms import Terms
from fl.tools.audit.measured import GasUse, PrivacySpent, Relayed
from fl.tools.audit.verdict import Verdict

LONGEST = 60  # letters of a name that somebody else chose
OFFENCES = {
    Offence.NO_REVEAL: "committed and did not reveal",
    Offence.NO_SCORES: "was drawn and did not score",
    Offence.FRAUD: "proposed a wrong model, or one it could not open",
}
ACTS = {
    "Committed": "committed",
    "Revealed": "revealed",
    "ScoresCommitted": "committed scores",
    "ScoresRevealed": "scored",
    "Proposed": "proposed",
    "ProposalFell": "fell",
}
# The event that shows which function a transaction called; if there are several in one transaction, each counts.
FUNCTIONS = {
    "Joined": "join",
    "ToppedUp": "topUp",
    "OperatorReplaced": "setOperator",
    "HandedOver": "handover",
    "Leaving": "exit",
    "Withdrawn": "withdraw",
    "Claimed": "claim",
    "CreditClaimed": "claimCredit",
    "Given": "give",
    "Swept": "sweep",
    "Funded": "fund",
    "RoundOpened": "openRound",
    "Closed": "close",
    "DrawPostponed": "draw",
    "Drawn": "draw",
    "Committed": "commit",
    "Revealed": "reveal",
    "ScoresCommitted": "commitScores",
    "ScoresRevealed": "revealScores",
    "Settled": "settle",
    "MissingReported": "reportMissing",
    "Proposed": "propose",
    "ProposalFell": "challenge",
    "Demanded": "demand",
    "Answered": "answer",
    "DepositReclaimed": "reclaim",
    "Finalized": "finalize",
    "Concluded": "conclude",
    "Refunded": "refund",
}


@dataclass(frozen=True)
class Act:
    """What a seat did, and when (seconds; 0 if unknown)."""

    seat: int
    what: str
    time: int


@dataclass(frozen=True)
class Span:
    """A phase, past or current."""

    phase: str
    start: int
    end: int


@dataclass(frozen=True)
class Slash:
    """What an offence cost, in token units."""

    round: int
    offence: str
    amount: int


@dataclass
class Person:
    """Whoever holds or held a seat. Amounts in token units."""

    seat: int
    name: str
    owner: str
    stake: int
    kind: str = ""  # known in a simulation only
    joined: int = 0
    leaving: bool = False
    gone: bool = False
    pay: int = 0
    medians: dict[int, int] = field(default_factory=dict)  # by round
    slashes: list[Slash] = field(default_factory=list)
    gas: int | None = None

    @property
    def lost(self) -> int:
        return sum(s.amount for s in self.slashes)

    @property
    def cheats(self) -> bool:
        return self.kind not in ("", "honest")


@dataclass(frozen=True)
class Round:
    """One round."""

    log: RoundLog
    state: str  # running, final, unchanged, void
    phase: str
    ends: int  # of the phase, by the clock; 0 if it does not
    metric: float | None
    acts: tuple[Act, ...]
    spans: tuple[Span, ...]
    distances: Mapping[int, float]  # of each validator from the medians, mean over the others' updates
    disputed: int  # seats that some validators let in and others left out
    gas: Mapping[str, int]

    @property
    def number(self) -> int:
        return self.log.number

    @property
    def left_out(self) -> list[int]:
        """By the committee, unpaid."""
        return [s for s in self.log.revealed or [] if s not in self.log.accepted_first] if self.log.settled else []

    @property
    def excluded(self) -> list[str]:
        """Who was accepted and is left out of the model, and why."""
        return [told_excluded(self.log, seat) for seat in self.log.excluded]

    @property
    def fallen(self) -> list[int]:
        return [p.seat for p in self.log.proposals if p.fell]


@dataclass(frozen=True)
class Known:
    """What is not on the chain: from a simulation's summary, or measured when the page is made."""

    names: Mapping[int, str] = field(default_factory=dict)
    kinds: Mapping[int, str] = field(default_factory=dict)
    metric: str = ""
    higher_is_better: bool = True
    metrics: Mapping[int, float] = field(default_factory=dict)  # by round, 0 for the first model
    measured_on: str = ""
    seat_metrics: Mapping[int, Mapping[int, SeatMetric]] = field(default_factory=dict)  # by round and seat
    baselines: Baselines | None = None
    gas: Mapping[str, GasUse] = field(default_factory=dict)  # by function
    gas_of_round: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    gas_of_seat: Mapping[int, int] = field(default_factory=dict)
    relayed: Relayed | None = None
    manifest: Manifest | None = None
    reasons: Mapping[int, Mapping[int, str]] = field(default_factory=dict)  # by round and seat, why an update was left out
    audit: Verdict | None = None
    privacy: Mapping[str, PrivacySpent] = field(default_factory=dict)  # by name
    task: str = ""  # as the plan names it; the manifest is more precise, if there is one
    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """A federation at a moment."""

    chain_id: int
    federation: str
    terms: Terms
    denomination: Denomination  # of every amount here, to show it
    time: int
    phase: str
    phase_end: int
    people: tuple[Person, ...]
    rounds: tuple[Round, ...]
    model: str
    known: Known
    concluded: bool = False
    pool: int | None = None
    latest: tuple[tuple[int, str], ...] = ()  # (time, what happened), newest first

    @property
    def task(self) -> str:
        stated = self.known.manifest.task if self.known.manifest else self.known.task
        return plain(stated or "a model")[:LONGEST]

    @property
    def metric(self) -> str:
        return plain(self.known.metric)[:LONGEST]

    def name(self, seat: int) -> str:
        """Who holds the seat now, or held it last."""
        return next((p.name for p in reversed(self.people) if p.seat == seat), f"seat {seat}")


def gather(
    chain_id: int,
    federation: str,
    terms: Terms,
    history: History,
    times: Mapping[int, int],
    known: Known,
    *,
    denomination: Denomination,
    time: int = 0,
    phase: Phase = Phase.IDLE,
    phase_end: int = 0,
    concluded: bool = False,
    pool: int | None = None,
) -> Facts:
    """The facts of the page. `times` maps a block to its seconds."""
    booked, people, latest = _fold(history.events, times, terms, known, history, denomination)
    time = time or max(times.values(), default=0)
    last = len(history.rounds)
    rounds = []
    for log in history.rounds:
        running = log.number == last and not log.finalized
        now = (phase.name.lower().replace("_", " "), phase_end) if running else ("", 0)
        state = "running" if running else "void" if log.voided else "final" if log.adopted else "unchanged"
        spans = _spans(log, terms, booked.get(log.number, {}), time)
        distances, disputed = _agreement(log)
        metric = known.metrics.get(log.number)
        gas = known.gas_of_round.get(log.number, {})
        done = tuple(booked.get(log.number, {}).get("acts", ()))
        rounds.append(Round(log, state, *now, metric, done, spans, distances, disputed, gas))
    model = next((r.model for r in reversed(history.rounds) if r.finalized), terms.genesis)
    return Facts(
        chain_id,
        federation,
        terms,
        denomination,
        time,
        phase.name.lower().replace("_", " "),
        phase_end,
        tuple(people),
        tuple(rounds),
        model.hex(),
        known,
        concluded,
        pool,
        tuple(latest),
    )


def functions_of(events: Iterable[Event]) -> str:
    """What a transaction did, by its events: `commit`, or `finalize + openRound`; without deposits and slashes."""
    result: dict[str, int] = {}
    for event in events:
        if name := FUNCTIONS.get(event.name):
            result[name] = result.get(name, 0) + 1
    return " + ".join(name if n == 1 else f"{n} {name}" for name, n in result.items()) or "other"


def _fold(
    events: list[Event], times: Mapping[int, int], terms: Terms, known: Known, history: History, denomination: Denomination
) -> tuple[dict[int, dict[str, Any]], list[Person], list[tuple[int, str]]]:
    people: list[Person] = []
    holder: dict[int, Person] = {}
    rounds: dict[int, dict[str, Any]] = {}
    latest: list[tuple[int, str]] = []
    told: dict[int, set[int]] = {}  # by round, of whom it was told that they are excluded
    now = 0
    for e in events:
        f, at = e.fields, times.get(e.block, 0)
        if e.name == "Joined":
            seat = f["seat"]
            # Whoever takes a seat again is somebody else, whose name is not known.
            name = (
                " ".join(known.names.get(seat, f"seat {seat}").split())[:LONGEST]
                if not any(p.seat == seat for p in people)
                else f"seat {seat}, again"
            )
            person = Person(seat, name, f["owner"], f["stake"], known.kinds.get(seat, ""), at)
            person.gas = known.gas_of_seat.get(seat)
            people.append(person)
            holder[seat] = person
        elif e.name == "RoundOpened":
            now = f["round"]
        seat = f.get("seat")
        person_ = holder.get(seat) if isinstance(seat, int) else None
        if person_ is not None:
            _personal(e, person_, now)
        if e.name == "Withdrawn":
            holder.pop(f["seat"], None)
        if "round" in f:
            _booked(e, at, rounds.setdefault(f["round"], {"acts": []}))
        if e.name == "Settled" or e.name == "Finalized":
            _paid(e, history.rounds[f["round"] - 1], terms, holder)
        result = _tell(e, person_.name if person_ else "", denomination, now)
        if e.name == "Settled":
            result += _nothing(history.rounds[f["round"] - 1], holder)
        elif e.name == "Excluded":
            log = history.rounds[f["round"] - 1]
            gone = set(log.excluded) - set(from_bitmap(f["accepted"])) - told.setdefault(log.number, set())
            told[log.number] |= gone
            result = f"round {log.number}: " + "; ".join(told_excluded(log, seat) for seat in sorted(gone))
        if result:
            latest.append((at, result))
    return rounds, people, latest[::-1]


def _personal(e: Event, person: Person, now: int) -> None:
    f = e.fields
    if e.name in ("ToppedUp", "Slashed"):
        person.stake = f["stake"]
    if e.name == "Slashed":
        person.slashes.append(Slash(now, OFFENCES[f["offence"]], f["amount"]))
    elif e.name == "HandedOver":
        person.owner = f["owner"]
    elif e.name == "Leaving":
        person.leaving = True
    elif e.name == "Withdrawn":
        person.gone, person.stake = True, 0


def _booked(e: Event, at: int, round_: dict[str, Any]) -> None:
    if what := ACTS.get(e.name):
        round_["acts"].append(Act(e.fields["seat"], what, at))
    round_.setdefault(e.name, []).append(at)


def _paid(e: Event, log: RoundLog, terms: Terms, holder: Mapping[int, Person]) -> None:
    settled = e.name == "Settled"
    for seat, amount in (log.settled_pay(terms) if settled else log.proposer_pay(terms)).items():
        if seat in holder:
            holder[seat].pay += amount
    for seat, median in zip(log.revealed or [], log.medians if settled else b"", strict=False):
        if seat in holder:
            holder[seat].medians[log.number] = median


def _nothing(log: RoundLog, holder: Mapping[int, Person]) -> str:
    """Who was scored 0 in a settled round, and what that means."""
    scores = zip(log.revealed or [], log.medians, strict=False)
    names = [holder[seat].name if seat in holder else f"seat {seat}" for seat, median in scores if median == 0]
    cause = "nobody could read the update, or the gate left it out"
    return f"; scored 0 and not paid: {', '.join(names[:4])}{' ...' * (len(names) > 4)} ({cause})" if names else ""


def _tell(e: Event, who: str, denomination: Denomination, now: int) -> str:
    """The event in half a sentence. now: the round."""
    f = e.fields
    if e.name in ACTS:
        return f"{who or 'seat %s' % f['seat']} {'fell as proposer' if e.name == 'ProposalFell' else ACTS[e.name]}"
    plain = {
        "RoundOpened": "round {round} opened",
        "Closed": "round {round}: the reveals were closed",
        "Drawn": "round {round}: a committee was drawn",
        "Settled": "round {round}: settled and paid",
        "Voided": "round {round} is void",
        "Finalized": "round {round} is final",
        "Concluded": "the sponsor gave notice",
        "Funded": "the pool was funded",
    }
    if e.name in plain:
        return plain[e.name].format(**f)
    acts = {
        "Joined": "joined",
        "ToppedUp": "topped up",
        "HandedOver": "has a new owner",
        "Leaving": "is leaving",
        "Withdrawn": "left",
        "Claimed": "was paid out",
    }
    if e.name == "MissingReported":
        seats = from_bitmap(f["missing"])
        whose = f"update of seat {seats[0]}" if len(seats) == 1 else f"updates of seats {', '.join(map(str, seats))}"
        return f"{who or 'seat %s' % f['seat']} reported that it cannot get the {whose}"
    if e.name in acts:
        return f"{who} {acts[e.name]}"
    return (
        f"{who} was slashed {denomination.show(f['amount'])}: {Offence(f['offence']).told(now)}" if e.name == "Slashed" else ""
    )


def _spans(log: RoundLog, terms: Terms, given: Mapping[str, Any], now: int) -> tuple[Span, ...]:
    """The phases of a round on the clock, as far as it came."""

    def at(name: str, index: int = -1) -> int:
        return given[name][index] if given.get(name) else 0

    over = at("Finalized") or now
    spans = [Span("commit", log.opened_at, log.opened_at + terms.commit_window)]
    if log.keys:
        half = log.opened_at + terms.commit_window // 2
        spans = [Span("announce", log.opened_at, half), Span("commit", half, spans[0].end)]
    spans.append(Span("reveal", spans[-1].end, spans[-1].end + terms.reveal_window))
    if spans[-1].end < over:
        spans.append(Span("draw", spans[-1].end, at("Drawn") or over))
    if drawn := at("Drawn"):
        spans.append(Span("score commit", drawn, drawn + terms.score_commit_window))
        spans.append(Span("score reveal", spans[-1].end, spans[-1].end + terms.score_reveal_window))
        if spans[-1].end < over:
            spans.append(Span("settle", spans[-1].end, at("Settled") or over))
    if settled := at("Settled"):
        start = min(settled + terms.show_window, max(over, settled))
        spans.append(Span("show", settled, start))
        fell = list(given.get("ProposalFell", ()))
        for i, proposed in enumerate(given.get("Proposed", ())):
            end = fell[i] if i < len(fell) else proposed + terms.challenge_window
            spans += [Span("propose", start, proposed), Span("challenge", proposed, end)]
            start = end
        if not log.proposal:
            spans.append(Span("propose", start, max(over, start)))
    return tuple(s for s in spans if s.end > s.start or s.phase in ("settle", "propose", "challenge"))


def _agreement(log: RoundLog) -> tuple[dict[int, float], int]:
    if not log.settled or not log.validators:
        return {}, 0
    revealed, vectors = log.revealed or [], {v: log.scores[v] for v in log.validators}
    if log.keys:  # one vote on what all updates make together
        mean = {validator: far / max(len(revealed) - 1, 1) for validator, far in votes.distances(revealed, vectors).items()}
        return mean, len(revealed) * (len({any(vote) for vote in vectors.values()}) > 1)
    far = {}
    for validator, vector in vectors.items():
        others = [i for i, seat in enumerate(revealed) if seat != validator]
        far[validator] = sum(abs(vector[i] - log.medians[i]) for i in others) / max(len(others), 1)
    disputed = 0
    for i, seat in enumerate(revealed):
        verdicts = {vector[i] > 0 for validator, vector in vectors.items() if validator != seat}
        disputed += len(verdicts) > 1
    return far, disputed
