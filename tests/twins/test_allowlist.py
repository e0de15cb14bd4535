"""The tree over admitted owners, against the contract that asks for its proofs and against OpenZeppelin's own library."""

from functools import cache
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.evm import Reverted
from support.system import System

from fl.errors import TermsError
from fl.protocol.allowlist import Allowlist, admits


@cache
def first() -> System:
    return System.create()


def people(count: int, seed: int) -> list[str]:
    random = Random(seed)
    return [f"0x{random.getrandbits(160):040x}" for _ in range(count)]


def joins(federation: System, owner: str, evidence: bytes) -> bool:
    """Whether the contract seats the owner."""
    federation.rich(owner)
    try:
        federation.do("join", owner, owner, federation.terms.min_stake, evidence, by=owner)
    except Reverted as refusal:
        assert refusal.name == "NotAdmitted", refusal
        return False
    return True


@given(st.integers(1, 130), st.integers(0, 2**32), st.data())
def test_proof__admits_its_owner_and_nobody_else(count, seed, data):
    *owners, stranger = people(count + 1, seed)
    listed = Allowlist.of(owners)
    federation = first().another(allowlist=listed.root)
    one = data.draw(st.sampled_from(owners))
    proof = listed.proof(one)
    bent = bytearray(proof or bytes(32))
    bent[data.draw(st.integers(0, len(bent) - 1))] ^= data.draw(st.integers(1, 255))
    for owner, evidence in ((stranger, proof), (stranger, b""), (one, bytes(bent)), (one, (proof or bytes(32)) * 2)):
        assert not admits(listed.root, owner, evidence) and not joins(federation, owner, evidence)
    assert one in listed and stranger not in listed
    odd = proof + b"\1" * data.draw(st.integers(0, 31))
    assert admits(listed.root, one, odd) and joins(federation, one, odd)


@given(st.integers(1, 130), st.integers(0, 2**32))
def test_every_owner_has_a_proof__in_whatever_order_they_stand(count, seed):
    owners = people(count, seed)
    listed = Allowlist.of(owners)
    assert all(admits(listed.root, owner, listed.proof(owner)) for owner in owners)
    assert Allowlist.of([owner.upper().replace("X", "x") for owner in reversed(owners)]) == listed


# Root and first proof by @openzeppelin/merkle-tree 1.0.8: StandardMerkleTree.of([["0x0...1"], ["0x0...2"], ...], ["address"]).
MADE = {
    1: ("b5d9d894133a730aa651ef62d26b0ffa846233c74177a591a4a896adfda97d22", ""),
    2: (
        "e685571b7e25a4a0391fb8daa09dc8d3fbb3382504525f89a2334fbbf8f8e92c",
        "1ab0c6948a275349ae45a06aad66a8bd65ac18074615d53676c09b67809099e0",
    ),
    3: (
        "6115218373392d12cc18a3d50ad2a53a2c99b391060070dfc0ebbbbe158ec944",
        "673620737675e2755ce8269a99904022d15da8d5843f5aec205cd243ff80240a",
    ),
    7: (
        "30bdc5af9506c48acd14f3c4abaed9c8f2c530174653a20624cff023bd0a7d45",
        "b868bdfa8727775661e4ccf117824a175a33f8703d728c04488fbfffcafda9f9"
        "cff8e1781584200105067c0684580a1524c9539de52c1f9889e2cf73830cfccc"
        "c949c2dc5da2bd9a4f5ae27532dfbb3551487bed50825cd099ff5d0a8d613ab5",
    ),
}


@pytest.mark.parametrize("count", MADE)
def test_tree__is_the_one_that_openzeppelins_library_builds(count):
    owners = [f"0x{i + 1:040x}" for i in range(count)]
    listed = Allowlist.of(owners)
    assert (listed.root.hex(), listed.proof(owners[0]).hex()) == MADE[count]


def test_nobody__somebody_twice__and_a_stranger__are_refused():
    one, other, stranger = people(3, 1)
    for owners in ([], [one, other, one.upper().replace("X", "x")]):
        with pytest.raises(TermsError, match="names each owner once, and at least one"):
            Allowlist.of(owners)
    with pytest.raises(TermsError, match=f"{stranger} is not on the allowlist"):
        Allowlist.of([one, other]).proof(stranger)
