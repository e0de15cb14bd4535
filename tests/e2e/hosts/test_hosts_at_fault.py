"""Daemons whose hosts work, and whose hosts do not: real daemons, a real node, real HTTP, and hosts that are killed.

Seats with ether lose nothing in any of these; what a seat without any loses is what the page on hosting says, and no more.
"""

import pytest
from support import crooked_hosts
from support.hosted_cluster import PATIENCE, HostedCluster
from support.keys import Key, key_of

from fl.protocol.phases import Phase

RICH, POOR = (0, 1, 2), 3
HOST_KEY = Key(0x4057)


@pytest.fixture
def cluster(tmp_path):
    made = HostedCluster(tmp_path / "cluster")
    made.impoverish(POOR)
    yield made
    made.close()


def check(cluster: HostedCluster, number: int = 1) -> None:
    """The round is whole for whoever has ether; the seat without lost what it left undone, and nothing else."""
    history, terms = cluster.daemons[0].history, cluster.system.terms
    cluster.step()
    log = history.rounds[number - 1]
    assert log.adopted and set(RICH) <= set(log.reveals) and set(RICH) <= set(log.accepted)
    assert set(log.committee) - {POOR} <= set(log.scores)
    silent = POOR in log.commitments and POOR not in log.reveals
    unscored = POOR in log.committee and POOR not in log.scores
    owed = terms.no_reveal_slash * silent + terms.no_scores_slash * unscored
    assert cluster.losses() == {0: 0, 1: 0, 2: 0, POOR: owed}
    assert owed <= max(terms.no_reveal_slash, terms.no_scores_slash)
    assert cluster.sent(key_of(POOR)) == 0 and cluster.ether(POOR) == 0


def test_daemons__whose_host_works__need_no_gas_for_rounds(cluster):
    host = cluster.host(rounds=3)
    cluster.begin(host.url)
    cluster.impoverish(*range(1, 4))  # only one seat can propose
    cluster.play(3)
    cluster.step()
    for log in cluster.daemons[0].history.rounds:
        assert sorted(log.reveals) == sorted(log.accepted) == [0, 1, 2, 3] and set(log.scores) == set(log.committee)
        assert log.adopted
    assert set(cluster.senders()) == {HOST_KEY.address.lower()}
    assert cluster.losses() == dict.fromkeys(range(4), 0)
    for seat in (1, 2, 3):
        assert cluster.sent(key_of(seat)) == 0 and not cluster.daemons[seat].sender.transactions.all()
    facts = host.relay
    assert facts["participant_rounds"] == 12
    print(f"gas of a participant's round, of four with a committee of three: {facts['gas_of_participant_round']:,}")
    assert facts["gas_of_participant_round"] < 150_000


FAULTS = ("refuses", "sleeps", "silent", "lies", "slow", "censors")


@pytest.mark.parametrize("fault", FAULTS)
def test_host_at_fault__costs_seats_with_ether_nothing(cluster, fault):
    if fault in ("slow", "censors"):
        true = cluster.host()
        bad = crooked_hosts.slow(true.url, 3 * PATIENCE) if fault == "slow" else crooked_hosts.censors(true.url, POOR)
    else:
        bad = crooked_hosts.Silent() if fault == "silent" else getattr(crooked_hosts, fault)()
    cluster.begin(bad.url)
    cluster.play()
    check(cluster)
    log = cluster.daemons[0].history.rounds[0]
    if fault != "slow":
        assert POOR not in log.commitments and cluster.losses()[POOR] == 0  # what never arrived costs pay alone
    bad.close()


def killed(cluster: HostedCluster, phase: Phase) -> None:
    host = cluster.host()
    cluster.begin(host.url)
    cluster.play(at=lambda now: host.kill() if now is phase and host.alive else None)
    assert not host.alive
    check(cluster)


def test_host_that_is_killed_between_commit_and_reveal__costs_a_seat_without_ether_its_slash_and_no_other_seat_anything(
    cluster,
):
    killed(cluster, Phase.REVEAL)


@pytest.mark.parametrize(
    "phase", [phase for phase in Phase if phase not in (Phase.IDLE, Phase.FINAL, Phase.VOID, Phase.REVEAL)]
)
def test_host_killed_in_each_phase__costs_seats_with_ether_nothing(cluster, phase):
    killed(cluster, phase)


@pytest.mark.parametrize("fault", ["killed", "sleeps"])
def test_two_hosts_of_different_owners__one_fails__and_nobody_loses_anything(cluster, fault):
    """They are the only way to the others' files, too."""
    true = cluster.host(1)
    first = cluster.host(0) if fault == "killed" else crooked_hosts.sleeps()
    cluster.begin(first.url, true.url, alone=True)

    def kill(phase: Phase) -> None:
        if fault == "killed" and phase is Phase.REVEAL and first.alive:
            first.kill()

    cluster.play(at=kill)
    check(cluster)
    log = cluster.daemons[0].history.rounds[0]
    assert sorted(log.accepted) == [0, 1, 2, POOR] and cluster.losses()[POOR] == 0
    first.close()
