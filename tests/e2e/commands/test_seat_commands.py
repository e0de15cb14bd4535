"""A seat's and a sponsor's commands, from outside on a local chain: what goes well, and one clear line for what does not."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from eth_account import Account
from support.cli import KEY, PASSPHRASE, Commands, remembered, signed
from support.evm import AnvilEvm, contract_types
from support.system import CHALLENGER, System, operator, random_update

pytestmark = pytest.mark.xdist_group("commands")

COLD = Account.from_key(KEY).address
TERMS = "commit_window: 600\nreveal_window: 600\n"
NOWHERE = "0x" + "12" * 20
PLAY = ["--mint"]


@pytest.fixture(scope="module")
def federation(commands, tmp_path_factory) -> str:
    """A federation of the linear task, sponsored by TEST::0."""
    store = tmp_path_factory.mktemp("seats") / "store"
    terms = commands.write("windows.yaml", TERMS)
    done = commands("deploy", *signed(0), "--task", "linear", "--terms", terms, "--store", store)
    assert done.code == 0, done.err
    return remembered(commands)[-1]["federation"]


@pytest.fixture
def here(commands, federation):
    """The commands, each call with this federation; what a test did is undone after it."""
    before = commands.web3.provider.make_request("evm_snapshot", [])["result"]
    yield lambda command, *words: commands(command, "--federation", federation, *words)
    commands.web3.provider.make_request("evm_revert", [before])


@pytest.fixture
def result(here):
    """The same, as the facts of --json."""

    def call(command: str, *words: object) -> dict:
        done = here(command, *words, "--json")
        assert done.code == 0, done.err
        return json.loads(done.out)

    return call


@pytest.fixture
def contract(commands, federation):
    return commands.contract("Federation", federation)


def account(commands: Commands, index: int) -> str:
    return commands.web3.eth.accounts[index]


# ---- join


def test_join__takes_one_transaction_where_the_token_knows_permits(commands, result, contract):
    first = result("join", *signed(1), *PLAY)
    assert (first["seat"], first["owner"], first["stake"]) == (0, account(commands, 1), str(100 * 10**18))
    assert len(first["transactions"]) == 2  # the play money, and the seat
    token = commands.contract("TestToken", contract.functions.terms().call()[0])
    assert token.functions.allowance(account(commands, 1), contract.address).call() == 0
    commands.send(account(commands, 2), token.address, token.encode_abi("mint", [account(commands, 2), 10**21]))
    second = result("join", *signed(2), "--stake", "150.5", "--operator", account(commands, 3))
    assert len(second["transactions"]) == 1 and second["seat"] == 1
    owner, stake, operator, earned = contract.functions.seatInfo(1).call()
    assert (owner, stake, operator, earned) == (account(commands, 2), 1505 * 10**17, account(commands, 3), 0)
    # Its hot key holds no tokens, and can pay for depth + 2 demands.
    assert contract.functions.credits(account(commands, 3)).call() == int(second["given"]) == 2 * 2 * 10**17
    assert token.functions.balanceOf(account(commands, 2)).call() == 10**21 - 1505 * 10**17 - 4 * 10**17


def test_join__approves_first_where_it_is_told_to(result):
    assert len(result("join", *signed(1), *PLAY, "--approve")["transactions"]) == 3


def test_join__in_words(here):
    done = here("join", *signed(1), *PLAY)
    assert re.match(
        r"in one round a seat loses 60 TTT at most, and a round holds its stake for \S+ \S+ at most\n"
        r"seat 0: 100 TTT staked, operated by 0x\w{40}; it counts from the next round\n"
        r"0.4 TTT given to the operator's credit, for the deposits of 2 demands\n0x\w+.* gas\)\n$",
        done.out,
    )


def test_join__says_what_is_at_stake_before_anything_is_signed(here):
    done = here("join", *signed(20), *PLAY)  # it has no ether, so that the first transaction is refused
    assert done.code == 1 and done.out.startswith("in one round a seat loses 60 TTT at most, ") and done.out.count("\n") == 1


def test_join__gives_as_many_deposits_as_it_is_told_to(here, result, commands, contract):
    assert result("join", *signed(1), *PLAY, "--deposits", 0)["given"] == "0"
    assert contract.functions.credits(account(commands, 1)).call() == 0
    assert result("join", *signed(2), *PLAY, "--deposits", 5)["given"] == str(10**18)
    assert "Invalid value for '--deposits'" in here("join", *signed(3), *PLAY, "--deposits", -1).err


def test_join__twice__only_if_it_is_meant(here, result):
    result("join", *signed(1), *PLAY)
    assert re.match(
        "Error: 0x.* holds seat 0 already: nothing was sent; .* add --another", here("join", *signed(1), *PLAY).line
    )
    assert result("join", *signed(1), *PLAY, "--another")["seat"] == 1


def test_join__looks_into_the_store_first(here, tmp_path):
    done = here("join", *signed(1), *PLAY, "--store", tmp_path / "empty")
    assert done.code == 1 and re.match(r"Error: \w+\.json is not in .*empty: ask its owner", done.line)


# ---- top up, leave, withdraw, claim


def test_top_up__adds(result, here):
    result("join", *signed(1), *PLAY)
    assert result("topup", *signed(1), *PLAY, "--amount", "1.5")["stake"] == str(1015 * 10**17)
    done = here("topup", *signed(1), *PLAY, "--amount", "1.25")
    assert done.out.startswith("seat 0: 1.25 TTT added, 102.75 staked\n")
    assert "0.5 TTT is below 1 TTT" in here("topup", *signed(1), *PLAY, "--amount", "0.5").line


def test_top_up__fills_the_operator_s_credit__with_or_without_stake(result, here, commands, contract):
    result("join", *signed(1), *PLAY, "--operator", account(commands, 3), "--deposits", 0)
    done = result("topup", *signed(1), *PLAY, "--deposits", 3)
    assert (done["given"], done["stake"]) == (str(6 * 10**17), str(100 * 10**18)) and len(done["transactions"]) == 2
    assert contract.functions.credits(account(commands, 3)).call() == 6 * 10**17
    done = here("topup", *signed(1), *PLAY, "--amount", "2", "--deposits", 1)
    assert re.match(
        r"seat 0: 2 TTT added, 102 staked\nseat 0: 0.2 TTT given to its operator 0x\w+, which has 0.8 for deposits now\n",
        done.out,
    )
    assert here("topup", *signed(1)).err.splitlines()[-1] == "Error: Give --amount TOKENS, --deposits N, or both."
    assert "Invalid value for '--deposits'" in here("topup", *signed(1), "--deposits", 0).err


def test_leave_and_withdraw__between_rounds__pays_out(commands, result, here, contract):
    result("join", *signed(1), *PLAY)
    token = commands.contract("TestToken", contract.functions.terms().call()[0])
    assert result("leave", *signed(1))["withdraw_in_seconds"] == 0
    assert "seat 0 is already leaving" in here("leave", *signed(1)).line
    done = result("withdraw", *signed(1), "--to", account(commands, 9))
    assert (done["stake"], done["earned"], done["to"]) == (str(100 * 10**18), "0", account(commands, 9))
    assert result("claim", *signed(1))["claimed"] == str(4 * 10**17)  # the credit, which nothing needs any more
    assert token.functions.balanceOf(account(commands, 9)).call() == 100 * 10**18
    assert re.match("Error: 0x.* holds no seat in 0x", here("withdraw", *signed(1)).line)


def test_leave__in_a_round__says_when_at_the_latest(commands, result, here, contract):
    running(commands, result, contract)
    done = here("leave", *signed(1))
    assert re.search(
        r"seat 0 leaves: `ape run withdraw` pays out stake and unclaimed pay when the round ends, in \d+h \d+m at", done.out
    )
    refused = here("withdraw", *signed(1))
    assert refused.code == 1 and "seat 0 takes part in round 1" in refused.line
    commands.pass_time(30 * 3600)
    assert result("withdraw", *signed(1))["stake"] == str(100 * 10**18)


def test_claim__nothing_yet(result, here):
    result("join", *signed(1), *PLAY)
    done = here("claim", *signed(1)).out.splitlines()
    assert done[0].startswith("nothing to claim: ")
    assert done[1] == "0.4 TTT of credit stay for the deposits of demands; --credit takes them, too"
    assert result("claim", *signed(1)) == {
        "seats": {"0": "0"},
        "credit": str(4 * 10**17),
        "to": result("claim", *signed(1))["to"],
        "claimed": "0",
        "transactions": [],
        "gas": 0,
    }


def test_claim__takes_what_deposits_are_paid_from_only_if_told_to(result, here):
    result("join", *signed(1), *PLAY)
    assert result("claim", *signed(1), "--credit")["claimed"] == str(4 * 10**17)
    assert result("claim", *signed(1), "--credit")["claimed"] == "0"


@pytest.fixture
def played():
    """A round that was paid, on a node of its own: warm's account owns seat 3, and has answered a demand besides."""
    evm = AnvilEvm()
    evm.rpc("anvil_setBalance", COLD, hex(10**20))
    system = System.create(evm).join(3).fund()
    system.do("join", system.rich(COLD), operator(3), system.terms.min_stake, b"", by=COLD)
    system.to_challenge({seat: random_update(np.random.default_rng(seat)) for seat in range(4)})
    system.do("demand", 0, 0, 0, by=system.rich(CHALLENGER))
    system.do("answer", 0, 0, 0, system.proposal, b"", by=COLD)
    yield system.finish()
    evm.close()


