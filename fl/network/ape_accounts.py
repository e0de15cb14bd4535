"""The chain through Ape, in the only module that knows Ape: contracts, accounts, transactions, events, the clock."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import ape
from ape.api.accounts import AccountAPI
from ape.contracts import ContractContainer
from ape.exceptions import (
    AccountsError,
    ContractDataError,
    ContractLogicError,
    EcosystemNotFoundError,
    NetworkNotFoundError,
    ProviderError,
    ProviderNotFoundError,
    TransactionError,
    VirtualMachineError,
)
from ape.logging import LogLevel, logger
from ape_accounts.accounts import InvalidPasswordError, KeyfileAccount
from eth_abi.exceptions import DecodingError
from eth_account import Account
from eth_utils import is_hex_address, to_checksum_address
from ethpm_types import ContractType
from web3.exceptions import Web3Exception

from fl.errors import ChainError, ContractError
from fl.network import gas, identity
from fl.network.ape_patches import listen_low, no_call_tree
from fl.network.calls import chain_id as node_chain
from fl.network.calls import number_of
from fl.network.denomination import RAW, Denomination
from fl.network.error_messages import explain
from fl.network.federation import FederationReader
from fl.network.rpc import DEV_CHAINS, LOOPBACK, NodeError, NodeRefused, Rpc, host, on_loopback
from fl.network.typed_data import signable
from fl.protocol.signatures import TypedData

PROBE_SECONDS = 5.0
# Ape's requests heed HTTP_PROXY and HTTPS_PROXY; a node on this machine is never reached through a proxy.
for _name in ("NO_PROXY", "no_proxy"):
    os.environ[_name] = ",".join(dict.fromkeys([*filter(None, os.environ.get(_name, "").split(",")), *LOOPBACK]))
MIN_GAS = 21_000  # gas of any transaction
NO_SUCH_NETWORK = (EcosystemNotFoundError, NetworkNotFoundError, ProviderNotFoundError)
NODE_FAILS = (ProviderError, Web3Exception, OSError)
OTHER_KIND = (VirtualMachineError, ContractDataError, DecodingError, UnicodeDecodeError)  # a contract that is not ours


def local_accounts(count: int) -> list[AccountAPI]:
    """Funded test accounts of a local chain."""
    return [ape.accounts.test_accounts[i] for i in range(count)]


def account(name: str, passphrase_file: Path | None = None, local: bool | None = None) -> AccountAPI:
    """A key by its alias (TEST::0 and so on: those of a local chain), ready to sign without asking.

    The passphrase comes from the file, or from APE_ACCOUNTS_<alias>_PASSPHRASE. local: whether the chain is one of this
    machine, if none is connected. Raises ChainError with the remedy."""
    if name.startswith("TEST::"):
        if not name[6:].isdecimal() or not (is_local() if local is None else local):
            raise ChainError(f"no account {name!r} here: TEST::0 and so on are keys of a local chain, which everybody knows")
        return _test_account(name)
    found = _stored(name)
    if not hasattr(found, "set_autosign"):
        return found  # a device that asks for confirmation itself
    if (keyfile := getattr(found, "keyfile_path", None)) is not None:
        keep_private(Path(keyfile), "the key file")
        keep_folder_private(Path(keyfile).absolute().parent)
    variable = f"APE_ACCOUNTS_{Path(name).stem if name.endswith('.json') else name}_PASSPHRASE"
    passphrase = os.environ.get(variable)
    if passphrase_file is not None:
        keep_private(passphrase_file, "the passphrase file")
        keep_folder_private(passphrase_file.absolute().parent)
        try:
            passphrase = passphrase_file.read_text().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ChainError(f"the passphrase file {passphrase_file} cannot be read: {error}") from error
    if not passphrase:
        raise ChainError(f"account {name} is locked: set {variable}, or give --passphrase-file FILE")
    with hushed():
        try:
            found.set_autosign(True, passphrase=passphrase)
        except InvalidPasswordError:
            raise ChainError(f"account {name}: wrong passphrase; check --passphrase-file or {variable}") from None
    return found


def _stored(name: str) -> AccountAPI:
    """An account of Ape's by its alias, or the key in a keystore's file (`keys/owner.json`), still locked."""
    path = Path(name)
    if path.suffix == ".json" and path.is_file():
        facts = {"container": ape.accounts.containers["accounts"], "keyfile_path": path}
        return cast(AccountAPI, KeyfileAccount.model_validate(facts))
    if name not in ape.accounts.aliases:
        raise ChainError(f"no account {name!r}: `ape accounts list` shows all accounts, `ape accounts import` adds one")
    return cast(AccountAPI, ape.accounts.load(name))


def new_keystore(passphrase: str) -> str:
    """A new key, encrypted, as the text of a keystore's file that `account` opens."""
    made = Account.create()
    return json.dumps(Account.encrypt(made.key, passphrase))


