"""The command that deploys: presets, a terms file checked whole, a dry run that sends nothing, and a DAO as the sponsor."""

import json
import re
from dataclasses import fields
from typing import Any

import pytest
from eth_account import Account
from support.cli import ROOT, Commands, remembered
from support.explorer import explorer
from web3.exceptions import ContractLogicError
from web3.logs import DISCARD

from fl.errors import ChainError
from fl.network import gas, identity
from fl.network.stores.local import LocalStore
from fl.protocol.mode import Mode
from fl.protocol.terms import WINDOWS, Terms
from fl.tools.cli import options
from fl.tools.federation.chain_copy import copy_of
from fl.tools.federation.terms_file import DERIVED, KNOWN, PRESETS, read_terms
from fl.tools.federation.windows import PACES, windows

pytestmark = pytest.mark.xdist_group("commands")

DEPLOY = ["deploy", "--account", "TEST::0", "--task", "linear"]


def nonce(commands: Commands) -> int:
    return commands.web3.eth.get_transaction_count(commands.web3.eth.accounts[0])


# ---- sources for an explorer


def test_publish__submits_what_now_stands__and_tells_what_the_explorer_says(commands, tmp_path):
    found = iter(["Pass - Verified", "Fail - Unable to verify", "Pass - Verified"])
    with explorer(lambda asked: next(found)) as (url, asked):
        done = commands(*DEPLOY, "--store", tmp_path / "store", "--publish", url)
    assert done.code == 0, done.err
    sent = [words for words in asked if words["action"] == "verifysourcecode"]
    assert [words["contractname"].split(":")[1] for words in sent] == identity.contracts(Mode.OPEN)
    for words, said in zip(sent, ("Pass - Verified", "Fail - Unable to verify", "Pass - Verified"), strict=True):
        name, address = words["contractname"].split(":")[1], words["contractaddress"]
        assert address == identity.address_of(name) and commands.web3.eth.get_code(address)
        assert next(line for line in done.err.splitlines() if line.startswith(f"{name} ")).endswith(said)
    others = [identity.address_of(other) for other in identity.ARGUMENTS[identity.IMPLEMENTATIONS[Mode.OPEN]]]
    assert sent[1]["constructorArguements"] == "".join(other[2:].lower().rjust(64, "0") for other in others)


# ---- terms


def test_terms__units_are_read__and_what_is_left_out_stays_the_presets(tmp_path):
    path = tmp_path / "terms.yaml"
    path.write_text("commit_window: 1d 12h\nanswer_window: 90\nmin_stake: 2_000.5\ntrainer_rate: '0.1'\ncommittee: 5\n")
    given = read_terms(path)
    assert {name: str(value) for name, value in given.items()} == {
        "commit_window": "129600",
        "answer_window": "90",
        "min_stake": "2000.5",
        "trainer_rate": "0.1",
        "committee": "5",
    }


@pytest.mark.parametrize(
    "text, message",
    [
        ("commitee: 3", "no term is called 'commitee': did you mean committee?"),
        ("xyzzy: 3", "no term is called 'xyzzy': the terms are token, sponsor, "),
        ("committee: 3\ncommittee: 5", "is not valid YAML: committee is given twice"),
        (
            "commit_window: 2 hours",
            "commit_window must be a time in whole seconds, or such as 90s, 45m, 2h, 1d 12h; not '2 hours'",
        ),
        ("min_stake: -1", "min_stake is -1: give a number of tokens of at least 0"),
        ("min_stake:", "min_stake has no value: write one, or leave the line out to use the preset's value"),
        ("committee: 3.0", "committee must be a whole number, not 3.0"),
        ("5: 3", "no term is called '5'"),
        ("? [1, 2]\n: 3", "is not valid YAML"),
        (
            "commitee: 3\nmin_stake: x",
            "did you mean committee?.*; min_stake must be a number of tokens|min_stake must be .*; no term is",
        ),
    ],
)
def test_terms__what_is_wrong__is_named_with_its_remedy(commands, text, message):
    before = nonce(commands)
    done = commands(*DEPLOY, "--terms", commands.write("wrong.yaml", text))
    assert done.code == 1 and re.search(message, done.line), done
    assert done.line.startswith("Error: wrong.yaml") and nonce(commands) == before