def test_claim__after_a_round__pays_out_once_what_the_seats_and_answers_earned(commands, played):
    earned, credit = played.seat(3).earned, played.terms.demand_deposit
    node = f"http://127.0.0.1:{played.evm.connection.port}"
    claim = ["claim", "--federation", played.federation.address, "--account", "warm", "--network", node, "--to", NOWHERE]
    result = commands.json(*claim, "--seat", 3)
    assert earned > 0 and (result["claimed"], result["seats"], result["to"]) == (str(earned), {"3": str(earned)}, NOWHERE)
    assert played.token.call("balanceOf", NOWHERE) == earned and played.seat(3).earned == 0
    result = commands.json(*claim)  # the account's credits go with a call that names no seat
    assert (result["claimed"], result["credit"], len(result["transactions"])) == (str(credit), str(credit), 1)
    assert played.token.call("balanceOf", NOWHERE) == earned + credit
    assert sum(played.accounting().values()) == played.held()
    last = commands(*claim)
    assert last.code == 0 and last.out.splitlines()[-1].startswith("nothing to claim: ")
    assert commands.json(*claim)["transactions"] == []


# ---- fund, conclude


def running(commands: Commands, result, contract) -> None:
    """Three seats, a pool for one round and a little, and the round open."""
    for index in (1, 2, 3):
        result("join", *signed(index), *PLAY)
    result("fund", *signed(0), *PLAY, "--amount", "40")
    commands.send(account(commands, 9), contract.address, contract.encode_abi("openRound", []))


