"""What must hold between any two moments of a federation, whatever was called: judged from the chain's own state and events,
without the ledger's help. Each has a mutated contract on which it, and no other check, goes red: test_negative_controls.py."""

from __future__ import annotations

from dataclasses import dataclass

from support.system import System

from fl.protocol import committee
from fl.protocol.enums import RecordState
from fl.protocol.header import prev_randao
from fl.protocol.mode import Mode
from fl.protocol.phases import Phase
from fl.protocol.seats import from_bitmap


class Broken(AssertionError):
    """An invariant does not hold; the message begins with its number."""


@dataclass(frozen=True)
class Moment:
    """A federation as the chain shows it."""

    seats: dict[int, dict]
    accounting: dict[str, int]
    held: int
    round: dict
    phase: Phase
    model: bytes

    @classmethod
    def of(cls, s: System) -> Moment:
        seats = {i: s.seat(i) for i in from_bitmap(s.sets()[0])}
        return cls(seats, s.accounting(), s.held(), s.round, s.phase, s.see("model"))

    @property
    def stage(self) -> tuple[int, ...]:
        """Grows as a round goes on. Proposing and its window alternate, once for each attempt."""
        r = self.round
        over = int(self.phase in (Phase.FINAL, Phase.VOID)) + 2 * int(not r.live and r.number > 0)
        within = 0 if over or self.phase is Phase.ANNOUNCE else min(self.phase, Phase.PROPOSE)
        return (r.number, over, within, 0 if over else r.attempts)


@dataclass
class Conduct:
    """What this round's seats were seen to do, kept by who makes the calls."""

    committed: set[int]
    revealed: set[int]
    drawn: set[int]
    scored: set[int]
    reports: set[tuple[int, int]]  # (who reported, whose update)
    votes: dict[int, bytes]  # what each validator revealed, as events told it
    wrong: bool  # the standing proposal is not the right model, or a demand against it ran out


def check(last: Moment, before: Moment, after: Moment, events: list[tuple[str, dict]], conduct: Conduct, s: System) -> None:
    """Raises Broken. Between `before` and `after` there was one call with these events, since `last` only time passed."""
    slashes = [fields for name, fields in events if name == "Slashed"]
    _solvent(after)
    _stakes_shrink_only_by_listed_slashes(before, after, slashes, s)
    _honest_play_never_loses(slashes, conduct)
    _no_phase_goes_back(last, before)
    _no_phase_goes_back(before, after)
    _only_a_surviving_proposal_becomes_the_model(before, after)
    _the_sponsor_never_gains(before, after, events, s)
    _nobody_gains_from_a_slash(before, after, slashes, s)
    _only_a_majority_excludes(before, after, events, conduct, s)
    _all_of_a_masked_round_or_nobody(before, after, events, conduct, s)
    _the_draw_follows_from_block_and_records(after, events, s)


def _claim(number: str, holds: bool, text: str) -> None:
    if not holds:
        raise Broken(f"{number}: {text}")


def _solvent(now: Moment) -> None:
    """I1: what the contract holds is what its accounting says, and its accounting says what its seats hold, to the wei."""
    _claim("I1", now.held == sum(now.accounting.values()), f"holds {now.held}, accounting {now.accounting}")
    for book, name in (("stakes", "stake"), ("earned", "earned")):
        total = sum(one[name] for one in now.seats.values())
        _claim("I1", total == now.accounting[book], f"{book}: seats hold {total}, accounting {now.accounting[book]}")


def _stakes_shrink_only_by_listed_slashes(before: Moment, after: Moment, slashes: list[dict], s: System) -> None:
    """I2: a stake shrinks by an offence's amount, or by all that is left, once for each offence."""
    t = s.terms
    due = (t.no_reveal_slash, t.no_scores_slash, t.fraud_slash)
    for i, was in before.seats.items():
        if i not in after.seats:
            continue
        stake = was.stake
        for slash in slashes:
            if slash["seat"] == i:
                amount = min(due[slash["offence"]], stake)
                _claim("I2", slash["amount"] == amount, f"seat {i}: slashed {slash['amount']}, not {amount}")
                stake -= amount
        _claim("I2", after.seats[i].stake >= stake, f"seat {i}: {was.stake} became {after.seats[i].stake}, not {stake}")


def _honest_play_never_loses(slashes: list[dict], conduct: Conduct) -> None:
    """I3: only who did what is punished."""
    for slash in slashes:
        i, offence = slash["seat"], slash["offence"]
        guilty = (
            i in conduct.committed and i not in conduct.revealed,
            i in conduct.drawn and i not in conduct.scored,
            conduct.wrong,
        )[offence]
        _claim("I3", guilty, f"seat {i} was slashed for offence {offence} that it did not commit")


def _no_phase_goes_back(before: Moment, after: Moment) -> None:
    """I4"""
    _claim("I4", after.stage >= before.stage, f"{before.phase.name} {before.stage} became {after.phase.name} {after.stage}")


