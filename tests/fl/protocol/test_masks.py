"""Masked updates: keys, streams and masks that cancel, and the clamped sum."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fl.errors import ArtifactError, NumberError
from fl.protocol.masks import (
    CAP,
    MASKED_LEAF_BYTES,
    ORDER,
    PRIME,
    Company,
    RoundKey,
    is_key,
    lifted,
    mask,
    next_model,
    next_parameter,
    parse_masked,
    steps_of,
    stream,
)

FEDERATION = "0x" + "ab" * 20
GENERATOR_X = 0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798
OFF_CURVE = next(x for x in range(1, 100) if pow(x**3 + 7, (PRIME - 1) // 2, PRIME) != 1)


def company(n: int, **changed) -> tuple[Company, list[RoundKey]]:
    keys = [RoundKey(1000 + seat) for seat in range(n)]
    facts = {"chain_id": 1, "federation": FEDERATION, "round": 7} | changed
    return Company(keys={2 * seat: key.public for seat, key in enumerate(keys)}, **facts), keys


def masked(steps: np.ndarray, **changed) -> list[np.ndarray]:
    """steps (n, p) to n masked files' numbers."""
    them, keys = company(len(steps), **changed)
    return [parse_masked(mask(own, 2 * i, keys[i], them), 0) for i, own in enumerate(steps)]


def some_steps(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-CAP, CAP + 1, (n, 256)).astype(np.int16)


# ---- keys


def multiplied(k: int, point: tuple[int, int]) -> tuple[int, int]:
    """k x point on the curve by schoolbook doubling and adding, to check the library against."""
    found, double = None, point
    while k:
        if k & 1:
            found = double if found is None else added(found, double)
        double, k = added(double, double), k >> 1
    assert found is not None
    return found


