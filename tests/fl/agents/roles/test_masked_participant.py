"""What keeps an update secret: for whom a seat masks, when, under which key, and how often.

The node is the adversary: each test shows a seat what a node could show it, and looks at what the seat would publish."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from support.in_process import InProcessFederation
from support.keys import Key, key_of

from fl.agents.record.history import Announcement
from fl.agents.record.view import View
from fl.agents.roles.masked import Mask, MaskedParticipant
from fl.agents.roles.partners import Partners
from fl.agents.runtime.actions import Call, Train, Wait
from fl.errors import ArtifactError
from fl.protocol.artifact import Kind
from fl.protocol.masks import RoundKey, parse_masked
from fl.protocol.mode import Mode
from fl.protocol.phases import Phase
from fl.protocol.signatures import ActKind, Signature, act

SEATS = 4


@pytest.fixture(scope="module")
def federation(tmp_path_factory) -> InProcessFederation:
    return InProcessFederation(tmp_path_factory.mktemp("masked"), honest=SEATS, rounds=1, mode=Mode.MASKED)


def until(federation: InProcessFederation, phase: Phase) -> View:
    loop = federation.loop
    while (view := loop.look()).phase is not phase:
        if not loop.act():
            loop.wait(view)
    return view


@pytest.fixture(scope="module")
def announced(federation) -> View:
    """What anybody sees when Announce is over and confirmed."""
    view = until(federation, Phase.COMMIT)
    while view.snapshot.confirmed.time < view.phase_end - view.terms.commit_window // 2:
        federation.loop.wait(view)
        view = federation.loop.look()
    return view


@pytest.fixture
def seat(federation, announced, tmp_path) -> MaskedParticipant:
    """Seat 0 as it stands now, its journal in a folder of its own."""
    agent = next(agent for agent in federation.agents if agent.seat == 0)
    role = next(role for role in agent.roles if isinstance(role, MaskedParticipant))
    folder = tmp_path / "journal"
    folder.mkdir()
    for path in agent.journal.iterdir():
        if path.is_file() and path.name.startswith("1."):
            (folder / path.name).write_bytes(path.read_bytes())
    other = MaskedParticipant(0, role.task, role.shard, role.seed, folder, role_options(role))
    return other


def role_options(role: MaskedParticipant):
    from fl.agents.roles.training import TrainingOptions

    return TrainingOptions(partners=role.partners)


def said(view: View, of: int, key: RoundKey, by: Key | None = None, **other: int | str) -> Announcement:
    """What a node shows of an announcement."""
    facts = {"chain_id": view.chain_id, "federation": view.federation, "round_number": view.round.number, "seat": of} | other
    statement = act(ActKind.ANNOUNCE, value=key.public, **facts)
    return Announcement(key.public, Signature.of((by or key_of(of)).sign_typed(statement)))


def shown(view: View, change: Callable[[dict[int, Announcement]], None]) -> View:
    """The same moment on a node that shows other announcements."""
    history = view.history.copy()
    change(history.rounds[-1].keys)
    return replace(view, history=history)


def written(role: MaskedParticipant, work: Train, view: View, until_file: str = "") -> None:
    """What the executor does with work: its files, in order; up to and with one of them if the machine then loses power."""
    for name, data in work.run(view).items():
        (role.journal / name).write_bytes(data)
        if until_file and name.endswith(until_file):
            return


def file_of(role: MaskedParticipant, number: int = 1) -> bytes | None:
    path = role.journal / f"{number}.update"
    return path.read_bytes() if path.is_file() else None


# ---- for whom


def test_a_seat__masks_for_exactly_its_partners(seat, announced):
    (work,) = seat.decide(announced)
    assert isinstance(work, Mask)
    written(seat, work, announced)
    assert len(file_of(seat)) == 512 << announced.terms.depth
    (call,) = seat.decide(announced)
    assert isinstance(call, Call) and call.function == "commit"


STRANGER = Key(0xBAD)


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("one less", "1 of 4 partners announced nothing"),
        ("a fifth", "seat 4 announced a key that no partner signed"),
        ("another's signature", "seat 2 announced a key that no partner signed"),
        ("another key", "seat 2 announced a key that no partner signed"),
        ("of round 7", "seat 2 announced a key that no partner signed"),
        ("of another federation", "seat 2 announced a key that no partner signed"),
        ("of another chain", "seat 2 announced a key that no partner signed"),
        ("of another seat", "seat 2 announced a key that no partner signed"),
        ("twice the same key", "announced the same key"),
        ("no point of the curve", "not a key of secp256k1"),
        ("my own key replaced", "not the one in its journal"),
    ],
)
def test_whoever_shows_another_company__gets_no_mask__and_it_costs_nothing(seat, announced, what, why):
    fresh, mine = RoundKey(123456789), announced.round.keys[0]

    def change(keys: dict[int, Announcement]) -> None:
        if what == "one less":
            del keys[3]
        elif what == "a fifth":
            keys[4] = said(announced, 4, fresh, STRANGER)
        elif what == "another's signature":
            keys[2] = said(announced, 2, fresh, STRANGER)
        elif what == "another key":
            keys[2] = replace(keys[2], key=fresh.public)
        elif what == "of round 7":
            keys[2] = said(announced, 2, fresh, round_number=7)
        elif what == "of another federation":
            keys[2] = said(announced, 2, fresh, federation="0x" + "77" * 20)
        elif what == "of another chain":
            keys[2] = said(announced, 2, fresh, chain_id=5)
        elif what == "of another seat":
            keys[2] = said(announced, 2, fresh, seat=3)
        elif what == "twice the same key":  # a partner copies another's, and signs it
            statement = act(ActKind.ANNOUNCE, announced.chain_id, announced.federation, 1, 2, keys[1].key)
            keys[2] = Announcement(keys[1].key, Signature.of(key_of(2).sign_typed(statement)))
        elif what == "no point of the curve":
            bad = (5).to_bytes(32, "big")
            statement = act(ActKind.ANNOUNCE, announced.chain_id, announced.federation, 1, 2, bad)
            keys[2] = Announcement(bad, Signature.of(key_of(2).sign_typed(statement)))
        else:
            keys[0] = said(announced, 0, fresh)

    view = shown(announced, change)
    actions = seat.decide(view)
    assert [type(action) for action in actions] == [Wait] and why in actions[0].why
    with pytest.raises(ArtifactError):
        seat.mask(view)
    assert announced.round.keys[0] == mine and file_of(seat) is None


def test_a_company_that_may_still_change__is_waited_for(seat, announced):
    begins = announced.phase_end - announced.terms.commit_window // 2
    confirmed = replace(announced.snapshot.confirmed, time=begins - 1)
    early = replace(announced, snapshot=replace(announced.snapshot, confirmed=confirmed))
    assert [type(action) for action in seat.decide(early)] == [Wait]


def test_a_seat_outside_the_company__neither_masks_nor_commits(seat, announced):
    assert seat.decide(shown(announced, lambda keys: keys.pop(0))) == []


# ---- how often


def test_the_key__is_wiped_once_the_file_is_on_disk__and_masks_nothing_else(seat, announced):
    (work,) = seat.decide(announced)
    written(seat, work, announced)
    first = file_of(seat)
    assert (seat.journal / "1.key").read_bytes() == b""
    with pytest.raises(ArtifactError, match="not the one in its journal"):
        seat.mask(announced)
    swapped = shown(announced, lambda keys: keys.update({2: said(announced, 2, RoundKey(99))}))
    for view in (announced, swapped):  # a node that later shows another company gets the same file, or nothing
        assert not any(isinstance(action, Mask) for action in seat.decide(view))
    assert file_of(seat) == first


@pytest.mark.parametrize("last", ["set", "salt", "locator", "update"])
def test_power_lost_after_any_file__leads_to_the_same_file_and_no_second(seat, announced, last):
    (work,) = seat.decide(announced)
    written(seat, work, announced, last)
    before = file_of(seat)
    for action in seat.decide(announced):
        if isinstance(action, Mask):
            written(seat, action, announced)
    assert file_of(seat) is not None and before in (None, file_of(seat))


def test_a_commitment_that_the_journal_lacks__stops_the_masking(seat, announced):
    history = announced.history.copy()
    history.rounds[-1].commitments[0] = b"\x01" * 32
    (wait,) = seat.decide(replace(announced, history=history))
    assert isinstance(wait, Wait) and "its journal lacks" in wait.why


def test_an_update__is_not_masked_for_two_sets_of_partners__on_one_base(seat, announced):
    (work,) = seat.decide(announced)
    written(seat, work, announced)
    others = MaskedParticipant(
        0,
        seat.task,
        seat.shard,
        0,
        seat.journal,
        role_options(type("R", (), {"partners": Partners.of([key_of(i).address for i in (0, 1, 2)])})()),
    )
    view = next_round(announced)
    (wait,) = others.decide(view)
    assert isinstance(wait, Wait) and "masked for other partners" in wait.why
    changed = next_round(announced, base=announced.terms.genesis[::-1])
    assert not any(isinstance(action, Wait) for action in others.decide(changed))


def next_round(view: View, base: bytes | None = None) -> View:
    """Announce of the round after this one, which came to nothing."""
    history = view.history.copy()
    history.rounds[-1].voided = history.rounds[-1].finalized = True
    history = history.with_next(base or view.round.base, [*range(SEATS)])
    facts = replace(view.facts, number=2, opened_at=view.time, active=0)
    return replace(view, history=history, snapshot=replace(view.snapshot, facts=facts))


def test_after_a_void_round__the_same_update_goes_out_again__under_another_key(seat, announced):
    steps = seat._steps(1)
    view = next_round(announced)
    assert view.phase is Phase.ANNOUNCE
    (work,) = seat.decide(view)
    assert isinstance(work, Train)
    before = (seat.journal / "1.key").read_bytes()
    written(seat, work, view)
    assert np.array_equal(seat._steps(2), steps)
    key = (seat.journal / "2.key").read_bytes()
    assert len(key) == 32 and key != before
    assert (seat.journal / "1.key").read_bytes() == (seat.journal / "1.steps").read_bytes() == b""
    (call,) = seat.decide(view)
    assert isinstance(call, Call) and call.function == "announce"


# ---- what is published


def test_a_whole_federation__learns__and_its_audit_passes(federation, announced):
    view = federation.run()
    log = view.history.rounds[0]
    assert log.adopted and sorted(log.keys) == log.revealed == log.accepted == [*range(SEATS)]
    assert federation.audit().checks["announcements"] == SEATS


def test_public_files__say_nothing_of_one_update__but_their_sum(federation, announced):
    """Each file is as random as its mask; the files of all, and of nobody less, add up to what was trained."""
    federation.run()
    log = federation.loop.history.rounds[0]
    depth = federation.system.terms.depth
    files = {s: parse_masked(federation.store.get(log.reveals[s].root, Kind.MASKED, depth), depth) for s in log.accepted}
    for data in files.values():
        high = (data >> 8).astype(int)
        assert len(np.unique(high)) > 100  # an update alone would have high bytes of 0 and 255 only
    whole = sum(data.astype(np.int64) for data in files.values()) & 0xFFFF
    assert set(np.unique(((whole + 0x8000) & 0xFFFF) - 0x8000)) <= set(range(-255 * SEATS, 255 * SEATS + 1))
    for some in (c for n in (2, 3) for c in combinations(files, n)):
        part = sum(files[s].astype(np.int64) for s in some) & 0xFFFF
        assert len(np.unique(part >> 8)) > 100


def test_the_journal__holds_no_key_and_no_update_in_the_clear_where_others_read(federation, announced):
    federation.run()
    for agent in federation.agents:
        if agent.seat is None:
            continue
        assert (agent.journal / "1.key").read_bytes() == b""
        steps = MaskedParticipant._arrays(_reader(agent.journal), "1.steps", ("steps",))["steps"].tobytes()
        outside = [path for path in federation.store.path.rglob("*") if path.is_file()]
        assert outside and not any(steps in path.read_bytes() for path in outside)


def _reader(journal: Path) -> MaskedParticipant:
    role = object.__new__(MaskedParticipant)
    role.journal = journal
    return role
