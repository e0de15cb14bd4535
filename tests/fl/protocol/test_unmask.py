"""What sealed round keys open, to whom, and what they do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fl.errors import ArtifactError
from fl.protocol.masks import CAP, Company, RoundKey, mask, parse_masked
from fl.protocol.unmask import SEALED_BYTES, beyond_cap, opened, seal, unmasked

SEATS, CHEAT = (0, 2, 3, 7), 3
FEDERATION = "0x" + "ab" * 20
AUDITOR = RoundKey(101)
KEYS = {seat: RoundKey(1000 + seat) for seat in SEATS}
COMPANY = Company(31337, FEDERATION, 5, {seat: key.public for seat, key in KEYS.items()})
ELSEWHERE = {
    "chain": replace(COMPANY, chain_id=1),
    "federation": replace(COMPANY, federation="0x" + "cd" * 20),
    "round": replace(COMPANY, round=6),
    "company": replace(COMPANY, keys={**COMPANY.keys, 9: RoundKey(9).public}),
}


def updates() -> dict[int, np.ndarray]:
    rng = np.random.default_rng(0)
    return {seat: rng.integers(-CAP, CAP + 1, 512).astype(np.int16) for seat in SEATS}


def files(steps):
    return {seat: parse_masked(mask(steps[seat], seat, KEYS[seat], COMPANY), 1) for seat in SEATS}


def without(*seats: int) -> dict[int, RoundKey]:
    return {seat: key for seat, key in KEYS.items() if seat not in seats}


def test_all_keys_open_every_update_exactly():
    steps = updates()
    found = unmasked(COMPANY, KEYS, files(steps))
    assert found.keys() == steps.keys()
    for seat in SEATS:
        np.testing.assert_array_equal(found[seat], steps[seat])


@pytest.mark.parametrize("silent", SEATS)
def test_one_silent_seat_hides_nothing(silent):
    steps = updates()
    found = unmasked(COMPANY, without(silent), files(steps))
    np.testing.assert_array_equal(found[silent], steps[silent])


def test_two_silent_seats_hide_their_updates_but_not_the_sum_of_both():
    steps = updates()
    sent = files(steps)
    found = unmasked(COMPANY, without(0, CHEAT), sent)
    assert found.keys() == {2, 7}
    rest = sum(sent.values()) - found[2].view(np.uint16) - found[7].view(np.uint16)
    np.testing.assert_array_equal(rest.view(np.int16), steps[0] + steps[CHEAT])


def test_without_keys_nothing_opens():
    assert unmasked(COMPANY, {}, files(updates())) == {}


def test_what_a_cheat_added_is_found_at_its_seat_alone():
    sent = files(updates())
    sent[CHEAT] = sent[CHEAT].copy()
    sent[CHEAT][::2] += np.uint16(1 << 15)
    found = unmasked(COMPANY, without(CHEAT), sent)
    assert {seat: beyond_cap(found[seat]) for seat in SEATS} == {0: 0, 2: 0, CHEAT: 256, 7: 0}


def test_who_masks_under_a_key_that_it_did_not_announce_frames_nobody():
    steps = updates()
    other = replace(COMPANY, keys={**COMPANY.keys, CHEAT: RoundKey(66).public})
    sent = files(steps) | {CHEAT: parse_masked(mask(steps[CHEAT], CHEAT, RoundKey(66), other), 1)}
    found = unmasked(COMPANY, without(CHEAT), sent)
    assert beyond_cap(found.pop(CHEAT)) > 400
    for seat, opens in found.items():
        np.testing.assert_array_equal(opens, steps[seat])


def test_keys_of_one_round_open_no_update_of_another():
    later = ELSEWHERE["round"]
    steps = updates()
    sent = {seat: parse_masked(mask(steps[seat], seat, KEYS[seat], later), 1) for seat in SEATS}
    found = unmasked(COMPANY, KEYS, sent)  # even where a seat announced the same key twice
    assert all(beyond_cap(found[seat]) > 400 for seat in SEATS)


def test_a_missing_file_and_a_wrong_key_are_named():
    sent = files(updates())
    with pytest.raises(ArtifactError, match="seat 2 did not announce this key"):
        unmasked(COMPANY, {**KEYS, 2: RoundKey(5)}, sent)
    del sent[7]
    with pytest.raises(ArtifactError, match=r"seats \[7\] are missing"):
        unmasked(COMPANY, KEYS, sent)


def test_the_auditor_opens_what_was_sealed_for_it_and_nobody_else_does():
    sealed = seal(KEYS[2], 2, COMPANY, AUDITOR.public)
    assert len(sealed) == SEALED_BYTES
    assert opened(sealed, 2, COMPANY, AUDITOR) == KEYS[2]
    for stranger in (RoundKey(102), *KEYS.values()):
        with pytest.raises(ArtifactError, match="what seat 2 handed over"):
            opened(sealed, 2, COMPANY, stranger)


def test_a_seal_tells_nothing_by_being_repeated():
    assert seal(KEYS[2], 2, COMPANY, AUDITOR.public) != seal(KEYS[2], 2, COMPANY, AUDITOR.public)


@pytest.mark.parametrize("place", ELSEWHERE)
def test_a_seal_is_worth_nothing_elsewhere(place):
    sealed = seal(KEYS[2], 2, COMPANY, AUDITOR.public)
    with pytest.raises(ArtifactError, match="what seat 2 handed over"):
        opened(sealed, 2, ELSEWHERE[place], AUDITOR)


def test_a_seal_is_worth_nothing_for_another_seat():
    with pytest.raises(ArtifactError, match="what seat 3 handed over"):
        opened(seal(KEYS[2], 2, COMPANY, AUDITOR.public), 3, COMPANY, AUDITOR)


def test_every_changed_byte_is_noticed():
    sealed = seal(KEYS[2], 2, COMPANY, AUDITOR.public)
    for place in range(SEALED_BYTES):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(ArtifactError, match="seat 2"):
            opened(bytes(changed), 2, COMPANY, AUDITOR)
    for wrong in (b"", sealed[:-1], sealed + b"\0"):
        with pytest.raises(ArtifactError, match="a sealed key has 80"):
            opened(wrong, 2, COMPANY, AUDITOR)


def test_a_key_that_was_not_announced_is_neither_sealed_nor_opened(monkeypatch):
    with pytest.raises(ArtifactError, match="not the one that it announced in round 5"):
        seal(RoundKey(5), 2, COMPANY, AUDITOR.public)
    with monkeypatch.context() as cheating:
        cheating.setattr("fl.protocol.unmask._announced", lambda *_: None)
        sealed = seal(RoundKey(5), 2, COMPANY, AUDITOR.public)
    with pytest.raises(ArtifactError, match="seat 2's key is not the one that it announced"):
        opened(sealed, 2, COMPANY, AUDITOR)