def test_terms__the_sponsor_chooses_all_that_does_not_follow_from_the_task():
    assert {*KNOWN, *DERIVED} == {f.name for f in fields(Terms)} and not set(KNOWN) & set(DERIVED)


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_preset__has_every_term_but_the_addresses(preset):
    assert tuple(PRESETS) == options.PRESETS
    left_out = {"token", "sponsor", "admission", "allowlist", "label", *WINDOWS}
    assert set(KNOWN) - set(preset) == left_out and set(preset) <= set(KNOWN)


def test_terms__token_that_is_none__is_refused_before_anything_is_sent(commands):
    before = nonce(commands)
    done = commands(*DEPLOY, "--terms", commands.write("wrong.yaml", f"token: '0x{'12' * 20}'"))
    assert done.line == f"Error: no token at 0x{'12' * 20} on chain 31337: check address and network"
    done = commands(*DEPLOY, "--terms", commands.write("wrong.yaml", f"admission: '0x{'12' * 20}'"))
    assert "admission: no contract at" in done.line and nonce(commands) == before


@pytest.mark.parametrize("preset", PRESETS)
def test_preset__is_a_federation(commands, preset, tmp_path):
    done = commands(*DEPLOY, "--preset", preset, "--store", tmp_path / "s")
    assert done.code == 0, done.err
    terms = commands.contract("Federation", remembered(commands)[-1]["federation"]).functions.terms().call()
    found = windows(PACES[preset], PRESETS[preset], terms[6])
    assert terms[11] == PRESETS[preset]["committee"] and terms[13] == found["commit_window"]


# ---- stores


def test_manifest__names_public_stores_and_the_first_models_cid(commands, tmp_path):
    places = ["--store", tmp_path / "one", "--store", tmp_path / "two", "--public", "https://files.example/heart"]
    assert commands(*DEPLOY, *places).code == 0
    result = remembered(commands)[-1]
    for folder in ("one", "two"):
        manifest = LocalStore(tmp_path / folder).get_manifest(bytes.fromhex(result["manifest"]))
        assert manifest.stores == ("https://files.example/heart",) and str(manifest.genesis_cid).startswith("bafk")
    done = commands(*DEPLOY, "--public", "/home/me/store")
    assert done.line.startswith(
        "Error: --public /home/me/store: others must be able to reach it; give an address such as https://"
    )


# ---- remembered


def test_deployment__is_what_later_commands_of_the_folder_read(commands, tmp_path):
    store = tmp_path / "kept"
    assert commands(*DEPLOY, "--store", store).code == 0
    made = remembered(commands)[-1]["federation"]
    shown = commands("status")
    assert shown.code == 0 and f"federation  {made} on chain" in shown.out, shown
    taken = f"federation {made}, network ethereum:local:foundry, store {store}"
    assert shown.err == f"as remembered in deployments/current.json: {taken}\n"
    wrote = commands("model", "--out", tmp_path / "model")
    assert wrote.code == 0 and (tmp_path / "model" / "model.safetensors").is_file(), wrote
    other = commands("status", "--federation", "0x" + "12" * 20)
    assert other.code == 1 and made not in other.err  # an address that is given is the one that counts
    file = commands.folder / "deployments" / "current.json"
    assert file.stat().st_mode & 0o077 == 0  # a node's address may hold a key
    file.write_text("{")
    assert commands("status").line.startswith("Error: deployments/current.json cannot be read")
    file.unlink()
    assert "Missing option '--federation': give ADDRESS" in commands("status").err


# ---- what it costs


@pytest.fixture
def bare(commands):
    """The chain before anybody deployed a contract of this version; put back afterwards."""
    before = commands.web3.provider.make_request("evm_snapshot", [])["result"]
    for name in identity.contracts(Mode.OPEN):
        commands.web3.provider.make_request("anvil_setCode", [identity.address_of(name), "0x"])
        commands.web3.provider.make_request("anvil_setNonce", [identity.address_of(name), "0x0"])
    yield
    commands.web3.provider.make_request("evm_revert", [before])


