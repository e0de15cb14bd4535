"""The contract's rules about events: which may follow which, in which phase, by whose right, in which order.

Every check repeats one that the contract makes before it emits the event, as far as events and blocks show it. They do not show
who sent a call, so that it cannot be told whether an operator or an owner acted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

from eth_hash.auto import keccak

from fl.agents.record.history import History, RoundLog
from fl.network.typed_data import signer_of
from fl.protocol import committee as drawing
from fl.protocol.commitment import score_commitment, update_commitment
from fl.protocol.enums import Artifact, Offence
from fl.protocol.fraud import ROOT_KEPT
from fl.protocol.header import prev_randao
from fl.protocol.leaves import root_from
from fl.protocol.mode import Mode
from fl.protocol.phases import Phase, RoundFacts, phase_and_end
from fl.protocol.seats import from_bitmap, to_bitmap
from fl.protocol.signatures import ActKind, Signature, act
from fl.protocol.terms import ZERO_ADDRESS, Terms
from fl.tools.audit.verdict import Findings

MAX_LOCATOR = 64  # bytes
HASHES_KEPT = 256  # blocks whose hashes the chain still shows


class Block(Protocol):
    """The facts of a block that no event states."""

    @property
    def time(self) -> int: ...

    @property
    def hash(self) -> str: ...


class Blocks(Protocol):
    """Where the facts of blocks come from: a federation's reader, or a record."""

    def block(self, which: int, /) -> Block: ...

    def header(self, number: int, /) -> bytes: ...


@dataclass(frozen=True)
class Moment:
    """Where an event stands."""

    name: str
    block: int
    time: int
    transaction: str


@dataclass(frozen=True)
class Fall:
    """A proposal that fell and whose proposer is to be slashed. fee_to: who proved it; nobody if the clock did."""

    seat: int
    root: bytes
    proved: bool  # by one wrong value; otherwise a demand was not answered
    fee_to: str


@dataclass(frozen=True)
class Asked:
    """An open demand."""

    by: str
    deadline: int


