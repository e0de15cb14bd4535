"""Field 13 of a block's header: the contract's parser, its Python twin and the rlp package agree, on real headers of every fork
and on bytes that are none."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
import rlp
from eth_hash.auto import keccak
from hypothesis import example, given
from hypothesis import strategies as st
from support.evm import LocalEvm, Reverted

from fl.network.headers import ALWAYS, BY_FORK, header_of
from fl.protocol.header import HeaderError, prev_randao

BLOCKS = json.loads((Path(__file__).parents[1] / "support" / "mainnet_blocks.json").read_text())
FIELDS = {"Berlin": 15, "London": 16, "Shanghai": 17, "Cancun": 20, "Prague": 21}  # of Ethereum's headers, by fork


@cache
def chain():
    return LocalEvm().deploy("LibraryHarness")


def both(header: bytes) -> bytes | None:
    """What the contract and its twin read, None if they refuse; they must agree."""
    try:
        here = prev_randao(header)
    except HeaderError:
        here = None
    try:
        there = chain().call("prevRandao", header)
    except Reverted as error:
        assert (error.name, error.fields) == ("MalformedHeader", (len(header),))
        there = None
    assert here == there
    return here


@pytest.mark.parametrize("fork", FIELDS)
def test_real_header__hashes_to_its_block_and_shows_its_randomness(fork):
    block = BLOCKS[fork]
    header = header_of(block)
    assert keccak(header).hex() == block["hash"][2:]
    items = rlp.decode(header)
    assert len(items) == FIELDS[fork] and header == rlp.encode(items)
    assert both(header) == items[13] == bytes.fromhex(block["mixHash"][2:])


@pytest.mark.parametrize("more", range(4))
def test_fields_that_later_forks_append__change_nothing(more):
    items = rlp.decode(header_of(BLOCKS["Prague"])) + [b"\x07" * 32, b"", b"\x01" * 300][:more]
    assert both(rlp.encode(items)) == items[13]


@pytest.mark.parametrize("fork", FIELDS)
def test_header_that_ends_too_early__is_refused_wherever_it_ends(fork):
    header = header_of(BLOCKS[fork])
    end = header.index(rlp.decode(header)[13]) + 32
    assert all(both(header[:size]) is None for size in range(end))
    assert both(header[:end]) == rlp.decode(header)[13]  # what follows is not read; the hash says whether it is whole


def strings(most: int):
    """Byte strings whose RLP prefixes have every form: none, short, long."""
    return st.binary(max_size=40) | st.binary(min_size=most - 60, max_size=most) | st.just(b"\x7f") | st.just(b"\x80")


@given(st.lists(strings(120), min_size=1, max_size=24), st.binary(min_size=32, max_size=32))
def test_any_list_of_strings__is_read_as_the_rlp_package_reads_it(items, value):
    if len(items) > 13:
        items[13] = value
    header = rlp.encode(items)
    fits = len(items) > 13 and header[0] > 0xF7
    assert both(header) == (value if fits else None)


@given(st.lists(strings(120), min_size=14, max_size=16), st.integers(0, 12), strings(120))
def test_list_within_the_first_fields__is_refused(items, place, inner):
    items[13] = bytes(32)
    items[place] = [inner]
    assert both(rlp.encode(items)) is None


@given(st.lists(strings(120), min_size=14, max_size=16), st.binary(max_size=64).filter(lambda b: len(b) != 32))
def test_field_of_another_length__is_refused(items, value):
    items[13] = value
    assert both(rlp.encode(items)) is None


@given(st.binary(max_size=700))
@example(b"")
@example(b"\xf8")
@example(b"\xff" * 64)
@example(b"\xf8\x2e" + b"\xbf" + b"\xff" * 8 + bytes(64))  # an item whose length says 2^64 - 1
def test_any_bytes__are_read_alike_or_refused_alike(header):
    both(header)


@given(st.sampled_from(sorted(FIELDS)), st.integers(0, 600), st.integers(1, 255))
def test_header_with_one_byte_changed__is_read_as_the_rlp_package_reads_it_or_refused(fork, place, change):
    header = bytearray(header_of(BLOCKS[fork]))
    header[place % len(header)] ^= change
    found = both(bytes(header))
    try:
        items = rlp.decode(bytes(header))
    except rlp.DecodingError:
        return  # the package refuses more: what is not canonical, and bytes behind the end
    whole = isinstance(items, list) and len(items) > 13 and not any(isinstance(i, list) for i in items[:13])
    assert found == (items[13] if whole and isinstance(items[13], bytes) and len(items[13]) == 32 else None)


def test_every_field_of_every_fork__is_known():
    assert len(ALWAYS) == FIELDS["Berlin"]
    counts = [len(ALWAYS) + sum(map(len, BY_FORK[:n])) for n in range(len(BY_FORK) + 1)]
    assert counts[: len(FIELDS)] == list(FIELDS.values())