def test_second_federation__needs_no_factory_of_its_own__and_another_label_under_equal_terms(commands, bare, tmp_path):
    places = ["--store", tmp_path / "s"]
    assert commands(*DEPLOY, *places).code == 0
    first = remembered(commands)[-1]
    assert first["gas"].keys() == {"TestToken", *identity.contracts(Mode.OPEN), "create"} and min(first["gas"].values()) > 0
    assert first["factory"] == identity.address_of(identity.FACTORIES[Mode.OPEN])
    named = f"token: '{first['token']}'\n"
    again = commands(*DEPLOY, *places, "--terms", commands.write("again.yaml", named))
    assert again.line.endswith(f"stands at {first['federation']}: use it, or add a label for another one")
    done = commands(*DEPLOY, *places, "--terms", commands.write("second.yaml", named + "label: second\n"))
    assert done.code == 0, done.err
    second = remembered(commands)[-1]
    assert second["federation"] != first["federation"] and second["factory"] == first["factory"]
    assert second["gas"].keys() == {"create"}


def test_local_chain_without_the_deployer__gets_it__so_that_no_command_must_be_told(commands, bare, tmp_path):
    commands.web3.provider.make_request("anvil_setCode", [identity.DEPLOYER, "0x"])
    commands.web3.provider.make_request("anvil_setNonce", [identity.DEPLOYER, "0x0"])
    assert commands(*DEPLOY, "--store", tmp_path / "s").code == 0
    made = remembered(commands)[-1]
    assert made["factory"] == identity.address_of(identity.FACTORIES[Mode.OPEN])
    done = commands("fund", "--federation", made["federation"], "--account", "TEST::0", "--mint", "--amount", "5")
    assert done.code == 0 and "the pool holds 5 TTT" in done.out, done


def test_chain_without_the_deployer__gets_a_factory_of_its_own__that_commands_must_be_told(commands, bare, tmp_path):
    commands.web3.provider.make_request("anvil_setCode", [identity.DEPLOYER, "0x"])
    commands.web3.provider.make_request("anvil_setNonce", [identity.DEPLOYER_MAKER, "0x1"])  # nobody can make it here
    assert commands(*DEPLOY, "--store", tmp_path / "s").code == 0
    made = remembered(commands)[-1]
    assert made["factory"] != identity.address_of(identity.FACTORIES[Mode.OPEN])
    fund = ["fund", "--federation", made["federation"], "--account", "TEST::0", "--mint", "--amount", "5"]
    done = commands(*fund)
    assert done.code == 1 and "cannot be recomputed here" in done.line and "name a factory that you know" in done.line
    assert "the pool holds 5 TTT" in commands(*fund, "--factory", made["factory"]).out


def test_dry_run__tells_cost_time_and_roles__and_sends_nothing(commands, bare, tmp_path):
    before = nonce(commands)
    done = commands(
        *DEPLOY, "--dry-run", "--gas-price", "10", "--eth-price", "2000", "--seats", "10", "--store", tmp_path / "never"
    )
    assert done.code == 0, done.err
    assert nonce(commands) == before and not (tmp_path / "never").exists() and done.out.endswith("nothing was sent\n")
    assert re.search(
        r"deployment  [\d,]+ gas \(TestToken [\d,]+, Disputes [\d,]+, .*: 0\.0[789]\d* ETH \(\$1\d\d\.\d\d at \$2000", done.out
    )
    assert "time      4h 10m when everybody acts at once, 8h 2m at most" in done.out
    assert (
        "windows     commit 1h, reveal 30m, draw 32m, " in done.out
        and "30m of training, blocks of 12 s, draw_delay 2" in done.out
    )
    assert "participant earns up to 10, loses 10 if it commits and does not reveal" in done.out
    assert "sets aside 111 TTT" in done.out  # with a committee of five, since ten seats are expected
    assert "rollup    some " in done.out
    assert "sets aside 107 TTT" in commands(*DEPLOY, "--dry-run", "--store", tmp_path / "never").out


