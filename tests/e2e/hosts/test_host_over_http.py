"""What a host's owner decides, over HTTP and in a process of its own: budget, rounds, old files, tokens, and what it logs."""

import re
import socket

import pytest
import requests
from requests.adapters import HTTPAdapter
from support.host_process import ETHER
from support.hosted_cluster import HostedCluster
from support.keys import key_of

from fl.network.stores.local import LocalStore
from fl.protocol.phases import Phase
from fl.protocol.relayed import Act
from fl.tools.federation.status import status
from fl.tools.host.own_store import serve
from fl.tools.report.live import Source, report_federation

GWEI = 10**9


@pytest.fixture
def cluster(tmp_path):
    made = HostedCluster(tmp_path / "cluster")
    yield made
    made.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def metrics(port: int) -> dict[str, float]:
    text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
    return {name: float(value) for name, value in re.findall(r"^(treaty_host_\S+?(?:{.*})?) (\S+)$", text, re.MULTILINE)}


def test_host__moves_rounds_on__forgets_old_files__and_its_figures_are_those_of_the_chain(cluster, tmp_path):
    cluster.impoverish(1, 2, 3)
    port = free_port()
    host = cluster.host(rounds=2, keep_rounds=1, metrics=port)
    cluster.begin(host.url, alone=True)
    for daemon in cluster.daemons.values():
        daemon.agent.roles[-2].rounds = 0  # nobody else opens a round
    cluster.play(2)
    cluster.step()
    cluster.step()
    log = cluster.daemons[0].history.rounds
    assert len(log) == 2 and all(one.adopted and sorted(one.accepted) == [0, 1, 2, 3] for one in log)
    kept = {path.name for path in (cluster.folder / "host-0" / "store").iterdir()}
    assert not kept & {f"{one.root.hex()}.update" for one in log[0].reveals.values()}
    assert {f"{one.root.hex()}.update" for one in log[1].reveals.values()} <= kept
    assert {f"{root.hex()}.model" for root in (cluster.system.terms.genesis, log[1].base, log[1].model)} <= kept
    facts, shown = host.relay, metrics(port)
    assert facts["participant_rounds"] == 8 == shown["treaty_host_participant_rounds"]
    assert shown["treaty_host_gas_of_participant_round"] == pytest.approx(facts["gas_of_participant_round"], abs=1)
    assert shown['treaty_host_relayed_total{kind="reveal"}'] == 8 and shown['treaty_host_gas_total{kind="rounds"}'] > 0
    assert shown["treaty_host_budget_ether"] == pytest.approx(int(facts["budget_left"]) / ETHER)
    node = cluster.reader()
    source = Source(node, [cluster.store.path])
    source.look()
    relayed = source.facts(audit=False).known.relayed
    assert (relayed.gas, relayed.rounds) == (facts["relayed_gas"], 8)  # by receipts, which anybody can read
    page, _ = report_federation(cluster.reader(), [], tmp_path / "report.html")
    assert f"Relays paid {relayed.gas:,} gas for acts that operators signed" in page.read_text()
    shown = status(node)
    told = "\n".join(shown.lines)
    of_round = {n: [one for one in shown.facts["relayed"] if one["round"] == n] for n in (1, 2)}
    assert sum(one["gas"] for one in shown.facts["relayed"]) == pytest.approx(facts["relayed_gas"], abs=8)
    for number, seats in of_round.items():
        assert [one["seat"] for one in seats] == [0, 1, 2, 3] and {*seats[0]["acts"]} >= {"commit", "reveal"}
        assert f"relayed     in round {number} hosts sent {sum(len(one['acts']) for one in seats)} acts of 4 seats, for" in told
        assert f": seat 0 {seats[0]['gas']:,}, seat 1 {seats[1]['gas']:,}" in told
    assert "no ether    the operator of seat 1, 2, 3: a relay must send their commits, reveals and scores" in told
    spent = facts["spent"]
    host.kill()
    again = cluster.host(budget=int(spent))
    assert again.relay["spent"] == spent and again.relay["budget_left"] == "0"  # the budget counts over restarts


