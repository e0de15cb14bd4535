"""Takes part in a federation by its invitation: checks, keys, money, seat, daemon. It shows everything first and signs nothing
before the participant accepted; called again, it goes on where it was. A seat that is taken has duties: nothing that is found
wrong afterwards, from an expired invitation to a host that is down, keeps its daemon from starting."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from fl.agents.runtime.daemon import Daemon
from fl.errors import ChainError, TreatyError, plain
from fl.learning.task_loading import federation_task
from fl.log import Log
from fl.network import ape_accounts, gas
from fl.network.abi import federation_abi
from fl.network.calls import chain_id, number_of
from fl.network.federation import FederationReader
from fl.network.rpc import DEV_CHAINS, Rpc, on_loopback
from fl.network.sender import BUSY
from fl.network.stores.files import write_durably
from fl.network.stores.local import LocalStore
from fl.network.stores.public_http import only_public
from fl.network.stores.several import is_public
from fl.network.token import Token
from fl.protocol.artifact import Kind
from fl.protocol.manifest import Manifest
from fl.protocol.mode import Mode
from fl.tools.cli.amounts import parse_amount, show_duration
from fl.tools.cli.network import Network
from fl.tools.cli.options import Key
from fl.tools.cli.remembered import Remembered
from fl.tools.federation.doctor import examine
from fl.tools.federation.first_model import first_model
from fl.tools.federation.invitation import Invitation
from fl.tools.federation.participate import Settings, participate
from fl.tools.federation.partners import lines_of, seated, warnings_of
from fl.tools.federation.seats import join, wait_for_own
from fl.tools.federation.without_ether import ether_to_hold, hosts_stand_in, loss_words, suffice

ROUNDS_AHEAD = 10
PAUSE = 10.0  # seconds between two looks for money
LOCAL_ETHER = 10 * 10**18


@dataclass(frozen=True)
class Guest:
    """A participant's own choices. rpc: its own nodes; hosts: those of the invitation that it knows to be near; accept: whether
    it has read and accepted what is shown; accept_loss: the words that accept a loss where the operator has no ether."""

    invite: str
    data: Path
    folder: Path
    rpc: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    task: str | None = None
    stake: str | None = None
    accept: bool = False
    accept_loss: str | None = None
    metrics: int | None = None
    publish_metric: bool = False
    partners: tuple[str, ...] = ()

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    @property
    def passphrase(self) -> Path:
        return self.keys / "passphrase"

    def key_file(self, name: str) -> Path:
        return self.keys / f"{name}.json"

    @property
    def has_keys(self) -> bool:
        return self.key_file("owner").is_file() and self.key_file("operator").is_file()


class Visit:
    """One call of the command."""

    def __init__(self, guest: Guest, network: Callable[[str], Network], say: Callable[[str], None]):
        self.guest, self.tell = guest, say
        self.invitation = Invitation.read(guest.invite)
        self.invitation.check()
        self.hints: list[str] = []  # addresses of the invitation that are used, and lead to public machines
        if not guest.has_keys:
            self.invitation.check_date()
        self.urls: Sequence[str] = guest.rpc or self.invitation.rpc
        if not self.urls:
            raise TreatyError(
                f"the invitation names no node of chain {self.invitation.chain_id}: give one of your own, --rpc URL; "
                "nothing was signed"
            )
        if not guest.rpc:
            self._check_hints()
        self.rpc = Rpc(self.urls)
        if (number := chain_id(self.rpc)) != self.invitation.chain_id:
            raise ChainError(
                f"this node serves chain {number}, the invitation is for {self.invitation.chain_id}: give another --rpc; "
                "nothing was signed"
            )
        self.local = number in DEV_CHAINS and all(map(on_loopback, self.urls))
        self.reader = FederationReader.open(self.rpc, self.invitation.federation)
        self.network = network(self.choice)
        self._agrees_with_chain()
        self.mine = self.reader.seats_of(self.address("owner")) if guest.has_keys else []
        if not self.mine:
            self.invitation.check_date()
        self.hosts = self._reached_hosts()

    def say(self, line: str) -> None:
        """Tells one line, in which a manifest's word cannot hide what follows."""
        self.tell(plain(line))

    @property
    def choice(self) -> str:
        """The network as Ape takes it."""
        return f"ethereum:local:{self.urls[0]}" if self.invitation.chain_id == 1337 else self.urls[0]

    @property
    def stores(self) -> list[str]:
        """The participant's own folder first, which also holds what nobody else has yet."""
        return [str(self.guest.folder / "store"), *self.hosts]

    def _agrees_with_chain(self) -> None:
        """Raises ChainError unless the invitation says what the chain says."""
        terms, invitation = self.reader.terms, self.invitation
        if terms.sponsor.lower() != invitation.sponsor.lower():
            raise ChainError(
                f"the invitation is signed by {invitation.sponsor}, the federation's sponsor is {terms.sponsor}: "
                "ask the sponsor itself; nothing was signed"
            )
        if terms.manifest != invitation.manifest_hash:
            raise ChainError("the invitation's manifest is not the federation's: ask for it again; nothing was signed")
        self.reader.check_identity()

    def _check_hints(self) -> None:
        for url in self.urls:
            try:
                self._check_address(url)
            except OSError as error:
                raise TreatyError(
                    f"the invitation names a node inside your own network ({url}): if that is right, give --rpc {url}; nothing "
                    "was sent there"
                ) from error

    def _reached_hosts(self) -> list[str]:
        """The hosts but those that lead inside; a seat that is taken goes on without them."""
        reached = []
        for place in self.invitation.hosts:
            try:
                if place.url not in self.guest.hosts:
                    self._check_address(place.url)
                reached.append(place.url)
            except OSError as error:
                text = f"the invitation names a host inside your own network ({place.url}): if that is right, give --host"
                if not self.mine:
                    raise TreatyError(f"{text} {place.url}; nothing was sent there") from error
                self.say(f"{text} {place.url}; the daemon goes on without it")
        return reached

    def _check_address(self, url: str) -> None:
        """Raises OSError for an address of the invitation that leads into the participant's own network, now or at a later
        look: anybody writes invitations, and a request to the right path stops or empties a server that trusts its neighbours.
        Machines of a chain for trying out may say plainly, without a path, that they are near."""
        if self.invitation.chain_id in DEV_CHAINS and not is_public(url) and not urlsplit(url).path:
            return
        if urlsplit(url).hostname not in {urlsplit(own).hostname for own in self.guest.rpc}:
            only_public(url)
            self.hints.append(url)

    # ---- what is shown

    def show(self) -> None:
        """Everything that a person should know before signing."""
        terms, invitation, show = self.reader.terms, self.invitation, self.reader.denomination.show
        manifest = Manifest.parse(invitation.manifest)
        learns = f"task {manifest.task}, metric {manifest.metric}"
        self.say(f"federation  {invitation.federation} on chain {invitation.chain_id}, {learns}")
        self.say(f"words       {invitation.words}    (compare them with the sponsor by telephone)")
        self.say(f"sponsor     {invitation.sponsor}; it signed this invitation")
        self.say(f"stake       {show(terms.min_stake)} (token {terms.token}: find out who controls it)")
        self.say(
            f"deposits    {show(self.deposits)} more go to the operator's credit, and come back unless a demand was needless"
        )
        how = "if you commit and do not reveal or score, or propose a wrong model"
        self.say(f"worst loss  {show(terms.worst_loss())} in one round, {how}")
        self.say(f"lock        a round holds the stake for {show_duration(terms.longest_round())} at most")
        self._show_privacy(manifest)
        for place in invitation.hosts:
            self.say(f"host        {place.url} of {place.owner}")
        if suffice(invitation.hosts):
            words = loss_words(self.reader)
            self.say(f"no ether    the hosts may send your acts if you accept what that risks: --accept-loss {words!r}")
        self._show_trust()

    def _show_privacy(self, manifest: Manifest) -> None:
        if manifest.mode is Mode.OPEN:
            what = "the updates that you reveal are public for ever and say something about the rows"
            return self.say(f"privacy     your rows stay here; {what}")
        self.say("privacy     your rows stay here; your updates are masked, and only the sum over all partners can be read")
        for line in warnings_of(self.guest.partners) if self.guest.partners else ():
            self.say(f"            {line}")
        for line in lines_of(self.guest.partners):
            self.say(f"partner     {line}    (compare these words by telephone)")

    def _show_trust(self) -> None:
        if self.guest.rpc:
            self.say(f"node        {', '.join(self.guest.rpc)}, your own choice; what it shows of the chain is believed")
            return
        self.say(
            f"node        {', '.join(self.urls)}, named by the invitation: whoever runs it could show you a chain of its own; "
            "choose one yourself with --rpc URL"
        )
        if {urlsplit(url).hostname for url in self.urls} & {urlsplit(url).hostname for url in self.hosts}:
            self.say("            node, store and relay have one owner, who could hide from you whatever happens")

    def check_node(self) -> None:
        """Raises TreatyError where money is at stake and nobody chose the node whose word is taken for it."""
        chain = self.invitation.chain_id
        if not self.guest.rpc and chain not in DEV_CHAINS:
            raise TreatyError(
                f"whose word do you take for chain {chain}? Name a node of your own choice, --rpc URL; what it shows is "
                f"believed. The invitation's, {', '.join(self.urls)}, will do if you trust whoever runs it: then name that "
                "one. Nothing was signed"
            )

    def how_to_accept(self) -> None:
        """What to type next."""
        chosen = self.guest.rpc or self.invitation.chain_id in DEV_CHAINS
        more = "--accept" if chosen else "--accept and --rpc URL, a node of your own choice"
        self.say(f"nothing was signed. If the words agree and you accept, call the same command again with {more}")

    def how_to_name_partners(self, operator: str) -> None:
        """What to do between taking a seat in a masked federation and running its daemon."""
        self.say("the seat is taken, and has no duty before it commits. This is your operator, for your partners' files:")
        for line in lines_of((operator,)):
            self.say(f"  {line}")
        self.say("seated now, as the chain shows it, which proves nothing: compare the words with each partner by telephone")
        for line in lines_of(seated(self.reader)):
            self.say(f"  {line}")
        self.say("write all partners' addresses into a file, yours too, and call the same command again with --partners FILE")

    # ---- keys

    def make_keys(self) -> None:
        """Owner and operator, where they are missing."""
        guest = self.guest
        guest.keys.mkdir(parents=True, exist_ok=True)
        guest.keys.chmod(0o700)
        made = [name for name in ("owner", "operator") if guest.key_file(name).is_file()]
        if not guest.passphrase.is_file():
            if made:
                raise TreatyError(
                    f"{guest.keys} holds the {' and '.join(made)} key, and no passphrase: put the file passphrase back from "
                    "your backup; nothing was signed"
                )
            write_durably(guest.passphrase, secrets.token_urlsafe(24).encode(), mode=0o600)
        new = [name for name in ("owner", "operator") if name not in made]
        for name in new:
            keystore = ape_accounts.new_keystore(guest.passphrase.read_text())
            write_durably(guest.key_file(name), keystore.encode(), mode=0o600)
        if new:
            self.say(f"made        {' and '.join(new)} key in {guest.keys}: BACK THIS FOLDER UP NOW, and keep it from others.")
            self.say("            Without the owner's key nobody can ever withdraw the stake; the passphrase lies beside it.")

    def key(self, name: str) -> Key:
        return Key(str(self.guest.key_file(name)), self.guest.passphrase)

    def address(self, name: str) -> str:
        return ape_accounts.account_address(self.key(name).account)

    # ---- checks

    def prepare_store(self) -> None:
        """Manifest and first model into the participant's own store, both recomputed."""
        store, manifest = LocalStore(self.stores[0]), Manifest.parse(self.invitation.manifest)
        store.put_document(self.invitation.manifest)
        model = first_model(federation_task(manifest, self.guest.task), manifest, self.reader.terms)
        store.put(model, Kind.MODEL)

    def examine(self, account: str | None) -> None:
        """The doctor's checks. Raises TreatyError if something must be fixed before a seat is taken."""
        self._hosts_stand_in()
        guest = self.guest
        file = guest.passphrase if account else None
        found = examine(
            self.network,
            self.reader.address,
            account,
            file,
            self.stores,
            guest.task,
            guest.data,
            self.invitation.chain_id,
            hosts=self.invitation.hosts,
            accept_loss=self.guest.accept_loss,
        )
        for line in found.lines[:-1]:
            self.say(f"  {line}")
        if found.code and self.mine:
            self.say("fix what is marked FIX soon; the daemon runs all the same, since the seat has duties")
        elif found.code:
            raise TreatyError(f"{found.lines[-1]}; fix what is marked FIX and call the same command again")

    def _hosts_stand_in(self) -> bool:
        return hosts_stand_in(self.reader, self.guest.accept_loss, self.invitation.hosts)

    # ---- money

    def wait_for_money(self, owner: str, operator: str, sleep: Callable[[float], None] = time.sleep) -> None:
        """Until stake and gas are there: from the faucet of a local chain, else from whoever sends them."""
        rpc, token = self.rpc, Token(self.rpc, self.reader.terms.token)
        needs = self._needs()
        told = ""
        while not self.reader.seats_of(owner):  # which an earlier call may have paid for and not lived to see
            ether = {
                name: number_of("eth_getBalance", rpc("eth_getBalance", who, "latest"))
                for name, who in (("owner", owner), ("operator", operator))
            }
            if self.local:
                for name, who in (("owner", owner), ("operator", operator)):
                    if ether[name] < LOCAL_ETHER // 2:
                        rpc("anvil_setBalance", who, hex(LOCAL_ETHER))
                return
            missing = []
            wanted_tokens = self.stake + self.deposits
            if (held := token.held_by(owner)) < wanted_tokens:
                missing.append(f"{token.denomination.show(wanted_tokens - held)} (token {token.address}) to the owner {owner}")
            for name, who in (("owner", owner), ("operator", operator)):
                if ether[name] < needs[name]:
                    missing.append(f"{(needs[name] - ether[name]) / 1e18:.6f} ETH to the {name} {who}")
            if not missing:
                return
            wanted = f"send, on chain {self.invitation.chain_id}: {'; '.join(missing)}. This command waits and then goes on"
            if wanted != told:
                self.say(wanted)
                told = wanted
            sleep(PAUSE)

    @property
    def stake(self) -> int:
        if self.guest.stake is None:
            return self.reader.terms.min_stake
        return parse_amount(self.guest.stake, self.reader.denomination.decimals, "--stake")

    @property
    def deposits(self) -> int:
        """What joining gives to the operator, for the deposits of demands."""
        terms = self.reader.terms
        return terms.demands_to_pay() * terms.demand_deposit

    def _needs(self) -> dict[str, int]:
        """Ether in wei, by key, so much that a busy day does not stop a seat."""
        price = number_of("eth_gasPrice", self.rpc("eth_gasPrice"))
        operator = 0 if self._hosts_stand_in() else ether_to_hold(price)
        return {"owner": BUSY * gas.seat(self.reader.head().rules) * price, "operator": operator}

    # ---- seat and daemon

    def seat(self, owner: str, operator: str) -> int:
        """The owner's seat, taken now if it has none."""
        if not self.mine:  # or an earlier call, which was ended, has taken one meanwhile
            wait_for_own(self.reader, owner)
            self.mine = self.reader.seats_of(owner)
        if not self.mine:
            with ape_accounts.network(self.choice), ape_accounts.hushed():
                done = join(
                    self.key("owner"),
                    self.reader.address,
                    stake=self.guest.stake,
                    operator=operator,
                    stores=self.stores,
                    mint=self.local,
                )
            for line in done.lines:
                self.say(line)
            self.mine = self.reader.seats_of(owner)
        held = self.reader.seats(self.mine)
        acting = [seat for seat in self.mine if held[seat].operator.lower() == operator.lower()]
        if not acting:
            raise ChainError(f"{owner} holds seat {self.mine[0]}, which another key operates: give the folder of that key")
        return acting[0]

    def daemon(self, seat: int) -> Daemon:
        guest, settings = self.guest, Settings(self.reader.address, self.stores)
        settings = replace(
            settings,
            task=guest.task,
            data=guest.data,
            seat=seat,
            journal=guest.folder / "journal",
            chain_id=self.invitation.chain_id,
            confirmations=1 if self.local else 2,
            poll=0.5 if self.local else 2.0,
            token=self.invitation.token,
            relays=tuple(self.hosts),
            publish_metric=guest.publish_metric,
            partners=guest.partners,
        )
        signer = ape_accounts.AccountSigner(self.key("operator").open(self.local))
        return participate(settings, self.urls, federation_abi(), signer, Log(), guest.metrics)


def take_part(guest: Guest, network: Callable[[str], Network], say: Callable[[str], None]) -> Daemon | None:
    """A daemon that is ready to run; None if the participant has not accepted yet. Raises TreatyError."""
    ape_accounts.quiet()
    visit = Visit(guest, network, say)
    visit.show()
    if not guest.accept:
        visit.how_to_accept()
        return None
    if not guest.data.is_file():
        raise TreatyError(f"{guest.data} is not a file: give your own table with --data; nothing was signed")
    visit.check_node()
    visit.prepare_store()
    if not visit.mine:
        visit.examine(None)
    visit.make_keys()
    owner, operator = visit.address("owner"), visit.address("operator")
    if not visit.mine:
        visit.wait_for_money(owner, operator)
    seat = visit.seat(owner, operator)
    visit.examine(visit.key("operator").account)
    Remembered(visit.reader.address, visit.choice, tuple(visit.stores), tuple(visit.hints)).keep()
    if visit.reader.mode is Mode.MASKED and not guest.partners:
        visit.how_to_name_partners(operator)
        return None
    return visit.daemon(seat)