def keep_private(path: Path, what: str) -> None:
    """Takes a file with a secret away from other users, with a word. Raises ChainError if that cannot be done."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return  # whoever reads it says why it cannot
    if not stat.S_ISREG(mode) or not mode & 0o077:
        return
    try:
        path.chmod(0o600)
    except OSError as error:
        message = f"{what} {path} can be read by other users and cannot be made private ({error.strerror})"
        raise ChainError(f"{message}: move it to a folder of your own, with mode 0600; nothing was sent") from error
    word = f"{what} {path} could be read by other users; now only you can: if somebody may have read it, change the key"
    print(word, file=sys.stderr)


def keep_folder_private(folder: Path) -> None:
    """Takes a folder of keys and passphrases away from other users, with a word: who can write there can put other keys in
    their place. Only a folder that holds nothing else is changed; of another it is said, because others may work there."""
    try:
        facts = folder.stat()
        alone = all(path.is_file() and _holds_secrets(path) for path in folder.iterdir())
    except OSError:
        return  # whoever reads what lies there says why it cannot
    if not facts.st_mode & 0o077:
        return
    if facts.st_uid == os.getuid() and alone:
        try:
            folder.chmod(0o700)
        except OSError as error:
            message = f"the key folder {folder} is open to other users and cannot be made private ({error.strerror})"
            raise ChainError(f"{message}: keep keys in a folder of your own, with mode 0700; nothing was sent") from error
        print(f"the key folder {folder} was open to other users; now only you can enter it (mode 0700)", file=sys.stderr)
    elif facts.st_mode & 0o022 and not facts.st_mode & stat.S_ISVTX:  # a sticky folder, such as /tmp, protects its files
        word = "keep keys in a folder of their own, with mode 0700"
        print(f"the folder {folder}, which holds a key or passphrase, can be changed by other users: {word}", file=sys.stderr)


def _holds_secrets(path: Path) -> bool:
    """Whether a file is, by its name, a keystore or a passphrase."""
    return path.suffix == ".json" or "pass" in path.name.lower()


def _test_account(name: str) -> AccountAPI:
    number = name.removeprefix("TEST::")
    if not number.isdecimal() or int(number) >= len(ape.accounts.test_accounts):
        raise ChainError(
            f"no account {name!r}: those of a local chain are TEST::0 to TEST::{len(ape.accounts.test_accounts) - 1}"
        )
    return cast(AccountAPI, ape.accounts.test_accounts[int(number)])


@contextmanager
def hushed() -> Iterator[None]:
    """Shows only Ape's errors: it warns of every signature that nobody confirmed."""
    before = logger.level
    logger.set_level(max(LogLevel.ERROR, before))
    try:
        yield
    finally:
        logger.set_level(before)


def ether_of(address: str) -> int:
    """The ether of an address, in wei."""
    return int(ape.chain.provider.get_balance(address))


def gas_price() -> int:
    """The network's current price per gas, in wei, from its node: Ape says 0 where it has no strategy for a price."""
    return number_of("eth_gasPrice", node()("eth_gasPrice"))


def rules() -> str:
    """The rules by which the network counts gas now (fl.network.gas). Raises NodeError."""
    newest = node()("eth_getBlockByNumber", "latest", False)
    return gas.rules_of(newest if isinstance(newest, dict) else {})


