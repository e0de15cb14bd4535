"""The money of a federation, recomputed from its events to the last unit: each seat's pay, each account's credit, each pot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from fl.agents.record.history import History, RoundLog
from fl.network.federation import Accounting, SeatFacts
from fl.protocol import scores, votes
from fl.protocol.enums import Offence
from fl.protocol.mode import Mode
from fl.protocol.seats import from_bitmap
from fl.protocol.terms import ZERO_ADDRESS, Terms
from fl.tools.audit.rules import Fall, Moment
from fl.tools.audit.verdict import Findings

POTS = tuple(f.name for f in fields(Accounting) if f.name != "held")  # the parts of the contract's balance
MAX_EARNED = 2**96 - 1  # what a seat's purse holds; pay that does not fit goes to its owner's credit

Payment = tuple[str, int]  # account, amount


class Money:
    """Follows the accounting event by event. `before_*` sees the history without the event, `after_*` with it."""

    def __init__(self, terms: Terms, history: History, falls: list[Fall], findings: Findings, mode: Mode = Mode.OPEN):
        self.terms, self.history, self.findings, self.mode = terms, history, findings, mode
        self.accounting = dict.fromkeys(POTS, 0)
        self.earned: Counter[int] = Counter()  # by seat, what it has not claimed
        self.credits: Counter[str] = Counter()  # by account
        self.paid: Counter[int] = Counter()  # by seat, over all rounds
        self._falls = falls  # proposals whose proposers are to be slashed
        self._due: list[Payment] = []  # credits that must follow in this transaction
        self._uses: list[Payment] = []  # credits that the running demand must use
        self._early: list[Payment] = []  # credits whose reason must follow in this transaction: pay that fits no purse
        self._slashed: dict[Offence, set[int]] = {offence: set() for offence in Offence}  # whose reason must follow

    def end_of_transaction(self, block: int) -> None:
        """Compares what a transaction owed with what it did."""
        for account, amount in self._due:
            self._wrong(f"block {block}: {account} was not credited the {amount} that it was due")
        for account, amount in self._uses:
            self._wrong(f"block {block}: a demand of {account} did not take {amount} from its credit")
        for account, amount in self._early:
            self._wrong(f"block {block}: {account} was credited {amount} for nothing")
        for fall in self._falls:
            self._wrong(f"block {block}: seat {fall.seat} was not slashed although its proposal fell")
        for offence, seats in self._slashed.items():
            for seat in seats:
                self._wrong(f"block {block}: seat {seat} was slashed ({offence.label}), and nothing followed from it")
            seats.clear()
        self._due.clear()
        self._uses.clear()
        self._early.clear()
        self._falls.clear()

    def compare_accounting(self, reported: Accounting) -> None:
        """Compares the accounting with the contract's, and with the balance that the token shows for it."""
        for name in POTS:
            self._same(f"the accounting's {name}", self.accounting[name], getattr(reported, name))
        owed = sum(self.accounting.values())
        if reported.held > owed:
            self.findings.note(
                f"the contract holds {reported.held - owed} token units more than its accounting: somebody sent them without "
                "a call, and nobody can take them out"
            )
        else:
            self._same("the tokens held", owed, reported.held)
        self.findings.checks["accounting"] += len(POTS)

    def compare_purses(self, seats: Mapping[int, SeatFacts], credits: Mapping[str, int]) -> None:
        """Compares every seat's stake, pay and keys, and every account's credit, with the contract's."""
        logs = self.history.seats
        self._same("the seats taken", sorted(logs), sorted(seats))
        for seat in sorted(logs.keys() & seats.keys()):
            log, facts = logs[seat], seats[seat]
            recorded = facts.owner, facts.operator, facts.stake, facts.earned
            self._same(
                f"seat {seat}: owner, operator, stake, pay", (log.owner, log.operator, log.stake, self.earned[seat]), recorded
            )
        for account in sorted(self.credits):
            self._same(f"the credit of {account}", self.credits[account], credits.get(account, 0))
        self.findings.checks["seats"] += len(logs)
        self.findings.checks["accounts"] += len(self.credits)

    # ---- stakes

    def before_Joined(self, at: Moment, seat: int, stake: int, **_: Any) -> None:
        self.accounting["stakes"] += stake
        self.earned[seat] = self.paid[seat] = 0

    def before_ToppedUp(self, at: Moment, amount: int, **_: Any) -> None:
        self.accounting["stakes"] += amount

    def before_Withdrawn(self, at: Moment, seat: int, to: str, stake: int, earned: int) -> None:
        held = self.history.seats[seat].stake, self.earned.pop(seat, 0)
        self._same(f"seat {seat}: stake and pay that it withdrew", held, (stake, earned))
        self.accounting["stakes"] -= stake
        self.accounting["earned"] -= earned

    def before_Slashed(self, at: Moment, seat: int, offence: int, amount: int, stake: int) -> None:
        due = {
            Offence.NO_REVEAL: self.terms.no_reveal_slash,
            Offence.NO_SCORES: self.terms.no_scores_slash,
            Offence.FRAUD: self.terms.fraud_slash,
        }[Offence(offence)]
        had = self.history.seats[seat].stake
        self._same(f"seat {seat}: what it was slashed", min(due, had), amount)
        self._same(f"seat {seat}: stake after the slash", had - amount, stake)
        fee = 0
        if offence != Offence.FRAUD:
            self._slashed[Offence(offence)].add(seat)
        elif self._falls:
            fall = self._falls.pop(0)
            fee = min(self.terms.challenge_fee, amount) if fall.fee_to != ZERO_ADDRESS else 0
            self._owe(fall.fee_to, fee)
        self.accounting["stakes"] -= amount
        self.accounting["slashed"] += amount - fee
        self.findings.checks["slashes"] += 1

    def before_Swept(self, at: Moment, amount: int) -> None:
        self._same("what was swept", self.accounting["slashed"], amount)
        self.accounting["slashed"] -= amount

    # ---- pay and credit

    def before_Claimed(self, at: Moment, seat: int, to: str, amount: int) -> None:
        self._same(f"seat {seat}: pay that it claimed", self.earned[seat], amount)
        self.accounting["earned"] -= amount
        self.earned[seat] -= amount

    def before_Credited(self, at: Moment, account: str, amount: int) -> None:
        self.accounting["credit"] += amount
        self.credits[account] += amount
        if (account, amount) in self._due:
            self._due.remove((account, amount))
        else:
            self._early.append((account, amount))

    def before_CreditClaimed(self, at: Moment, account: str, to: str, amount: int) -> None:
        self._same(f"the credit that {account} claimed", self.credits[account], amount)
        self.accounting["credit"] -= amount
        self.credits[account] -= amount

    # ---- the pool

    def before_Funded(self, at: Moment, amount: int, pool: int, **_: Any) -> None:
        self.accounting["pool"] += amount
        self._same("the pool after funding", self.accounting["pool"], pool)

    def before_Refunded(self, at: Moment, sponsor: str, amount: int, burnt: int) -> None:
        self._same("what was refunded, and burnt", (self.accounting["pool"], self.accounting["kept"]), (amount, burnt))
        self.accounting["pool"] -= amount
        self.accounting["kept"] -= burnt
        self.accounting["slashed"] += burnt
        self._owe(sponsor, amount)

    # ---- deposits

    def before_Given(self, at: Moment, account: str, amount: int, **_: Any) -> None:
        self._owe(account, amount)

    def before_Demanded(self, at: Moment, by: str, **_: Any) -> None:
        self.accounting["deposits"] += self.terms.demand_deposit
        if used := min(self.credits[by], self.terms.demand_deposit):
            self._uses.append((by, used))

    def before_CreditUsed(self, at: Moment, account: str, amount: int) -> None:
        """The part of a deposit that comes from its sender's credit."""
        self._same("credit used for a deposit", self._uses[:1], [(account, amount)])
        del self._uses[:1]
        self.accounting["credit"] -= amount
        self.credits[account] -= amount

    def before_Answered(self, at: Moment, by: str, **_: Any) -> None:
        self._return_deposit(by)

    def before_DepositReclaimed(self, at: Moment, by: str, **_: Any) -> None:
        self._return_deposit(by)

    def _return_deposit(self, to: str) -> None:
        self.accounting["deposits"] -= self.terms.demand_deposit
        self._owe(to, self.terms.demand_deposit)

    # ---- rounds

    def before_RoundOpened(self, at: Moment, round: int, active: int, pot: int, **_: Any) -> None:
        self._same(f"round {round}: pot", self.terms.round_cost(len(from_bitmap(active))), pot)
        from_kept = min(self.accounting["kept"], pot)
        if pot > self.accounting["kept"] + self.accounting["pool"]:
            self._wrong(f"round {round}: its pot of {pot} was more than there was")
        self.accounting["kept"] -= from_kept
        self.accounting["pool"] -= pot - from_kept
        self.accounting["pot"] += pot

    def before_Closed(self, at: Moment, round: int, **_: Any) -> None:
        silent = self._log.commitments.keys() - self._log.reveals.keys()
        self._slashes_are(Offence.NO_REVEAL, silent, f"round {round}: seats slashed for not revealing")

    def before_Voided(self, at: Moment, round: int) -> None:
        self._silent_validators(round)

    def after_Settled(self, at: Moment, round: int, paid: int, **_: Any) -> None:
        log = self._log
        revealed = log.revealed or []
        vectors = {seat: log.scores[seat] for seat in log.validators}
        medians = self._medians(revealed, vectors)
        self._same(f"round {round}: median scores", medians.hex(), log.medians.hex())
        self._same(f"round {round}: accepted seats", scores.accepted(revealed, medians), log.accepted)
        rates = self.terms.validator_rate, self.terms.strictness
        far = (scores if self.mode is Mode.OPEN else votes).distances(revealed, vectors)
        pay = [scores.validator_pay(*rates, far[seat], len(revealed) - 1) for seat in log.validators]
        self._same(f"round {round}: validators' pay", pay, log.validator_pay)
        trained = [scores.trainer_pay(self.terms.trainer_rate, median) for median in medians]
        self._same(f"round {round}: pay in all", sum(pay) + sum(trained), paid)
        self._silent_validators(round)
        self._pay([*zip(revealed, trained, strict=True), *zip(log.validators, pay, strict=True)], f"round {round}")
        self.findings.checks["medians"] += len(medians)

    def _medians(self, revealed: list[int], vectors: dict[int, bytes]) -> bytes:
        if self.mode is Mode.MASKED:
            return votes.verdicts(revealed, vectors, self.terms.committee)
        return scores.medians(revealed, vectors)

    def before_Finalized(self, at: Moment, round: int, adopted: bool, **_: Any) -> None:
        proposal = self._log.proposal
        if adopted and proposal is not None:
            self._pay([(proposal.seat, self.terms.proposer_fee)], f"round {round}, proposer")
        self.accounting["kept" if self._log.revealed else "pool"] += self.accounting["pot"]
        self.accounting["pot"] = 0

    def _silent_validators(self, round: int) -> None:
        silent = set(self._log.committee) - set(self._log.validators)
        self._slashes_are(Offence.NO_SCORES, silent, f"round {round}: validators slashed for silence")

    def _slashes_are(self, offence: Offence, due: set[int], what: str) -> None:
        self._same(what, sorted(due), sorted(self._slashed[offence]))
        self._slashed[offence].clear()

    def _pay(self, due: list[tuple[int, int]], what: str) -> None:
        """Pays seats from the pot. What no longer fits a purse was credited to the owner before this event."""
        over: list[Payment] = []
        for seat, amount in due:
            self.accounting["pot"] -= amount
            self.paid[seat] += amount
            if self.earned[seat] + amount > MAX_EARNED:
                over.append((self.history.seats[seat].owner, amount))
            else:
                self.accounting["earned"] += amount
                self.earned[seat] += amount
        self._same(f"{what}: pay credited to owners because it fits no purse", over, self._early[: len(over)])
        del self._early[: len(over)]

    # ---- helpers

    @property
    def _log(self) -> RoundLog:
        return self.history.rounds[-1]

    def _owe(self, account: str, amount: int) -> None:
        if amount:
            self._due.append((account, amount))

    def _same(self, what: str, recomputed: object, recorded: object) -> None:
        self.findings.same("money", what, recomputed, recorded)

    def _wrong(self, what: str) -> None:
        self.findings.wrong("money", what)
