"""Whose fault it is: a contract that is another kind, a key that cannot pay, and a node that is gone are told apart."""

import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import ape_foundry.provider as foundry
import pytest
from web3 import HTTPProvider, Web3

from fl.errors import ChainError, ContractError
from fl.learning.task_loading import load_task
from fl.network import ape_accounts, ape_patches
from fl.network.denomination import RAW, Denomination
from fl.network.stores.local import LocalStore
from fl.network.token import Token
from fl.tools.federation.deploy import deploy

pytestmark = pytest.mark.xdist_group("commands")

STRANGE = "0x" + "77" * 20
REFUSES = "0x60006000fd"  # code that reverts whatever it is asked


@pytest.fixture
def node() -> Iterator[SimpleNamespace]:
    """A node of its own with play money on it; `stop` ends it."""
    process = subprocess.Popen(["anvil", "--port", "0", "--chain-id", "1337"], stdout=subprocess.PIPE, text=True)
    address = next(line.split()[-1] for line in process.stdout if line.startswith("Listening on"))
    threading.Thread(target=process.stdout.read, daemon=True).start()

    def rpc(method: str, *words: str | int) -> None:
        assert "error" not in Web3(HTTPProvider(f"http://{address}")).provider.make_request(method, list(words))

    def stop() -> None:
        process.kill()
        process.wait()

    with ape_accounts.connected(f"http://{address}"):
        account = ape_accounts.local_accounts(1)[0]
        token = Token(ape_accounts.node(), ape_accounts.deploy(account, "TestToken")[0].address)
        yield SimpleNamespace(account=account, token=token, rpc=rpc, stop=stop)
    stop()


def test_contract_of_another_kind__is_told_as_such(node):
    node.rpc("anvil_setCode", STRANGE, REFUSES)
    with pytest.raises(ContractError, match=f"^no ERC-20 token at {STRANGE} on chain 1337: check"):
        Token(ape_accounts.node(), STRANGE)


def test_mint_and_permit__of_a_token_without_them(node):
    assert node.token.permit(node.account, STRANGE, 5) is not None
    node.token.mint(node.account, 5)
    assert node.token.held_by(node.account.address) == 5
    node.rpc("anvil_setCode", node.token.address, REFUSES)
    with pytest.raises(ChainError, match="is not play money: get tokens, and leave --mint out"):
        node.token.mint(node.account, 5)
    assert node.token.permit(node.account, STRANGE, 5) is None


def test_permit__whose_numbers_begin_with_a_zero__is_taken(node):
    """Signers leave leading zeros out: some three signatures in 256 have a short number."""

    def sign(message):
        signature = node.account.sign_message(message)
        return SimpleNamespace(v=signature.v, r=bytes(signature.r).lstrip(b"\0"), s=bytes(signature.s).lstrip(b"\0"))

    terse = SimpleNamespace(address=node.account.address, sign_message=sign)
    permits = (node.token.permit(terse, STRANGE, amount) for amount in range(1, 5000))
    permit = next(p for p in permits if 0 in (p.r[0], p.s[0]) or {len(p.r), len(p.s)} != {32})
    assert (len(permit.r), len(permit.s)) == (32, 32)
    words = (permit.amount, permit.deadline, permit.v, permit.r, permit.s)
    ape_accounts.call("TestToken", node.token.address, "permit", node.account.address, STRANGE, *words, sender=node.account)
    assert node.token.allowance(node.account.address, STRANGE) == permit.amount


def test_mint_without_gas__blames_the_purse(node):
    poor = ape_accounts.local_accounts(4)[3]
    node.rpc("anvil_setBalance", poor.address, "0x0")
    with pytest.raises(ChainError, match=f"^{poor.address} holds 0.000000 ETH, too little for gas: send"):
        node.token.mint(poor, 5)


def test_gas_price__is_the_node_s__where_ape_says_0(node):
    said = int(ape_accounts.node()("eth_gasPrice"), 16)
    assert ape_accounts.gas_price() == said > 0
    held = int(21_000 * said * 0.9)
    node.rpc("anvil_setBalance", node.account.address, hex(held))
    with pytest.raises(ChainError, match="too little for gas: send it some; nothing was sent"):
        node.token.mint(node.account, 5)


@pytest.mark.parametrize("chain, local", [(31337, True), (4242, False)])
def test_node_that_is_given_by_its_address__is_a_local_chain__if_its_chain_says_so(chain, local):
    process = subprocess.Popen(["anvil", "--port", "0", "--chain-id", str(chain)], stdout=subprocess.PIPE, text=True)
    address = next(line.split()[-1] for line in process.stdout if line.startswith("Listening on"))
    threading.Thread(target=process.stdout.read, daemon=True).start()
    try:
        with ape_accounts.network(f"http://{address}"):
            assert ape_accounts.network_choice() == f"http://{address}" and ape_accounts.is_local() is local
    finally:
        process.kill()
        process.wait()