def account_address(name: str) -> str:
    """The address of an account, which may stay locked."""
    if name.startswith("TEST::"):
        return str(account(name).address)
    return str(_stored(name).address)


def is_address(text: str) -> bool:
    return bool(is_hex_address(text))


def code_at(address: str) -> bytes:
    """The code of an address, empty if it holds none. Raises ChainError for a node that does not answer."""
    try:
        return bytes(ape.chain.provider.get_code(address))
    except NODE_FAILS as error:
        raise _silent(error) from error


def _silent(error: Exception) -> ChainError:
    where, why = asked()
    return ChainError(
        f"the node {where} did not answer: {why or _first_line(error)}; make sure that it runs, and check --network"
    )


def asked(provider: Any = None) -> tuple[str, str]:
    """(where the node of a network is, without secrets; why it does not answer, "" if it does). The connected one by default.

    Ape reports a dead node in many ways, some of which blame the contract. After an unclear error, this asks the node
    itself."""
    try:
        url = address_of(ape.chain.provider if provider is None else provider)
    except (ChainError, ProviderError):
        return "of this network", ""
    failures: list[str] = []
    try:
        Rpc([url], timeout=PROBE_SECONDS, failed=lambda kind, _, text: failures.append(f"{kind}: {text}"))("eth_chainId")
    except NodeRefused:
        return host(url), ""
    except NodeError:
        return host(url), failures[-1].replace("eth_chainId: ", "")
    return host(url), ""


@dataclass
class Sends:
    """How many transactions began to be sent."""

    count: int = 0


_SENDS: ContextVar[Sends] = ContextVar("sends")  # where `transact` and `deploy` count, for whoever asked to know


@contextmanager
def counting_sends() -> Iterator[Sends]:
    """Counts the transactions that begin to be sent inside."""
    sends = Sends()
    token = _SENDS.set(sends)
    try:
        yield sends
    finally:
        _SENDS.reset(token)


def _begin_sending() -> None:
    if (sends := _SENDS.get(None)) is not None:
        sends.count += 1


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


class AccountSigner:
    """One of Ape's accounts, ready to sign without asking (see `account`). The key stays with Ape."""

    def __init__(self, account: AccountAPI):
        self._account = account
        self.address = str(account.address)

    def sign(self, fields: dict[str, Any]) -> bytes:
        """The raw signed transaction of these fields."""
        transaction = ape.networks.ethereum.create_transaction(**fields)
        with hushed():
            signed = self._account.sign_transaction(transaction)
        if signed is None:
            raise ChainError(f"account {self.address} did not sign")
        return bytes(signed.serialize_transaction())

    def sign_typed(self, data: TypedData) -> bytes:
        """The signature of typed data: the 65 bytes r, s, v."""
        return sign_typed(self._account, data)


def sign_typed(account: AccountAPI, data: TypedData) -> bytes:
    """An account's signature of typed data: the 65 bytes r, s, v. Raises ChainError."""
    try:
        with hushed():
            signature = account.sign_message(signable(data))
    except Exception as error:  # a signer's plugin may raise anything
        raise ChainError(f"account {account.address} did not sign: {error}; nothing was sent") from error
    if signature is None:
        raise ChainError(f"account {account.address} did not sign; nothing was sent")
    words = [bytes(half).rjust(32, b"\0") for half in (signature.r, signature.s)]  # signers leave leading zeros out
    return b"".join(words) + bytes([signature.v if signature.v >= 27 else signature.v + 27])


def project_folder() -> Path:
    """The folder whose contracts Ape knows: the present one when this is first asked."""
    return Path(ape.project.path)


@contextmanager
def connected(url: str) -> Iterator[None]:
    """Connects to a local chain at this address within the `with` block."""
    with ape.networks.parse_network_choice(f"ethereum:local:{url}"):
        yield


@contextmanager
def network(choice: str | None, settings: dict[str, Any] | None = None, *, ends: bool = False) -> Iterator[Any]:
    """Connects to a network by Ape's name for it, by default the project's; returns the provider.

    ends: a chain that was started for this connection ends with it, and not only with the process."""
    found = ape.networks.parse_network_choice(choice, provider_settings=settings, disconnect_after=ends)
    listen_low()
    with hushed(), found as provider:
        yield provider


