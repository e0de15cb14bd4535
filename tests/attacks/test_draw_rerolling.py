"""Re-rolling the draw

Tries: reverts on a bad draw; picks salt, moment, header; waits; leaves out the block before the seeding one; hides a reveal
Attacker pays: a block's reward for one other draw, in a slot that it cannot aim at; a noRevealSlash for one other mix; else gas
Victim pays: what a captured committee costs, with a chance of 1 - (1 - c)^2 instead of c
"""

from __future__ import annotations

import random
from dataclasses import replace
from math import comb

import pytest
from attacks.gallery import Money, files, root
from support.evm import LocalEvm, refused
from support.system import STRANGER, System, operator, owner

from fl.protocol.commitment import update_commitment
from fl.protocol.committee import draw, seed
from fl.tools.federation.terms_file import PRESETS
from fl.tools.federation.windows import PACES, windows

LOOKAHEAD = 64  # slots whose proposers are known: this epoch's and the next one's


def at_draw(secret: bytes, closed: bool = True) -> System:
    s, data = System.create(LocalEvm()).join(6).fund(), files(6)
    s.open().commit({i: data[i] for i in range(5)})
    sealed = update_commitment(s.evm.chain_id, s.federation.address, 1, 5, root(data[5]), secret)
    s.do("commit", 5, sealed, by=operator(5))
    s.skip()
    s.reveal(0, 1, 2, 3, 4)
    before = s.round
    if secret:
        s.do("reveal", 5, root(data[5]), secret, b"")
    assert s.round == before  # nothing that a reveal could look at has changed
    s.skip()
    if closed:
        s.do("close")
    return s


def test_salts__feed_no_seed():
    drawn = set()
    for secret in (b"\x01" * 32, b"\x02" * 32):
        s = at_draw(secret)
        drawn.add(s.do("draw", s.seeding_header())[0][1]["committee"])
    assert len(drawn) == 1


def test_draw__is_the_same_whoever_calls_it_and_when():
    drawn = set()
    for wait, by in ((0, STRANGER), (100, operator(5)), (8000, STRANGER)):
        s = at_draw(b"\x01" * 32)
        with refused("DrawTooEarly", s.evm.block, s.seeding + 1):
            s.do("draw", b"", by=operator(5))
        header = s.seeding_header()
        s.evm.mine(wait)
        drawn.add(s.do("draw", header, by=by)[0][1]["committee"])
    assert len(drawn) == 1


def test_header_of_another_block__draws_nothing():
    s = at_draw(b"\x01" * 32)
    header = s.seeding_header()
    for number in range(s.seeding - 20, s.seeding):
        other = s.evm.header(number)
        with pytest.raises(Exception, match="WrongHeader"):
            s.do("draw", other, by=operator(5))
    assert s.do("draw", header)[0][0] == "Drawn"


def test_after_8191_blocks__anybody_may_start_over_and_nobody_knows_the_new_randomness():
    s = at_draw(b"\x01" * 32)
    header = s.seeding_header()
    s.evm.mine(8192)
    assert s.do("draw", header, by=operator(5))[0][0] == "DrawPostponed"
    with refused("DrawTooEarly", s.evm.block, s.seeding + 1):
        s.do("draw", header, by=operator(5))
    assert s.do("draw", s.seeding_header())[0][0] == "Drawn"
    window = windows(PACES["testnet"], PRESETS["testnet"], 0)["draw_window"]
    assert window / PACES["testnet"].block < 8191  # the window of Ethereum's preset ends first


def test_builder_of_the_seeding_block__can_fill_its_header_as_it_likes_and_changes_nothing(monkeypatch):
    """A header has 32 bytes that its builder fills freely. Each filling is another hash, and the same randomness."""
    drawn = set()
    for filled in (b"", b"\x01", b"\xff" * 32):
        s = at_draw(b"\x01" * 32)
        monkeypatch.setattr(LocalEvm, "_more", lambda evm, number, data=filled: {"extraData": "0x" + data.hex()})
        drawn.add(s.do("draw", s.seeding_header())[0][1]["committee"])
    assert len(drawn) == 1


def captured(held: int, seats: int, size: int) -> float:
    """The chance that a party with `held` of the seats that revealed gets the majority of a committee."""
    ways = sum(comb(held, k) * comb(seats - held, size - k) for k in range(size // 2 + 1, size + 1))
    return ways / comb(seats, size)


# What contracts/README.md says that one bit is worth: seats held of ten, chance without and with it.
BIT = [(1, 0.0, 0.0), (2, 0.067, 0.129), (3, 0.183, 0.333), (4, 0.333, 0.556), (5, 0.5, 0.75)]


@pytest.mark.parametrize(("held", "without", "with_it"), BIT)
def test_one_bit__gives_a_second_draw_and_no_more(held, without, with_it):
    """Who holds the slot before the seeding block knows both draws, the one with its block and the one without, and picks."""
    size = PRESETS["testnet"]["committee"]
    chance = captured(held, 10, size)
    assert (round(chance, 3), round(1 - (1 - chance) ** 2, 3)) == (without, with_it)
    numbers, tries, mine = random.Random(held), 4000, 0
    for _ in range(tries):
        draws = [draw(seed(numbers.randbytes(32), bytes(32), 1, STRANGER, 1), range(10), size) for _ in range(2)]
        mine += any(2 * sum(seat < held for seat in drawn) > size for drawn in draws)
    assert abs(mine / tries - with_it) < 0.03


def test_reveal_kept_back__is_another_mix_and_costs_the_slash():
    """Whoever does that has to choose before the randomness is there, unless a sequencer knows it."""
    seeds = []
    for secret, costs in ((b"\x01" * 32, False), (b"", True)):
        s = at_draw(secret, closed=False)
        money = Money(s, attacker=[owner(5)])
        s.do("close")
        seeds.append(s.do("draw", s.seeding_header())[0][1]["seed"])
        assert money.change("attacker") == -s.terms.no_reveal_slash * costs
    assert seeds[0] != seeds[1]


@pytest.mark.parametrize("name", PRESETS)
def test_delay_of_the_preset__outlasts_what_is_known_of_future_proposers(name):
    """Else whoever calls `close` picks the moment at which the slot before the seeding block is its own."""
    seconds = {"testnet": 12, "l2": 2}.get(name)  # of a block
    if seconds is None:
        assert name in ("laptop", "live")  # for a chain of one's own, where everybody trusts whoever builds blocks
        return
    assert PRESETS[name]["draw_delay"] * seconds > LOOKAHEAD * 12
    pace = replace(PACES[name], block=seconds)
    assert windows(pace, PRESETS[name], 0)["draw_window"] >= 3 * PRESETS[name]["draw_delay"] * seconds