class Rules:
    """Follows a federation's state and compares every event with it. `before_*` sees the history without the event, `after_*`
    with it."""

    def __init__(
        self,
        chain_id: int,
        federation: str,
        terms: Terms,
        history: History,
        blocks: Blocks,
        findings: Findings,
        mode: Mode = Mode.OPEN,
    ):
        self.mode = mode
        self.chain_id, self.federation, self.terms = chain_id, federation, terms
        self.history, self.blocks, self.findings = history, blocks, findings
        self.round = RoundFacts()
        self.model = terms.genesis
        self.concluded = False
        self.falls: list[Fall] = []  # whose slash is due
        self._open: dict[tuple[int, int, int, int, int], Asked] = {}
        self._expired: Asked | None = None  # the demand that the running call brings a proposal down with

    # ---- seats

    def eligible(self) -> list[int]:
        """Seats that take part in the next round and may propose."""
        return [i for i, s in sorted(self.history.seats.items()) if not s.leaving and s.stake >= self.terms.min_stake]

    def before_Joined(self, at: Moment, seat: int, owner: str, operator: str, stake: int) -> None:
        lowest = next(i for i in range(self.terms.max_seats + 1) if i not in self.history.seats)
        self._must(at, seat == lowest < self.terms.max_seats, f"seat {seat} is not the lowest free one")
        self._must(at, stake >= self.terms.min_stake, f"a stake of {stake} is below the minimum")
        self._may_own(at, owner, operator)

    def before_ToppedUp(self, at: Moment, seat: int, amount: int, stake: int, **_: Any) -> None:
        before, minimum = self.history.seats[seat], self.terms.min_stake
        self._must(at, not before.leaving, f"seat {seat} is leaving")
        self._must(at, stake == before.stake + amount, f"seat {seat} had {before.stake} before")
        whole = before.stake < minimum <= stake
        self._must(at, amount > 0 and (whole or amount >= minimum // 100), f"{amount} is too little")

    def before_OperatorReplaced(self, at: Moment, seat: int, operator: str) -> None:
        self._must(at, operator not in (ZERO_ADDRESS, self.history.seats[seat].operator), "the operator did not change")

    def before_HandedOver(self, at: Moment, seat: int, owner: str, operator: str, **rest: Any) -> None:
        before, former = self.history.seats[seat], rest["from"]
        self._same(f"seat {seat}: the owner that handed it over", before.owner, former)
        self._must(at, owner != before.owner, f"seat {seat} had this owner before")
        self._must(at, not before.leaving, f"seat {seat} is leaving")
        self._may_own(at, owner, operator)

    def _may_own(self, at: Moment, owner: str, operator: str) -> None:
        self._must(at, ZERO_ADDRESS not in (owner, operator), "the owner or operator is nobody")
        if any(self.terms.allowlist):
            self._must(at, owner not in [s.owner for s in self.history.seats.values()], f"{owner} holds a seat already")

    def before_Leaving(self, at: Moment, seat: int) -> None:
        self._must(at, not self.history.seats[seat].leaving, f"seat {seat} is leaving already")

    def before_Withdrawn(self, at: Moment, seat: int, **_: Any) -> None:
        self._must(at, self.history.seats[seat].leaving, f"seat {seat} is not leaving")
        engaged = self.round.live and seat in from_bitmap(self.round.active)
        self._must(at, not engaged, f"seat {seat} takes part in round {self.round.number}")

    # ---- open, commit, reveal

    def before_RoundOpened(self, at: Moment, round: int, active: int, base: bytes, pot: int, openedAt: int) -> None:
        self._in(at, Phase.IDLE)
        whole = self.eligible()
        self._must(at, not self.concluded, "the sponsor had given notice")
        self._same(f"round {round}: number", len(self.history.rounds) + 1, round)
        self._same(f"round {round}: active seats", whole, from_bitmap(active))
        self._must(at, len(whole) >= self.terms.min_reveals, f"{len(whole)} seats are too few")
        self._same(f"round {round}: base model", self.model.hex(), base.hex())
        self._same(f"round {round}: time of opening", at.time, openedAt)
        company = 0 if self.mode is Mode.MASKED else active
        window = self.terms.commit_window // 2 if self.mode is Mode.MASKED else 0
        self.round = RoundFacts(number=round, active=company, opened_at=openedAt, live=True, announce_window=window)

    def before_Announced(self, at: Moment, round: int, seat: int, key: bytes, r: bytes, vs: bytes) -> None:
        self._in(at, Phase.ANNOUNCE)
        self._must(at, seat in self._log.active and seat in self.eligible(), f"seat {seat} may not announce")
        self._must(at, seat not in self._log.keys, f"seat {seat} had announced")
        statement = act(ActKind.ANNOUNCE, self.chain_id, self.federation, round, seat, key)
        signer = (signer_of(statement, Signature(r, vs).whole) or "").lower()
        if signer == self.history.seats[seat].operator.lower():
            self.findings.checks["announcements"] += 1
        else:  # a contract wallet's signature is checked by the chain alone
            self.findings.note(f"round {round}: the key of seat {seat} was not signed by a key of its operator's address")
        self.round = replace(self.round, active=self.round.active | 1 << seat)

    def before_Committed(self, at: Moment, seat: int, commitment: bytes, **_: Any) -> None:
        self._in(at, Phase.COMMIT)
        self._must(at, seat in from_bitmap(self.round.active), f"seat {seat} is not active in this round")
        before = self._log.commitments.get(seat, b"")
        self._must(at, commitment[:ROOT_KEPT] != before[:ROOT_KEPT], f"seat {seat} had made this very commitment")

    def before_Revealed(self, at: Moment, round: int, seat: int, root: bytes, salt: bytes, locator: bytes) -> None:
        self._in(at, Phase.REVEAL)
        self._must(at, seat not in self._log.reveals, f"seat {seat} had revealed")
        self._must(at, any(root) and len(locator) <= MAX_LOCATOR, "the root is zero or the locator too long")
        expected = update_commitment(self.chain_id, self.federation, round, seat, root, salt, locator)
        self._opens(f"round {round}, seat {seat}: commitment to its update", expected, self._log.commitments.get(seat))

    def _opens(self, what: str, expected: bytes, committed: bytes | None) -> None:
        """Compares the part of a commitment that the chain keeps."""
        if self._same(what, expected[:ROOT_KEPT].hex(), (committed or b"")[:ROOT_KEPT].hex()):
            self.findings.checks["commitments"] += 1

    # ---- draw

    def before_Closed(self, at: Moment, round: int, revealed: int, closeBlock: int) -> None:
        self._in(at, Phase.DRAW, Phase.VOID)
        self._must(at, not self.round.close_block, "the round was closed before")
        self._same(f"round {round}: revealed seats", sorted(self._log.reveals), from_bitmap(revealed))
        self._same(f"round {round}: block of closing", at.block, closeBlock)
        self.round = replace(self.round, revealed=revealed, close_block=closeBlock)

    def before_DrawPostponed(self, at: Moment, round: int, closeBlock: int) -> None:
        self._in(at, Phase.DRAW)
        late = self.round.close_block and at.block > self.round.close_block + self.terms.draw_delay + HASHES_KEPT
        self._must(at, bool(late), "the draw was postponed although its block's hash was there")
        self._same(f"round {round}: block of closing", at.block, closeBlock)
        self.round = replace(self.round, close_block=closeBlock)

    def before_Drawn(self, at: Moment, round: int, prevRandao: bytes, seed: bytes, committee: int) -> None:
        self._in(at, Phase.DRAW)
        source, log = self.round.close_block + self.terms.draw_delay, self._log
        self._must(at, self.round.close_block > 0 and source < at.block, f"block {source} is no source here")
        header = self.blocks.header(source)
        self._same(f"round {round}: header of block {source}", "0x" + keccak(header).hex(), self.blocks.block(source).hash)
        self._same(f"round {round}: randomness of block {source}", prev_randao(header).hex(), prevRandao.hex())
        mix = drawing.mix(round, log.commitments, {seat: reveal.root for seat, reveal in log.reveals.items()})
        right = drawing.seed(prevRandao, mix, self.chain_id, self.federation, round)
        self._same(f"round {round}: seed", right.hex(), seed.hex())
        expected = drawing.draw(seed, self._log.revealed or [], self.terms.committee)
        self._same(f"round {round}: committee", expected, drawing.unpack(committee, self.terms.committee))
        self._same(f"round {round}: committee, packed", drawing.pack(expected), committee)
        self.round = replace(self.round, committee=committee, committee_size=self.terms.committee, drawn_at=at.time)
        self.findings.checks["draws"] += 1

    # ---- scores

    def before_ScoresCommitted(self, at: Moment, seat: int, commitment: bytes, **_: Any) -> None:
        self._in(at, Phase.SCORE_COMMIT)
        self._must(at, seat in self._log.committee, f"seat {seat} was not drawn")
        before = self._log.score_commitments.get(seat, b"")
        self._must(at, commitment[:ROOT_KEPT] != before[:ROOT_KEPT], f"seat {seat} had made this very commitment")

    def before_ScoresRevealed(self, at: Moment, round: int, seat: int, scores: bytes, salt: bytes) -> None:
        self._in(at, Phase.SCORE_REVEAL)
        self._must(at, seat in self._log.committee and seat not in self._log.scores, f"seat {seat} had nothing to reveal")
        length = 1 if self.mode is Mode.MASKED else len(self._log.revealed or [])
        self._must(at, len(scores) == length, f"there are not {length} bytes, as the mode has it")
        expected = score_commitment(self.chain_id, self.federation, round, seat, scores, salt)
        self._opens(f"round {round}, seat {seat}: commitment to its scores", expected, self._log.score_commitments.get(seat))

    def before_Settled(self, at: Moment, accepted: int, **_: Any) -> None:
        self._in(at, Phase.SETTLE)
        self._must(at, 2 * len(self._log.validators) > self.terms.committee, "half of the committee was silent")
        begins = at.time + self.terms.show_window
        self.round = replace(self.round, accepted=accepted, settled_at=at.time, propose_from=begins)

    # ---- accepted updates that nobody shows

    def before_MissingReported(self, at: Moment, round: int, seat: int, missing: int) -> None:
        self._in(at, Phase.SHOW)
        self._must(at, seat in (self._log.revealed or []), f"seat {seat} had not revealed, so that its report does not count")
        told = to_bitmap(self._log.reports.get(seat, []))
        self._must(at, missing > 0 and not missing & told, f"seat {seat} had reported this before")
        self._must(at, not missing & ~self.round.accepted, f"seat {seat} reported an update that is not accepted")
        self.findings.checks["reports"] += 1

    def before_Excluded(self, at: Moment, round: int, accepted: int) -> None:
        self._in(at, Phase.SHOW)
        self._must(at, accepted != self.round.accepted, "nothing was left out")
        self._same(f"round {round}: seats still accepted", self._reported_by_few(), from_bitmap(accepted))
        self.round = replace(self.round, accepted=accepted)

    def _reported_by_few(self) -> list[int]:
        """The accepted seats whose updates no majority of all who revealed has reported."""
        log, everybody = self._log, self.round.revealed.bit_count()
        few = [seat for seat in from_bitmap(self.round.accepted) if 2 * len(log.reporters(seat)) <= everybody]
        whole = len(few) == self.round.accepted.bit_count()
        return few if whole or self.mode is Mode.OPEN else []  # masks do not cancel without one of them

    def end_of_transaction(self, block: int) -> None:
        """Whoever is reported by a majority must have been left out at once."""
        if self.round.live and self.round.settled_at and self._reported_by_few() != from_bitmap(self.round.accepted):
            what = "an update that a majority of all who revealed reported as missing is still accepted"
            self.findings.wrong("events", f"block {block}: {what}")

    def before_Voided(self, at: Moment, **_: Any) -> None:
        phase, log = self._phase(at), self._log
        few = len(log.revealed or []) < self.terms.min_reveals
        few |= self.mode is Mode.MASKED and self.round.revealed != self.round.active
        silent = 2 * len(log.validators) <= self.terms.committee
        reason = phase is Phase.VOID or (phase is Phase.DRAW and few) or (phase is Phase.SETTLE and silent)
        self._must(at, bool(self.round.close_block) and not self.round.voided and reason, "nothing made the round void")
        self.round = replace(self.round, voided=True)

    # ---- the new model

    def before_Proposed(self, at: Moment, round: int, attempt: int, seat: int, root: bytes, locator: bytes) -> None:
        self._in(at, Phase.PROPOSE)
        self._same(f"round {round}: attempt", self.round.attempts + 1, attempt)
        self._must(at, not self.round.proposed_at, "a proposal stood")
        self._must(at, any(root) and len(locator) <= MAX_LOCATOR, "the root is zero or the locator too long")
        self._must(at, seat not in from_bitmap(self.round.fallen), f"a proposal of seat {seat} had fallen in this round")
        able = {*from_bitmap(self.round.active)} & {*self.eligible()}
        self._must(at, seat in able, f"seat {seat} may not propose")
        self.round = replace(self.round, attempts=attempt, proposer=seat, proposed_at=at.time, proposal=root)

    def before_ProposalFell(self, at: Moment, round: int, attempt: int, seat: int, by: str) -> None:
        r, phase, expired, self._expired = self.round, self._phase(at), self._expired, None
        self._must(at, self._stands(), "no proposal stood")
        self._same(f"round {round}: the attempt that fell", (r.attempts, r.proposer), (attempt, seat))
        if by == ZERO_ADDRESS:
            self._must(at, phase in (Phase.PROPOSE, Phase.FINAL) and r.open_demands > 0, "no open demand outlived its window")
        elif expired is None:
            self._must(at, phase is Phase.CHALLENGE, f"a proof came in phase {_named(phase)}")
        self.falls.append(Fall(seat, r.proposal, by != ZERO_ADDRESS and not expired, expired.by if expired else by))
        end = r.proposed_at + self.terms.challenge_window
        fallen = to_bitmap({*from_bitmap(r.fallen), seat})
        self.round = replace(r, fallen=fallen, propose_from=min(at.time, end), proposed_at=0, open_demands=0)

    def before_Demanded(
        self, at: Moment, round: int, attempt: int, by: str, artifact: int, seat: int, leaf: int, deadline: int
    ) -> None:
        self._in(at, Phase.CHALLENGE)
        key, window = (round, attempt, artifact, seat, leaf), self.terms.answer_window
        self._same(f"round {round}: the attempt of a demand", self.round.attempts, attempt)
        self._must(at, 0 <= leaf < 1 << self.terms.depth, f"there is no leaf {leaf}")
        known = seat in from_bitmap(self.round.accepted) if artifact == Artifact.UPDATE else seat == 0
        self._must(at, known and key not in self._open, "the artifact is not one, or the demand was open")
        self._must(at, at.time < self.round.proposed_at + self.terms.challenge_window - 2 * window, "it came too late")
        self._same(f"round {round}: a demand's deadline", at.time + window, deadline)
        self._open[key] = Asked(by, deadline)
        self.round = replace(self.round, open_demands=self.round.open_demands + 1)

    def before_Answered(
        self, at: Moment, round: int, attempt: int, artifact: int, seat: int, leaf: int, content: bytes, path: bytes, **_: Any
    ) -> None:
        self._in(at, Phase.CHALLENGE)
        asked = self._open.pop((round, attempt, artifact, seat, leaf), None)
        self._must(at, asked is not None and at.time < asked.deadline, "no demand was open, or its time was over")
        named = {Artifact.PROPOSED: self.round.proposal, Artifact.PREVIOUS: self.model}
        right = named[Artifact(artifact)] if artifact in named else self._log.reveals[seat].root[:ROOT_KEPT]
        shown = root_from(content, leaf, tuple(path[i : i + 32] for i in range(0, len(path), 32)))
        self._must(at, len(path) == 32 * self.terms.depth and shown.startswith(right), "it does not lead to the root")
        self.round = replace(self.round, open_demands=self.round.open_demands - 1)
        self.findings.checks["answers"] += 1

    def before_DepositReclaimed(
        self, at: Moment, round: int, attempt: int, by: str, artifact: int, seat: int, leaf: int
    ) -> None:
        asked = self._open.pop((round, attempt, artifact, seat, leaf), None)
        self._must(at, asked is not None and asked.by == by, "nobody of that address made the demand")
        if asked and self._stands() and (round, attempt) == (self.round.number, self.round.attempts):
            self._must(at, at.time >= asked.deadline, "the time for an answer was not over")
            self._expired = asked

    def before_Finalized(self, at: Moment, round: int, model: bytes, adopted: bool) -> None:
        self._in(at, Phase.FINAL, Phase.VOID)
        void = self._phase(at) is Phase.VOID
        self._same(f"round {round}: void", void, self.round.voided)
        stands = not void and self._stands() and not self.round.open_demands
        self._same(f"round {round}: a proposal stands", stands, bool(adopted))
        in_force = self.round.proposal if stands else self.model
        self._same(f"round {round}: model in force", in_force.hex(), model.hex())
        self.model = model
        self.round = replace(self.round, live=False)

    # ---- the sponsor

    def before_Concluded(self, at: Moment) -> None:
        self._must(at, not self.concluded, "notice was given before")
        self.concluded = True

    def before_Funded(self, at: Moment, **_: Any) -> None:
        self._must(at, not self.concluded, "the sponsor had given notice")

    def before_Refunded(self, at: Moment, sponsor: str, **_: Any) -> None:
        self._in(at, Phase.IDLE)
        self._must(at, self.concluded and sponsor == self.terms.sponsor, "no notice was given, or it is not the sponsor's")

    # ---- slashes: for what, and by which right

    def before_Slashed(self, at: Moment, seat: int, offence: int, **_: Any) -> None:
        if offence == Offence.NO_REVEAL:
            silent = seat in self._log.commitments and seat not in self._log.reveals
            ended = not self.round.close_block and self._phase(at) in (Phase.DRAW, Phase.VOID)
            self._right(at, silent and ended, seat, "had revealed, or had not committed, or could still reveal")
        elif offence == Offence.NO_SCORES:
            silent = seat in self._log.committee and seat not in self._log.scores
            ended = not self.round.settled_at and not self.round.voided and self._phase(at) in (Phase.SETTLE, Phase.VOID)
            self._right(at, silent and ended, seat, "had scored, or was not drawn, or could still score")
        else:
            self._right(at, bool(self.falls) and self.falls[0].seat == seat, seat, "no proposal of it fell")

    def _right(self, at: Moment, condition: bool, seat: int, why: str) -> None:
        if not condition:
            self.findings.wrong("money", f"block {at.block}: seat {seat} was slashed without right: {why}")

    # ---- private

    @property
    def _log(self) -> RoundLog:
        return self.history.rounds[-1]

    def _stands(self) -> bool:
        return self.round.live and bool(self.round.settled_at and self.round.proposed_at)

    def _phase(self, at: Moment) -> Phase:
        return phase_and_end(self.round, self.terms, at.time)[0]

    def _in(self, at: Moment, *phases: Phase) -> None:
        phase = self._phase(at)
        self._must(at, phase in phases, f"it came in phase {_named(phase)}")

    def _must(self, at: Moment, condition: bool, otherwise: str) -> None:
        if not condition:
            self.findings.wrong("events", f"block {at.block}, event {at.name}: {otherwise}")

    def _same(self, what: str, recomputed: object, recorded: object) -> bool:
        return self.findings.same("events", what, recomputed, recorded)


def _named(phase: Phase) -> str:
    return phase.name.lower().replace("_", " ")