def test_fund__tells_how_long_it_lasts(here, result):
    assert result("fund", *signed(5), *PLAY, "--amount", "100")["rounds"] == 2  # 3 x 10 + 3 x 2 + 1 a round
    assert here("fund", *signed(5), *PLAY, "--amount", "11").out.startswith(
        "the pool holds 111 TTT: enough for 3 rounds of 3 seats\n"
    )


def test_conclude__returns_the_pool_once_no_round_is_open(commands, result, here, contract):
    running(commands, result, contract)
    done = here("conclude", *signed(0))
    assert done.code == 0 and "round 1 still runs: call again when it is over" in done.out
    assert result("conclude", *signed(0))["returned"] == "0"
    commands.pass_time(30 * 3600)  # nobody revealed: the round is void
    token = commands.contract("TestToken", contract.functions.terms().call()[0])
    before = token.functions.balanceOf(account(commands, 0)).call()
    assert result("conclude", *signed(0))["returned"] == str(40 * 10**18)
    assert token.functions.balanceOf(account(commands, 0)).call() - before == 40 * 10**18
    assert "the sponsor has given notice" in here("fund", *signed(0), "--amount", "1").line
    assert "the sponsor has given notice" in here("join", *signed(4), *PLAY).line


def test_calls_for_a_contract__do_what_the_key_would(commands, result, contract):
    """What --calldata prints, sent by the sponsor's account as a Safe or timelock would."""
    token = commands.contract("TestToken", contract.functions.terms().call()[0])
    commands.send(account(commands, 0), token.address, token.encode_abi("mint", [account(commands, 0), 10**20]))
    calls = result("fund", "--calldata", "--amount", "40")["calls"] + result("conclude", "--calldata")["calls"]
    for call in calls:
        commands.send(account(commands, 0), call["to"], call["data"])
    assert contract.functions.concluded().call() and contract.functions.accounting().call()[5] == 40 * 10**18
    for call in result("conclude", "--calldata")["calls"]:
        commands.send(account(commands, 0), call["to"], call["data"])
    assert contract.functions.accounting().call()[5] == 0


