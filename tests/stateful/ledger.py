"""The federation again, as a plain Python model: what every call must do to every balance, phase, bitmap and credit, or with
which error it must be refused. Written from the specification, in the order in which the contract checks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from fl.protocol import committee as draws
from fl.protocol import scores as pay
from fl.protocol.header import prev_randao
from fl.protocol.phases import Phase, RoundFacts, phase_and_end
from fl.protocol.seats import from_bitmap, to_bitmap
from fl.protocol.terms import Terms

HISTORY = 8191  # blocks whose hashes the chain tells
NO_REVEAL, NO_SCORES, FRAUD = "no reveal", "no scores", "fraud"


class Refusal(Exception):
    """The contract must refuse, with this error."""


def refuse_if(condition: bool, name: str) -> None:
    if condition:
        raise Refusal(name)


@dataclass
class Seat:
    owner: str
    operator: str
    stake: int
    earned: int = 0
    leaving: bool = False


@dataclass(frozen=True)
class Demand:
    demander: str
    deadline: int


@dataclass
class Live:
    """The present round."""

    number: int = 0
    active: frozenset[int] = frozenset()
    opened_at: int = 0
    live: bool = False
    committed: dict[int, bytes] = field(default_factory=dict)
    revealed: dict[int, bytes] = field(default_factory=dict)
    close_block: int = 0
    closed: tuple[int, ...] = ()
    voided: bool = False
    drawn_at: int = 0
    committee: list[int] = field(default_factory=list)
    score_commitments: dict[int, bytes] = field(default_factory=dict)
    vectors: dict[int, bytes] = field(default_factory=dict)
    settled_at: int = 0
    accepted: list[int] = field(default_factory=list)
    reports: dict[int, frozenset[int]] = field(default_factory=dict)  # who reported whose updates as missing
    attempts: int = 0
    fallen: set[int] = field(default_factory=set)
    proposer: int = 0
    propose_from: int = 0
    proposed_at: int = 0
    proposal: bytes = bytes(32)
    open_demands: int = 0
    mix: bytes = bytes(32)


class Ledger:
    """The model. `time` and `block` are those of the next call."""

    def __init__(self, terms: Terms, chain_id: int, federation: str):
        self.terms, self.chain_id, self.federation = terms, chain_id, federation
        self.seats: dict[int, Seat] = {}
        self.round = Live()
        self.model = terms.genesis
        self.pool = self.kept = self.pot = self.slashed = self.deposits = 0
        self.credits: dict[str, int] = {}
        self.demands: dict[tuple, Demand] = {}
        self.concluded = False
        self.handed: set[tuple] = set()  # handovers that were done
        self.relayed: list[int] = []  # the entries of the last batch that were done
        self.time = self.block = 0
        self.offences: list[tuple[int, str]] = []
        self.endings: list[str] = []

    def remembered(self) -> dict:
        """All of it, to be put back if a call is refused halfway. Only what changes in place is copied."""
        r, kept = self.round, self.__dict__.copy()
        kept["seats"] = {i: replace(seat) for i, seat in self.seats.items()}
        kept["round"] = replace(
            r,
            committed=r.committed.copy(),
            revealed=r.revealed.copy(),
            score_commitments=r.score_commitments.copy(),
            vectors=r.vectors.copy(),
            reports=r.reports.copy(),
            fallen=r.fallen.copy(),
        )
        for name in ("credits", "demands", "offences", "endings", "handed"):
            kept[name] = kept[name].copy()
        return kept

    # ---- what can be seen

    def facts(self) -> RoundFacts:
        r = self.round
        stands = bool(r.settled_at and r.proposed_at)
        return RoundFacts(
            number=r.number,
            active=to_bitmap(r.active),
            opened_at=r.opened_at,
            close_block=r.close_block,
            revealed=to_bitmap(r.closed),
            committee=draws.pack(r.committee) if r.drawn_at else 0,
            committee_size=len(r.committee),
            drawn_at=r.drawn_at,
            accepted=to_bitmap(r.accepted),
            settled_at=r.settled_at,
            voided=r.voided,
            live=r.live,
            attempts=r.attempts,
            fallen=to_bitmap(r.fallen),
            proposer=r.proposer if stands else 0,
            propose_from=r.propose_from,
            proposed_at=r.proposed_at,
            open_demands=r.open_demands,
            proposal=r.proposal if stands else bytes(32),
            mix=r.mix,
        )

    @property
    def phase(self) -> Phase:
        return phase_and_end(self.facts(), self.terms, self.time)[0]

    @property
    def phase_end(self) -> int:
        return phase_and_end(self.facts(), self.terms, self.time)[1]

    def accounting(self) -> dict[str, int]:
        return {
            "stakes": sum(s.stake for s in self.seats.values()),
            "earned": sum(s.earned for s in self.seats.values()),
            "credit": sum(self.credits.values()),
            "slashed": self.slashed,
            "deposits": self.deposits,
            "pool": self.pool,
            "kept": self.kept,
            "pot": self.pot,
        }

    def eligible(self) -> list[int]:
        return [i for i, s in sorted(self.seats.items()) if not s.leaving and s.stake >= self.terms.min_stake]

    def sets(self) -> tuple[int, int, int]:
        leaving = [i for i, s in self.seats.items() if s.leaving]
        return to_bitmap(self.seats), to_bitmap(self.eligible()), to_bitmap(leaving)

    # ---- seats and money

    def join(self, by: str, owner: str, operator: str, amount: int) -> None:
        refuse_if(amount < self.terms.min_stake, "StakeTooSmall")
        free = [i for i in range(self.terms.max_seats) if i not in self.seats]
        refuse_if(not free, "SeatsFull")
        self.seats[free[0]] = Seat(owner, operator, amount)

    def topUp(self, by: str, seat: int, amount: int) -> None:
        refuse_if(amount == 0, "ZeroAmount")
        refuse_if(seat not in self.seats, "SeatNotTaken")
        refuse_if(self.seats[seat].leaving, "AlreadyLeaving")
        stake, minimum = self.seats[seat].stake, self.terms.min_stake
        refuse_if(amount < minimum // 100 and not stake < minimum <= stake + amount, "TopUpTooSmall")
        self.seats[seat].stake += amount

    def setOperator(self, by: str, seat: int, operator: str) -> None:
        s = self._owned(by, seat)
        refuse_if(s.operator == operator, "OperatorUnchanged")
        s.operator = operator

    def exit(self, by: str, seat: int) -> None:
        s = self._owned(by, seat)
        refuse_if(s.leaving, "AlreadyLeaving")
        s.leaving = True

    def withdraw(self, by: str, seat: int) -> None:
        s = self._owned(by, seat)
        refuse_if(not s.leaving, "NotLeaving")
        if self.phase in (Phase.FINAL, Phase.VOID):
            self.finalize(by)
        r = self.round
        refuse_if(r.live and seat in r.active, "StillEngaged")
        del self.seats[seat]

    def handover(self, by: str, seat: int, owner: str, operator: str, least: int, deadline: int, signed: tuple) -> None:
        """signed: what the new owner signed, and who did."""
        s = self._owned(by, seat)
        refuse_if(owner == by, "OwnerUnchanged")
        refuse_if(s.leaving, "AlreadyLeaving")
        refuse_if(self.time > deadline, "SignatureExpired")
        refuse_if(s.stake < least, "StakeTooSmall")
        facts = (seat, by, owner, operator, least, deadline)
        refuse_if(facts in self.handed, "SignatureUsed")
        refuse_if(signed != (facts, owner), "WrongSignature")
        self.handed.add(facts)
        s.owner, s.operator = owner, operator

    def claim(self, by: str, seat: int) -> None:
        s = self._owned(by, seat)
        refuse_if(s.earned == 0, "NothingToPay")
        s.earned = 0

    def claimCredit(self, by: str) -> None:
        refuse_if(not self.credits.get(by), "NothingToPay")
        del self.credits[by]

    def give(self, by: str, account: str, amount: int) -> None:
        refuse_if(amount == 0, "ZeroAmount")
        self._credit(account, amount)

    def sweep(self, by: str) -> None:
        refuse_if(self.slashed == 0, "NothingToPay")
        self.slashed = 0

    def fund(self, by: str, amount: int) -> None:
        refuse_if(amount == 0, "ZeroAmount")
        refuse_if(self.concluded, "AlreadyConcluded")
        self.pool += amount

    def conclude(self, by: str) -> None:
        refuse_if(by != self.terms.sponsor, "NotSponsor")
        refuse_if(self.concluded, "AlreadyConcluded")
        self.concluded = True

    def refund(self, by: str) -> None:
        self._in(Phase.IDLE)
        refuse_if(not self.concluded, "NotConcluded")
        refuse_if(self.pool + self.kept == 0, "NothingToPay")
        if self.pool:
            self._credit(self.terms.sponsor, self.pool)
        self.slashed += self.kept
        self.pool = self.kept = 0

    # ---- the round

    def openRound(self, by: str) -> None:
        self._in(Phase.IDLE)
        refuse_if(self.concluded, "AlreadyConcluded")
        active = self.eligible()
        refuse_if(len(active) < self.terms.min_reveals, "TooFewSeats")
        cost = self.terms.round_cost(len(active))
        refuse_if(cost > self.pool + self.kept, "PoolTooSmall")
        self.pool -= max(0, cost - self.kept)
        self.kept = max(0, self.kept - cost)
        self.pot = cost
        self.round = Live(number=self.round.number + 1, active=frozenset(active), opened_at=self.time, live=True)

    def commit(self, by: str, round_: int, seat: int, commitment: bytes) -> None:
        self._in(Phase.COMMIT)
        self._named(round_)
        self._operated(by, seat)
        refuse_if(seat not in self.round.active, "NotActive")
        refuse_if(self.round.committed.get(seat) == commitment, "CommitmentUnchanged")
        self.round.committed[seat] = commitment

    def commitMany(self, by: str, round_: int, entries: list[tuple[int, bytes, object]]) -> None:
        """An entry's last part says what was signed, and by whom."""
        self._in(Phase.COMMIT)
        self._named(round_)
        self._fill(self.round.active, self.round.committed, "Commit", entries)

    def commitScoresMany(self, by: str, round_: int, entries: list[tuple[int, bytes, object]]) -> None:
        self._in(Phase.SCORE_COMMIT)
        self._named(round_)
        self._fill(self.round.committee, self.round.score_commitments, "CommitScores", entries)

    def _fill(self, seats: object, records: dict[int, bytes], kind: str, entries: list) -> None:
        refuse_if(len(entries) > self.terms.max_seats, "TooManyEntries")
        self.relayed = []
        for i, (seat, value, signed) in enumerate(entries):
            free = seat in seats and seat not in records
            if free and signed == (kind, self.round.number, seat, value, self.seats[seat].operator):
                records[seat] = value
                self.relayed.append(i)

    def revealMany(self, by: str, entries: list[tuple[int, bytes, bool]]) -> None:
        self._in(Phase.REVEAL)
        self._open(self.round.committed, self.round.revealed, entries)

    def revealScoresMany(self, by: str, entries: list[tuple[int, bytes, bool]]) -> None:
        self._in(Phase.SCORE_REVEAL)
        self._open(self.round.score_commitments, self.round.vectors, entries)

    def _open(self, sealed: dict[int, bytes], opened: dict[int, bytes], entries: list) -> None:
        refuse_if(len(entries) > self.terms.max_seats, "TooManyEntries")
        self.relayed = []
        for i, (seat, what, right) in enumerate(entries):
            if right and seat in sealed and seat not in opened:
                opened[seat] = what
                self.relayed.append(i)

    def reveal(self, by: str, seat: int, root: bytes, right: bool) -> None:
        self._in(Phase.REVEAL)
        refuse_if(seat not in self.round.committed, "NothingCommitted")
        refuse_if(seat in self.round.revealed, "AlreadyRevealed")
        refuse_if(not right, "WrongOpening")
        self.round.revealed[seat] = root

    def close(self, by: str) -> None:
        self._in(Phase.DRAW)
        refuse_if(self.round.close_block != 0, "AlreadyClosed")
        self._close()

    def draw(self, by: str, header: bytes, right: bool) -> None:
        self._in(Phase.DRAW)
        r = self.round
        refuse_if(r.close_block == 0, "NotClosed")
        seeding = r.close_block + self.terms.draw_delay
        refuse_if(self.block <= seeding, "DrawTooEarly")
        if self.block > seeding + HISTORY:
            r.close_block = self.block
            return
        refuse_if(not right, "WrongHeader")
        seed = draws.seed(prev_randao(header), r.mix, self.chain_id, self.federation, r.number)
        r.committee = draws.draw(seed, r.closed, self.terms.committee)
        r.drawn_at = self.time

    def commitScores(self, by: str, round_: int, seat: int, commitment: bytes) -> None:
        self._in(Phase.SCORE_COMMIT)
        self._named(round_)
        self._operated(by, seat)
        refuse_if(seat not in self.round.committee, "NotDrawn")
        refuse_if(self.round.score_commitments.get(seat) == commitment, "CommitmentUnchanged")
        self.round.score_commitments[seat] = commitment

    def revealScores(self, by: str, seat: int, vector: bytes, right: bool) -> None:
        self._in(Phase.SCORE_REVEAL)
        refuse_if(seat not in self.round.committee, "NotDrawn")
        refuse_if(len(vector) != self._score_bytes(), "WrongScoresLength")
        refuse_if(seat not in self.round.score_commitments, "NothingCommitted")
        refuse_if(seat in self.round.vectors, "AlreadyRevealed")
        refuse_if(not right, "WrongOpening")
        self.round.vectors[seat] = vector

    def shown(self) -> list[bytes]:
        """What settle must be handed."""
        return [self.round.vectors[s] for s in self.round.committee if s in self.round.vectors]

    def settle(self, by: str, vectors: list[bytes]) -> None:
        self._in(Phase.SETTLE)
        r, t = self.round, self.terms
        refuse_if(vectors != self.shown(), "WrongScores")
        if 2 * len(vectors) <= len(r.committee):
            self._slash_silent()
            r.voided = True
            return
        revealed = list(r.closed)
        medians, distances = self._judged(revealed)
        for seat, m in zip(revealed, medians, strict=True):
            self._earn(seat, pay.trainer_pay(t.trainer_rate, m))
        for seat, far in distances.items():
            self._earn(seat, pay.validator_pay(t.validator_rate, t.strictness, far, len(revealed) - 1))
        r.accepted = pay.accepted(revealed, medians)
        r.settled_at, r.propose_from = self.time, self.time + t.show_window
        self._slash_silent()

    def reportMissing(self, by: str, round_: int, seat: int, missing: int) -> None:
        self._in(Phase.SHOW)
        self._named(round_)
        self._operated(by, seat)
        refuse_if(seat not in self.round.closed, "NotRevealed")
        refuse_if(not self._report(seat, missing), "ReportUnchanged")

    def reportMissingMany(self, by: str, round_: int, entries: list[tuple[int, bytes, object]]) -> None:
        self._in(Phase.SHOW)
        self._named(round_)
        refuse_if(len(entries) > self.terms.max_seats, "TooManyEntries")
        self.relayed = []
        for i, (seat, value, signed) in enumerate(entries):
            if seat not in self.round.closed or signed != (
                "Missing",
                self.round.number,
                seat,
                value,
                self.seats[seat].operator,
            ):
                continue
            if self._report(seat, int.from_bytes(value, "big")):
                self.relayed.append(i)

    def _report(self, seat: int, missing: int) -> bool:
        """Whether the report says anything new."""
        r = self.round
        known = r.reports.get(seat, frozenset())
        news = set(from_bitmap(missing)) & set(r.accepted) - known
        r.reports[seat] = known | news
        votes = [author for reported in r.reports.values() for author in reported]
        r.accepted = self._without([author for author in r.accepted if 2 * votes.count(author) > len(r.closed)])
        return bool(news)

    def propose(self, by: str, round_: int, attempt: int, seat: int, root: bytes) -> None:
        self._in(Phase.PROPOSE)
        self._named(round_)
        self._operated(by, seat)
        r = self.round
        # The next proposal records what fell by the clock; a revert undoes that, so it is looked at first.
        toppled = {r.proposer} if r.proposed_at else set()
        refuse_if(seat in r.fallen | toppled, "ProposerFell")
        refuse_if(seat not in r.active, "NotActive")
        refuse_if(seat not in self.eligible(), "NotEligible")
        refuse_if(attempt != r.attempts + 1, "WrongAttempt")
        if toppled:
            self._fall(None)
        r.attempts += 1
        r.proposer, r.proposed_at, r.proposal = seat, self.time, root

    def challenge(self, by: str, proves: bool) -> None:
        self._in(Phase.CHALLENGE)
        refuse_if(not proves, "CoordinateCorrect")
        self._fall(by)

    def demand(self, by: str, round_: int, attempt: int, artifact: int, seat: int, leaf: int) -> None:
        self._in(Phase.CHALLENGE)
        self._named(round_)
        r, t = self.round, self.terms
        refuse_if(attempt != r.attempts, "WrongAttempt")
        refuse_if(leaf >= 1 << t.depth, "LeafOutOfRange")
        refuse_if(seat not in r.accepted if artifact == 2 else seat != 0, "NotAccepted")
        refuse_if(self.time >= r.proposed_at + t.challenge_window - 2 * t.answer_window, "DemandTooLate")
        key = (r.number, r.attempts, artifact, seat, leaf)
        refuse_if(key in self.demands, "DemandOpen")
        self.demands[key] = Demand(by, self.time + t.answer_window)
        r.open_demands += 1
        self.deposits += t.demand_deposit
        if used := min(self.credits.get(by, 0), t.demand_deposit):
            self.credits[by] -= used
            if not self.credits[by]:
                del self.credits[by]

    def answer(self, by: str, artifact: int, seat: int, leaf: int, right: bool) -> None:
        self._in(Phase.CHALLENGE)
        key = (self.round.number, self.round.attempts, artifact, seat, leaf)
        refuse_if(key not in self.demands, "NoDemand")
        refuse_if(self.time >= self.demands[key].deadline, "AnswerTooLate")
        refuse_if(not right, "WrongLeaf")
        del self.demands[key]
        self.round.open_demands -= 1
        self._return_deposit(by)

    def expire(self, by: str, artifact: int, seat: int, leaf: int) -> None:
        key = (self.round.number, self.round.attempts, artifact, seat, leaf)
        refuse_if(not self._stands() or key not in self.demands, "NoDemand")
        refuse_if(self.time < self.demands[key].deadline, "AnswerPending")
        demander = self.demands.pop(key).demander
        self._fall(demander)
        self._return_deposit(demander)

    def reclaim(self, by: str, key: tuple) -> None:
        refuse_if(key not in self.demands, "NoDemand")
        standing = (self.round.number, self.round.attempts) == key[:2] and self._stands()
        refuse_if(standing, "ProposalStands")
        self._return_deposit(self.demands.pop(key).demander)

    def finalize(self, by: str) -> None:
        phase = self.phase
        refuse_if(phase not in (Phase.FINAL, Phase.VOID), "WrongPhase")
        r = self.round
        ending = "unchanged"
        if phase is Phase.VOID:
            ending = "void at once" if r.voided else "void by the clock"
            if not r.close_block:
                self._close()
            if r.drawn_at and not r.voided:
                self._slash_silent()
            r.voided = True
        elif r.proposed_at:
            if r.open_demands:
                ending = "toppled by the clock"
                self._fall(None)
            else:
                ending = "adopted"
                self.model = r.proposal
                self._earn(r.proposer, self.terms.proposer_fee)
        r.live = False
        if r.closed:
            self.kept += self.pot
        else:
            self.pool += self.pot
        self.pot = 0
        self.endings.append(ending)

    # ---- inside

    def _in(self, phase: Phase) -> None:
        refuse_if(self.phase is not phase, "WrongPhase")

    def _named(self, round_: int) -> None:
        refuse_if(round_ != self.round.number, "WrongRound")

    def _owned(self, by: str, seat: int) -> Seat:
        refuse_if(seat not in self.seats or self.seats[seat].owner != by, "NotOwner")
        return self.seats[seat]

    def _operated(self, by: str, seat: int) -> None:
        refuse_if(seat not in self.seats or self.seats[seat].operator != by, "NotOperator")

    def _stands(self) -> bool:
        r = self.round
        return bool(r.live and r.settled_at and r.proposed_at)

    def _close(self) -> None:
        r = self.round
        for seat in sorted(set(r.committed) - set(r.revealed)):
            self._slash(seat, NO_REVEAL, self.terms.no_reveal_slash)
        r.closed = tuple(sorted(r.revealed))
        r.close_block = self.block
        r.mix = draws.mix(r.number, r.committed, r.revealed)
        if len(r.closed) < self.terms.min_reveals:
            r.voided = True

    # ---- what differs in a masked federation

    def _score_bytes(self) -> int:
        return len(self.round.closed)

    def _judged(self, revealed: list[int]) -> tuple[list[int], dict[int, int]]:
        """(each update's median score, each validator's distance)."""
        return pay.medians(revealed, self.round.vectors), pay.distances(revealed, self.round.vectors)

    def _without(self, out: list[int]) -> list[int]:
        """The accepted, without those whom a majority reported."""
        return [seat for seat in self.round.accepted if seat not in out]

    def _slash_silent(self) -> None:
        for seat in self.round.committee:
            if seat not in self.round.vectors:
                self._slash(seat, NO_SCORES, self.terms.no_scores_slash)

    def _fall(self, fee_to: str | None) -> None:
        r, t = self.round, self.terms
        fee = self._slash(r.proposer, FRAUD, t.fraud_slash, t.challenge_fee if fee_to else 0)
        if fee_to and fee:
            self._credit(fee_to, fee)
        r.fallen.add(r.proposer)
        r.propose_from = min(self.time, r.proposed_at + t.challenge_window)
        r.proposed_at = r.open_demands = 0

    def _slash(self, seat: int, offence: str, amount: int, fee: int = 0) -> int:
        s = self.seats[seat]
        amount = min(amount, s.stake)
        fee = min(fee, amount)
        s.stake -= amount
        self.slashed += amount - fee
        self.offences.append((seat, offence))
        return fee

    def _earn(self, seat: int, amount: int) -> None:
        self.seats[seat].earned += amount
        self.pot -= amount

    def _credit(self, account: str, amount: int) -> None:
        self.credits[account] = self.credits.get(account, 0) + amount

    def _return_deposit(self, account: str) -> None:
        self.deposits -= self.terms.demand_deposit
        if self.terms.demand_deposit:
            self._credit(account, self.terms.demand_deposit)


