"""Daemons on a real node whose acts real hosts relay over HTTP. Some operators have no ether, and no owner has any.

The chain's clock moves a step once everybody has acted on its newest block, hosts in other processes included, so that the
outcome does not depend on how busy the machine is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from support.daemon_cluster import DaemonCluster
from support.host_process import ETHER, HostProcess
from support.keys import Key, key_of
from support.system import owner

from fl.network.federation import FederationReader
from fl.network.rpc import Rpc
from fl.network.stores.base import Writer
from fl.network.stores.hosted import HostStore
from fl.network.stores.local import LocalStore
from fl.network.stores.several import Stores
from fl.protocol.artifact import Kind
from fl.protocol.phases import Phase

STEP = 30  # seconds of the chain's clock: a window has 20 of them
QUIET = 4  # steps without an act after which the clock jumps; a relay waits for others no longer than that
BLOCKS = 12  # that a draw waits for, and the seats before one's own
PATIENCE = 0.5  # seconds that a store or a relay has to answer
WINDOWS = {
    Phase.COMMIT: "commit_window",
    Phase.REVEAL: "reveal_window",
    Phase.SCORE_COMMIT: "score_commit_window",
    Phase.SCORE_REVEAL: "score_reveal_window",
    Phase.PROPOSE: "propose_window",
}


class HostedCluster(DaemonCluster):
    """Four seats; the last ones of them, `poor`, have no wei of ether. hosts: processes for which the clock waits."""

    def __init__(self, folder: Path, **terms: Any):
        super().__init__(folder, **terms)
        self.hosts: list[HostProcess] = []
        self.uploads: list[HostStore] = []  # of daemons that have no other store but their own

    def impoverish(self, *seats: int) -> None:
        for account in (*map(owner, range(self.SEATS)), *(key_of(seat).address for seat in seats)):
            self.evm.rpc("anvil_setBalance", account, "0x0")

    def ether(self, seat: int) -> int:
        return int(self.evm.rpc("eth_getBalance", key_of(seat).address, "latest"), 16)

    def host(self, number: int = 0, **more: Any) -> HostProcess:
        """A true host, with a key, a folder and an owner of its own."""
        key = 0x4057 + number
        self.evm.rpc("anvil_setBalance", Key(key).address, hex(100 * ETHER))
        stores = (str(self.store.path),)
        folder = self.folder / f"host-{number}"
        self.hosts.append(HostProcess(folder, self.system.federation.address, self.url, key, stores=stores, **more))
        return self.hosts[-1]

    def begin(self, *urls: str, seats: Sequence[int] = (), alone: bool = False, token: str = "") -> None:
        """Starts daemons whose hosts are at these addresses, as stores and as relays; beside them each has its own folder and,
        unless it is alone with its hosts and with what events name, a store that all share."""
        for seat in seats or range(self.SEATS):
            own = LocalStore(self.folder / f"store-{seat}")
            own.put(self.system.model, Kind.MODEL)
            shared = [] if alone else [self.store]
            hosted = [HostStore(url, PATIENCE) for url in urls]
            self.uploads += hosted if alone else []
            store = Stores([own, *hosted, *shared], near=True)
            daemon = self.daemons[seat] = self.daemon(seat, store=store, relays=urls, token=token)
            place = self.evm.chain_id, daemon.node.address
            store.write_as(Writer(*place, seat, key_of(seat).sign_typed, daemon.log.warn, token))

    def reader(self) -> FederationReader:
        """What somebody else reads the chain through."""
        return FederationReader.open(Rpc([self.url]), self.system.federation.address)

    def step(self, seconds: int = STEP) -> bool:
        """Everybody acts, and the clock moves on; returns whether anybody did anything."""
        before = self.evm.block
        acted = sum(daemon.tick() for daemon in self.daemons.values())
        self._offered()
        self._uploaded()
        after = self.evm.block
        self.evm.time = self.now + seconds
        self.evm.rpc("evm_setNextBlockTimestamp", self.evm.time)
        self.mine()
        for host in self.hosts:
            host.acts_on(self.evm.block - 1)
        return bool(acted) or after != before or self.evm.block != after + 1

    def _offered(self) -> None:
        """Waits until every act that is being offered was answered, or was not in time."""
        end = time.monotonic() + 30
        for daemon in self.daemons.values():
            while daemon.agent.relay is not None and daemon.agent.relay._offering:  # type: ignore[attr-defined]
                assert time.monotonic() < end, "an offer does not end"
                time.sleep(0.005)

    def _uploaded(self) -> None:
        """Waits until true hosts have taken what was revealed or proposed."""
        if self.phase not in (Phase.DRAW, Phase.CHALLENGE):
            return
        alive = {host.url for host in self.hosts if host.alive}
        for store in self.uploads:
            end = time.monotonic() + 3
            while store.label in alive and store.waiting and time.monotonic() < end:
                time.sleep(0.02)

    def play(self, rounds: int = 1, at: Callable[[Phase], None] = lambda phase: None) -> None:
        """To the end of a round. at: called once for each phase, when everybody has acted in it once."""
        quiet, seen = 0, None
        while (now := self.system.round).number < rounds or (now.number == rounds and now.live):
            phase = self.phase
            quiet = 0 if self.step() else quiet + 1
            if (now.number, phase) != seen:
                seen = now.number, phase
                at(phase)
            if quiet >= (BLOCKS if phase is Phase.DRAW else QUIET):
                quiet = 0
                self._jump()

    def _jump(self) -> None:
        """To the next moment at which somebody may wake up: half of a window, a quarter of a proposer's, or the end."""
        end = self.system.see("phaseEnd")
        window = getattr(self.system.terms, WINDOWS[self.phase]) if self.phase in WINDOWS else 0
        quarters = (1, 2, 3) if self.phase is Phase.PROPOSE else (2,)
        moments = [end - window + part * window // 4 for part in quarters if window] + [end]
        if later := [at for at in moments if at > self.now]:
            self.step(min(later) - self.now)

    def events(self, *names: str) -> list[Any]:
        node = next(iter(self.daemons.values())).node
        return [event for event in node.events_until(node.head()) if event.name in names]

    def senders(self) -> dict[str, int]:
        """How many transactions of acts each account sent, batches as one."""
        acts = {event.transaction for event in self.events("Committed", "Revealed", "ScoresCommitted", "ScoresRevealed")}
        found: dict[str, int] = {}
        for transaction in acts:
            who = str(self.evm.rpc("eth_getTransactionByHash", transaction)["from"]).lower()
            found[who] = found.get(who, 0) + 1
        return found

    def losses(self) -> dict[int, int]:
        """What each seat was slashed."""
        found = dict.fromkeys(range(self.SEATS), 0)
        for event in self.events("Slashed"):
            found[event.fields["seat"]] += event.fields["amount"]
        return found

    def close(self) -> None:
        for host in self.hosts:
            host.close()
        super().close()