# ---- keys


def cold(commands: Commands) -> None:
    """Gives the locked key gas money."""
    commands.web3.provider.make_request("anvil_setBalance", [COLD, hex(10**18)])


def test_key__unlocked_by_a_file__and_the_passphrase_is_never_told(commands, here, result):
    cold(commands)
    secret = commands.write("secret.txt", PASSPHRASE + "\n")
    done = here("join", "--account", "cold", "--passphrase-file", secret, *PLAY)
    assert done.code == 0 and COLD in done.out
    assert PASSPHRASE not in done.out + done.err and KEY[2:] not in done.out + done.err
    assert len(result("topup", "--account", "cold", "--passphrase-file", secret, *PLAY, "--amount", "1")["transactions"]) == 2


def test_key__unlocked_by_the_environment(here):
    done = here("doctor", "--account", "warm")  # its passphrase is in the environment of the process
    assert f"warm signs for {COLD}" in done.out and PASSPHRASE not in done.out + done.err


# ---- contracts that only look like a federation


def test_look_alike__takes_no_stake__and_passes_no_audit(commands, here, federation):
    """The same terms and answers, and a contract behind them that may do anything: here one byte differs."""
    code = bytes(commands.web3.eth.get_code(federation))
    logic = bytearray(commands.web3.eth.get_code(commands.web3.to_checksum_address(code[10:30])))
    logic[-200] ^= 1
    other = "0x" + "77" * 20
    commands.web3.provider.make_request("anvil_setCode", [other, "0x" + logic.hex()])
    lies = code[:10] + bytes.fromhex(other[2:]) + code[30:]
    commands.web3.provider.make_request("anvil_setCode", [federation, "0x" + lies.hex()])
    for call in (
        ["join", *signed(1), *PLAY],
        ["topup", *signed(1), *PLAY, "--amount", "5"],
        ["fund", *signed(1), *PLAY, "--amount", "5"],
        ["fund", "--calldata", "--amount", "5"],
        ["participate", "--account", "TEST::1", "--store", "nowhere"],
        ["model", "--store", "nowhere", "--out", "nowhere"],
        ["audit", "--store", "nowhere"],
    ):
        done = here(*call)
        assert (
            done.code == 1 and f"{federation} is not a federation of this program's version, made by the factory" in done.line
        )
    done = here("doctor")
    assert done.code == 1 and "is not a federation of this program's version" in done.out