def test_deploy__draws_a_committee_for_the_seats_that_are_expected(commands, tmp_path):
    assert commands(*DEPLOY, "--seats", "12", "--store", tmp_path / "s").code == 0
    federation = commands.contract("Federation", remembered(commands)[-1]["federation"])
    terms = federation.functions.terms().call()
    names = [f.name for f in fields(Terms)]
    assert (terms[names.index("committee")], terms[names.index("min_reveals")]) == (7, 7)


def tried(commands: Commands, *words: object) -> dict:
    return commands.json(*DEPLOY, "--dry-run", *words)["tried"]


def test_dry_run__tries_it_on_a_copy_of_the_chain__which_makes_what_deploy_then_makes(commands, bare, tmp_path):
    before = nonce(commands)
    lines = commands(*DEPLOY, "--dry-run").out
    copy = tried(commands)
    assert nonce(commands) == before and (copy["fails"], copy["untried"]) == ([], "")
    assert copy["block"] == commands.web3.eth.block_number
    assert commands(*DEPLOY, "--store", tmp_path / "s").code == 0
    made = remembered(commands)[-1]
    assert {step["name"]: step["gas"] for step in copy["steps"]} == made["gas"]
    places = {step["name"]: step["address"].lower() for step in copy["steps"]}
    assert places["TestToken"] == made["token"].lower() and places["create"] == made["federation"].lower()
    assert places["FederationFactory"] == made["factory"].lower()
    whole = sum(made["gas"].values())
    assert f"tried on a copy of the chain at block {copy['block']:,}: {whole:,} gas, " in lines
    assert re.search(rf"  create +{made['gas']['create']:,} gas, {made['federation']}", lines)


def test_dry_run__with_factory_and_token__tries_the_one_transaction_that_is_left(commands, tmp_path):
    assert commands(*DEPLOY, "--store", tmp_path / "s").code == 0
    token = remembered(commands)[-1]["token"]
    terms = commands.write("next.yaml", f"token: '{token}'\nlabel: next\n")
    copy = tried(commands, "--terms", terms)
    assert [step["name"] for step in copy["steps"]] == ["create"]
    assert commands(*DEPLOY, "--store", tmp_path / "s", "--terms", terms).code == 0
    assert copy["steps"][0]["address"] == remembered(commands)[-1]["federation"]


def test_dry_run__without_gas_money__says_that_it_would_fail__and_tries_the_rest(commands):
    done = commands("deploy", "--account", "cold", "--task", "linear", "--dry-run")
    assert re.search(
        r"\nwould fail: 0x\w{40} holds 0\.0+ ETH and needs some 0\.\d+ for gas: send it some; on the copy", done.out
    )
    assert "tried on a copy of the chain at block " in done.out and done.out.endswith("nothing was sent\n")


def test_dry_run__names_the_transaction_that_would_fail(commands, bare):
    """A factory's address that holds something else."""
    commands.web3.provider.make_request("anvil_setCode", [identity.address_of(identity.FACTORIES[Mode.OPEN]), "0x60006000fd"])
    copy = tried(commands)
    assert [step["name"] for step in copy["steps"]] == ["TestToken"]
    assert copy["fails"] and copy["fails"][0].startswith("create: ")


def test_dry_run__where_it_cannot_be_tried__says_why(commands, bare, monkeypatch):
    commands.web3.provider.make_request("anvil_setCode", [identity.DEPLOYER, "0x"])
    done = commands(*DEPLOY, "--dry-run")
    assert f"not tried on a copy of the chain: the chain lacks the deployer {identity.DEPLOYER}" in done.out
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ChainError, match="there is no local chain to start"), copy_of(commands.node, 31337, 1):
        pass


def test_dry_run__needs_no_passphrase(commands):
    done = commands("deploy", "--account", "cold", "--task", "linear", "--dry-run")
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    "words, message",
    [(["--seats", "2"], "--seats 2: these terms allow 3 to 128"), (["--public", "x"], "--public x: others must")],
)
def test_dry_run__refuses_what_the_real_run_would(commands, words, message):
    assert commands(*DEPLOY, "--dry-run", *words).line.startswith(f"Error: {message}")