class MaskedLedger(Ledger):
    """A masked federation's. `invited` may announce; who did is active."""

    def __init__(self, terms: Terms, chain_id: int, federation: str):
        super().__init__(terms, chain_id, federation)
        self.invited: frozenset[int] = frozenset()

    def facts(self) -> RoundFacts:
        return replace(super().facts(), announce_window=self.terms.commit_window // 2)

    def openRound(self, by: str) -> None:
        super().openRound(by)
        self.invited, self.round.active = self.round.active, frozenset()

    def announceMany(self, by: str, round_: int, entries: list[tuple[int, bytes, object]]) -> None:
        self._in(Phase.ANNOUNCE)
        self._named(round_)
        refuse_if(len(entries) > self.terms.max_seats, "TooManyEntries")
        self.relayed = []
        for i, (seat, value, signed) in enumerate(entries):
            free = seat in self.invited and seat in self.eligible() and seat not in self.round.active
            if free and signed == ("Announce", self.round.number, seat, value, self.seats[seat].operator):
                self.round.active |= {seat}
                self.relayed.append(i)

    def _close(self) -> None:
        super()._close()
        if set(self.round.closed) != self.round.active:
            self.round.voided = True

    def _score_bytes(self) -> int:
        return 1

    def _judged(self, revealed: list[int]) -> tuple[list[int], dict[int, int]]:
        votes = {seat: vector != b"\0" for seat, vector in self.round.vectors.items()}
        favourable = sum(votes.values())
        verdict = 255 if 3 * favourable > 2 * len(self.round.committee) else 0
        agree = {seat: favourable if vote else len(votes) - favourable for seat, vote in votes.items()}
        far = {seat: 255 * (len(revealed) - 1) if 2 * count < len(votes) else 0 for seat, count in agree.items()}
        return [verdict] * len(revealed), far

    def _without(self, out: list[int]) -> list[int]:
        return [] if out else self.round.accepted
