"""A flooded relay

Tries: hands a relay garbage, or a signature by a wallet that says yes when it is tried and burns gas when it is sent
Attacker pays: nothing for garbage, which a trial call shows; a stake for each seat with such a wallet
Victim pays: the relay: about 9,000 gas for garbage sent untried; 105,000 for such a wallet, once if it drops the seat
"""

from attacks.gallery import files
from support.keys import Key
from support.relays import batch, commitments, signed, with_keys
from support.system import STRANGER, System, owner


def spent(s: System, entries: list) -> int:
    """The gas of a batch's execution."""
    s.do("commitMany", 1, entries)
    return s.evm.vm.result.gas_used


def test_garbage__is_skipped__and_a_trial_shows_it():
    s = with_keys(System.create().join(5).fund(), 5).open()
    good = commitments(s, files(5))
    garbage = [signed(s, 4, bytes(32), key=Key(n)) for n in range(1, 101)]
    assert s.see("commitMany", 1, [*good[:1], *garbage]) == 1  # what a relay drops before it sends
    mark = s.evm.mark()
    alone = spent(s, [])
    s.evm.back(mark)
    each = (spent(s, garbage) - alone) // len(garbage)
    assert 3_000 < each < 9_500  # the first reads the operator cold, the others do not
    assert batch(s, "commitMany", 1, good)[0] == 0b11111


def test_a_wallet_that_burns_gas__takes_its_share_and_no_more():
    s = with_keys(System.create().join(5).fund(), 5).open()
    wallet = s.evm.deploy("OddWallet")
    s.do("setOperator", 4, wallet.address, by=owner(4))
    good = commitments(s, files(4))
    entry = (4, b"\x01" * 32, bytes(32), bytes(32))
    assert s.see("commitMany", 1, [*good, entry]) == 0b11111  # it agrees when it is tried
    mark = s.evm.mark()
    cheap = spent(s, good)
    s.evm.back(mark)
    wallet.send("set", 3, STRANGER, b"", by=STRANGER)
    assert 100_000 < spent(s, [*good, entry]) - cheap < 112_000
    assert [s.see("recordOf", seat)[0] for seat in range(5)] == [1, 1, 1, 1, 0]