# ---- what is wrong, in one line

REFUSED = [
    (["join", *signed(1)], r"0x\w+ holds 0 TTT and needs 100.4 TTT: get tokens first \(0x\w+\); nothing was sent"),
    (["join", *signed(1), *PLAY, "--stake", "99.9"], "--stake 99.9: this federation requires at least 100 TTT"),
    (["join", *signed(1), "--stake", "lots"], "--stake must be a number of tokens such as 2.5, not 'lots'"),
    (["join", *signed(1), "--stake", "nan"], "--stake must be a number of tokens"),
    (["join", *signed(1), "--stake", "1e60"], "--stake is 1e60: that is more than a federation can hold"),
    (["join", *signed(1), "--stake", "100.0000000000000000001"], "--stake is .*: this token has 18 decimals"),
    (["join", *signed(1), "--operator", "me"], "--operator 'me' is not a valid address: give 0x and 40"),
    (["join", *signed(1), *PLAY, "--evidence", "xyz"], "--evidence 'xyz'...: give bytes in hexadecimal"),
    (["join", "--account", "nobody"], "no account 'nobody': `ape accounts list` shows all accounts"),
    (["join", "--account", "TEST::x"], "no account 'TEST::x' here"),
    (["join", "--account", "cold"], "account cold is locked: set APE_ACCOUNTS_cold_PASSPHRASE, or give --passphrase-file"),
    (["join", "--account", "cold", "--passphrase-file", "gone"], "the passphrase file gone cannot be read"),
    (["join", "--account", "cold", "--passphrase-file", "wrong.txt"], "account cold: wrong passphrase"),
    (["topup", *signed(1), "--amount", "1"], r"0x\w+ holds no seat in 0x"),
    (["topup", *signed(1), "--seat", "7", "--amount", "1"], "seat 7 is free: sign with its owner's account"),
    (["topup", *signed(1), "--amount", "0"], "--amount 0: give more than 0"),
    (["topup", *signed(1), "--amount", "-1"], "--amount is -1: give a number of tokens of at least 0"),
    (["leave", *signed(1)], r"0x\w+ holds no seat in 0x"),
    (["withdraw", *signed(1), "--to", "me"], r"0x\w+ holds no seat in 0x"),
    (["claim", *signed(1), "--to", "me"], "--to 'me' is not a valid address"),
    (["fund", *signed(5), "--amount", "5"], r"0x\w+ holds 0 TTT"),
    (["conclude", *signed(5)], r"the sponsor is 0x\w+, not 0x\w+: sign with its account, or give --calldata"),
]


