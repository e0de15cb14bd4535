"""Re-rolling the draw

Tries: reverts on a bad draw; picks its salt; times its call of draw; waits 256 blocks; builds block B + 1 and picks its hash
Attacker pays: gas; waiting works only if nobody calls draw for 256 blocks. The builder of the block picks freely, at no cost
Victim pays: nothing while one keeper runs and somebody else builds block B + 1; otherwise what a captured committee costs
"""

from attacks.gallery import files, root
from eth_hash.auto import keccak
from support.evm import LocalEvm, refused
from support.system import STRANGER, System, operator

from fl.protocol.commitment import update_commitment
from fl.protocol.committee import draw, seed


def at_draw(secret: bytes) -> System:
    s, data = System.create(LocalEvm()).join(6).fund(), files(6)
    s.open().commit({i: data[i] for i in range(5)})
    sealed = update_commitment(s.evm.chain_id, s.federation.address, 1, 5, root(data[5]), secret)
    s.do("commit", 5, sealed, by=operator(5))
    s.skip()
    s.reveal(0, 1, 2, 3, 4)
    before = s.round
    s.do("reveal", 5, root(data[5]), secret, b"")
    assert s.round == before  # nothing that a reveal could look at has changed
    s.skip()
    s.do("close")
    return s


def test_salts__feed_no_seed():
    one, two = at_draw(b"\x01" * 32), at_draw(b"\x02" * 32)
    for s in (one, two):
        s.evm.mine(2)
    assert one.do("draw")[0][1]["committee"] == two.do("draw")[0][1]["committee"]


def test_draw__is_the_same_whoever_calls_it_and_when():
    drawn = set()
    for wait, by in ((1, STRANGER), (100, operator(5)), (255, STRANGER)):
        s = at_draw(b"\x01" * 32)
        with refused("DrawTooEarly", s.evm.block, s.evm.block + 1):
            s.do("draw", by=operator(5))
        s.evm.mine(wait)
        drawn.add(s.do("draw", by=by)[0][1]["committee"])
    assert len(drawn) == 1


def test_after_256_blocks__anybody_may_start_over_and_nobody_knows_the_new_hash():
    s = at_draw(b"\x01" * 32)
    s.evm.mine(300)
    assert s.do("draw", by=operator(5))[0][0] == "DrawPostponed"
    with refused("DrawTooEarly", s.evm.block, s.evm.block + 1):
        s.do("draw", by=operator(5))
    s.evm.mine(1)
    assert s.do("draw")[0][0] == "Drawn"


def test_builder_of_the_block_that_seeds_the_draw__finds_its_committee_in_a_few_hashes():
    """A header has 32 bytes that its builder fills as it likes: each filling is another hash, at a microsecond each."""
    s = System.create()
    mine, tried = {7, 8, 9}, 0
    while set(draw(seed(keccak(bytes([tried])), s.evm.chain_id, s.federation.address, 1), range(10), 3)) != mine:
        tried += 1
    assert tried < 256  # 120 committees of 3 out of 10: one in as many hashes
