"""A header made from a node's answer is believed only if it has the block's hash."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import rlp
from eth_hash.auto import keccak
from support.evm import AnvilEvm

from fl.network.headers import ALWAYS, BY_FORK, HeaderMismatch, header_of
from fl.network.rpc import NodeError
from fl.protocol.header import prev_randao

BLOCKS = json.loads((Path(__file__).parents[2] / "support" / "mainnet_blocks.json").read_text())
SIX = {**BLOCKS["Prague"], "blockAccessListHash": "0x" + "ab" * 32, "slotNumber": "0xc0ffee"}


def hashed(block: dict[str, str], count: int) -> dict[str, str]:
    """A block whose header has the fields of so many forks, under its own hash."""
    names = [*ALWAYS, *(name for names in BY_FORK[:count] for name in names)]
    numbers = {"slotNumber", "blobGasUsed", "excessBlobGas", "baseFeePerGas", "difficulty", "number"}
    numbers |= {"gasLimit", "gasUsed", "timestamp"}
    fields = [int(block[n], 16) if n in numbers else bytes.fromhex(block[n][2:]) for n in names]
    return {**block, "hash": "0x" + keccak(rlp.encode(fields)).hex()}


@pytest.mark.parametrize("count", range(len(BY_FORK) + 1))
def test_fields_of_a_fork__are_taken_as_far_as_the_hash_wants_them(count):
    """A node may show fields that a header lacks, such as a zero for what its fork does not know."""
    block = hashed(SIX, count)
    assert keccak(header_of(block)).hex() == block["hash"][2:]


@pytest.mark.parametrize("fork", BLOCKS)
@pytest.mark.parametrize("name", ["parentHash", "mixHash", "number", "extraData", "nonce", "logsBloom"])
def test_node_that_changes_a_field__is_not_believed(fork, name):
    block = dict(BLOCKS[fork])
    block[name] = block[name][:-1] + ("1" if block[name][-1] != "1" else "2")
    if len(block[name]) % 2 and name == "extraData":
        block[name] += "0"
    with pytest.raises(HeaderMismatch, match=r"its fields do not hash to 0x[0-9a-f]{64}, so that no draw can be made"):
        header_of(block)


@pytest.mark.parametrize(
    ("name", "value"),
    [("mixHash", None), ("number", "-0x5"), ("number", "many"), ("miner", "0xzz"), ("hash", 7), ("gasUsed", []), ("nonce", "")],
)
def test_answer_that_is_no_block__is_named_as_such(name, value):
    with pytest.raises(NodeError, match="the node sent an invalid block"):
        header_of({**BLOCKS["Cancun"], name: value})


def test_block_without_a_field__is_no_block():
    with pytest.raises(NodeError, match="invalid block: KeyError: 'mixHash'"):
        header_of({name: value for name, value in BLOCKS["Cancun"].items() if name != "mixHash"})


@pytest.mark.parametrize(("fork", "count"), [("paris", 16), ("shanghai", 17), ("cancun", 20), ("prague", 21), ("osaka", 21)])
def test_headers_of_a_running_node__have_its_hashes(fork, count):
    node = AnvilEvm(fork=fork)
    try:
        node.mine(3)
        for number in range(1, 4):
            block = node.rpc("eth_getBlockByNumber", hex(number), False)
            header = header_of(block)
            assert prev_randao(header).hex() == block["mixHash"][2:] != bytes(32).hex()
            assert len(rlp.decode(header)) == count
    finally:
        node.close()
