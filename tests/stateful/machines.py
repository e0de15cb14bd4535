"""A ladder of machines over one base: each step calls the contract and the ledger, which must agree on success, refusal and
every number. What is legal is drawn from the ledger's state, so that runs go deep; refusals are rules of their own."""

from __future__ import annotations

import atexit
from collections import Counter
from functools import cache

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from stateful.invariants import Broken, Conduct, Moment, check
from stateful.ledger import Ledger, MaskedLedger, Refusal
from support.evm import AnvilEvm, LocalEvm, Reverted
from support.keys import Key
from support.system import BURN, SPONSOR, UNIT, System, random_model, random_update

from fl.protocol.artifact import LEAF_PARAMETERS, Kind, pack_model, parse_model
from fl.protocol.commitment import score_commitment, update_commitment
from fl.protocol.committee import unpack
from fl.protocol.fraud import Opened, challenge_proof
from fl.protocol.mode import Mode
from fl.protocol.phases import Phase
from fl.protocol.seats import from_bitmap
from fl.protocol.signatures import ActKind, Signature, handover
from fl.protocol.signatures import act as act_of

KEYS = {key.address.lower(): key for key in (Key(0xBEEF00 + i) for i in range(12))}
PEOPLE = list(KEYS)
RNG = np.random.default_rng(1)
POOL = 24  # updates, from which seats choose
GENESIS = random_model(RNG)
FILES = {
    Mode.OPEN: [random_update(RNG) for _ in range(POOL)],
    Mode.MASKED: [RNG.bytes(2 * LEAF_PARAMETERS) for _ in range(POOL)],
}
OPENED = {(o := Opened.of(data, mode.kind)).tree.root: o for mode, pool in FILES.items() for data in pool}
ROOTS = {mode: list(OPENED)[i * POOL : (i + 1) * POOL] for i, mode in enumerate(FILES)}
SALT = b"\x05" * 32
# The batches, and the single call that each entry stands for.
BATCHES = {"commitMany": "commit", "revealMany": "reveal", "commitScoresMany": "", "revealScoresMany": "revealScores"}

person = st.sampled_from(PEOPLE)
seat = st.integers(0, 8)


def act(weight: int = 1, when=lambda machine: True, **given):
    """Marks one of the acts among which `step` draws. Rules of Hypothesis would not do: it switches some off for a whole run,
    and a run that never plays on goes nowhere."""

    def mark(method):
        method.act = weight, when, st.fixed_dictionaries(given)
        return method

    return mark


@cache
def acts_of(machine: type) -> list:
    """What `act` marked, in the order of the names."""
    return [one for one in (getattr(machine, name) for name in dir(machine)) if hasattr(one, "act")]


