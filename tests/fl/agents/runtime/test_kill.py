"""SIGKILL at every step of a round: before and after each durable write and each transaction, one process per kill.

when a daemon is killed at a step and started again: it does what it was about to do, once, with the bytes it had prepared
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from support.daemon_cluster import DaemonCluster, key_of, logged

import fl.network.stores.files
from fl.network.rpc import Rpc
from fl.network.transactions import TransactionJournal
from fl.protocol.phases import Phase

pytestmark = pytest.mark.xdist_group("kill")

VICTIM = 1  # whose turn it is in round 1: to close, draw, settle, propose and finalize
PHASES = [*list(Phase)[Phase.COMMIT : Phase.CHALLENGE], Phase.FINAL]
LOOKS = 6


def in_a_process(work: Callable[[], None]) -> int:
    """Runs in a process of its own; returns how that ended: 0 well, -9 killed."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Steps:
    """Counts the instants at which a crash could matter, and dies at one of them."""

    def __init__(self, die_at: int = 0):
        self.die_at, self.count = die_at, 0
        replace, call = os.replace, Rpc.__call__

        def writes(*args, **kwargs):
            self.step()
            replace(*args, **kwargs)
            self.step()

        def calls(rpc, method, *params):
            sends = method == "eth_sendRawTransaction"
            if sends:
                self.step()
            result = call(rpc, method, *params)
            if sends:
                self.step()
            return result

        fl.network.stores.files.os.replace = writes
        Rpc.__call__ = calls

    def step(self) -> None:
        self.count += 1
        if self.count == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)


def live(cluster: DaemonCluster, log: Path, die_at: int = 0) -> Callable[[], None]:
    """A daemon's life: some looks, a block after each. Writes how many steps it had, and what it logged."""

    def work() -> None:
        daemon = cluster.daemon(VICTIM, urls=[cluster.url])
        steps = Steps(die_at)
        for _ in range(LOOKS):
            daemon.tick()
            daemon.node.rpc("anvil_mine", "0x1", "0x0")
        log.write_text(f"{steps.count}\n{logged(daemon)}")

    return work


def facts(cluster: DaemonCluster) -> tuple:
    """What the victim has on the chain, and what its journal says that it sent."""
    transactions = TransactionJournal(cluster.folder / f"seat-{VICTIM}" / "transactions")
    sent = sorted((d.function, d.nonce, len(d.sent)) for d in transactions.all())
    info = cluster.system.round
    when = ("closeBlock", "committee", "proposedAt", "settledAt", "proposeFrom", "drawnAt")
    shown = {k: v for k, v in info.items() if k not in when}
    records = [cluster.system.see("recordOf", seat)[0] for seat in range(cluster.SEATS)]
    scores = [cluster.system.see("scoreRecordOf", position)[0] for position in range(info.committeeSize)]
    return sent, cluster.sent(key_of(VICTIM)), cluster.stakes(), cluster.phase, shown, records, scores


def test_killed_at_every_step__it_comes_back__sends_nothing_twice__and_loses_nothing(tmp_path_factory):
    class Small(DaemonCluster):
        SEATS = 3  # all of them in the committee

    cluster = Small(tmp_path_factory.mktemp("kill") / "cluster", min_reveals=3)
    log = tmp_path_factory.mktemp("log") / "steps"
    whole = cluster.stakes()
    steps_of = {}
    try:
        for phase in PHASES:
            cluster.start()
            cluster.play_to(phase)
            cluster.end()
            mark = cluster.mark()
            assert in_a_process(live(cluster, log)) == 0
            steps = int(log.read_text().split("\n")[0])
            wanted = facts(cluster)
            assert steps > 0, phase
            for step in range(1, steps + 1):
                mark = cluster.back(mark)
                assert in_a_process(live(cluster, log, step)) == -signal.SIGKILL, (phase, step)
                assert in_a_process(live(cluster, log)) == 0, (phase, step)
                assert facts(cluster) == wanted, (phase, step, log.read_text())
            mark = cluster.back(mark)
            steps_of[phase.name] = steps
        cluster.start()
        cluster.play_round(2)
        assert cluster.stakes() == whole
        assert cluster.daemons[0].history.rounds[0].adopted
    finally:
        cluster.close()
    print(steps_of)
    assert set(steps_of) == {phase.name for phase in PHASES} and sum(steps_of.values()) >= 70