def test_dry_run__tells_what_a_token_must_be_worth__and_what_the_next_fork_makes_of_it(commands, bare):
    told = commands.json(*DEPLOY, "--dry-run", "--gas-price", "2", "--seats", "10")
    assert told["rules"] == gas.TODAY and told["proof_gas"] == {"answer": gas.answer(0), "challenge": gas.challenge(0, 10)}
    worth = told["token_must_be_worth"]
    assert worth["demand_deposit"] == pytest.approx(gas.answer(0) * 2e-9 / 0.2)
    assert worth["challenge_fee"] == pytest.approx(gas.challenge(0, 10) * 2e-9 / 5)
    then = told["next_rules"]
    assert then["name"] == gas.NEXT and then["deployment_gas"] > 5 * told["deployment"]["total_gas"]
    assert told["round"]["gas"] < then["round_gas"] < 2 * told["round"]["gas"]
    terms = commands.write("free.yaml", "demand_deposit: 0")
    lines = commands(*DEPLOY, "--dry-run", "--terms", terms).out
    assert "under the rules of Amsterdam, the next fork: deployment " in lines
    assert re.search(r"answer    takes [\d,]+ gas; demand_deposit covers nothing: it is 0\n", lines)
    assert re.search(r"challenge takes [\d,]+ gas; challenge_fee covers it if a token is worth at least 0\.0", lines)


def test_dry_run__deployment_costs_what_it_said(commands, bare, tmp_path):
    result = commands(*DEPLOY, "--dry-run").out
    assert commands(*DEPLOY, "--store", tmp_path / "s").code == 0
    paid = remembered(commands)[-1]["gas"]
    assert paid.keys() > {*identity.contracts(Mode.OPEN)}
    for what, used in paid.items():
        said = int(re.search(rf"{what} ([\d,]+)", result)[1].replace(",", ""))
        assert said == pytest.approx(used, rel=0.05), what


# ---- money and sources


def test_deploy__without_gas_money__sends_nothing(commands):
    commands.write("secret.txt", "correct horse")
    done = commands("deploy", "--account", "cold", "--passphrase-file", "secret.txt", "--task", "linear")
    assert re.match(r"Error: 0x\w+ holds 0\.0+ ETH and needs some \d\.\d+ for gas: send it some; nothing was sent", done.line)


def test_publish__where_no_explorer_is__is_refused_before_anything_is_sent(commands):
    before = nonce(commands)
    done = commands(*DEPLOY, "--publish")
    assert "no explorer shows a chain of this machine: give --publish the address of one, or leave it out" in done.line
    assert "--publish 'file:/x': give the web address of an API" in commands(*DEPLOY, "--publish", "file:/x").line
    assert nonce(commands) == before


def test_deploy__in_json__says_all_that_a_script_needs(commands, tmp_path):
    told = commands.json(*DEPLOY, "--store", tmp_path / "s")
    kept = remembered(commands)[-1]
    assert {name: told[name] for name in kept} == kept and told["stores"] == [str(tmp_path / "s")]
    assert int(told["terms"]["min_stake"]) > 0 and told["gas"]["create"] > 0
    assert "deploy" in json.dumps(commands.json(*DEPLOY, "--dry-run"))


# ---- a DAO as the sponsor

DELAY = 3600
NOBODY = "0x" + "00" * 20


def put(commands: Commands, name: str, *args: object) -> str:
    """Deploys a contract of the tests; returns its address."""
    code = json.loads((commands.folder / ".build" / "__local__.json").read_text())["contractTypes"][name]
    make = commands.web3.eth.contract(abi=code["abi"], bytecode=code["deploymentBytecode"]["bytecode"])
    sent = make.constructor(*args).transact({"from": commands.web3.eth.accounts[1]})
    return commands.web3.eth.wait_for_transaction_receipt(sent).contractAddress


