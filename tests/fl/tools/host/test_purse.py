"""A host's purse: what was paid is known after any end of the process, and a budget is never begun again by accident."""

from dataclasses import replace

import pytest

from fl.errors import StoreError
from fl.tools.host.purse import Payment, Purse

ONE = Payment("0x" + "01" * 32, 1, "commit", (0, 1), 90_000, 7)


def test_purse__of_a_process_that_ended_while_it_wrote__knows_what_was_written_before(tmp_path):
    path = tmp_path / "payments.jsonl"
    assert Purse(path, 100).pay(ONE) and not Purse(path, 100).pay(ONE)
    whole = path.read_bytes()
    for length in range(1, len(whole)):
        path.write_bytes(whole + whole[:length].replace(b"01" * 32, b"02" * 32))
        purse = Purse(path, 100)
        assert purse.left == 93 and purse.pay(replace(ONE, hash="0x" + "03" * 32, wei=3))
        assert Purse(path, 100).left == 90


def test_purse__that_somebody_damaged__begins_no_new_budget(tmp_path):
    path = tmp_path / "payments.jsonl"
    Purse(path, 100).pay(ONE)
    path.write_bytes(path.read_bytes()[5:] * 2)
    with pytest.raises(StoreError, match=r"payments.jsonl is damaged .*move it away to begin a new budget"):
        Purse(path, 100)