def added(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    slope = 3 * a[0] ** 2 * pow(2 * a[1], -1, PRIME) if a == b else (b[1] - a[1]) * pow(b[0] - a[0], -1, PRIME)
    x = (slope**2 - a[0] - b[0]) % PRIME
    return x, (slope * (a[0] - x) - a[1]) % PRIME


@given(st.integers(2, ORDER - 2), st.integers(2, ORDER - 2))
@settings(max_examples=20)
def test_keys__agree_on_the_point_that_the_curve_gives(a: int, b: int):
    one, other = RoundKey(a), RoundKey(b)
    generator = GENERATOR_X, pow(GENERATOR_X**3 + 7, (PRIME + 1) // 4, PRIME)
    assert one.public == multiplied(a, generator)[0].to_bytes(32, "big")
    assert one.shared(other.public) == other.shared(one.public) == multiplied(a * b % ORDER, generator)[0].to_bytes(32, "big")


def test_key__of_the_opposite_sign_is_the_same_one():
    other = RoundKey(77).public
    assert RoundKey(5).shared(other) == RoundKey(ORDER - 5).shared(other)


def test_keys__are_points_of_the_curve():
    assert is_key(GENERATOR_X.to_bytes(32, "big"))
    for wrong in (0, OFF_CURVE, PRIME, PRIME + 1, 2**256 - 1):
        assert not is_key(wrong.to_bytes(32, "big"))
    assert not is_key(b"") and not is_key(GENERATOR_X.to_bytes(33, "big"))
    with pytest.raises(ArtifactError, match="not a key"):
        RoundKey(5).shared(OFF_CURVE.to_bytes(32, "big"))
    for secret in (0, ORDER, -1):
        with pytest.raises(NumberError, match="order"):
            RoundKey(secret)


def test_fresh_keys__differ_and_do_not_show_themselves():
    one, other = RoundKey.fresh(), RoundKey.fresh()
    assert one.public != other.public
    assert str(one.secret) not in repr(one)


def test_company__refuses_what_does_not_hide():
    them, keys = company(3)
    with pytest.raises(ArtifactError, match="3 to 128 seats"):
        company(2)
    with pytest.raises(ArtifactError, match="seats 0 and 9 announced the same key"):
        replace(them, keys={**them.keys, 9: keys[0].public})
    with pytest.raises(ArtifactError, match="seat 9 announced"):
        replace(them, keys={**them.keys, 9: OFF_CURVE.to_bytes(32, "big")})
    with pytest.raises(ArtifactError, match="did not announce this key"):
        them.seeds(2, keys[0])


# ---- masks


def test_stream__is_chacha20():
    """RFC 8439, appendix A.1, vectors 1 and 2."""
    first = "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
    second = "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
    drawn = stream(bytes(32), 64).astype("<u2").tobytes()
    assert drawn[:32].hex() == first and drawn[64:96].hex() == second


@pytest.mark.parametrize("n", [3, 4, 20])
def test_masks__cancel_in_the_sum(n: int):
    steps = some_steps(n, n)
    files = masked(steps)
    total = np.sum(files, axis=0, dtype=np.uint16)
    assert (total.view(np.int16) == steps.sum(axis=0)).all()
    assert all((file != own.view(np.uint16)).mean() > 0.9 for file, own in zip(files, steps, strict=True))


def test_sum__of_128_seats_at_the_limit_is_exact():
    for sign in (1, -1):
        files = [
            np.full(256, sign * CAP, np.int16).view(np.uint16)
        ] * 128  # what is left of 128 files once masks have cancelled
        assert (next_model(np.zeros(256, np.int32), files, 0) == sign * CAP).all()


@pytest.mark.parametrize("changed", [{"round": 8}, {"chain_id": 2}, {"federation": "0x" + "ac" * 20}])
def test_stream__belongs_to_one_place(changed):
    them, keys = company(3)
    elsewhere, _ = company(3, **changed)
    assert them.seeds(0, keys[0]).keys() == {2, 4}
    assert not set(them.seeds(0, keys[0]).values()) & set(elsewhere.seeds(0, keys[0]).values())


def test_stream__belongs_to_one_company():
    """Who is shown another set of partners makes masks that do not cancel with those of the rest, and so tells nobody a sum."""
    them, keys = company(3)
    more = replace(them, keys={**them.keys, 9: RoundKey(55).public})
    assert them.seeds(0, keys[0])[2] != more.seeds(0, keys[0])[2]
    steps = some_steps(3, 1)
    files = [parse_masked(mask(steps[i], 2 * i, keys[i], more if i == 0 else them), 0) for i in range(3)]
    total = np.sum(files, axis=0, dtype=np.uint16).view(np.int16)
    assert (total != steps.sum(axis=0)).mean() > 0.9


def test_exchanged_updates__leave_the_same_sum_and_no_file_in_place():
    steps = some_steps(3, 2)
    first, second = masked(steps), masked(steps[[1, 0, 2]])
    assert (np.sum(first, axis=0, dtype=np.uint16) == np.sum(second, axis=0, dtype=np.uint16)).all()
    # Under fixed keys a file moves by the difference of the updates alone; a stream that is uniform to outsiders hides which.
    assert (first[0] - second[0] == (steps[0] - steps[1]).view(np.uint16)).all()


def test_public_files__fit_the_exchanged_updates_as_well__for_whoever_lacks_the_stream_of_the_two():
    """Store, chain, sponsor and the third seat know all but the stream that the first two share. For each assignment of the two
    updates there is exactly one such stream that gives the published files, and both streams look alike."""
    them, keys = company(3)
    steps = some_steps(3, 5)
    files = masked(steps)
    seeds = them.seeds(4, keys[2])  # of the third seat, which is a traitor
    known = [stream(seeds[seat], 256) for seat in (0, 2)]
    fitting = []
    for first, second in ((steps[0], steps[1]), (steps[1], steps[0])):
        between = files[0] - first.view(np.uint16) - known[0]
        assert (second.view(np.uint16) - between + known[1] == files[1]).all()
        fitting.append(between)
    assert (fitting[0] == stream(them.seeds(0, keys[0])[2], 256)).all()
    assert (fitting[0] != fitting[1]).any()
    for between in fitting:  # neither has the high bytes of 0 and 255 that an update has
        assert len(np.unique(between >> 8)) > 100


@pytest.mark.parametrize("seat", range(3))
def test_file__alone_looks_uniform(seat: int):
    """The counts of the 16 highest nibbles over 64 rounds of one constant update: chi-squared with 15 degrees of freedom stays
    below 50 (p = 1e-5), where the unmasked update has 245,760."""
    steps = np.full((3, 256), 17, np.int16)
    numbers = np.concatenate([masked(steps, round=number)[seat] for number in range(64)])
    counts = np.bincount(numbers >> 12, minlength=16)
    assert ((counts - counts.mean()) ** 2 / counts.mean()).sum() < 50


def test_mask__refuses_numbers_beyond_the_cap():
    them, keys = company(3)
    for wrong in (CAP + 1, -CAP - 1, -(2**15)):
        with pytest.raises(NumberError, match="255"):
            mask(np.full(256, wrong, np.int16), 0, keys[0], them)


@pytest.mark.parametrize("size", [0, MASKED_LEAF_BYTES - 1, MASKED_LEAF_BYTES + 2, 2 * MASKED_LEAF_BYTES])
def test_file__of_a_wrong_length_is_refused(size: int):
    with pytest.raises(ArtifactError, match="depth 0 needs 512"):
        parse_masked(bytes(size), 0)


# ---- the sum


@given(st.lists(st.integers(0, 2**16 - 1), min_size=1, max_size=128), st.integers(-(2**31), 2**31 - 1), st.integers(0, 23))
def test_parameter__never_moves_by_more_than_the_cap(numbers: list[int], previous: int, exponent: int):
    after = next_parameter(previous, numbers, exponent)
    assert abs(after - previous) <= CAP << exponent
    whole = next_model(np.array([previous], np.int32), [np.array([x], np.uint16) for x in numbers], exponent)
    assert whole[0] == after


@given(st.lists(st.integers(-CAP, CAP), min_size=1, max_size=128))
def test_lift__gives_back_what_honest_seats_add_up_to(steps: list[int]):
    assert lifted(sum(x % 2**16 for x in steps), len(steps)) == sum(steps)


def test_lift__clamps_what_a_cheat_can_write():
    assert [lifted(x, 3) for x in (0x7FFF, 0x8000, 765, 766, 0x10000 - 765, 0x10000 - 766)] == [765, -765, 765, 765, -765, -765]


def test_model__without_files_stays_and_rounds_toward_zero():
    model = np.array([5, -5], np.int32)
    assert (next_model(model, [], 3) == model).all()
    files = [np.array([x, (-x) % 2**16], np.uint16) for x in (1, 0, 1)]
    assert list(next_model(np.zeros(2, np.int32), files, 0)) == [0, 0]
    assert list(next_model(np.zeros(2, np.int32), files, 2)) == [2, -2]
    with pytest.raises(NumberError, match="exponent"):
        next_model(model, files, 24)


def test_steps__round_without_bias_and_keep_what_is_lost():
    delta = np.full(20_000, 0.3 * 2.0**-8)
    steps, lost = steps_of(delta, None, 16, np.random.default_rng(0))
    assert set(np.unique(steps)) == {0, 1} and abs(steps.mean() - 0.3) < 0.02
    assert np.allclose(steps * 2.0**-8 + lost, delta)
    clipped, rest = steps_of(np.array([2.0, -2.0]), np.array([1.0, 0.0]), 16, None)
    assert list(clipped) == [CAP, -CAP] and np.allclose(rest, [3 - CAP / 256, CAP / 256 - 2])
    with pytest.raises(NumberError, match="NaN"):
        steps_of(np.array([np.nan]), None, 16, None)
