"""One builder for every test: token, factory, a federation with seats, and the steps of a round in one call each.

A toy model of 256 parameters (one leaf) unless the terms say otherwise; updates and models are real files with real trees.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from support.evm import Contract, Engine, LocalEvm

from fl.network.identity import ARGUMENTS, CODE, FACTORIES, IMPLEMENTATIONS, Maker, contracts
from fl.protocol import commitment, fraud, seats
from fl.protocol.artifact import LEAF_PARAMETERS, Kind, pack_model, pack_update
from fl.protocol.committee import unpack
from fl.protocol.fraud import Opened
from fl.protocol.mode import Mode
from fl.protocol.phases import Phase, RoundFacts, phase_and_end
from fl.protocol.terms import AMOUNTS, BURN_ADDRESS, ZERO_ADDRESS, Terms
from fl.tools.federation.terms_file import LAPTOP


def address(name: str, index: int = 0) -> str:
    """A readable address: the role's letters, then a number."""
    return "0x" + (name.encode().hex().ljust(36, "0")[:36] + f"{index:04x}")


SPONSOR, DEPLOYER, CHALLENGER, STRANGER = map(address, ("sponsor", "deployer", "challenger", "stranger"))
BURN = BURN_ADDRESS.lower()  # as the chain's answers are read
UNIT = 10**18
PLENTY = 10**9 * UNIT


def owner(seat: int) -> str:
    return address("owner", seat)


def operator(seat: int) -> str:
    return address("operator", seat)


def salt(seat: int, tag: str = "salt") -> bytes:
    return f"{tag}-{seat}".encode().ljust(32, b"\0")


def _preset(name: str) -> int:
    value = LAPTOP[name]
    return int(value * UNIT) if name in AMOUNTS else int(value)


# A term that is not named here has the laptop preset's value, so that a new one needs no line of its own.
BASE_TERMS = Terms(
    **{name: _preset(name) for name in LAPTOP}
    | {
        "token": ZERO_ADDRESS,
        "sponsor": SPONSOR,
        "admission": ZERO_ADDRESS,
        "allowlist": bytes(32),
        "manifest": b"\x01" * 32,
        "genesis": b"\x02" * 32,
        "depth": 0,
        "max_exponent": 16,
        "trim": 0,
        "max_seats": 128,
        "min_reveals": 3,
        "committee": 3,
        "max_attempts": 3,
        "commit_window": 600,
        "reveal_window": 600,
        "draw_window": 600,
        "score_commit_window": 600,
        "score_reveal_window": 600,
        "settle_window": 600,
        "show_window": 300,
        "propose_window": 600,
        "challenge_window": 1200,
        "answer_window": 60,
        "min_stake": 100 * UNIT,
        "no_reveal_slash": 10 * UNIT,
        "no_scores_slash": 10 * UNIT,
        "fraud_slash": 50 * UNIT,
        "challenge_fee": 5 * UNIT,
        "demand_deposit": UNIT,
        "trainer_rate": 10 * UNIT,
        "validator_rate": 5 * UNIT,
        "strictness": 4,
        "proposer_fee": 2 * UNIT,
    }
)