def provider_of(choice: str | None, settings: dict[str, Any] | None = None) -> Any:
    """The provider of a network by Ape's name for it, by default the project's own; it is not connected."""
    return ape.networks.get_provider_from_choice(network_choice=choice, provider_settings=settings)


def node() -> Rpc:
    """JSON-RPC to the node of the connected network."""
    return Rpc([address_of(ape.chain.provider)])


def federation(address: str, factory: str | None = None) -> FederationReader:
    """Reads a federation of the connected network. Raises ChainError."""
    return FederationReader.open(node(), address, factory)


def address_of(provider: Any) -> str:
    """The HTTP address of a network's node, which need not be connected."""
    try:
        address = getattr(provider, "http_uri", None) or getattr(provider, "uri", None)
    except ProviderError:
        address = None
    if not isinstance(address, str) or not address.startswith("http"):
        raise ChainError("this network names no node: give --rpc URL")
    return address


def node_url() -> str:
    """The HTTP address of the connected node. Raises ChainError if it has none."""
    return address_of(ape.chain.provider)


def abi(name: str) -> list[dict[str, Any]]:
    """The interface of a contract of this project, as plain JSON."""
    return [entry.model_dump(mode="json", by_alias=True) for entry in contract(name).contract_type.abi]


def quiet() -> None:
    """Silences Ape's line per transaction; warnings stay."""
    if logger.level == LogLevel.INFO:
        logger.set_level(LogLevel.WARNING)


def is_local() -> bool:
    """Whether the connected network is a chain of this machine, with keys that everybody knows. Ape calls every node that is
    given by its address a custom network; its chain's id tells a local one."""
    if ape.chain.provider.network.is_dev:
        return True
    return bool(ape.chain.provider.network.is_adhoc) and on_loopback(node_url()) and node_chain(node()) in DEV_CHAINS


def network_choice() -> str:
    """The connected network, as --network takes it."""
    return str(ape.chain.provider.network_choice)


def chain_id() -> int:
    return int(ape.chain.chain_id)


def now() -> int:
    """The time that the next transaction would see, in seconds; on a local chain, the last block's."""
    return int(ape.chain.provider.get_block("latest").timestamp)


def contract(name: str) -> Any:
    """A contract of this project, to deploy or to attach to. A federation answers for both contracts that its code is."""
    found = getattr(ape.project, name)
    if name != "Federation":
        return found
    entries = list(found.contract_type.abi)
    entries += [entry for entry in ape.project.Disputes.contract_type.abi if entry not in entries]
    facts = found.contract_type.model_dump(mode="json", by_alias=True)
    facts["abi"] = [entry.model_dump(mode="json", by_alias=True) for entry in entries]
    return ContractContainer(ContractType.model_validate(facts))


def call(
    name: str, address: str, function: str, *args: Any, sender: AccountAPI, denomination: Denomination = RAW, **options: Any
) -> Any:
    """Sends one call of a deployed contract of this project, as `transact` does."""
    return transact(getattr(contract(name).at(address), function), *args, sender=sender, denomination=denomination, **options)


def attach(name: str, address: str, what: str) -> Any:
    """A deployed contract of this project. Raises ChainError if the address is invalid or holds no code."""
    if not is_hex_address(address):
        raise ChainError(f"{address!r} is not a valid address: give 0x and 40 hexadecimal digits")
    address = to_checksum_address(address)
    if not code_at(address):
        raise ChainError(f"no {what} at {address} on chain {chain_id()}: check address and network")
    return contract(name).at(address)


def read(function: Any, what: str) -> Any:
    """Calls a view of what should be `what`. Raises ContractError if the contract is of another kind, otherwise like `view`."""
    try:
        return view(function)
    except ContractError as error:
        where = function.contract.address
        raise ContractError(f"no {what} at {where} on chain {chain_id()}: check address and network") from error