def _only_a_surviving_proposal_becomes_the_model(before: Moment, after: Moment) -> None:
    """I5: the model changes only to a proposal that stood until its window closed, with no demand open."""
    if after.model != before.model:
        stood = before.phase is Phase.FINAL and before.round.openDemands == 0 and before.round.proposal == after.model
        _claim(
            "I5",
            stood,
            f"{before.phase.name}: the model became {after.model.hex()[:8]}, proposed {before.round.proposal.hex()}",
        )


def _nobody_gains_from_a_slash(before: Moment, after: Moment, slashes: list[dict], s: System) -> None:
    """I7: of what is slashed all is burnt but the prover's fixed fee."""
    if slashes:
        amount = sum(slash["amount"] for slash in slashes)
        kept = after.accounting["slashed"] - before.accounting["slashed"]
        frauds = sum(slash["offence"] == 2 for slash in slashes)
        fee = amount - kept
        _claim("I7", 0 <= fee <= frauds * s.terms.challenge_fee, f"of {amount} slashed, {fee} were not burnt")


def _only_a_majority_excludes(
    before: Moment, after: Moment, events: list[tuple[str, dict]], conduct: Conduct, s: System
) -> None:
    """I9: once settled, the accepted set loses whom more than half of all that revealed reported, and nobody else; in a masked
    federation it then loses everybody, and otherwise nobody."""
    if after.round.number != before.round.number or not before.round.settledAt:
        return
    told = [(e["seat"], author) for name, e in events if name == "MissingReported" for author in from_bitmap(e["missing"])]
    votes = [author for _, author in conduct.reports | set(told)]
    half = len(from_bitmap(before.round.revealed)) / 2
    stays = {author for author in from_bitmap(before.round.accepted) if votes.count(author) <= half}
    if s.mode is Mode.MASKED and stays != set(from_bitmap(before.round.accepted)):
        stays = set()
    _claim("I9", set(from_bitmap(after.round.accepted)) == stays, f"accepted {after.round.accepted:b}, by the votes {stays}")


def _all_of_a_masked_round_or_nobody(
    before: Moment, after: Moment, events: list[tuple[str, dict]], conduct: Conduct, s: System
) -> None:
    """I11: a masked round goes on only if all who announced revealed; it accepts all of them or nobody; and settling pays each
    of them alike for its update, the whole rate or nothing, after votes of more than two thirds of the committee or fewer."""
    r = after.round
    if s.mode is not Mode.MASKED or not r.closeBlock:
        return
    _claim("I11", bool(r.voided) or r.revealed == r.active, f"{r.active:b} announced, {r.revealed:b} revealed, and it goes on")
    _claim("I11", r.accepted in (0, r.revealed), f"of {r.revealed:b}, {r.accepted:b} are accepted")
    if any(name == "Settled" for name, _ in events):
        drawn = set(committee.unpack(r.committee, r.committeeSize))
        paid = {i: after.seats[i].earned - before.seats[i].earned for i in from_bitmap(r.revealed) if i not in drawn}
        favourable = sum(vote != b"\0" for vote in conduct.votes.values())
        due = s.terms.trainer_rate if 3 * favourable > 2 * len(drawn) else 0
        _claim("I11", set(paid.values()) <= {due}, f"{paid} were paid, and {due} was due to each")


def _the_sponsor_never_gains(before: Moment, after: Moment, events: list[tuple[str, dict]], s: System) -> None:
    """I8: the money for rounds grows by funding alone, so that a sponsor that owns seats loses by every offence of theirs; and
    of what a round in which somebody trained did not pay, nothing returns to the pool, from which the sponsor is refunded."""
    given = sum(fields["amount"] for name, fields in events if name == "Funded")
    was, now = before.accounting, after.accounting
    had, has = (m["pool"] + m["kept"] + m["pot"] for m in (was, now))
    _claim("I8", has <= had + given, f"the money for rounds grew by {has - had}, funded {given}")
    back = 0 if after.round.revealed else was["pot"]
    _claim("I8", now["pool"] <= was["pool"] + given + back, f"the pool grew by {now['pool'] - was['pool']}, funded {given}")
    most = s.terms.round_cost(s.terms.max_seats)
    _claim("I8", now["kept"] <= most, f"{now['kept']} are kept, and no round costs more than {most}")


def _the_draw_follows_from_block_and_records(after: Moment, events: list[tuple[str, dict]], s: System) -> None:
    """I10: who is drawn follows from the randomness of the block fixed in advance, and from every record of the round."""
    if not any(name == "Drawn" for name, _ in events):
        return
    r, chain = after.round, s.evm
    records = {seat: s.see("recordOf", seat) for seat in from_bitmap(r.active)}
    written = {seat: digest for seat, (state, digest) in records.items() if state != RecordState.NOTHING}
    opened = {seat: digest for seat, (state, digest) in records.items() if state == RecordState.REVEALED}
    mix = committee.mix(r.number, written, opened)
    seed = committee.seed(prev_randao(chain.header(s.seeding)), mix, chain.chain_id, s.federation.address, r.number)
    due, drawn = committee.draw(seed, sorted(opened), r.committeeSize), committee.unpack(r.committee, r.committeeSize)
    _claim("I10", drawn == due, f"{drawn} were drawn, and block and records give {due}")
