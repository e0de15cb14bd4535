"""A masked federation on an engine, with the keys that its seats would hold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from support.keys import key_of
from support.relays import batch, commitments, openings, score_commitments, score_openings, signed, with_keys
from support.system import System

from fl.protocol.artifact import LEAF_PARAMETERS, Kind
from fl.protocol.leaves import root_of
from fl.protocol.masks import CAP, Company, RoundKey, mask
from fl.protocol.mode import Mode
from fl.protocol.phases import Phase
from fl.protocol.signatures import ActKind


def masked_system(seats: int = 4, **changes: object) -> System:
    """A funded masked federation of so many seats, whose operators are keys; no round open."""
    return with_keys(System.create(mode=Mode.MASKED, **changes).join(seats).fund(), seats)


def round_key(seat: int, number: int = 1) -> RoundKey:
    """A key that is the same in each run."""
    return RoundKey(1000 * number + seat + 1)


def announce(system: System, keys: Mapping[int, RoundKey]) -> int:
    """Announces in one batch; returns its bitmap."""
    number = system.round.number
    entries = [signed(system, seat, key.public, ActKind.ANNOUNCE) for seat, key in keys.items()]
    return batch(system, "announceMany", number, entries)[0]


def random_steps(rng: np.random.Generator, depth: int = 0) -> np.ndarray:
    return rng.integers(-CAP, CAP + 1, LEAF_PARAMETERS << depth, dtype=np.int16)


def random_keys_and_steps(seats: int) -> tuple[dict[int, RoundKey], dict[int, np.ndarray]]:
    """A key and an update for each of the first seats, the same in each run."""
    rng = np.random.default_rng(3)
    return {seat: round_key(seat) for seat in range(seats)}, {seat: random_steps(rng) for seat in range(seats)}


def company_of(system: System, keys: Mapping[int, RoundKey]) -> Company:
    public = {seat: key.public for seat, key in keys.items()}
    return Company(system.evm.chain_id, system.federation.address, system.round.number, public)


def masked_files(system: System, keys: Mapping[int, RoundKey], steps: Mapping[int, np.ndarray]) -> dict[int, bytes]:
    """What honest seats publish."""
    company = company_of(system, keys)
    return {seat: mask(steps[seat], seat, key, company) for seat, key in keys.items()}


def to_commit(system: System, keys: Mapping[int, RoundKey]) -> System:
    """Opens a round in which these seats announce, and goes to its second half."""
    system.open()
    assert announce(system, keys) == (1 << len(keys)) - 1
    assert system.skip() is Phase.COMMIT
    return system


def to_settle(system: System, files: Mapping[int, bytes], votes: Mapping[int, int] | int = 255) -> System:
    """Commits and reveals these files, and plays until it can be settled. votes: by validator, or everybody's."""
    number = system.round.number
    batch(system, "commitMany", number, commitments(system, dict(files)))
    system.skip()
    batch(system, "revealMany", openings(system))
    system.skip()
    committee = system.draw()
    cast = dict.fromkeys(committee, votes) if isinstance(votes, int) else votes
    vectors = {seat: bytes([cast[seat]]) for seat in committee if seat in cast}
    batch(system, "commitScoresMany", number, score_commitments(system, vectors))
    system.skip()
    batch(system, "revealScoresMany", score_openings(system))
    assert system.skip() is Phase.SETTLE
    return system


def propose(system: System, model: bytes, seat: int = 0) -> System:
    """Proposes as the seat's key."""
    system.proposal = model
    system.do("propose", seat, root_of(model, Kind.MODEL), b"", by=key_of(seat).address)
    return system