class Base(RuleBasedStateMachine):
    """Seats, money and time; the rungs above add the round."""

    reached: Counter[str] = Counter()
    terms: dict = {"max_seats": 8}
    mode = Mode.OPEN

    def __init__(self):
        super().__init__()
        self.steps = 0
        self.wrong_at: int | None = None
        self.roots: dict[tuple[int, int], bytes] = {}
        self.vectors: dict[int, bytes] = {}
        self.handed: list[tuple] = []
        self.seen: Moment | None = None
        self.sound, self.draining = True, False
        self.done: dict[str, set[int]] = {"commit": set(), "reveal": set(), "revealScores": set()}
        self.reports: set[tuple[int, int]] = set()  # of this round, as events told them
        self.votes: dict[int, bytes] = {}  # likewise

    def build(self) -> System:
        return System.create(LocalEvm(), GENESIS, mode=self.mode, **self.terms)

    def update(self, pick: int) -> bytes:
        """The root of one of the updates."""
        return ROOTS[self.mode][pick % POOL]

    @initialize()
    def start(self):
        self.s = self.build()
        for one in [*PEOPLE, SPONSOR]:
            self.s.rich(one)
        ledger = MaskedLedger if self.mode is Mode.MASKED else Ledger
        self.ledger = ledger(self.s.terms, self.s.evm.chain_id, self.s.federation.address)
        self.models = {self.s.terms.genesis: Opened.of(GENESIS, Kind.MODEL)}
        self.stakes_before: dict[int, int] = {}
        for one in PEOPLE[:5]:
            self.play("join", one, (one, one, self.s.terms.min_stake, b""), (one, one, self.s.terms.min_stake))
        self.play("fund", SPONSOR, (1000 * UNIT,), (1000 * UNIT,))

    @rule(data=st.data())
    def step(self, data):
        """One of the acts that the moment allows."""
        possible = [one for one in acts_of(type(self)) if one.act[1](self) for _ in range(one.act[0])]
        one = data.draw(st.sampled_from(possible))
        one(self, **data.draw(one.act[2]))

    # ---- one step: both sides, and they agree

    def play(self, function: str, by: str, args: tuple, given: tuple | None = None, stale: tuple[int, ...] = ()) -> bool:
        """Calls the contract with `args` and the ledger with `given`; returns whether it was done. A call that names its round,
        or its attempt too, names those of now, or `stale` ones."""
        self.steps += 1
        Base.reached["steps"] += 1
        ledger = self.ledger
        ledger.time, ledger.block = self.s.evm.time, self.s.evm.block
        before, phase = ledger.remembered(), ledger.phase
        last, seen = self.seen, Moment.of(self.s)
        conduct = self.conduct(seen.round)
        named = stale or self.s.named(function)
        expected = None
        try:
            getattr(ledger, function)(by, *named, *(args if given is None else given))
        except Refusal as refusal:
            expected = str(refusal)
            ledger.__dict__.update(before)
        try:
            events, actual = self.s.federation.send(function, *named, *args, by=by), None
        except Reverted as error:
            events, actual = [], error.name
        self.seen, self.sound = Moment.of(self.s), False
        check(last or seen, seen, self.seen, events, conduct, self.s)
        if actual != expected:
            number, kind = ("I6: ", Broken) if self.draining else ("", AssertionError)
            raise kind(f"{number}{function}{args[:3]} by {by} in {phase.name}: contract {actual}, ledger {expected}")
        self.sound = True
        Base.reached[f"{function}: {actual or 'done'}"] += 1
        Base.reached[f"phase {phase.name}"] += 1
        self.count(before)
        self.watch(function, given or args, actual)
        self.hear(events)
        return actual is None

    def watch(self, function: str, args: tuple, error: str | None) -> None:
        """Notes what seats were seen to do, for the invariants."""
        if error:
            return
        if function == "openRound":
            self.done = {"commit": set(), "reveal": set(), "revealScores": set()}
            self.reports, self.votes = set(), {}
        elif function in self.done:
            self.done[function].add(args[0])
        elif single := BATCHES.get(function):
            self.done[single] |= {args[-1][i][0] for i in self.ledger.relayed}

    def hear(self, events: list[tuple[str, dict]]) -> None:
        """Notes whose updates were reported as missing, and what validators revealed, for the invariants."""
        for name, facts in events:
            if name == "ScoresRevealed":
                self.votes[facts["seat"]] = bytes(facts["scores"])
            if name == "MissingReported":
                self.reports |= {(facts["seat"], author) for author in from_bitmap(facts["missing"])}
            Base.reached["exclusions"] += name == "Excluded"

    # ---- acts that others send

    def relay(self, function: str, by: str, head: tuple, entries: list[tuple[tuple, tuple]]) -> bool:
        """A batch of entries, each as the contract and as the ledger take it; the bitmap must say what was done."""
        ours, given = [mine for mine, _ in entries], [theirs for _, theirs in entries]
        try:
            bits = int(self.s.see(function, *head, ours))
        except Reverted:
            bits = 0
        done = self.play(function, by, (*head, ours), (*head, given))
        assert bits == sum(1 << i for i in (self.ledger.relayed if done else []))
        return done

    def signs(self, kind: ActKind, number: int, i: int, value: bytes, who: str | None = None) -> tuple[tuple, tuple]:
        """An entry signed for a seat, by its operator or somebody else."""
        operator = self.ledger.seats[i].operator if i in self.ledger.seats else PEOPLE[0]
        signer = who or operator
        facts = self.s.evm.chain_id, self.s.federation.address, number, i, value
        signature = Signature.of(KEYS[signer].sign_typed(act_of(kind, *facts)))
        return (i, value, signature.r, signature.vs), (i, value, (kind.value, number, i, value, signer))

    def hand_over(self, owner: str, i: int, other: str, odd: int) -> None:
        """Mostly right; else signed by somebody else, too late, for more stake, or again."""
        if odd == 1 and self.handed:
            self.play("handover", *self.handed[self.steps % len(self.handed)])
            return
        now = self.s.evm.time
        stake, deadline = 60 * UNIT + (odd == 2) * 10**24, now - (odd == 3)
        facts = (i, owner, other, other, stake, deadline)
        signer = PEOPLE[0] if odd == 4 else other
        typed = handover(self.s.evm.chain_id, self.s.federation.address, *facts)
        signature = KEYS[signer].sign_typed(typed)
        args = (i, other, other, stake, deadline)
        call = (owner, (*args, signature, b""), (*args, (facts, signer)))
        if self.play("handover", *call):
            self.handed.append(call)

    def conduct(self, r: dict) -> Conduct:
        """As `watch` saw them, with whether the standing proposal deserves to fall."""
        now = self.s.evm.time
        drawn = set(unpack(r.committee, r.committeeSize))
        late = any(key[:2] == (r.number, r.attempts) and now >= d.deadline for key, d in self.ledger.demands.items())
        wrong = self.wrong_at is not None or late
        return Conduct(
            self.done["commit"], self.done["reveal"], drawn, self.done["revealScores"], self.reports, self.votes, wrong
        )

    def count(self, before: dict) -> None:
        """What this step reached."""
        for act in self.ledger.offences[len(before["offences"]) :]:
            Base.reached[f"slash: {act[1]}"] += 1
        for ending in self.ledger.endings[len(before["endings"]) :]:
            Base.reached[f"ending: {ending}"] += 1

    # ---- invariants

    @invariant()
    def invariant_books_are_as_predicted(self):
        if hasattr(self, "s"):
            assert self.s.accounting() == self.ledger.accounting()

    @invariant()
    def invariant_every_fact_is_as_predicted(self):
        if not hasattr(self, "s"):
            return
        self.ledger.time, self.ledger.block = self.s.evm.time, self.s.evm.block
        assert self.s.sets() == self.ledger.sets()
        result, facts = self.s.round, self.ledger.facts()
        assert (*result.values(), self.s.announce_window) == tuple(vars(facts).values())
        assert self.s.phase is self.ledger.phase
        assert self.s.see("phaseEnd") == self.ledger.phase_end
        assert self.s.see("model") == self.ledger.model

    @invariant()
    def invariant_seats_are_as_predicted(self):
        if hasattr(self, "s"):
            for i, one in self.ledger.seats.items():
                now = self.s.seat(i)
                assert (now.owner, now.operator, now.stake, now.earned) == (one.owner, one.operator, one.stake, one.earned)

    def teardown(self):
        """I6: from whatever state, everybody leaves, all is paid, nothing is left behind."""
        if not hasattr(self, "s") or not self.sound:
            return
        self.draining = True
        self.s.evm.warp(self.s.evm.time + 10**7)
        for i in list(self.ledger.seats):
            one = self.ledger.seats[i]
            if not one.leaving:
                assert self.play("exit", one.owner, (i,))
            assert self.play("withdraw", one.owner, (i, one.owner), (i,))
        self.ledger.time = self.s.evm.time
        if self.ledger.phase is not Phase.IDLE:
            assert self.play("finalize", SPONSOR, ())
        for key in list(self.ledger.demands):
            assert self.play("reclaim", SPONSOR, key, (key,))
        if not self.ledger.concluded:
            self.play("conclude", SPONSOR, ())
        if self.ledger.pool + self.ledger.kept:
            assert self.play("refund", SPONSOR, ())
        for one in list(self.ledger.credits):
            assert self.play("claimCredit", one, (one,), ())
        if self.ledger.slashed:
            assert self.play("sweep", SPONSOR, ())
        if self.s.held():
            raise Broken(f"I6: {self.s.held()} is left behind, accounting {self.s.accounting()}")
        Base.reached["drained"] += 1

    # ---- rung 1: seats and money, behind one rule, so that upper rungs mostly play rounds

    @act(what=st.integers(0, 15), who=person, other=person, i=seat, amount=st.sampled_from([0, 1, 10 * UNIT, 60 * UNIT]))
    def money(self, what, who, other, i, amount):
        owner = self.ledger.seats[i].owner if i in self.ledger.seats and self.steps % 4 else who
        minimum = self.s.terms.min_stake
        match what:
            case 0 | 1:
                stake = minimum - 1 if amount == 1 else minimum + amount
                self.play("join", who, (who, other, stake, b""), (who, other, stake))
            case 2 | 3:
                self.play("topUp", who, (i, amount))
            case 4:
                same = self.steps % 8 == 1 and i in self.ledger.seats
                self.play("setOperator", owner, (i, self.ledger.seats[i].operator if same else other))
            case 5 if amount <= 1:  # not too often, or nobody is left to play
                self.play("exit", owner, (i,))
            case 6:
                gone = [(at, one.owner) for at, one in self.ledger.seats.items() if one.leaving] or [(i, owner)]
                self.play("withdraw", gone[0][1], (*gone[0],), (gone[0][0],))
            case 7:
                self.play("claim", owner, (i, owner), (i,))
            case 8:
                credited = [one for one in self.ledger.credits if one != SPONSOR] or [who]
                self.play("claimCredit", credited[0], (credited[0],), ())
            case 9:
                self.sweep()
            case 10:
                self.play("fund", who, (amount,))
            case 11:
                self.play("conclude", SPONSOR if amount == 1 and self.steps > 60 else who, ())
            case 12:
                self.play("refund", SPONSOR, ())
            case 14:
                self.hand_over(owner, i, other, self.steps // 4 % 8)
            case 13:
                self.play("give", who, (other, amount))
            case 15:
                self.s.evm.warp(self.s.evm.time + int(amount == 1))

    def sweep(self):
        before, amount = self.s.token.call("balanceOf", BURN), self.ledger.slashed
        if self.play("sweep", SPONSOR, ()):
            assert self.s.token.call("balanceOf", BURN) == before + amount


class Honest(Base):
    """Rung 2: rounds in which everybody follows the protocol, one act at a time; honest play never loses stake (I3)."""

    silent = 0.0  # chance that somebody skips a act
    lies = False
    frauds = False
    hostile = False
    patience = 1  # the higher, the longer a challenge window is played

    def luck(self, key: int) -> bool:
        return (hash((key, self.steps, self.ledger.round.number)) % 1000) / 1000 < self.silent

    @property
    def live(self):
        return self.ledger.round

    def operators(self, seats) -> dict[int, str]:
        return {i: self.ledger.seats[i].operator for i in seats if i in self.ledger.seats}

    def phase_is(self, phase: Phase) -> bool:
        if not hasattr(self, "ledger"):
            return False
        self.ledger.time = self.s.evm.time
        return self.ledger.phase is phase

    @act(weight=4, pick=st.integers(0, 255), wrong=st.integers(0, 3), blocks=st.sampled_from([0, 1, 2, 2, 2, 2, 300, 9000]))
    def play_on(self, pick, wrong, blocks):
        """What the present phase wants, by everybody who is to do it."""
        self.ledger.time = self.s.evm.time
        match self.ledger.phase:
            case Phase.IDLE:
                self.open_round()
            case Phase.ANNOUNCE:
                self.announce(pick)
            case Phase.COMMIT:
                if self.hostile and pick % 8 == 0:
                    self.late_or_early(pick)
                self.everybody_commits(pick)
            case Phase.REVEAL:
                self.everybody_reveals()
            case Phase.DRAW:
                self.close_and_draw(blocks)
            case Phase.SCORE_COMMIT:
                self.committee_commits(1 + pick % 255)
            case Phase.SCORE_REVEAL:
                self.committee_reveals()
            case Phase.SETTLE:
                if self.hostile:  # who settles may neither change a vector nor leave one out
                    shown = self.ledger.shown()
                    forged = [bytes([v[0] ^ 1]) + v[1:] for v in shown[:1]] + shown[1:] if pick % 2 else shown[1:]
                    if forged != shown:
                        self.play("settle", PEOPLE[9], (forged,))
                self.play("settle", SPONSOR, (self.ledger.shown(),))
            case Phase.SHOW:
                self.show(pick)
            case Phase.PROPOSE:
                self.propose(pick % 8, wrong, pick)
            case Phase.CHALLENGE:
                self.check(pick)
            case _:
                self.finalize()

    def check(self, at):
        """An honest window: right numbers stand (soundness), a wrong one falls."""
        if self.wrong_at is not None:
            self.play("challenge", PEOPLE[11], (0, self.wrong_at, self.proof()), (True,))
        else:
            self.play("challenge", PEOPLE[11], (0, at, self.proof()), (False,))
            if at % self.patience == 0:
                self.to_the_end()

    def open_round(self):
        if len(self.ledger.eligible()) < self.s.terms.min_reveals + 1:
            for i, one in list(self.ledger.seats.items()):
                if not one.leaving:
                    self.play("topUp", SPONSOR, (i, 120 * UNIT))
            for one in PEOPLE[: 5 - len(self.ledger.eligible())]:
                self.play("join", one, (one, one, self.s.terms.min_stake, b""), (one, one, self.s.terms.min_stake))
        if self.ledger.pool + self.ledger.kept < self.s.terms.round_cost(8) and not self.ledger.concluded and self.steps % 2:
            self.play("fund", SPONSOR, (500 * UNIT,))
        self.play("openRound", SPONSOR, ())

    def late_or_early(self, pick):
        """Joining an open round gives no part in it; leaving one frees nothing before its end."""
        one = PEOPLE[pick % 12]
        self.play("join", one, (one, one, self.s.terms.min_stake, b""), (one, one, self.s.terms.min_stake))
        for i in set(self.ledger.seats) - self.live.active:
            self.play("commit", self.ledger.seats[i].operator, (i, self.commitment(i, self.update(0))))
        if not (seated := self.live.active & set(self.ledger.seats)):
            return
        i = min(seated)
        owner = self.ledger.seats[i].owner
        if pick % 16 == 0:
            self.play("exit", owner, (i,))
            self.play("withdraw", owner, (i, owner), (i,))

    def everybody_commits(self, pick):
        if pick % 3 == 0:
            self.relays_commits(pick)
        for i, operator in self.operators(self.live.active).items():
            if i not in self.live.committed and not self.luck(i):
                root = self.update(pick + i)
                self.play("commit", operator, (i, self.commitment(i, root)))
                self.roots[self.live.number, i] = root
        self.to_the_end()

    def at_fault(self, kind, other, i, value, pick, which):
        """An entry that does nothing: of another kind, of the next round, signed by somebody else, or of a free seat."""
        number = self.live.number
        return [
            self.signs(other, number, i, value),
            self.signs(kind, number + 1, i, value),
            self.signs(kind, number, i, value, PEOPLE[pick % 12]),
            self.signs(kind, number, 7, value),
        ][which]

    def relays_commits(self, pick):
        """Others send what operators signed, with entries at fault among it."""
        entries, number = [], self.live.number
        for i in sorted(self.live.active & set(self.ledger.seats)):
            if not self.luck(i + 200):
                root = self.update(pick + i)
                entries.append(self.signs(ActKind.COMMIT, number, i, self.commitment(i, root)))
                if i not in self.live.committed:
                    self.roots[number, i] = root
        if self.hostile and entries:
            i, value = entries[0][0][:2]
            fault = self.at_fault(ActKind.COMMIT, ActKind.COMMIT_SCORES, i, value, pick, pick % 4)
            entries = [fault, *entries, entries[-1]]
        self.relay("commitMany", PEOPLE[pick % 12], (number + (self.hostile and pick % 30 == 0),), entries)

    def relays_reveals(self, pick):
        """Others reveal everything in one call; an opening at fault is among it, and one that somebody has shown before."""
        entries = []
        for i in list(self.live.committed):
            if (root := self.roots.get((self.live.number, i))) and not self.luck(i + 250):
                right = self.live.committed[i] == self.commitment(i, root)
                entries.append(((i, root, SALT, b""), (i, root, right)))
        if entries:
            (i, root, _, _), _ = entries[0]
            entries.insert(0, ((i, root, bytes(32), b""), (i, root, False)))
        self.relay("revealMany", PEOPLE[pick % 12], (), entries)

    def everybody_reveals(self):
        if self.steps % 3 == 0:
            self.relays_reveals(self.steps)
        for i in list(self.live.committed):
            if i not in self.live.revealed and not self.luck(i + 50):
                root = self.roots.get((self.live.number, i))
                if self.hostile and self.steps % 7 == 0:
                    other = self.update(self.steps)
                    opens = self.live.committed[i] == self.commitment(i, other)
                    self.play("reveal", SPONSOR, (i, other, SALT, b""), (i, other, opens))
                if root and i not in self.live.revealed:
                    self.play(
                        "reveal", SPONSOR, (i, root, SALT, b""), (i, root, self.live.committed[i] == self.commitment(i, root))
                    )
        self.to_the_end()

    def close_and_draw(self, blocks):
        if not self.live.close_block:
            self.play("close", SPONSOR, ())
        if self.live.voided:
            return
        self.s.evm.mine(blocks)
        header = self.s.evm.header(self.s.seeding) if self.s.evm.block > self.s.seeding else b""
        if self.hostile and header and self.steps % 5 == 0:
            other = self.s.evm.header(self.s.seeding - 1)
            self.play("draw", PEOPLE[9], (other,), (other, False))
        self.play("draw", SPONSOR, (header,), (header, True))

    def committee_commits(self, base):
        self.vectors = {}
        if base % 3 == 0:
            self.relays_scores(base)
        for i, operator in self.operators(self.live.committee).items():
            if self.luck(i + 100):
                continue
            self.vectors[i] = vector = self.vector(base, i)
            args = self.s.evm.chain_id, self.s.federation.address, self.live.number, i, vector, SALT
            self.play("commitScores", operator, (i, score_commitment(*args)))
        self.to_the_end()

    def relays_scores(self, base):
        entries, number = [], self.live.number
        for i in self.live.committee:
            if i in self.live.score_commitments or self.luck(i + 300):
                continue
            self.vectors[i] = vector = self.vector(base, i)
            value = score_commitment(self.s.evm.chain_id, self.s.federation.address, number, i, vector, SALT)
            entries.append(self.signs(ActKind.COMMIT_SCORES, number, i, value))
        entries += [self.signs(ActKind.COMMIT, number, i, value) for (i, value, *_), _ in entries[:1]]
        self.relay("commitScoresMany", PEOPLE[base % 12], (number,), entries)

    def vector(self, base: int, validator: int) -> bytes:
        return bytes(self.byte(base, validator, judged) for judged in self.live.closed)

    def byte(self, base: int, validator: int, judged: int) -> int:
        honest = max(1, (base + 17 * judged) % 256)
        return (255 - honest if validator % 2 else 0) if self.lies and (validator + base) % 3 == 0 else honest

    def committee_reveals(self):
        if self.steps % 3 == 0:
            entries = [
                ((i, vector, SALT), (i, vector, True))
                for i, vector in self.vectors.items()
                if i in self.live.score_commitments and not self.luck(i + 350)
            ]
            entries += [((i, vector, bytes(32)), (i, vector, False)) for (i, vector, _), _ in entries[:1]]
            self.relay("revealScoresMany", PEOPLE[self.steps % 12], (), entries[::-1])
        for i in list(self.live.score_commitments):
            vector = self.vectors.get(i)
            if vector is not None and i not in self.live.vectors and not self.luck(i + 150):
                self.play("revealScores", SPONSOR, (i, vector, SALT), (i, vector, True))
        self.to_the_end()

    def show(self, pick):
        """Mostly nothing is missing; else seats report files that they lack, some through a relay and again by themselves."""
        if pick % 4 or not self.live.accepted:
            return self.to_the_end()
        files = [1 << self.live.accepted[(pick // 4 + k) % len(self.live.accepted)] for k in (0, 1)]
        reports = {i: files[0] | (files[1] if i % 2 else 0) for i in self.live.closed if not self.luck(i + 400)}
        if pick % 8:
            self.relays_reports(dict(list(reports.items())[: 2 + pick // 8 % 4]), pick)
        for i, operator in self.operators(reports).items():
            if self.hostile and operator != PEOPLE[pick % 12]:
                self.play("reportMissing", PEOPLE[pick % 12], (i, reports[i]))
            self.play("reportMissing", operator, (i, reports[i]))
        if pick % 3:
            self.to_the_end()

    def relays_reports(self, reports, pick):
        number = self.live.number
        words = {i: missing.to_bytes(32, "big") for i, missing in reports.items()}
        entries = [self.signs(ActKind.MISSING, number, i, value) for i, value in words.items() if i in self.ledger.seats]
        if self.hostile and entries:
            i, value = entries[0][0][:2]
            entries = [self.at_fault(ActKind.MISSING, ActKind.COMMIT, i, value, pick, pick // 8 % 4), *entries]
        self.relay("reportMissingMany", PEOPLE[pick % 12], (number,), [*entries[-1:], *entries])

    def right_model(self) -> Opened:
        """The file that the settled round must give."""
        files = [OPENED[self.live.revealed[i]].data for i in self.live.accepted]
        data = self.mode.next_file(self.models[self.ledger.model].data, files, self.s.terms)
        opened = Opened.of(data, Kind.MODEL)
        self.models[opened.tree.root] = opened
        return opened

    def able(self) -> dict[int, str]:
        seats = set(self.ledger.eligible()) & self.live.active - self.live.fallen
        return self.operators(sorted(seats))

    def propose(self, turn, wrong, at):
        able = list(self.able().items())
        if not able:
            return self.to_the_end()
        i, operator = able[turn % len(able)]
        opened = self.right_model()
        again = self.operators(self.live.fallen)
        if again and self.frauds:  # who fell may not try again
            first = min(again)
            self.play("propose", again[first], (first, opened.tree.root, b""), (first, opened.tree.root))
        if self.frauds and wrong:
            values = parse_model(opened.data, 0).copy()
            values[at] ^= 1 << (at % 31)
            opened = Opened.of(pack_model(values), Kind.MODEL)
            self.models[opened.tree.root] = opened
        if self.hostile and at % 5 == 0:  # meant for the round after this one
            self.play("propose", operator, (i, opened.tree.root, b""), (i, opened.tree.root), (self.live.number + 1, 1))
        self.wrong_at = at if self.frauds and wrong else None
        self.play("propose", operator, (i, opened.tree.root, b""), (i, opened.tree.root))

    @act(when=lambda self: self.phase_is(Phase.CHALLENGE), at=st.integers(0, 255))
    def challenge_a_right_number(self, at):
        """I5 and soundness: only wrong numbers fall."""
        if at != self.wrong_at:
            self.play("challenge", PEOPLE[11], (0, at, self.proof()), (False,))

    def proof(self) -> bytes:
        updates = [OPENED[self.live.revealed[i]] for i in self.live.accepted]
        return challenge_proof(0, updates, self.models[self.ledger.model], self.models[self.live.proposal])

    def finalize(self):
        before = self.ledger.model
        self.ledger.time = self.s.evm.time
        stood = (
            self.live.proposal if self.phase_is(Phase.FINAL) and self.live.proposed_at and not self.live.open_demands else None
        )
        if self.play("finalize", SPONSOR, ()):
            assert self.ledger.model == (stood or before)

    def commitment(self, i: int, root: bytes) -> bytes:
        return update_commitment(self.s.evm.chain_id, self.s.federation.address, self.live.number, i, root, SALT)

    def to_the_end(self) -> None:
        self.ledger.time = self.s.evm.time
        if self.ledger.phase_end:
            self.s.evm.warp(self.ledger.phase_end - (1 if self.hostile and self.steps % 5 == 0 else 0))

    @act(when=lambda self: self.live.live, to=st.sampled_from(["end", "before", "far"]))
    def let_time_pass(self, to):
        self.ledger.time = self.s.evm.time
        end = self.ledger.phase_end
        if end and (self.silent or self.hostile):
            self.s.evm.warp(
                {"end": end, "before": end - 1, "far": end + 3000}[to] if end > self.s.evm.time else self.s.evm.time
            )


class Dropouts(Honest):
    """Rung 3: anybody may skip any act."""

    silent = 0.2


class Liars(Dropouts):
    """Rung 4: validators lie, updates are left out."""

    lies = True
    silent = 0.08


class Fraud(Liars):
    """Rung 5: wrong models, challenges, demands, withheld files."""

    frauds = True
    silent = 0.02
    patience = 12

    def target(self, artifact: int, which: int) -> tuple[int, int, int]:
        accepted = self.live.accepted or [3]
        return (artifact, accepted[which % len(accepted)] if artifact == 2 else 0, 0)

    def mine(self) -> list[tuple[int, int, int]]:
        """Open demands against the standing proposal."""
        return [k[2:] for k in self.ledger.demands if k[:2] == (self.live.number, self.live.attempts)]

    @act(
        weight=2,
        when=lambda self: self.phase_is(Phase.CHALLENGE) or bool(self.ledger.demands),
        what=st.integers(0, 9),
        artifact=st.integers(0, 2),
        which=st.integers(0, 7),
        who=person,
    )
    def dispute(self, what, artifact, which, who):
        in_window = self.phase_is(Phase.CHALLENGE)
        if in_window and 3 <= what <= 8 and not self.mine():  # so that there is something to answer, expire or reclaim
            self.play("demand", who, self.target(artifact, which))
        mine = self.mine()
        some = mine[which % len(mine)] if mine else self.target(artifact, which)
        match what:
            case 0 | 1 | 2:
                artifact, i, leaf = self.target(artifact, which)
                stale = (self.live.number, self.live.attempts + 1) if which == 6 else ()
                self.play("demand", who, (artifact, i, leaf + (which == 7)), stale=stale)
            case 3 | 4 | 5:
                self.answer(who, some, which > 1)
            case 6:
                if in_window and mine:
                    self.s.evm.warp(min(self.s.evm.time + self.s.terms.answer_window, self.ledger.phase_end))
                self.play("expire", who, some)
            case 7:
                self.play("expire", who, some)
            case 8:
                keys = list(self.ledger.demands) or [(1, 1, 0, 0, 0)]
                self.play("reclaim", who, keys[which % len(keys)], (keys[which % len(keys)],))
            case 9 if in_window and (which < 2 or mine):
                late = self.ledger.phase_end - 2 * self.s.terms.answer_window
                self.s.evm.warp(max(self.s.evm.time, late))
                self.play("demand", who, self.target(artifact, which))
                if which % 2:
                    self.to_the_end()

    def answer(self, who: str, some: tuple[int, int, int], right: bool) -> None:
        artifact, i, leaf = some
        if not self.live.proposed_at or (artifact == 2 and i not in self.live.revealed):
            return
        opened = (
            OPENED[self.live.revealed[i]] if artifact == 2 else self.models[(self.live.proposal, self.ledger.model)[artifact]]
        )
        content = opened.show(leaf) if right else bytes(opened.kind.value)
        self.play("answer", who, (artifact, i, leaf, content, b""), (artifact, i, leaf, content == opened.show(leaf)))


class Hostile(Fraud):
    """Rung 6: every call at every time, from everybody, for any seat."""

    hostile = True
    silent = 0.03
    terms = {"max_seats": 8, "trim": 1, "demand_deposit": 0, "max_attempts": 2}

    @act(what=st.integers(0, 12), i=seat, who=person, pick=st.integers(0, POOL - 1), n=st.integers(0, 8))
    def any_call(self, what, i, who, pick, n):
        root = self.update(pick)
        operator = self.ledger.seats[i].operator if n % 2 and i in self.ledger.seats else who
        match what:
            case 0 | 1:
                if n == 7:
                    # The round is open: whoever joins now may not commit before the next.
                    self.play("join", who, (who, who, self.s.terms.min_stake, b""), (who, who, self.s.terms.min_stake))
                stale = (self.live.number - 1,) if n in (4, 5, 6) and self.live.number else ()
                if self.play("commit", operator, (i, self.commitment(i, root)), stale=stale):
                    self.roots[self.live.number, i] = root
            case 2 | 3:
                opens = self.live.committed.get(i) == self.commitment(i, root)
                self.play("reveal", who, (i, root, SALT, b""), (i, root, opens))
            case 4:
                self.play("close", who, ())
            case 5 if n < 2:  # a commitment that nobody can open: a silent validator
                if self.play("commitScores", operator, (i, b"\x11" * 32)):
                    self.vectors.pop(i, None)
            case 6:
                self.play("revealScores", who, (i, b"\x07" * n, bytes(32)), (i, b"\x07" * n, False))
            case 7 if [b"\x01"] * n != self.ledger.shown():
                self.play("settle", who, ([b"\x01"] * n,))
            case 8 | 9:
                root = self.right_model().tree.root if self.phase_is(Phase.PROPOSE) else self.s.terms.genesis
                # What waited in a mempool since another round, or another attempt, must not count now.
                here, attempt = self.live.number, self.live.attempts + 1
                stale = {2: (here + 1, 1), 5: (here + 1, 1), 6: (here + 1, 1), 7: (here, attempt - 1)}.get(n, ())
                if self.play("propose", operator, (i, root, b""), (i, root), stale):
                    self.wrong_at = None
            case 10 if not self.phase_is(Phase.CHALLENGE):
                self.play("challenge", who, (0, 0, b""), (False,))
            case 11:
                self.play("demand", who, (n % 3, i, 0))
                self.finalize()
            case 12:
                stale = (self.live.number + 1,) if n == 6 else ()
                self.play("reportMissing", operator, (i, 1 << n % 8 | 1 << i), stale=stale)


class Masked(Hostile):
    """Private sums: a company announces, and all of it counts or nobody does."""

    mode = Mode.MASKED
    silent = 0.01
    terms = {"max_seats": 8, "demand_deposit": 0, "max_attempts": 2}

    @act(weight=3, when=lambda self: self.phase_is(Phase.ANNOUNCE), pick=st.integers(0, 255))
    def announce(self, pick):
        """Mostly everybody in one batch, with entries at fault among it, and somebody again in another."""
        number = self.live.number
        keys = {
            i: bytes([number % 256, i, pick]).rjust(32, b"\x01") for i in sorted(self.ledger.seats) if not self.luck(i + 500)
        }
        entries = [self.signs(ActKind.ANNOUNCE, number, i, key) for i, key in keys.items()]
        if entries and pick % 4 == 0:
            i, value = entries[0][0][:2]
            entries = [self.at_fault(ActKind.ANNOUNCE, ActKind.COMMIT, i, value, pick, pick // 4 % 4), *entries, entries[-1]]
        self.relay("announceMany", PEOPLE[pick % 12], (number + (pick % 30 == 0),), entries)
        if pick % 3:
            self.to_the_end()

    @act(when=lambda self: self.phase_is(Phase.ANNOUNCE), pick=st.integers(0, 255))
    def meddle_with_the_company(self, pick):
        """Commit before its end, leave before announcing, join after the opening."""
        i = pick % 8
        if pick % 3 == 0:
            self.late_or_early(pick)
        elif pick % 3 == 1 and i in self.ledger.seats:
            self.play("commit", self.ledger.seats[i].operator, (i, self.commitment(i, self.update(pick))))
        elif i in self.ledger.seats and len(self.ledger.seats) > 5:
            owner = self.ledger.seats[i].owner
            self.play("exit", owner, (i,))
            self.play("withdraw", owner, (i, owner), (i,))

    def vector(self, base, validator):
        """A vote: seldom against, by all alike or by one."""
        against = base % 9 == 0 or (self.lies and (validator + base) % 11 == 0)
        return bytes([0 if against else 1 + base % 255])


class OnNode(Hostile):
    """The same machine on a real node: both engines agree."""

    node: AnvilEvm | None = None
    beginning: tuple[str, int]

    def build(self) -> System:
        """Every run has the same chain behind it: Hypothesis counts on equal draws to lead to equal states, committees too."""
        if OnNode.node is None:
            OnNode.node = AnvilEvm()
            atexit.register(OnNode.node.close)
        else:
            OnNode.node.back(OnNode.beginning)
        OnNode.beginning = OnNode.node.mark()
        return System.create(OnNode.node, GENESIS, **self.terms)

    def close_and_draw(self, blocks):
        super().close_and_draw(min(blocks, 300))  # more would take a node seconds

    def play(self, function: str, by: str, args: tuple, given: tuple | None = None, stale: tuple[int, ...] = ()) -> bool:
        Base.reached["steps on a node"] += 1
        return super().play(function, by, args, given, stale)


class Several(RuleBasedStateMachine):
    """Rung 7: three federations over one token and one clock; what is done in one changes nothing in the others."""

    def __init__(self):
        super().__init__()
        self.parts: list[Fraud] = []

    @initialize()
    def start(self):
        first = System.create(LocalEvm(), GENESIS, **Hostile.terms)
        for system in (first, first.another(**Hostile.terms), first.another(**Fraud.terms)):
            part = Hostile() if system.terms.trim else Fraud()
            part.build = lambda system=system: system
            part.start()
            self.parts.append(part)

    @rule(which=st.integers(0, 2), replayed=st.integers(0, 9), i=seat, data=st.data())
    def step(self, which, replayed, i, data):
        if replayed:
            self.parts[which].step(data)
        else:
            self.replay(which, i)

    def replay(self, which, i):
        """A reveal that is right in one federation opens nothing in another."""
        here, there = self.parts[which], self.parts[(which + 1) % 3]
        root = here.roots.get((here.live.number, i))
        if root and here.live.committed.get(i) and there.live.committed.get(i) != here.live.committed[i]:
            right = there.live.committed.get(i) == there.commitment(i, root)
            there.play("reveal", SPONSOR, (i, root, SALT, b""), (i, root, right))

    @invariant()
    def invariant_each_is_as_predicted(self):
        for part in self.parts:
            part.invariant_books_are_as_predicted()
            part.invariant_every_fact_is_as_predicted()
            part.invariant_seats_are_as_predicted()

    def teardown(self):
        for part in self.parts:
            part.teardown()


LADDER = (Base, Honest, Dropouts, Liars, Fraud, Hostile, Masked, Several, OnNode)