def test_node_that_is_gone__is_blamed_and_nobody_else(node):
    contract, rpc = ape_accounts.contract("TestToken").at(node.token.address), ape_accounts.node()
    result = (
        r"^the node 127\.0\.0\.1:\d+ did not answer( eth_\w+)?: .*refused; "
        r"make sure that it runs, and check --network( or --rpc)?$"
    )
    node.stop()
    for ask in (
        lambda: Token(rpc, node.token.address),
        lambda: ape_accounts.read(contract.decimals, "ERC-20 token"),
        lambda: node.token.mint(node.account, 5),
        lambda: node.token.permit(node.account, STRANGE, 5),
    ):
        with pytest.raises(ChainError, match=result) as refused:
            ask()
        assert not isinstance(refused.value, ContractError)


def test_refusal__is_told_in_the_federation_s_own_token(node, tmp_path):
    token = ape_accounts.deploy(node.account, "SixDecimalsToken")[0].address
    made = deploy(load_task("linear"), {"token": token}, node.account, LocalStore(tmp_path))
    reader = ape_accounts.federation(made.federation)
    assert reader.denomination == Token(reader.rpc, token).denomination == Denomination(6, "SIX")
    assert reader.terms.min_stake == 100 * 10**6
    join = (node.account.address, node.account.address, 50 * 10**6, b"")
    with pytest.raises(
        ContractError, match=r"^the contract rejected the call: a stake of 50 SIX is below the minimum of 100 SIX: nothing"
    ):
        options = {"sender": node.account, "denomination": reader.denomination}
        ape_accounts.call("Federation", reader.address, "join", *join, **options)
    node.rpc("anvil_setCode", token, REFUSES)
    assert ape_accounts.federation(made.federation).denomination is RAW  # shown all the same, in what is sure


def test_local_chains_of_ape__listen_below_the_ports_of_outgoing_connections(monkeypatch):
    monkeypatch.setattr(foundry, "EPHEMERAL_PORTS_START", 49_152)
    monkeypatch.setattr(foundry, "EPHEMERAL_PORTS_END", 60_999)
    ape_patches.listen_low()
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert 1024 < foundry.EPHEMERAL_PORTS_START < foundry.EPHEMERAL_PORTS_END < lowest


@pytest.mark.parametrize("mode, mended", [(0o644, True), (0o640, True), (0o600, False), (0o400, False)])
def test_file_with_a_secret__that_others_can_read__is_taken_from_them__with_a_word(tmp_path, capsys, mode, mended):
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    secret.chmod(mode)
    ape_accounts.keep_private(secret, "the passphrase file")
    said = f"the passphrase file {secret} could be read by other users; now only you can"
    assert secret.stat().st_mode & 0o077 == 0 and (said in capsys.readouterr().err) is mended


@pytest.mark.parametrize("mode, mended", [(0o755, True), (0o770, True), (0o700, False)])
def test_folder_of_keys__is_taken_from_other_users__with_a_word(tmp_path, capsys, mode, mended):
    folder = tmp_path / "keys"
    folder.mkdir()
    stored = folder / "owner.json"
    stored.write_text(ape_accounts.new_keystore("secret"))
    (folder / "passphrase").write_text("secret")
    folder.chmod(mode)
    assert ape_accounts.account(str(stored), folder / "passphrase").address
    said = f"the key folder {folder} was open to other users; now only you can enter it"
    assert folder.stat().st_mode & 0o777 == 0o700 and (said in capsys.readouterr().err) is mended


@pytest.mark.parametrize("mode, told", [(0o755, False), (0o777, True)])
def test_folder_that_holds_other_things__keeps_its_mode__and_is_told_if_others_can_change_it(tmp_path, capsys, mode, told):
    (tmp_path / "passphrase").write_text("secret")
    (tmp_path / "notes.txt").write_text("of others")
    tmp_path.chmod(mode)
    ape_accounts.keep_folder_private(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == mode
    assert ("can be changed by other users: keep keys in a folder of their own" in capsys.readouterr().err) is told


def test_loopback__is_reached_through_no_proxy():
    for name in ("NO_PROXY", "no_proxy"):
        assert {"127.0.0.1", "localhost", "::1"} <= set(os.environ[name].split(","))


def test_ape_run__loads_each_command_once(monkeypatch):
    from ape_run._cli import ScriptCommand

    found = ScriptCommand._get_command
    loaded = []
    monkeypatch.setattr(ScriptCommand, "_get_command", lambda self, path: loaded.append(path) or found(self, path))
    monkeypatch.chdir(Path(__file__).parents[3])
    ape_patches.run_scripts_once()
    command = ScriptCommand()
    assert set(command.list_commands(None)) == {path.stem for path in Path("scripts").glob("*.py")}
    for name in ("status", "watch"):
        assert command.get_command(None, name).name == name
    assert len(loaded) == len(set(loaded)) == len(list(Path("scripts").glob("*.py")))
