"""Windows that a sponsor leaves out follow from depth, training, blocks and draw delay; whatever these are, the contract takes
the terms."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fl.learning.task_loading import load_task
from fl.protocol.terms import MIN_DRAW_DELAY, WINDOWS, ZERO_ADDRESS, Terms, check
from fl.tools.federation.pace import Beat, pace_of, training_seconds, watched
from fl.tools.federation.terms_file import PRESETS
from fl.tools.federation.windows import PACES, windows

DAY = 86_400
TOKEN, SPONSOR = "0x" + "11" * 20, "0x" + "22" * 20


def terms(preset: str, pace, depth: int, **chosen: int) -> Terms:
    given = PRESETS[preset] | chosen
    given |= windows(pace, given, depth)
    amounts = {name: int(given[name] * 10**18) for name in given if name.endswith(("stake", "slash", "fee", "rate", "deposit"))}
    facts = {"token": TOKEN, "sponsor": SPONSOR, "admission": ZERO_ADDRESS, "allowlist": bytes(32), "max_exponent": 16}
    return Terms(**facts | given | amounts | {"manifest": b"\1" * 32, "genesis": b"\2" * 32, "depth": depth})


@pytest.mark.parametrize("preset", PRESETS)
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_terms__that_follow__are_taken_by_the_contract(preset, data):
    block = data.draw(st.floats(0.05, 15))
    pace = replace(
        PACES[preset], block=block, training=data.draw(st.floats(0, DAY / 4)), speed=data.draw(st.sampled_from([1, 8, 20]))
    )
    if pace.training * pace.speed > DAY:
        pace = replace(pace, speed=1)
    delay = data.draw(st.integers(MIN_DRAW_DELAY, 7200))
    made = terms(preset, pace, data.draw(st.integers(0, 22)), draw_delay=delay)
    assert check(made) == []
    assert made.draw_window >= 3 * delay * block  # what a deployment asks of a public chain
    assert all(getattr(made, name) >= 12 * block for name in WINDOWS)  # more blocks than the doctor asks for


def test_window__has_room_for_the_work_in_it__and_for_whoever_is_away():
    pace = PACES["testnet"]
    quick, slow = (windows(replace(pace, training=seconds), PRESETS["testnet"], 3) for seconds in (0, 3000))
    longer = {name for name in WINDOWS if slow[name] > quick[name]}
    assert longer == {"commit_window", "score_commit_window"} and slow["commit_window"] == 900 + 3000
    assert {quick[name] for name in set(WINDOWS) - {"draw_window", "challenge_window", "answer_window"}} == {900}
    assert quick["challenge_window"] == 900 + 5 * 300  # whoever was away walks down three levels, and proves the rest
    deep = windows(pace, PRESETS["testnet"], 22)
    assert (
        deep["challenge_window"] == 900 + 24 * 300
        and deep["commit_window"] == windows(pace, PRESETS["testnet"], 0)["commit_window"]
    )


def test_choice_of_the_sponsor__stays__and_the_rest_follows_from_it():
    chosen = PRESETS["testnet"] | {"answer_window": 600, "commit_window": 61, "draw_delay": 65}
    found = windows(PACES["testnet"], chosen, 2)
    assert (found["answer_window"], found["commit_window"]) == (600, 61)
    assert found["challenge_window"] == 900 + 4 * 600 and found["draw_window"] == 3240


def test_stake__is_not_held_for_longer_than_allowed():
    assert windows(PACES["l2"], PRESETS["l2"], 9)["max_attempts"] == 3
    slow = replace(PACES["l2"], training=3 * DAY)
    assert windows(slow, PRESETS["l2"], 22)["max_attempts"] == 2


def test_live__is_a_round_in_under_a_minute__on_a_clock_twenty_times_as_fast():
    """As the guide starts it: four blocks a second, each five seconds of the chain's clock."""
    quick = replace(PACES["live"], block=5, speed=20)
    for depth in range(6):  # up to 8,192 parameters
        assert terms("live", quick, depth).shortest_round() / quick.speed < 60, depth
    assert max(windows(PACES["live"], PRESETS["live"], 0).values()) <= 180  # and on a usual chain of one's own, some minutes


def test_training__is_measured_where_there_are_rows():
    task = load_task("linear")
    assert 0 < training_seconds(task) < 5
    assert training_seconds(load_task("table:?target=sick&sick=0|1&age=0..100")) == 0
    assert pace_of("testnet", task, None, True).training == 300  # never less than the preset says
    assert pace_of("testnet", task, None, True, training=7).training == 7


@pytest.mark.parametrize(("ticks", "each", "beat"), [(5, 0.25, Beat(5, 20)), (1, 1.0, Beat(1, 1)), (12, 12.0, None)])
def test_chain_of_ones_own__is_watched(ticks, each, beat):
    clock = [0.0]

    def rpc(method, *_):
        made = int(clock[0] / each)
        return {"number": hex(made), "timestamp": hex(1000 + ticks * made)}

    def sleep(seconds):
        clock[0] += seconds

    assert watched(rpc, now=lambda: clock[0], sleep=sleep) == beat
