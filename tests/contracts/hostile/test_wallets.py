"""Signatures of keys and of contract wallets, whatever a wallet does when it is asked."""

from __future__ import annotations

from enum import IntEnum

import pytest
from support.evm import LocalEvm
from support.keys import Key
from support.system import STRANGER

from fl.protocol.signatures import Signature

DIGEST = b"\x2a" * 32
WALLET_GAS = 100_000


class Manner(IntEnum):
    """As in contracts/mocks/Wallets.sol."""

    AGREES = 0
    REFUSES = 1
    REVERTS = 2
    BURNS_GAS = 3
    RETURNS_A_BOMB = 4
    REVERTS_WITH_A_BOMB = 5
    RETURNS_TOO_LITTLE = 6
    RETURNS_DIRT = 7
    REENTERS = 8


AGREE = (Manner.AGREES, Manner.RETURNS_A_BOMB)  # a bomb begins with the right word, and only that word is read


@pytest.fixture(scope="module")
def harness():
    return LocalEvm().deploy("LibraryHarness")


@pytest.mark.parametrize("manner", Manner)
def test_wallet__agrees_with_one_right_word_alone__and_its_gas_is_bounded(harness, manner):
    wallet = harness.evm.deploy("OddWallet")
    question = harness.data("signedByKey", STRANGER, DIGEST, DIGEST, DIGEST)
    wallet.send("set", manner, harness.address, question, by=STRANGER)
    answer = harness.call("signedByWallet", wallet.address, DIGEST, bytes(32), bytes(32))
    assert answer == (manner in (*AGREE, Manner.REENTERS))  # what it re-enters here is a view, which nobody forbids
    assert harness.evm.vm.result.gas_used < WALLET_GAS + 60_000
    if manner != Manner.BURNS_GAS:  # whose caller alone pays
        assert harness.call("signedByEither", wallet.address, DIGEST, b"anything") == answer


def test_wallet_that_burns_gas__takes_no_more_than_its_share(harness):
    wallet = harness.evm.deploy("OddWallet")
    spent = {}
    for manner in (Manner.REFUSES, Manner.BURNS_GAS):
        wallet.send("set", manner, harness.address, b"", by=STRANGER)
        harness.call("signedByWallet", wallet.address, DIGEST, bytes(32), bytes(32))
        spent[manner] = harness.evm.vm.result.gas_used
    assert WALLET_GAS * 0.9 < spent[Manner.BURNS_GAS] - spent[Manner.REFUSES] < WALLET_GAS


def test_signing_wallet__speaks_for_its_master_s_key_in_65_bytes(harness):
    key, other = Key(7), Key(8)
    wallet = harness.evm.deploy("SigningWallet", by=key.address)
    for signer, right in ((key, True), (other, False)):
        signature = signer.sign_digest(DIGEST)
        assert harness.call("signedByWallet", wallet.address, DIGEST, signature.r, signature.vs) is right
        assert harness.call("signedByEither", wallet.address, DIGEST, signature.whole) is right
        assert not harness.call("signedByKey", wallet.address, DIGEST, signature.r, signature.vs)


@pytest.mark.parametrize("length", [0, 1, 64, 65, 66, 200])
def test_nobody__signs_nothing(harness, length):
    nobody, stranger = "0x" + "00" * 20, Key(9).address
    for account in (nobody, stranger):
        assert not harness.call("signedByKey", account, DIGEST, bytes(32), bytes(32))
        assert not harness.call("signedByEither", account, DIGEST, bytes(length))


def test_the_other_form_of_a_signature__does_not_fit_64_bytes(harness):
    """s' = n - s is as good as s to ecrecover. Its highest bit is set, where the 64 bytes keep the parity."""
    n = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    key = Key(7)
    whole = key.sign_digest(DIGEST).whole
    other = whole[:32] + (n - int.from_bytes(whole[32:64], "big")).to_bytes(32, "big") + bytes([55 - whole[64]])
    assert harness.call("signedByEither", key.address, DIGEST, other)
    with pytest.raises(ValueError, match="low s"):
        Signature.of(other)
    for parity in (0, 1):
        vs = bytes([other[32] & 0x7F | parity << 7]) + other[33:64]
        assert not harness.call("signedByKey", key.address, DIGEST, other[:32], vs)


@pytest.mark.parametrize(
    "whole", [b"", bytes(64), bytes(66), bytes(64) + b"\x02", bytes(64) + b"\x1d", bytes(32) + b"\xff" * 33]
)
def test_signature__of_other_bytes__is_refused(whole):
    with pytest.raises(ValueError, match="not a signature"):
        Signature.of(whole)
