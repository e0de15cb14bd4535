"""A simulation runs what a daemon runs: turns, depth before secrets, waiting for files; on a real node and in process."""

import io
from collections import Counter

import pytest
from support.daemon_cluster import key_of
from support.in_process import InProcessFederation

from fl.agents.record.public_record import Record
from fl.agents.roles.casting import honest, whole_seat
from fl.agents.runtime.agent import Agent
from fl.agents.runtime.lockstep import Lockstep
from fl.errors import StoreSilentError
from fl.network.federation import FederationReader
from fl.network.rpc import Rpc
from fl.network.stores.local import LocalStore
from fl.protocol.artifact import Kind
from fl.tools.audit.auditor import Auditor

pytestmark = pytest.mark.xdist_group("daemon")

DEPTH = 3


def test_rounds_on_a_node__take_turns__and_show_no_secret_before_its_phase_is_deep(cluster, tmp_path):
    agents, done = [], []
    for seat in range(cluster.SEATS):
        key, journal = key_of(seat), tmp_path / str(seat)
        trio = honest(seat, cluster.evaluator, cluster.data.shards[seat], 0, journal)
        roles = whole_seat(trio, seat, key.address, journal, 2)
        agents.append(Agent(f"seat {seat}", key, roles, journal, cluster.store, seat))
    abi = cluster.daemon(0).node.interface._abi
    node = FederationReader(Rpc([cluster.url]), abi, cluster.system.federation.address, depth=DEPTH)
    lockstep = Lockstep(
        node, lambda: Record(node.terms, cluster.manifest, cluster.store), agents, io.StringIO(), done=done.append
    )
    try:
        view = lockstep.run()
    finally:
        lockstep.clock.let_go()
        cluster.evm.rpc("anvil_setBlockTimestampInterval", 0)
    events, terms = view.history.events, node.terms
    assert view.facts.number == 2 and all(log.adopted and len(log.reveals) == 4 for log in view.history.rounds)
    assert Auditor.of(node, cluster.store).run(events).or_raise().rounds == 2
    housekeeping = ("openRound", "close", "draw", "settle", "finalize")
    made = [d for d in done if d.function in housekeeping]
    assert Counter(d.function for d in made) == dict.fromkeys(housekeeping, 2)  # one seat each time, and nobody in vain
    assert len({d.agent.seat for d in made if d.function == "close"}) == 2  # another in each round
    for log in view.history.rounds:
        opened = log.opened_at + terms.commit_window
        for event in events:
            if event.name == "Revealed" and event.fields["round"] == log.number:
                assert node.block(event.block - 1 - DEPTH).time >= opened  # as deep as they looked


class Late(LocalStore):
    """Shows one update only from some look on."""

    hidden: bytes = b""
    refusals = 0

    def get(self, root, kind, depth):
        if kind is Kind.UPDATE and root == self.hidden:
            self.refusals += 1
            raise StoreSilentError("not yet")
        return super().get(root, kind, depth)


def test_scores__wait_for_a_file_that_is_late__in_a_simulation_too(tmp_path):
    federation = InProcessFederation(tmp_path, honest=4, rounds=1)
    federation.store.__class__ = Late  # the one store that all of them share
    when = {}

    def watch(view):
        for log in view.history.rounds:
            if len(log.reveals) == 4 and not federation.store.hidden:
                federation.store.hidden = log.reveals[0].root
            if log.score_commitments:
                when.setdefault("scored", (view.time, view.phase_end, view.terms.score_commit_window))

    federation.loop.watch = watch
    federation.run()
    time, end, window = when["scored"]
    assert federation.store.refusals and time == end - window // 2  # for half of the window, and then no longer
    assert 0 not in federation.loop.history.rounds[0].accepted
