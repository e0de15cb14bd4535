"""Every cheat plays whole rounds with honest agents: what it sends is what its name says, and whoever should be left out is."""

import numpy as np
import pytest
from support.in_process import InProcessFederation

from fl.agents import adversaries
from fl.errors import StoreError
from fl.protocol.artifact import Kind, parse_update
from fl.protocol.fixed_point import to_float


def played(tmp_path, kind: str, count: int = 1, rounds: int = 2, **terms) -> InProcessFederation:
    federation = InProcessFederation(tmp_path, "heart", honest=4, kinds=[kind] * count, rounds=rounds, **terms)
    federation.run()
    return federation


def sent(federation: InProcessFederation, seat: int, number: int) -> np.ndarray:
    log = federation.loop.history.rounds[number - 1]
    terms = federation.system.terms
    data = federation.store.get(log.reveals[seat].root, Kind.UPDATE, terms.depth)
    return to_float(parse_update(data, terms.depth, terms.max_exponent))


def left_out(federation: InProcessFederation, seat: int) -> list[bool]:
    return [seat not in log.accepted for log in federation.loop.history.rounds]


@pytest.mark.parametrize("kind", [k for k in adversaries.KINDS if k not in ("withhold", "no_reveal", "poisoner_once_silent")])
def test_every_kind__leaves_a_federation_that_ends_and_agrees_with_its_audit(tmp_path, kind):
    federation = played(tmp_path, kind)
    assert federation.audit().rounds == 2
    assert all(log.finalized and log.adopted for log in federation.loop.history.rounds)
    for log in federation.loop.history.rounds:
        assert len(set(log.accepted) & set(range(4))) >= 3


@pytest.mark.parametrize("flaw", adversaries.FLAWS)
def test_malformed__is_left_out_and_unpaid__whatever_the_flaw(tmp_path, flaw):
    federation = played(tmp_path, f"malformed_{flaw}")
    assert left_out(federation, 4) == [True, True]
    log = federation.loop.history.rounds[0]
    assert 4 in (log.revealed or []) and log.medians[-1] == 0
    federation.audit()


def test_malformed__takes_another_flaw_each_round(tmp_path):
    federation = played(tmp_path, "malformed", rounds=3)
    assert left_out(federation, 4) == [True] * 3
    roots = {federation.loop.history.rounds[n].reveals[4].root for n in range(3)}
    assert len(roots) == 3


@pytest.mark.parametrize("flaw, readable", [("absent", False), ("wrong_root", False), ("minus_128", True), ("exponent", True)])
def test_malformed__files_are_there_or_not_as_the_flaw_says(tmp_path, flaw, readable):
    federation = played(tmp_path, f"malformed_{flaw}", rounds=1)
    if readable:
        assert sent(federation, 4, 1).any()
    else:
        with pytest.raises(StoreError):
            sent(federation, 4, 1)


@pytest.mark.parametrize("kind", ["free_rider", "scaled", "scaled_flip", "over_clip"])
def test_crude_cheats__are_left_out(tmp_path, kind):
    assert all(left_out(played(tmp_path, kind), 4))


def test_free_rider__sends_zeros__replay_the_last_change__copycat_another_seats_update(tmp_path):
    assert not sent(played(tmp_path / "a", "free_rider"), 4, 1).any()
    federation = played(tmp_path / "b", "replay")
    before, after = (
        federation.record.model(root)
        for root in (federation.loop.history.rounds[0].base, federation.loop.history.rounds[0].model)
    )
    assert np.abs(sent(federation, 4, 2) - to_float(after - before)).max() < 2e-3
    federation = played(tmp_path / "c", "copycat")
    copied = [np.abs(sent(federation, 4, 2) - sent(federation, seat, 1)).max() for seat in range(4)]
    assert min(copied) < 2e-3


def test_accomplices__know_each_other__and_a_minority_of_liars_changes_no_acceptance(tmp_path):
    federation = played(tmp_path, "colluding_minority", count=2, rounds=3, committee=5, min_reveals=5)
    lies = [(v, log) for log in federation.loop.history.rounds for v in log.validators if v >= 4]
    assert lies
    for validator, log in lies:
        assert list(log.scores[validator]) == [0, 0, 0, 0, 255, 255]
    for log in federation.loop.history.rounds:
        if sum(v >= 4 for v in log.validators) <= 1:
            assert log.accepted == sorted(federation.record.judged(federation.loop.history, log).inside)


def test_author_that_hides_its_accepted_update__is_left_out_of_the_model__paid__and_not_slashed(tmp_path):
    federation = played(tmp_path, "hides_accepted")
    for log in federation.loop.history.rounds:
        assert (log.accepted, log.excluded) == ([0, 1, 2, 3], [4]) and log.adopted
        assert log.settled_pay(federation.system.terms)[4] > 0
    assert not [event for event in federation.events() if event.name == "Slashed"]


def test_minority_that_reports_files_that_are_there__changes_nothing(tmp_path):
    federation = played(tmp_path, "false_reports", count=2)
    for log in federation.loop.history.rounds:
        assert log.accepted == [0, 1, 2, 3, 4, 5] and sorted(log.reports) == [4, 5] and log.adopted
    (note, *_) = federation.audit().notes
    assert note == "round 1: the file of seat 0 was reported missing by too few, seats 4, 5"
    assert not [event for event in federation.events() if event.name == "Slashed"]


def test_gate__is_the_manifests(tmp_path):
    federation = played(tmp_path, "sign_flip")
    assert federation.record.manifest.gate.name == "agreement"
    assert federation.record.bound(federation.loop.history) is not None