def random_update(rng: np.random.Generator, depth: int = 0, max_exponent: int = 16) -> bytes:
    """A well-formed update with random numbers."""
    n = LEAF_PARAMETERS << depth
    q = rng.integers(-127, 128, n, dtype=np.int8)
    return pack_update(q, rng.integers(0, max_exponent + 1, n // 32, dtype=np.uint8))


def random_model(rng: np.random.Generator, depth: int = 0) -> bytes:
    return pack_model(rng.integers(-(2**31), 2**31, LEAF_PARAMETERS << depth, dtype=np.int64).astype(np.int32))


@dataclass
class System:
    """A federation on an engine, with the files that its participants would hold."""

    evm: Engine
    token: Contract
    factory: Contract
    federation: Contract
    terms: Terms
    model: bytes  # the model's file
    updates: dict[int, bytes] = field(default_factory=dict)  # this round's files by seat
    proposal: bytes = b""
    scores: dict[int, bytes] = field(default_factory=dict)  # this round's vectors by validator
    mode: Mode = Mode.OPEN
    labels: Iterator[int] = field(default_factory=lambda: itertools.count(1))  # of the federations beside this one

    # ---- building

    @classmethod
    def create(
        cls,
        evm: Engine | None = None,
        model: bytes | None = None,
        token: str = "TestToken",
        mode: Mode = Mode.OPEN,
        **changes: object,
    ) -> System:
        evm = evm or LocalEvm()
        depth = int(changes.get("depth", 0))
        model = model or pack_model(np.zeros(LEAF_PARAMETERS << depth, np.int32))
        money = evm.deploy(token, by=DEPLOYER)
        made: dict[str, Contract] = {}
        for name in contracts(mode):
            others = [made[other].address for other in ARGUMENTS[name]]
            made[name] = evm.deploy_known(CODE.get(name, name), *others, by=DEPLOYER)
        return cls._of(evm, money, made[FACTORIES[mode]], model, changes, mode)

    @classmethod
    def _of(
        cls, evm: Engine, money: Contract, factory: Contract, model: bytes, changes: dict, mode: Mode = Mode.OPEN
    ) -> System:
        genesis = Opened.of(model, Kind.MODEL).tree.root
        terms = replace(BASE_TERMS, token=money.address, genesis=genesis, **changes)
        factory.send("create", terms.as_tuple(), by=DEPLOYER)
        place = Maker(factory.address, factory.call("implementation")).address(terms).lower()  # as the chain's answers are read
        return cls(evm, money, factory, evm.at(IMPLEMENTATIONS[mode], place), terms, model, mode=mode)

    def another(self, **changes: object) -> System:
        """A second federation from the same factory, over the same token, with the same genesis; its label is its own."""
        changes = {"label": b"%d" % next(self.labels), **changes}
        changes["label"] = bytes(changes["label"]).ljust(32, b"\0")
        return replace(self._of(self.evm, self.token, self.factory, self.model, changes, self.mode), labels=self.labels)

    def rich(self, account: str, amount: int = PLENTY) -> str:
        """Gives an account tokens and lets the federation take them."""
        self.token.send("mint", account, amount, by=account)
        self.token.send("approve", self.federation.address, 2**256 - 1, by=account)
        return account

    def join(self, count: int, stake: int | None = None) -> System:
        """Seats so many owners in order: seat i belongs to owner(i)."""
        first = seats.from_bitmap(self.sets()[0])
        for i in range(len(first), len(first) + count):
            amount = self.terms.min_stake if stake is None else stake
            self.rich(owner(i), max(PLENTY, amount))
            self.do("join", owner(i), operator(i), amount, b"", by=owner(i))
        return self

    def fund(self, amount: int = 10**6 * UNIT) -> System:
        self.do("fund", amount, by=self.rich(SPONSOR, amount))
        return self

    # ---- seeing

    def do(self, function: str, *args: object, by: str = STRANGER) -> list[tuple[str, dict]]:
        """Sends a call; one that names its round, or its attempt too, gets those of now before `args`."""
        return self.federation.send(function, *self.named(function), *args, by=by)

    def named(self, function: str) -> tuple[int, ...]:
        """The round, or the round and the attempt, that a call of the function must name now."""
        if function in ("commit", "commitScores", "reportMissing"):
            return (self.round.number,)
        if function in ("propose", "demand"):
            return self.round.number, self.round.attempts + (function == "propose")
        return ()

    def see(self, function: str, *args: object) -> object:
        return self.federation.call(function, *args)

    @cached_property
    def announce_window(self) -> int:
        return self.see("announceWindow") if self.mode is Mode.MASKED else 0

    @property
    def round(self) -> dict:
        return self.see("roundInfo")

    @property
    def phase(self) -> Phase:
        """The contract's; Python's own reading of the same facts must agree, its end too."""
        result = Phase(self.see("phase"))
        facts = replace(RoundFacts(*self.round.values()), announce_window=self.announce_window)
        assert phase_and_end(facts, self.terms, self.evm.time) == (result, self.see("phaseEnd"))
        return result

    def sets(self) -> tuple[int, int, int]:
        return self.see("seatSets")

    def seat(self, index: int) -> dict:
        return self.see("seatInfo", index)

    def accounting(self) -> dict[str, int]:
        names = ("stakes", "earned", "credit", "slashed", "deposits", "pool", "kept", "pot")
        return dict(zip(names, self.see("accounting"), strict=True))

    def committee(self) -> list[int]:
        return unpack(self.round.committee, self.round.committeeSize)

    def held(self) -> int:
        return self.token.call("balanceOf", self.federation.address)

    # ---- a round, step by step

    def skip(self) -> Phase:
        """To the second in which the next phase begins."""
        self.evm.warp(self.see("phaseEnd"))
        return self.phase

    def open(self) -> System:
        self.updates, self.scores, self.proposal = {}, {}, b""
        self.do("openRound")
        return self

    def commitment(self, seat: int, root: bytes, locator: bytes = b"") -> bytes:
        facts = self.evm.chain_id, self.federation.address, self.round.number
        return commitment.update_commitment(*facts, seat, root, salt(seat), locator)

    def commit(self, updates: dict[int, bytes]) -> System:
        for seat, data in updates.items():
            self.updates[seat] = data
            root = Opened.of(data, self.mode.kind).tree.root
            self.do("commit", seat, self.commitment(seat, root), by=operator(seat))
        return self

    def reveal(self, *only: int) -> System:
        for seat in only or self.updates:
            root = Opened.of(self.updates[seat], self.mode.kind).tree.root
            self.do("reveal", seat, root, salt(seat), b"")
        return self

    def draw(self) -> list[int]:
        self.do("close")
        self.do("draw", self.seeding_header())
        return self.committee()

    @property
    def seeding(self) -> int:
        """The block whose randomness seeds the draw."""
        return self.round.closeBlock + self.terms.draw_delay

    def seeding_header(self) -> bytes:
        """Its header, once it has been built: blocks are mined until then."""
        self.evm.mine(max(0, self.seeding + 1 - self.evm.block))
        return self.evm.header(self.seeding)

    def commit_scores(self, vectors: dict[int, bytes]) -> System:
        for seat, vector in vectors.items():
            self.scores[seat] = vector
            args = (self.evm.chain_id, self.federation.address, self.round.number, seat, vector, salt(seat, "scores"))
            self.do("commitScores", seat, commitment.score_commitment(*args), by=operator(seat))
        return self

    def reveal_scores(self, *only: int) -> System:
        for seat in only or self.scores:
            self.do("revealScores", seat, self.scores[seat], salt(seat, "scores"))
        return self

    def settle(self) -> list[tuple[str, dict]]:
        shown = [position for position in range(self.round.committeeSize) if self.see("scoreRecordOf", position)[0] == 2]
        return self.do("settle", [self.scores[self.committee()[position]] for position in shown])

    def aggregate(self) -> bytes:
        """The right next model."""
        files = [self.updates[seat] for seat in seats.from_bitmap(self.round.accepted)]
        return self.mode.next_file(self.model, files, self.terms)

    def propose(self, model: bytes, seat: int = 0) -> System:
        self.proposal = model
        self.do("propose", seat, Opened.of(model, Kind.MODEL).tree.root, b"", by=operator(seat))
        return self

    def proof(self, leaf: int = 0) -> bytes:
        opened = [Opened.of(self.updates[seat], self.mode.kind) for seat in seats.from_bitmap(self.round.accepted)]
        return fraud.challenge_proof(leaf, opened, Opened.of(self.model, Kind.MODEL), Opened.of(self.proposal, Kind.MODEL))

    # ---- a round, by stages

    def to_settle(self, updates: dict[int, bytes], score: int = 200) -> System:
        """Opens a round and plays it honestly until it can be settled, every validator giving everyone `score`."""
        self.open().commit(updates)
        self.skip()
        self.reveal()
        self.skip()
        committee = self.draw()
        self.commit_scores({seat: bytes([score]) * len(updates) for seat in committee})
        self.skip()
        self.reveal_scores()
        self.skip()
        return self

    def to_propose(self, updates: dict[int, bytes], score: int = 200) -> System:
        self.to_settle(updates, score).settle()
        assert self.skip() is Phase.PROPOSE
        return self

    def to_challenge(self, updates: dict[int, bytes], proposal: bytes | None = None, proposer: int = 0) -> System:
        self.to_propose(updates)
        return self.propose(proposal or self.aggregate(), proposer)

    def finish(self) -> System:
        """From an open challenge window to the next model."""
        assert self.skip() == Phase.FINAL
        self.do("finalize")
        self.model = self.proposal
        return self
