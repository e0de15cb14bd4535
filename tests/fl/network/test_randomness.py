"""What a chain gives a draw is measured on its newest blocks; doctor tells it, and a deployment that needs more is refused."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import click
import pytest
from support.evm import AnvilEvm
from support.in_process import InProcessChain
from support.system import BASE_TERMS

from fl.errors import ChainError, TermsError
from fl.network.headers import HeaderMismatch
from fl.network.randomness import COPIED, NONE, OWN, Randomness, randomness_of
from fl.network.rpc import Rpc
from fl.tools.cli.network import Network
from fl.tools.federation import doctor
from fl.tools.federation.deploy import check_draw


def chain(randao, seconds: int = 12) -> InProcessChain:
    """120 blocks, each with the randomness that `randao` gives its number."""
    made = InProcessChain()
    made.randao = lambda number: randao(number).to_bytes(32, "big")
    for _ in range(120):
        made.warp(made.time + seconds)
    return made


BEACON = lambda number: (number + 1) << 200  # noqa: E731
OP_STACK = lambda number: (number // 6 + 1) << 200  # noqa: E731  six blocks of two seconds to one of Ethereum's


@pytest.mark.parametrize(
    ("randao", "seconds", "kind"),
    [(BEACON, 12, OWN), (OP_STACK, 2, COPIED), (lambda _: 1, 1, NONE), (lambda number: number % 3, 3, NONE)],
)
def test_kind_of_a_chain__is_told_by_its_blocks(randao, seconds, kind):
    assert randomness_of(chain(randao, seconds)) == Randomness(kind, seconds, 8191)


@pytest.mark.parametrize(("fork", "kept"), [("cancun", 256), ("osaka", 8191)])
def test_running_node__is_measured(fork, kept):
    node = AnvilEvm(fork=fork)
    try:
        node.rpc("anvil_setBlockTimestampInterval", 7)
        node.mine(101)
        assert randomness_of(Rpc([f"http://127.0.0.1:{node.connection.port}"])) == Randomness(OWN, 7, kept)
    finally:
        node.close()


def test_chain_whose_block_hashes_are_no_headers_hashes__is_named():
    odd = chain(BEACON)
    odd.block_facts = lambda number: {**InProcessChain.block_facts(odd, number), "hash": "0x" + "ab" * 32}
    with pytest.raises(HeaderMismatch, match="its fields do not hash to 0xabab"):
        randomness_of(odd)


def told(rpc: InProcessChain, **terms: int) -> list[tuple[str, str]]:
    visit = doctor.Visit(Network(click.Context(click.Command("doctor")), None), "", None, None, [], None, None)
    visit.network = SimpleNamespace(local=False, rpc=rpc)
    visit.reader = SimpleNamespace(terms=replace(BASE_TERMS, **terms), rpc=rpc)
    doctor._draw(visit)
    return [(finding.grade, finding.text) for finding in visit.findings]


def test_doctor__tells_what_the_draw_is_worth():
    good = told(chain(BEACON), draw_delay=128, draw_window=5400)
    assert [grade for grade, _ in good] == ["ok"]
    assert "randomness of its own" in good[0][1] and "128 blocks, takes 25m 36s of the 1h 30m" in good[0][1]
    assert [grade for grade, _ in told(chain(OP_STACK, 2), draw_delay=512, draw_window=10_000)] == ["warn"]
    assert "stay away" in told(chain(lambda _: 1), draw_delay=128, draw_window=5400)[0][1]
    assert told(chain(BEACON), draw_delay=128, draw_window=1500)[0][0] == "bad"
    short = told(chain(BEACON), draw_delay=128, draw_window=4000)
    assert [grade for grade, _ in short] == ["ok", "warn"] and "a few missed blocks" in short[1][1]
    aimed = told(chain(BEACON), draw_delay=64, draw_window=5400)
    assert [grade for grade, _ in aimed] == ["ok", "warn"] and "aim at a block of its own" in aimed[1][1]


def test_deploy__refuses_chains_and_windows_in_which_nobody_can_draw():
    with pytest.raises(ChainError, match=r"blocks carry no randomness: .*: nothing was sent; choose another chain"):
        check_draw(BASE_TERMS, Randomness(NONE, 1, 256))
    terms = replace(BASE_TERMS, draw_delay=128, draw_window=4608)
    check_draw(terms, Randomness(OWN, 12, 8191))
    with pytest.raises(TermsError, match=r"draw_window: 4607 seconds are too few on this chain, .* 12 seconds take 4608:"):
        check_draw(replace(terms, draw_window=4607), Randomness(OWN, 12, 8191))