def batch_of(calls: list[dict]) -> tuple[list[str], list[int], list[str]]:
    return [c["to"] for c in calls], [int(c["value"]) for c in calls], [c["data"] for c in calls]


class Timelock:
    """OpenZeppelin's TimelockController: a proposer schedules, the delay passes, anybody executes."""

    def __init__(self, commands: Commands):
        self.commands, self.member = commands, commands.web3.eth.accounts[1]
        self.address = put(commands, "Timelock", DELAY, [self.member], [NOBODY])
        self.contract = commands.contract("Timelock", self.address)

    def carry_out(self, calls: list[dict]) -> None:
        """What the command printed, as one proposal."""
        ends = (b"\0" * 32, self.commands.web3.keccak(text=json.dumps(calls)))
        self._send("scheduleBatch", [*batch_of(calls), *ends, DELAY])
        self.commands.pass_time(DELAY)
        self._send("executeBatch", [*batch_of(calls), *ends])

    def _send(self, function: str, args: list) -> None:
        self.commands.send(self.member, self.address, self.contract.encode_abi(function, args))


class Governor:
    """OpenZeppelin's Governor over its timelock: three members with a vote each propose, vote, queue, and execute."""

    def __init__(self, commands: Commands):
        self.commands, self.members = commands, commands.web3.eth.accounts[1:4]
        self.member = self.members[0]
        votes = put(commands, "VotesToken", self.members)
        for member in self.members:
            commands.send(member, votes, commands.contract("VotesToken", votes).encode_abi("delegate", [member]))
        self.governor = put(commands, "Dao", votes, DELAY)
        self.contract = commands.contract("Dao", self.governor)
        self.address = self.contract.functions.timelock().call()

    def carry_out(self, calls: list[dict]) -> None:
        """What the command printed, as one proposal; the third member is against it."""
        result = json.dumps(calls)
        whole = [*batch_of(calls), self.commands.web3.keccak(text=result)]
        self._send("propose", [*batch_of(calls), result])
        proposal = self.contract.functions.hashProposal(*whole).call()
        self.commands.web3.provider.make_request("anvil_mine", [hex(2)])
        for member, support in zip(self.members, (1, 1, 0), strict=True):
            self._send("castVote", [proposal, support], member)
        self.commands.web3.provider.make_request("anvil_mine", [hex(5)])
        self._send("queue", whole)
        self.commands.pass_time(DELAY)
        self._send("execute", whole)

    def _send(self, function: str, args: list, sender: str | None = None) -> None:
        self.commands.send(sender or self.member, self.governor, self.contract.encode_abi(function, args))


SAFE = ROOT / "node_modules" / "@safe-global" / "safe-contracts" / "build" / "artifacts" / "contracts"
MNEMONIC = "test test test test test test test test test test test junk"  # of the node's own accounts