def test_budget__that_is_spent__sends_seats_on_their_own_way(cluster):
    host = cluster.host(budget=200_000 * GWEI)  # for one act, and not for a second
    cluster.begin(host.url)
    cluster.play()
    cluster.step()
    (log,) = cluster.daemons[0].history.rounds
    assert sorted(log.accepted) == [0, 1, 2, 3] and cluster.losses() == dict.fromkeys(range(4), 0)
    told = "".join(daemon.log.out.getvalue() for daemon in cluster.daemons.values())
    assert "(HTTP status 503): the budget for gas is spent: send the transaction yourself" in told
    assert int(host.relay["spent"]) <= 200_000 * GWEI


class From(HTTPAdapter):
    """Connects from another address of this machine."""

    def init_poolmanager(self, *args, **more):
        super().init_poolmanager(*args, source_address=("127.0.0.77", 0), **more)


def test_private_host__takes_acts_by_a_token_in_a_header__and_logs_neither_tokens_nor_addresses(cluster):
    token = "a-token-of-the-invitation"
    host = cluster.host(token=token)
    cluster.play_to_open()
    visitor = requests.Session()
    visitor.mount("http://", From())
    place = cluster.evm.chain_id, cluster.system.federation.address
    act = Act.of_call("commit", (1, 0, b"\x07" * 32), 1, key_of(0).sign_typed, *place)
    host.acts_on(cluster.evm.block - 1)
    tried = {"": 401, "Bearer wrong": 401, f"Bearer {token}": 202}
    for header, status_ in tried.items():
        headers = {"Authorization": header}
        done = visitor.post(f"{host.url}/relay", json=act.to_json(), headers=headers, timeout=10)
        assert done.status_code == status_, done.text
    assert visitor.post(f"{host.url}/relay?token={token}", json=act.to_json(), timeout=10).status_code == 401
    assert visitor.get(f"{host.url}/nothing", timeout=10).status_code == 404
    assert visitor.put(f"{host.url}/{'00' * 32}.update", data=b"x", timeout=10).status_code == 401
    while not host.relay["relayed_gas"]:
        cluster.step()
    host.close()
    written = [path for path in host.log.parent.rglob("*") if path.is_file()]
    assert "commitMany sent" in host.log.read_text() and len(written) > 2
    for path in written:
        text = path.read_bytes()
        assert b"127.0.0.77" not in text and token.encode() not in text and str(path) != token, path


def test_daemon__gives_its_host_the_token(cluster):
    host = cluster.host(token="secret")
    cluster.begin(host.url, token="secret")
    cluster.play_to_open()
    while cluster.phase is Phase.COMMIT and not host.relay["relayed_gas"]:
        cluster.step()
    assert host.relay["participant_rounds"] == 4
    assert not cluster.senders().keys() & {key_of(seat).address.lower() for seat in range(4)}


def test_participants__that_serve_their_own_stores__need_no_host_and_no_shared_folder(cluster):
    cluster.begin(alone=True)
    servers = []
    for seat, daemon in cluster.daemons.items():
        own = LocalStore(cluster.folder / f"store-{seat}")
        held = next(store for store in daemon.agent.store.stores if isinstance(store, LocalStore))
        servers.append(serve(daemon.node, held, "0"))
        assert held.path == own.path
    cluster.play()
    cluster.step()
    (log,) = cluster.daemons[0].history.rounds
    assert sorted(log.accepted) == [0, 1, 2, 3] and log.adopted
    for seat, reveal in log.reveals.items():
        assert reveal.locator.decode() == servers[seat].url
        name = f"{reveal.root.hex()}.update"
        assert requests.get(f"{servers[seat].url}/{name}", timeout=5).status_code == 200
        assert requests.put(f"{servers[seat].url}/{name}", data=b"", timeout=5).status_code == 405
        for page in ("treaty.json", "invite.json", ""):
            assert requests.get(f"{servers[seat].url}/{page}", timeout=5).status_code == 404
    with requests.Session() as visitor:
        assert any(visitor.head(f"{servers[0].url}/{name}", timeout=5).status_code == 429 for _ in range(5000))
    for server in servers:
        server.stop()
