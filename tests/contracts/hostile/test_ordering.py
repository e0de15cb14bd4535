"""Front-running: on a real node, transactions in one block, in the order that harms most."""

import pytest
from attacks.gallery import Money, files, root
from support.evm import AnvilEvm
from support.system import CHALLENGER, STRANGER, System, operator, owner, salt

from fl.protocol.phases import Phase


@pytest.fixture(scope="module")
def node():
    evm = AnvilEvm()
    yield evm
    evm.close()


def in_one_block(s: System, *calls: tuple[str, tuple, str]) -> list[bool]:
    """Sends calls into one block in this order; whether each was taken. The node orders by what a transaction offers."""
    rpc = s.evm.rpc
    rpc("evm_setAutomine", False)
    sent = []
    for place, (function, args, by) in enumerate(calls):
        rpc("anvil_setBalance", by, hex(10**24))
        data = "0x" + s.federation.data(function, *s.named(function), *args).hex()
        price = hex(10**9 * (len(calls) - place))
        sent.append(
            rpc(
                "eth_sendTransaction",
                {"from": by, "to": s.federation.address, "data": data, "gas": hex(5 * 10**6), "gasPrice": price},
            )
        )
    rpc("anvil_mine", "0x1", "0x0")
    rpc("evm_setAutomine", True)
    receipts = [rpc("eth_getTransactionReceipt", one) for one in sent]
    assert len({r["blockNumber"] for r in receipts}) == 1
    assert [int(r["transactionIndex"], 16) for r in receipts] == list(range(len(calls)))
    return [int(r["status"], 16) == 1 for r in receipts]


def test_commit__copied_and_sent_first__stays_worthless(node):
    s, data = System.create(node).join(4).fund(), files(4)
    s.open().commit({i: data[i] for i in (1, 2)})
    sealed = s.commitment(0, root(data[0]))
    assert in_one_block(s, ("commit", (3, sealed), operator(3)), ("commit", (0, sealed), operator(0))) == [True, True]
    s.skip()
    opening = root(data[0]), salt(0), b""
    copied = ("reveal", (3, *opening), operator(3))
    assert in_one_block(s, copied, ("reveal", (0, *opening), operator(0))) == [False, True]


def test_reveal__copied_and_sent_first__reveals_for_the_victim(node):
    s, data = System.create(node).join(4).fund(), files(4)
    s.open().commit(data)
    s.skip()
    call = "reveal", (0, root(data[0]), salt(0), b"")
    assert in_one_block(s, (*call, STRANGER), (*call, operator(0))) == [True, False]
    assert s.see("recordOf", 0) == (2, root(data[0])[:28])


def test_propose__twice_in_a_block__the_first_counts_and_the_right_one_still_gets_its_turn(node):
    s = System.create(node).join(4).fund().to_propose(files(4))
    right = s.aggregate()
    wrong = ("propose", (3, b"\x01" * 32, b""), operator(3))
    assert in_one_block(s, wrong, ("propose", (0, b"\x02" * 32, b""), operator(0))) == [True, False]
    s.rich(CHALLENGER)
    s.do("demand", 0, 0, 0, by=CHALLENGER)
    s.evm.warp(s.evm.time + s.terms.answer_window)
    s.do("expire", 0, 0, 0)
    s.propose(right, 0).finish()
    assert s.see("model") != s.terms.genesis


def test_challenge__copied_and_sent_first__slashes_once_and_pays_once(node):
    s = System.create(node).join(4).fund().to_challenge(files(4), b"\x01" * 1024, proposer=3)
    money = Money(s, cheat=owner(3), thief=STRANGER, challenger=CHALLENGER)
    call = "challenge", (0, 0, s.proof())
    assert in_one_block(s, (*call, STRANGER), (*call, CHALLENGER)) == [True, False]
    assert money.change("cheat") == -s.terms.fraud_slash
    assert (money.change("thief"), money.change("challenger")) == (s.terms.challenge_fee, 0)


def test_a_cheat_cannot_replace_its_proposal_before_the_challenge(node):
    s = System.create(node).join(4).fund().to_challenge(files(4), b"\x01" * 1024, proposer=3)
    again = ("propose", (3, b"\x02" * 32, b""), operator(3))
    leave = ("exit", (3,), owner(3))
    take = ("withdraw", (3, owner(3)), owner(3))
    challenge = ("challenge", (0, 0, s.proof()), CHALLENGER)
    assert in_one_block(s, again, leave, take, challenge) == [False, True, False, True]
    assert s.seat(3).stake == s.terms.min_stake - s.terms.fraud_slash


def test_a_round_ends_and_the_next_one_begins_in_one_block(node):
    s = System.create(node).join(4).fund().to_challenge(files(4))
    s.skip()
    sealed = b"\x07" * 32
    commit = s.federation.data("commit", 2, 1, sealed)
    calls = [("finalize", (), STRANGER), ("openRound", (), STRANGER), ("multicall", ([commit],), operator(1))]
    assert in_one_block(s, *calls, ("finalize", (), CHALLENGER)) == [True, True, True, False]
    assert (s.round.number, s.phase) == (2, Phase.COMMIT)
    assert s.see("recordOf", 1) == (1, sealed[:28]) and s.see("recordOf", 0) == (0, bytes(28))


def test_an_account_with_delegated_code__owns_a_seat_like_any_other(node):
    """EIP-7702: the account acts for itself and has code too."""
    s = System.create(node).fund()
    wallet = node.deploy("ContractWallet")
    node.rpc("anvil_setCode", owner(0), "0xef0100" + wallet.address[2:])
    s.join(3).to_challenge(files(3)).finish()
    stake, earned = s.seat(0).stake, s.seat(0).earned
    s.do("exit", 0, by=owner(0))
    before = s.token.call("balanceOf", owner(0))
    s.do("withdraw", 0, owner(0), by=owner(0))
    assert s.token.call("balanceOf", owner(0)) - before == stake + earned > stake