class Safe:
    """A Safe 1.4.1 of three owners, two of whom sign every transaction; several calls go through its MultiSend."""

    def __init__(self, commands: Commands):
        Account.enable_unaudited_hdwallet_features()
        self.commands, self.web3 = commands, commands.web3
        self.owners = [Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{i}") for i in (1, 2, 3)]
        self.member = self.owners[0].address
        code, factory, handler, self.many = map(
            self._put,
            (
                "SafeL2.sol/SafeL2",
                "proxies/SafeProxyFactory.sol/SafeProxyFactory",
                "handler/CompatibilityFallbackHandler.sol/CompatibilityFallbackHandler",
                "libraries/MultiSendCallOnly.sol/MultiSendCallOnly",
            ),
        )
        owners = [owner.address for owner in self.owners]
        begin = code.encode_abi("setup", [owners, 2, NOBODY, b"", handler.address, NOBODY, 0, NOBODY])
        made = self._mined(factory.functions.createProxyWithNonce(code.address, begin, 1).transact({"from": self.member}))
        self.address = factory.events.ProxyCreation().process_receipt(made)[0]["args"]["proxy"]
        self.safe = self.web3.eth.contract(self.address, abi=code.abi)

    def carry_out(self, calls: list[dict]) -> None:
        """What the command printed, as one transaction that two of the owners have signed."""
        (to, data), kind = (calls[0]["to"], calls[0]["data"]), 0
        if len(calls) > 1:
            packed = b"".join(self._packed(call) for call in calls)
            (to, data), kind = (self.many.address, self.many.encode_abi("multiSend", [packed])), 1
        whole = [self.web3.to_checksum_address(to), 0, data, kind, 0, 0, 0, NOBODY, NOBODY]
        digest = self.safe.functions.getTransactionHash(*whole, self.safe.functions.nonce().call()).call()
        signers = sorted(self.owners[:2], key=lambda owner: int(owner.address, 16))
        signed = b"".join(bytes(owner.unsafe_sign_hash(digest).signature) for owner in signers)
        with pytest.raises(ContractLogicError, match="GS020"):  # one signature is not enough
            self.safe.functions.execTransaction(*whole, signed[:65]).call()
        done = self._mined(self.safe.functions.execTransaction(*whole, signed).transact({"from": self.member}))
        assert len(self.safe.events.ExecutionSuccess().process_receipt(done, errors=DISCARD)) == 1

    @staticmethod
    def _packed(call: dict) -> bytes:
        data = bytes.fromhex(call["data"][2:])
        return b"\0" + bytes.fromhex(call["to"][2:]) + int(call["value"]).to_bytes(32) + len(data).to_bytes(32) + data

    def _put(self, name: str) -> Any:
        facts = json.loads((SAFE / f"{name}.json").read_text())
        make = self.web3.eth.contract(abi=facts["abi"], bytecode=facts["bytecode"])
        made = self._mined(make.constructor().transact({"from": self.member}))
        return self.web3.eth.contract(made.contractAddress, abi=facts["abi"])

    def _mined(self, sent: Any) -> Any:
        receipt = self.web3.eth.wait_for_transaction_receipt(sent)
        assert receipt.status == 1
        return receipt


@pytest.mark.parametrize("kind", [Timelock, Governor, Safe])
def test_dao__as_sponsor__funds_and_concludes_and_gets_the_rest_back(commands, tmp_path, kind):
    sponsor = kind(commands)
    terms = commands.write("dao.yaml", f"sponsor: '{sponsor.address}'\n")
    assert commands(*DEPLOY, "--terms", terms, "--store", tmp_path / "s").code == 0
    result = remembered(commands)[-1]
    here = ["--federation", result["federation"]]
    token, federation = commands.contract("TestToken", result["token"]), commands.contract("Federation", result["federation"])
    poor = commands("fund", *here, "--calldata", "--amount", "50")
    assert f"the sponsor {sponsor.address} holds 0 TTT, and this takes 50 TTT: send it the rest first" in poor.out
    commands.send(sponsor.member, token.address, token.encode_abi("mint", [sponsor.address, 50 * 10**18]))
    assert "lacks" not in commands.json("fund", *here, "--calldata", "--amount", "50")

    sponsor.carry_out(commands.json("fund", *here, "--calldata", "--amount", "50")["calls"])
    assert federation.functions.accounting().call()[5] == 50 * 10**18 and token.functions.balanceOf(sponsor.address).call() == 0

    stranger = commands("conclude", *here, "--account", "TEST::0")
    assert stranger.line.startswith(f"Error: the sponsor is {sponsor.address}, not 0x")
    for index in (2, 3, 4):
        assert commands("join", *here, "--account", f"TEST::{index}", "--mint").code == 0
    commands.send(sponsor.member, federation.address, federation.encode_abi("openRound", []))

    sponsor.carry_out(commands.json("conclude", *here, "--calldata")["calls"])
    assert federation.functions.concluded().call()
    assert commands.json("status", *here)["concluded"]
    commands.pass_time(30 * 3600)  # nobody committed: the round is void
    sponsor.carry_out(commands.json("conclude", *here, "--calldata")["calls"])
    assert token.functions.balanceOf(sponsor.address).call() == 50 * 10**18
    assert "nothing to do" in commands("conclude", *here, "--calldata").line
