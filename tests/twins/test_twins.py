"""Every on-chain rule and its Python twin agree, on random and extreme inputs, and both with the golden vectors."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from eth_account.messages import encode_typed_data
from eth_hash.auto import keccak
from hypothesis import example, given
from hypothesis import strategies as st
from support.evm import LocalEvm
from support.keys import Key

from fl.protocol import committee, scores, seats, signatures
from fl.protocol.aggregate import aggregate, aggregate_coordinate
from fl.protocol.artifact import LEAF_PARAMETERS, Kind, pack_model, parse_model, parse_update
from fl.protocol.commitment import score_commitment, update_commitment
from fl.protocol.leaves import Tree, root_from
from fl.protocol.masks import lifted, next_model, next_parameter, parse_masked
from fl.protocol.signatures import ActKind, Signature

VECTORS = Path(__file__).parent / "vectors.json"
INT32 = st.integers(-(2**31), 2**31 - 1)
ADDRESS = "0x" + "ab" * 20
HANDOVER = (1, ADDRESS, 5, "0x" + "01" * 20, "0x" + "02" * 20, "0x" + "03" * 20, 10**20, 2_000_000_000)
bytes32 = st.binary(min_size=32, max_size=32)
edge_bytes = st.sampled_from([0, 1, 0x7F, 0x80, 0x81, 0xFF]) | st.integers(0, 255)


@cache
def chain():
    return LocalEvm().deploy("LibraryHarness")


def leaf_of(content: bytes, maximum: int) -> list[int]:
    return parse_update(content, 0, maximum).tolist()


@given(st.lists(edge_bytes, min_size=264, max_size=264).map(bytes), st.integers(0, 255), st.integers(0, 23))
def test_update_value__agrees(content, coordinate, maximum):
    assert chain().call("updateValue", content, coordinate, maximum) == leaf_of(content, maximum)[coordinate]


@given(st.binary(min_size=32, max_size=32) | st.lists(edge_bytes, min_size=32, max_size=32).map(bytes))
def test_has_minimum__finds_exactly_0x80(word):
    assert chain().call("hasMinimum", int.from_bytes(word, "big")) == (0x80 in word)


@given(st.lists(INT32, min_size=256, max_size=256), st.integers(0, 255))
def test_model_value__agrees(values, coordinate):
    content = pack_model(np.array(values, np.int32))
    assert chain().call("modelValue", content, coordinate) == values[coordinate] == parse_model(content, 0)[coordinate]


@given(
    INT32 | st.sampled_from([-(2**31), 2**31 - 1]),
    st.lists(st.integers(-127 << 23, 127 << 23), max_size=128),
    st.integers(0, 64),
)
def test_aggregate__agrees(previous, values, trim):
    result = chain().call("aggregate", previous, values, trim)
    assert result == aggregate_coordinate(previous, values, trim)
    whole = aggregate(np.array([previous], np.int32), [np.array([v], np.int32) for v in values], trim)
    assert result == whole[0]


masked_number = st.sampled_from([0, 1, 255, 256, 0x7FFF, 0x8000, 0x8001, 0xFF00, 0xFF01, 0xFFFF]) | st.integers(0, 0xFFFF)


@given(st.lists(edge_bytes, min_size=512, max_size=512).map(bytes), st.integers(0, 255))
def test_masked_value__agrees(content, coordinate):
    assert chain().call("maskedValue", content, coordinate) == parse_masked(content, 0)[coordinate]


@given(st.integers(0, 128 * 0xFFFF), st.integers(1, 128))
@example(0x8000, 128)
@example(0x7FFF, 128)
@example(255 * 3 + 1, 3)
def test_lift__agrees__and_is_clamped(total, count):
    result = chain().call("maskedLift", total, count)
    assert result == lifted(total, count) and abs(result) <= 255 * count


@given(
    INT32 | st.sampled_from([-(2**31), 2**31 - 1]),
    st.lists(masked_number, max_size=128),
    st.integers(0, 23),
)
def test_masked_next__agrees(previous, values, exponent):
    result = chain().call("maskedNext", previous, values, exponent)
    assert result == next_parameter(previous, values, exponent)
    whole = next_model(np.array([previous], np.int32), [np.array([v], np.uint16) for v in values], exponent)
    assert result == whole[0] and abs(result - previous) <= 255 << exponent


@given(st.integers(1, 5), st.sampled_from(list(Kind)), st.data())
def test_root__agrees_with_every_leaf_of_a_tree(depth, kind, data):
    content = np.random.default_rng(depth).bytes(kind.value << depth)
    tree = Tree.build(content, kind)
    leaf = data.draw(st.integers(0, (1 << depth) - 1))
    part = content[leaf * kind.value : (leaf + 1) * kind.value]
    result = chain().call("rootOf", part, leaf, b"".join(tree.path(leaf)))
    assert result == tree.root == root_from(part, leaf, tree.path(leaf))


@given(st.binary(max_size=300), st.integers(0, 2**22 - 1), st.lists(bytes32, max_size=22))
def test_root__agrees_on_any_bytes(content, index, path):
    assert chain().call("rootOf", content, index, b"".join(path)) == root_from(content, index, tuple(path))


@given(bytes32, st.sets(st.integers(0, 127), min_size=3), st.sampled_from([3, 5, 7, 9, 11, 13, 15]))
def test_committee__agrees_and_never_repeats(seed, revealed, size):
    size = min(size, len(revealed) - 1 | 1 if len(revealed) > 1 else 1, len(revealed))
    drawn = committee.draw(seed, sorted(revealed), size)
    packed = chain().call("drawCommittee", seed, seats.to_bitmap(revealed), size)
    assert committee.unpack(packed, size) == drawn
    assert len(set(drawn)) == size and set(drawn) <= revealed
    for seat in range(128):
        expected = drawn.index(seat) if seat in drawn else size
        if seat in drawn or seat % 17 == 0:
            assert chain().call("positionOf", packed, size, seat) == expected


@given(st.sets(st.integers(0, 127), min_size=1, max_size=40).map(sorted), st.integers(0, 15), st.data())
def test_medians_and_distances__agree(revealed, size, data):
    validators = data.draw(st.permutations(revealed))[:size]
    vectors = {v: data.draw(st.binary(min_size=len(revealed), max_size=len(revealed))) for v in validators}
    medians, distances = chain().call("judge", list(vectors.values()), validators, revealed)
    assert medians == scores.medians(revealed, vectors)
    assert dict(zip(validators, distances, strict=True)) == scores.distances(revealed, vectors)


@given(st.integers(0, 2**88), st.integers(0, 255))
def test_trainer_pay__agrees_and_never_exceeds_the_rate(rate, median):
    result = chain().call("trainerPay", rate, median)
    assert result == scores.trainer_pay(rate, median) <= rate


@given(
    st.integers(0, 2**88),
    st.integers(0, 65535),
    st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255)), min_size=1, max_size=128),
)
@example(1, 1, [(0, 0)])  # nobody else revealed: nothing to judge
def test_validator_pay__agrees_and_never_exceeds_the_rate(rate, strictness, pairs):
    distance = sum(abs(a - b) for a, b in pairs[1:])
    result = chain().call("validatorPay", rate, strictness, distance, len(pairs) - 1)
    assert result == scores.validator_pay(rate, strictness, distance, len(pairs) - 1) <= rate


@given(st.integers(1, 2**24 - 1), st.integers(0, 127), bytes32, bytes32, st.binary(max_size=64))
def test_commitments__agree(number, seat, root, salt, locator):
    harness = chain()
    result = harness.call("updateCommitment", ADDRESS, number, seat, root, salt, locator)
    assert result == update_commitment(harness.evm.chain_id, ADDRESS, number, seat, root, salt, locator)
    from eth_hash.auto import keccak

    result = harness.call("scoreCommitment", ADDRESS, number, seat, keccak(root), salt)
    assert result == score_commitment(harness.evm.chain_id, ADDRESS, number, seat, root, salt)


@given(st.integers(0, 2**256 - 1), st.integers(0, 2**256 - 1), bytes32)
def test_signed_acts__agree(number, seat, value):
    harness = chain()
    digests = harness.call("actDigests", ADDRESS, number, seat, value)
    acts = [signatures.act(kind, harness.evm.chain_id, ADDRESS, number, seat, value) for kind in ActKind]
    assert digests == tuple(act.digest for act in acts)
    assert [encode_typed_data(act.domain, act.types, act.message).body for act in acts] == [act.content for act in acts]


@given(
    st.integers(0, 127),
    st.lists(st.integers(0, 2**160 - 1), min_size=3, max_size=3),
    st.integers(0, 2**96),
    st.integers(0, 2**40),
)
def test_handovers__agree(seat, people, stake, deadline):
    harness = chain()
    owner, new_owner, new_operator = (f"0x{who:040x}" for who in people)
    facts = seat, owner, new_owner, new_operator, stake, deadline
    data = signatures.handover(harness.evm.chain_id, ADDRESS, *facts)
    assert harness.call("handoverDigest", ADDRESS, *facts) == data.digest
    assert encode_typed_data(data.domain, data.types, data.message).body == data.content


@given(st.integers(1, 2**64), bytes32)
def test_signatures__are_the_key_s_in_both_forms(secret, digest):
    harness, key = chain(), Key(secret)
    signature = key.sign_digest(digest)
    assert Signature.of(signature.whole) == signature
    assert harness.call("signedByKey", key.address, digest, signature.r, signature.vs)
    assert harness.call("signedByEither", key.address, digest, signature.whole)
    assert not harness.call("signedByKey", Key(secret + 1).address, digest, signature.r, signature.vs)
    assert not harness.call("signedByKey", key.address, bytes([digest[0] ^ 1]) + digest[1:], signature.r, signature.vs)


@given(st.sets(st.integers(0, 127)), st.integers(0, 127))
def test_seats__agree(chosen, seat):
    bits = seats.to_bitmap(chosen)
    assert chain().call("seatList", bits) == (tuple(sorted(chosen)), len(chosen))
    has, with_it, without = chain().call("seatSet", bits, seat)
    assert has == (seat in chosen) == seats.contains(bits, seat)
    assert seats.from_bitmap(with_it) == sorted(chosen | {seat})
    assert seats.from_bitmap(without) == sorted(chosen - {seat})


@given(st.integers(1, 2**24 - 1), st.integers(0, 2), bytes32, bytes32, st.integers(0, 2**24 - 1))
def test_records__know_their_round(number, state, digest, other, now):
    word = chain().call("makeRecord", number, state, digest)
    result = chain().call("record", word, now, other)
    assert result == (state if now == number else 0, digest[:28], digest[:28] == other[:28])


@given(st.integers(1, 2**24 - 1), st.dictionaries(st.integers(0, 127), bytes32, max_size=20), st.data())
def test_mix__is_of_the_contract_s_words(number, committed, data):
    revealed = {seat: data.draw(bytes32) for seat in committed if data.draw(st.booleans())}
    words = [chain().call("makeRecord", number, 1 + (s in revealed), revealed.get(s, committed[s])) for s in sorted(committed)]
    assert committee.mix(number, committed, revealed) == keccak(b"".join(word.to_bytes(32, "big") for word in words))


# ---- golden vectors: pinned numbers that neither side may drift from, together or apart


def golden() -> dict:
    """What the vectors file holds; regenerate with `PYTHONPATH=tests python tests/twins/test_twins.py` and read the diff."""
    rng = np.random.default_rng(2026)
    update = rng.bytes(264)
    model = rng.bytes(4096)
    tree = Tree.build(model, Kind.MODEL)
    seed, root, salt = rng.bytes(32), rng.bytes(32), rng.bytes(32)
    values = rng.integers(-(2**27), 2**27, 9).tolist()
    return {
        "update": update.hex(),
        "update_values": leaf_of(bytes(b & 0x0F if i < 8 else b for i, b in enumerate(update)), 15)[:64],
        "model": model.hex(),
        "model_root": tree.root.hex(),
        "model_path_2": [p.hex() for p in tree.path(2)],
        "values": values,
        "aggregates": {str(k): aggregate_coordinate(1000, values, k) for k in (0, 2, 64)},
        "clamped": [aggregate_coordinate(2**31 - 1, [5], 0), aggregate_coordinate(-(2**31), [-5], 0)],
        "seed": seed.hex(),
        "committee": committee.draw(seed, range(0, 128, 3), 7),
        "root": root.hex(),
        "salt": salt.hex(),
        "update_commitment": update_commitment(1, ADDRESS, 7, 5, root, salt, b"somewhere").hex(),
        "score_commitment": score_commitment(1, ADDRESS, 7, 5, b"\x01\x02", salt).hex(),
        "validator_pay": scores.validator_pay(10**18, 4, 3, 2),
        "act_digests": [signatures.act(kind, 1, ADDRESS, 7, 5, root).digest.hex() for kind in ActKind],
        "handover_digest": signatures.handover(*HANDOVER).digest.hex(),
        "signature": Key(1).sign_digest(root).whole.hex(),
        "mix": (mix := committee.mix(7, {9: salt, 5: root}, {9: seed})).hex(),
        "draw_seed": committee.seed(root, mix, 1, ADDRESS, 7).hex(),
    }


def test_python__agrees_with_the_golden_vectors():
    assert golden() == json.loads(VECTORS.read_text())


def test_solidity__agrees_with_the_golden_vectors():
    v = json.loads(VECTORS.read_text())
    one = LocalEvm(chain_id=1).deploy("LibraryHarness")
    path = b"".join(map(bytes.fromhex, v["model_path_2"]))
    model = bytes.fromhex(v["model"])
    root, salt, seed = (bytes.fromhex(v[k]) for k in ("root", "salt", "seed"))
    update = bytes(b & 0x0F if i < 8 else b for i, b in enumerate(bytes.fromhex(v["update"])))
    assert one.call("rootOf", model[2048:3072], 2, path).hex() == v["model_root"]
    assert [one.call("updateValue", update, i, 15) for i in range(64)] == v["update_values"]
    assert {k: one.call("aggregate", 1000, v["values"], int(k)) for k in v["aggregates"]} == v["aggregates"]
    assert [one.call("aggregate", 2**31 - 1, [5], 0), one.call("aggregate", -(2**31), [-5], 0)] == v["clamped"]
    packed = one.call("drawCommittee", seed, seats.to_bitmap(range(0, 128, 3)), 7)
    assert committee.unpack(packed, 7) == v["committee"]
    assert one.call("updateCommitment", ADDRESS, 7, 5, root, salt, b"somewhere").hex() == v["update_commitment"]
    assert one.call("validatorPay", 10**18, 4, 3, 2) == v["validator_pay"]
    assert [digest.hex() for digest in one.call("actDigests", ADDRESS, 7, 5, root)] == v["act_digests"]
    assert one.call("handoverDigest", *HANDOVER[1:]).hex() == v["handover_digest"]
    assert one.call("signedByEither", Key(1).address, root, bytes.fromhex(v["signature"]))


@pytest.mark.parametrize("n", [1, 2, 3, 128])
def test_aggregate__at_the_extremes__never_leaves_int32(n):
    top = [127 << 23] * n
    for previous in (2**31 - 1, 0, -(2**31)):
        for values in (top, [-v for v in top]):
            result = chain().call("aggregate", previous, values, 0)
            assert result == aggregate_coordinate(previous, values, 0)
            assert -(2**31) <= result < 2**31


def test_leaf_size_is_what_the_contract_thinks():
    assert LEAF_PARAMETERS == 256


if __name__ == "__main__":
    VECTORS.write_text(json.dumps(golden(), indent=1) + "\n")
