"""Which seat a daemon runs. Anybody may name its key the operator of a seat of theirs.

when a stranger does so                   then a restart goes on with the journal's seat, and a first start with the owner's
when neither journal nor owner is known   then the daemon does not guess: it would train for the stranger
"""

import io

import pytest
from support.daemon_cluster import DaemonCluster, logged
from support.evm import contract_types
from support.keys import key_of
from support.system import owner

from fl.agents.runtime.journal import seat_of
from fl.errors import ChainError
from fl.log import Log
from fl.protocol.phases import Phase
from fl.tools.federation.participate import Settings, participate

pytestmark = pytest.mark.xdist_group("daemon")

STRANGER_S = 3


@pytest.fixture
def start(cluster: DaemonCluster, tmp_path, monkeypatch):
    """Starts the daemon of key 0, which operates seat 0, as the command does, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    daemons = []

    def started(**given):
        given = {"shard": "0/4", "confirmations": 1} | given
        settings = Settings(cluster.system.federation.address, [str(cluster.store.path)], **given)
        abi = contract_types()["Federation"].abi
        daemon = participate(settings, [cluster.url], abi, key_of(0), Log(io.StringIO()))
        daemons.append(daemon)
        return daemon

    yield started
    for daemon in daemons:
        daemon.journal.close()


def squat(cluster: DaemonCluster) -> None:
    cluster.system.do("setOperator", STRANGER_S, key_of(0).address, by=owner(STRANGER_S))
    cluster.mine(2)


def test_stranger_s_seat__does_not_confuse_a_restart(cluster, start):
    daemon = start(owner=owner(0))
    cluster.daemons[0] = daemon
    cluster.play_to(Phase.COMMIT)
    cluster.settle_down()
    assert cluster.system.see("recordOf", 0)[0] == 1
    cluster.daemons.pop(0).journal.close()
    squat(cluster)
    again = start()
    assert again.seat == 0 and again.journal.folder == daemon.journal.folder
    again.tick()
    assert "no longer acts" not in logged(again)


def test_stranger_s_seat__is_not_taken_for_the_owner_s(cluster, start):
    squat(cluster)
    assert start(owner=owner(0)).seat == 0


def test_stranger_s_seat__is_never_run_unasked(cluster, start):
    squat(cluster)
    cluster.system.do("setOperator", 0, key_of(9).address, by=owner(0))  # the stranger's is the only one left
    cluster.mine(2)
    with pytest.raises(
        ChainError, match=r"operates no seat that it owns itself, and anybody .*: give --owner ADDRESS, or --seat N"
    ):
        start()
    with pytest.raises(ChainError, match=f"operates no seat that {owner(0)} owns"):
        start(owner=owner(0))
    with pytest.raises(ChainError, match=f"seat 3 is not one that {owner(0)} owns"):
        start(owner=owner(0), seat=STRANGER_S)
    assert start(seat=STRANGER_S).seat == STRANGER_S  # who says so means it


def test_journal_that_is_given__names_the_seat(cluster, start, tmp_path):
    first = start(seat=0, journal=tmp_path / "mine")
    first.journal.close()
    squat(cluster)
    assert start(journal=tmp_path / "mine").seat == 0


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"seat": "0"}', '{"seat": true}', '{"seat": 128}', '{"seat": -1}', "[" * 10**5]
)
def test_journal__that_names_no_seat__is_none(tmp_path, text):
    assert seat_of(tmp_path) is None
    (tmp_path / "identity.json").write_text(text)
    assert seat_of(tmp_path) is None