def view(function: Any, *args: Any) -> Any:
    """Calls a view. Raises ContractError if the contract does not answer as its interface says, ChainError if no node does."""
    try:
        return function(*args)
    except OTHER_KIND as error:
        if asked()[1]:
            raise _silent(error) from error
        raise ContractError(f"{function.contract.address} is another kind of contract: {_first_line(error)}") from error
    except NODE_FAILS as error:
        raise _silent(error) from error


def transact(
    function: Callable[..., Any], *args: Any, sender: AccountAPI, denomination: Denomination = RAW, **kwargs: Any
) -> Any:
    """Sends one transaction and waits for it; a rejection becomes a ChainError that names the contract's error. unit: for
    the amounts in it."""
    try:
        can_pay_gas(sender)
        with no_call_tree():
            _begin_sending()
            return function(*args, sender=sender, **kwargs)
    except ContractLogicError as error:
        raise ContractError(f"the contract rejected the call: {_reason(error, denomination)}") from error
    except TransactionError as error:
        raise ChainError(f"the transaction failed: {' '.join(str(error).split())[:300]}; see `ape run status`") from error
    except AccountsError as error:  # the key is locked or cannot pay for gas
        raise ChainError(f"{sender.address} cannot send this: {_first_line(error)}") from error
    except NODE_FAILS as error:
        raise _silent(error) from error


def can_pay_gas(sender: AccountAPI) -> None:
    """Raises ChainError if the account could not pay for any transaction."""
    if (held := ether_of(str(sender.address))) < MIN_GAS * gas_price():
        message = f"{sender.address} holds {held / 1e18:.6f} ETH, too little for gas"
        raise ChainError(f"{message}: send it some; nothing was sent, no token moved")


def _reason(error: ContractLogicError, denomination: Denomination) -> str:
    name, inputs = type(error).__name__, getattr(error, "inputs", None) or {}
    facts = f"{name}({', '.join(f'{k}={v}' for k, v in inputs.items())})" if inputs else str(error)
    return explain(name, inputs, denomination) or facts


def put_deployer(account: AccountAPI, **options: Any) -> bool:
    """Puts the deployer on a local chain that lacks it, such as Hardhat's; says whether it stands. On other chains, where its
    0.01 ETH are money, nothing is sent."""
    if code_at(identity.DEPLOYER):
        return True
    if not is_local() or ape.chain.provider.get_nonce(identity.DEPLOYER_MAKER):
        return False
    try:
        _begin_sending()
        account.transfer(identity.DEPLOYER_MAKER, identity.DEPLOYER_COST, **options)
        node()("eth_sendRawTransaction", identity.DEPLOYER_TRANSACTION)
        node()("evm_mine")
    except (AccountsError, ChainError, ContractLogicError, TransactionError):
        return False  # a factory of one's own does without it
    return bool(code_at(identity.DEPLOYER))


def deploy_known(account: AccountAPI, name: str, **options: Any) -> tuple[str, int]:
    """Deploys a contract of this version at its recomputed address, unless it stands there; returns (address, gas used).

    The chain must have the deployer."""
    address = identity.address_of(name)
    if code_at(address):
        return address, 0
    try:
        _begin_sending()
        with no_call_tree():
            data = identity.SALT + identity.creation_code(name)
            receipt = account.transfer(identity.DEPLOYER, 0, data=data, **options)
    except (AccountsError, ContractLogicError, TransactionError) as error:
        raise ChainError(f"{name} could not be deployed: {error}") from error
    if not code_at(address):
        raise ChainError(f"{name} could not be deployed: the deployer {identity.DEPLOYER} created nothing at {address}")
    return address, int(receipt.gas_used)


def deploy(account: AccountAPI, name: str, *args: Any, **options: Any) -> tuple[Any, int]:
    """Deploys a contract of this project; returns (the instance, gas used)."""
    try:
        _begin_sending()
        instance = account.deploy(contract(name), *args, **options)
    except (AccountsError, ContractLogicError, TransactionError) as error:
        raise ChainError(f"{name} could not be deployed: {error}") from error
    return instance, int(instance.creation_metadata.receipt.gas_used)