@pytest.mark.parametrize("call, line", REFUSED, ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_wrong__ends_in_one_clear_line(commands, here, call, line):
    commands.write("wrong.txt", "wrong")
    done = here(*call)
    assert done.code == 1 and re.match(f"Error: {line}", done.line), done


@pytest.mark.parametrize("command", ["join", "topup", "leave", "withdraw", "claim", "fund", "conclude", "status"])
def test_no_federation_there__ends_in_one_clear_line(commands, command):
    words = [] if command == "status" else signed(1)
    words = [*words, "--amount", "1"] if command in ("topup", "fund") else words
    assert commands(command, "--federation", NOWHERE, *words).line == (
        f"Error: no federation at {NOWHERE} on chain 31337: check address and network"
    )
    assert "is not a valid address" in commands(command, "--federation", "0x12", *words).line


def test_seat_of_somebody_else__is_refused(commands, result, here):
    result("join", *signed(1), *PLAY)
    done = here("leave", *signed(2), "--seat", "0")
    assert done.line.startswith(f"Error: seat 0 belongs to {account(commands, 1)}: sign with its owner's account")


@pytest.mark.parametrize("words", [[], ["--account", "TEST::0", "--calldata"]])
def test_sponsor__key_or_calldata__one_of_them(here, words):
    done = here("conclude", *words)
    assert done.code == 2 and "Give either --account ALIAS or --calldata." in done.err


# ---- status


def test_status__between_rounds(here, result):
    assert result("status")["next_round"] == "waits for seats: 0 of at least 3 can take part"
    for index in (1, 2, 3):
        result("join", *signed(index), *PLAY)
    facts = result("status")
    assert (facts["phase"], facts["round"], facts["ends"]) == ("idle", 0, None)
    assert facts["next_round"].startswith("waits for money: ")
    assert [s["standing"] for s in facts["seats"]] == ["whole"] * 3 and facts["accounting"]["stakes"] == str(300 * 10**18)
    result("fund", *signed(0), *PLAY, "--amount", "1000")
    done = here("status")
    assert "no round is open; the next one: anybody may open it now" in done.out
    assert "pool        1,000 TTT; kept for later rounds 0; a round sets aside up to 37;" in done.out


def test_status__in_a_round__tells_who_acted_and_what_is_due(commands, result, here, contract):
    running(commands, result, contract)
    commands.send(account(commands, 2), contract.address, contract.encode_abi("commit", [1, 1, b"\x01" * 32]))
    done, facts = here("status"), result("status")
    assert re.search(r"round 1 +commit, (10m|9m \d+s) left: active seats commit", done.out)
    assert [s["update"] for s in facts["seats"]] == ["nothing", "committed", "nothing"]
    assert facts["accounting"]["pot"] == str(37 * 10**18) and 0 < facts["ends_in_seconds"] <= 600
    commands.pass_time(600)
    assert "reveal, " in here("status").out
    assert len(done.out.splitlines()) <= 24 and max(map(len, done.out.splitlines())) <= 160  # one screen


def test_status__after_a_simulation__shows_scores_and_model(commands, tmp_path):
    done = commands("simulate", "--task", "linear", "--seats", "3", "--rounds", "1", "--seed", "1", "--out", tmp_path / "sim")
    assert done.code == 0, done.err
    summary = json.loads((tmp_path / "sim" / "summary.json").read_text())
    facts = commands.json("status", "--federation", summary["federation"])
    assert facts["model"] == summary["totals"]["model_root"] and facts["round"] == 1
    assert {str(s["seat"]): s["score"] for s in facts["seats"]} == summary["rounds"][0]["scores"]
    assert {s["update"] for s in facts["seats"]} == {"revealed"} and {s["validator"] for s in facts["seats"]} == {"revealed"}
    assert facts["proposal"]["root"] == facts["model"]


# ---- doctor


def graded(done) -> dict[str, str]:
    return {line[6:17].strip(): line[:4].strip() for line in done.out.splitlines()[:-1]}


def test_doctor__all_is_well__exits_with_0(commands, federation, here, result, tmp_path):
    store = next(p for p in commands.folder.parent.parent.glob("seats*/store"))
    result("join", *signed(1), *PLAY)
    done = here("doctor", *signed(1), "--store", store, "--expect-chain", "31337")
    assert done.code == 0, done.out
    assert set(graded(done).values()) == {"ok"} and done.out.endswith("ready to take part\n")
    assert "task linear builds the federation's first model from seed 0, bit for bit" in done.out
    assert "a file was written and read back" in done.out and "owner and operator of seat 0, 100 TTT staked, whole" in done.out


def test_doctor__names_each_thing_to_fix__and_exits_with_1(commands, here, tmp_path):
    done = here("doctor", *signed(4), "--store", tmp_path / "empty", "--store", "http://127.0.0.1:1", "--expect-chain", "1")
    assert done.code == 1
    grades = graded(done)
    assert {what for what, grade in grades.items() if grade == "FIX"} == {"chain", "seat", "store", "model"}, done.out
    assert "this node serves chain 31337, not 1: give another --network" in done.out
    needed = r"a stake of at least 100 and 0\.4 for the deposits of 2 demands"
    assert re.search(rf"none, and 0 TTT for {needed}: get tokens \(0x", done.out)
    assert "http://127.0.0.1:1 cannot be reached" in done.out and "4 to fix before you take part" in done.out


def test_doctor__says_how_to_pay_deposits__to_owner_and_operator(commands, here, result):
    result("join", *signed(1), *PLAY, "--operator", account(commands, 2), "--deposits", 0)
    for index in (1, 2):
        done = here("doctor", *signed(index))
        assert graded(done)["deposits"] == "FIX"
        assert re.search(
            r"deposits +the operator of seat 0 has 0 TTT of credit and 0 TTT; 2 demands take 0\.4 TTT, and", done.out
        )
        assert "forced open: pay with `ape run topup --seat 0 --deposits 2`" in done.out
    result("topup", *signed(1), *PLAY, "--deposits", 1)
    assert "`ape run topup --seat 0 --deposits 1`" in here("doctor", *signed(2)).out
    result("topup", *signed(1), *PLAY, "--deposits", 1)
    done = here("doctor", *signed(2))
    assert (
        graded(done)["deposits"] == "ok" and "has 0.4 TTT of credit and 0 TTT, enough for the deposits of 2 demands" in done.out
    )


def test_doctor__another_task__is_told(commands, here):
    store = next(p for p in commands.folder.parent.parent.glob("seats*/store"))
    done = here("doctor", "--store", store, "--task", "heart")
    assert done.code == 1 and "task heart is not this federation's" in done.out


# ---- hand over


def offered(result, tmp_path, *words: object, by: int = 4) -> tuple[Path, dict]:
    """(the file, its facts) of account 4, or `by`, that signs for seat 0."""
    file = tmp_path / "offer.json"
    return file, result("handover", "--sign", *signed(by), "--seat", 0, "--file", file, *words)


def test_handover__in_two_steps__gives_stake_and_pay_to_the_new_owner(commands, result, here, contract, tmp_path):
    result("join", *signed(1), *PLAY)
    file, offer = offered(result, tmp_path, "--operator", account(commands, 3))
    assert (offer["owner"], offer["new_owner"], offer["stake"]) == (account(commands, 1), account(commands, 4), str(10**20))
    assert "seat 0 belongs to 0x" in here("handover", *signed(2), "--file", file).line
    done = result("handover", *signed(1), "--file", file)
    assert (done["owner"], done["operator"]) == (account(commands, 4), account(commands, 3))
    assert (done["stake"], done["earned"]) == (str(10**20), "0")
    assert contract.functions.seatInfo(0).call() == (account(commands, 4), 10**20, account(commands, 3), 0)
    assert f"is from when {account(commands, 1)} owned seat 0" in here("handover", *signed(4), "--file", file).line
    result("leave", *signed(4))
    assert result("withdraw", *signed(4))["stake"] == str(10**20)


def test_handover__in_words(result, here, tmp_path):
    result("join", *signed(1), *PLAY)
    file = tmp_path / "offer.json"
    done = here("handover", "--sign", *signed(4), "--seat", 0, "--file", file, "--stake", "50", "--days", 1)
    assert re.search(
        r"takes seat 0 over from 0x\w+, with a stake of at least 50 TTT and 0x\w+ as its operator, within 1 days", done.out
    )
    done = here("handover", *signed(1), "--file", file)
    assert re.match(
        r"seat 0 belongs to 0x\w{40} and is operated by 0x\w{40}, with 100 of stake and 0 of unclaimed pay", done.out
    )


def test_handover__by_a_contract__prints_its_call(commands, result, contract, tmp_path):
    result("join", *signed(1), *PLAY)
    file, _ = offered(result, tmp_path)
    (call,) = result("handover", "--calldata", "--file", file)["calls"]
    assert call["to"] == contract.address
    commands.send(account(commands, 1), call["to"], call["data"])
    assert contract.functions.seatInfo(0).call()[0] == account(commands, 4)


def test_handover__to_a_contract__takes_its_owners_signature(commands, result, here, contract, tmp_path):
    result("join", *signed(1), *PLAY)
    web3 = commands.web3
    kind = contract_types()["SigningWallet"]
    made = web3.eth.send_transaction({"from": account(commands, 5), "data": "0x" + kind.code.hex()})
    wallet = web3.eth.wait_for_transaction_receipt(made).contractAddress
    file = tmp_path / "offer.json"
    words = ["--sign", "--calldata", "--seat", 0, "--file", file, "--new-owner", wallet]
    assert "give its address as --new-owner, and a key's as --operator" in here("handover", *words).line
    typed = result("handover", *words, "--operator", account(commands, 3))["typed_data"]
    assert "is not signed yet" in here("handover", *signed(1), "--file", file).line
    for signer, right in ((6, False), (5, True)):
        answer = web3.provider.make_request("eth_signTypedData_v4", [account(commands, signer), typed])
        done = here("handover", *signed(1), "--file", file, "--signature", answer["result"])
        assert (done.code == 0) is right, done.err
        assert right or "did not sign this handover" in done.line
    assert contract.functions.seatInfo(0).call()[::2] == (wallet, account(commands, 3))


def test_handover__what_cannot_be_done__is_said_before_anything_is_sent(commands, result, here, tmp_path):
    new = ["handover", "--sign", *signed(4), "--file", tmp_path / "x.json"]
    assert "seat 0 is free: nothing was sent" in here(*new, "--seat", 0).line
    result("join", *signed(1), *PLAY)
    file, offer = offered(result, tmp_path)
    own = ["handover", "--sign", *signed(1), "--seat", 0, "--file", tmp_path / "x.json"]
    assert "owns seat 0 already" in here(*own).line
    assert "--new-owner is for contracts" in here(*new, "--seat", 0, "--new-owner", account(commands, 5)).line
    assert "cannot be written" in here(*new[:-1], tmp_path, "--seat", 0).line
    bad = tmp_path / "bad.json"

    def said(**changes: object) -> str:
        bad.write_text(json.dumps({k: v for k, v in (offer | changes).items() if k != "typed_data"}))
        return here("handover", *signed(1), "--file", bad).line

    assert "is for federation 0x1212" in said(federation=NOWHERE)
    assert "on chain 5: nothing was sent" in said(chain_id=5)
    assert "was valid until 5, and it is" in said(deadline=5)
    assert "the new owner wants 101 TTT: nothing was sent; top it up first" in said(stake=str(101 * 10**18))
    assert f"not by {account(commands, 4)}: nothing was sent" in said(new_operator=account(commands, 7))
    assert "is signed by no key" in said(signature="0x" + "00" * 65)
    assert "is not signed yet" in said(signature="")
    assert "seat 9 is free" in said(seat=9)
    for content in ("", "[]", "{", "{}", json.dumps({"seat": 0}), "[" * 100_000, "x" * 70_000):
        bad.write_text(content)
        assert "is not what `ape run handover --sign` writes" in here("handover", *signed(1), "--file", bad).line
    for changes in (
        {"seat": True},
        {"seat": -1},
        {"stake": "much"},
        {"owner": 5},
        {"owner": "0x12"},
        {"signature": 5},
        {"stake": 2**256},
    ):
        assert "is not what `ape run handover --sign` writes" in said(**changes)
    assert "gone.json cannot be read" in here("handover", *signed(1), "--file", tmp_path / "gone.json").line
    assert here("handover", *signed(1), "--file", file, "--days", 5).code == 2
    assert here("handover", "--sign", *signed(4), "--file", file).code == 2
    result("leave", *signed(1))
    assert "seat 0 is leaving and cannot be handed over" in here("handover", *signed(1), "--file", file).line
