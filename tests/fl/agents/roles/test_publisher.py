"""Seats' own metrics: signed by the operator, bound to federation, round, seat and model, verified before anybody sees them."""

import io
import json
import time
from dataclasses import replace

import pytest
import requests
from rich.console import Console
from support.in_process import InProcessFederation, reader_of
from support.keys import key_of

from fl.agents.record.seat_metrics import published, verified
from fl.agents.roles.publisher import Publisher
from fl.errors import StoreError
from fl.network.stores.base import Writer
from fl.network.stores.hosted import HostStore
from fl.network.stores.local import LocalStore
from fl.network.stores.remote import HttpStore, IpfsStore
from fl.network.stores.several import Stores
from fl.protocol.artifact import Kind, parse_model
from fl.protocol.seat_metric import MAX_BYTES, SeatMetric, Statement, name_of
from fl.tools.cli.prices import Prices
from fl.tools.federation.status import status
from fl.tools.host.ledger import Ledger
from fl.tools.host.server import Host, application
from fl.tools.host.web import Address, WebServer
from fl.tools.report.live import Source
from fl.tools.report.render import page
from fl.tools.report.watch import Screen, terminal

ROUNDS = 2


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> InProcessFederation:
    """Seats 0 to 2 publish; seat 3 does not."""
    federation = InProcessFederation(tmp_path_factory.mktemp("publish"), "heart", honest=4, rounds=ROUNDS)
    agents = []
    for agent in federation.agents:
        if agent.seat in (0, 1, 2):
            shard, sign = federation.data.shards[agent.seat], key_of(agent.seat).sign_typed
            publisher = Publisher(agent.seat, federation.evaluator, shard, agent.journal, sign)
            agent = replace(agent, roles=(*agent.roles, publisher))
        agents.append(agent)
    federation.play(agents)
    federation.run()
    return federation


def place(run: InProcessFederation) -> tuple[int, str]:
    return run.loop.node.chain_id, run.loop.node.address


def operators(run: InProcessFederation) -> dict[int, str]:
    return {seat: key_of(seat).address for seat in range(4)}


def model(run: InProcessFederation) -> bytes:
    return run.loop.history.rounds[-1].model


def kept(run: InProcessFederation, seat: int = 0, number: int = ROUNDS) -> bytes:
    return run.store.get_signed(name_of(place(run)[1], number, seat))


def shown(run: InProcessFederation, store=None) -> dict[int, SeatMetric]:
    return published(store or run.store, *place(run), ROUNDS, model(run), operators(run))


def test_seats_that_publish__tell_what_they_measure_on_their_own_rows__of_every_round(run):
    depth = run.system.terms.depth
    vector = parse_model(run.store.get(model(run), Kind.MODEL, depth), depth)
    rows = [shard.held_out for shard in run.data.shards]
    wanted = {seat: SeatMetric(run.evaluator.metric(vector, rows[seat]), None, len(rows[seat])) for seat in range(3)}
    assert shown(run) == wanted
    assert all(kept(run, seat, number) for seat in range(3) for number in (1, ROUNDS))
    assert run.audit().rounds == ROUNDS


def forged(run: InProcessFederation, **changes) -> bytes:
    return json.dumps(json.loads(kept(run)) | changes).encode()


def signed(run: InProcessFederation, seat: int = 0, key: int = 0, federation: str = "", **changes) -> bytes:
    statement = replace(Statement.parse(kept(run))[0], **changes)
    typed = statement.typed(place(run)[0], federation or place(run)[1])
    return statement.to_json(key_of(key).sign_typed(typed))


@pytest.mark.parametrize(
    "make",
    [
        lambda run: forged(run, value=0.99),
        lambda run: forged(run, rows=10_000),
        lambda run: forged(run, shared=0.5),
        lambda run: forged(run, metric="F1"),
        lambda run: kept(run, 0, 1),  # an earlier round's
        lambda run: kept(run, 1),  # another seat's
        lambda run: signed(run, key=1),
        lambda run: signed(run, federation="0x" + "11" * 20),
        lambda run: signed(run, model=bytes(32)),
        lambda run: kept(run) + b" " * MAX_BYTES,
        lambda run: b"[" * 1000,
        lambda run: b"",
    ],
)
def test_whatever_does_not_verify__is_not_shown(run, tmp_path, make):
    store = LocalStore(tmp_path)
    store.put_signed(name_of(place(run)[1], ROUNDS, 0), make(run))
    assert shown(run, store) == {}
    store.put_signed(name_of(place(run)[1], ROUNDS, 0), kept(run))
    assert set(shown(run, store)) == {0}


@pytest.mark.parametrize(
    "changes, what",
    [
        ({"value": "1"}, "a metric is a finite number"),
        ({"value": True}, "a metric is a finite number"),
        ({"value": float("nan")}, "a metric is a finite number"),
        ({"rows": 0}, "rows: a whole number from 1"),
        ({"seat": 128}, "seat: a whole number from 0 to 127"),
        ({"round": 1.0}, "round: a whole number"),
        ({"metric": ""}, "metric: a text of at most 200 letters"),
        ({"model": "00"}, "32 bytes in hex are wanted"),
        ({"more": 1}, "is a JSON object of metric, model"),
    ],
)
def test_statement_of_another_shape__is_refused(run, changes, what):
    with pytest.raises(ValueError, match=what):
        Statement.parse(forged(run, **changes))


def test_status__report__and_watch__show_it(run):
    screen = status(run.loop.node, store=run.store)
    first = shown(run)[0]
    assert f"measured    seat 0, round 2: {first.value:.4f} on {first.rows} rows of its own" in screen.lines
    assert set(screen.facts["seat_metrics"]) == {"0", "1", "2"}
    source = Source(reader_of(run.system), [run.store.path])
    source.history.apply(run.events())  # without what transactions cost, which the engine tells of signed ones alone
    facts = source.facts(audit=False)
    assert facts.known.seat_metrics == {ROUNDS: shown(run)}
    text = page(facts)
    assert "What participants measure on rows of their own" in text and f"<td>{first.value:.4f}</td>" in text
    screen_ = Screen(source, Prices())
    screen_.facts = facts
    console = Console(width=200, file=io.StringIO())
    console.print(terminal(screen_))
    assert "of round 2 on seats' own rows, as their operators sign: mean" in console.file.getvalue()


def test_publisher__measures_once__and_publishes_until_every_store_has_it(run, tmp_path):
    view = run.loop.look()
    agent = next(agent for agent in run.agents if agent.seat == 0)
    publisher = agent.roles[-1]
    assert isinstance(publisher, Publisher) and publisher.decide(view) == []
    (run.store.path / name_of(place(run)[1], ROUNDS, 0)).unlink()
    (again,) = publisher.decide(view)
    assert again.signed == name_of(place(run)[1], ROUNDS, 0)
    run.store.put_signed(again.signed, bytes(again.data))
    other = Publisher(3, run.evaluator, run.data.shards[3], tmp_path, key_of(3).sign_typed)
    (work,) = other.decide(view)
    files = work.run(view)
    assert verified(files["2.metric"], *place(run), ROUNDS, 3, model(run), key_of(3).address)


# ---- stores and hosts


@pytest.fixture
def host(run, tmp_path):
    ledger = Ledger(reader_of(run.system))
    ledger.look()
    made = Host(ledger, LocalStore(tmp_path / "hosted"))
    server = WebServer(application(made), Address())
    server.start()
    yield made, server.url
    server.stop()


def test_host__keeps_what_the_operator_signed__and_refuses_the_rest(run, host, tmp_path):
    made, url = host
    federation = place(run)[1]

    def put(data: bytes, name: str = name_of(federation, ROUNDS, 0)) -> requests.Response:
        return requests.put(f"{url}/{name}", data=data, timeout=5)

    assert put(forged(run, value=0.99)).status_code == 422 and put(signed(run, key=1)).status_code == 422
    assert put(b"x" * (MAX_BYTES + 1)).status_code == 413
    assert put(kept(run), name_of("0x" + "11" * 20, ROUNDS, 0)).status_code == 403
    assert put(kept(run), name_of(federation, ROUNDS + 1, 0)).status_code == 425
    assert put(kept(run), name_of(federation, ROUNDS, 77)).status_code == 403
    assert not list(made.store.path.glob("*.metric"))
    assert put(kept(run)).status_code == 201
    assert shown(run, HttpStore(url)).keys() == {0}
    assert put(kept(run, 0, 1), name_of(federation, 1, 0)).status_code == 201
    assert made.prune(1) > 0 and [path.name for path in made.store.path.glob("*.metric")] == [name_of(federation, ROUNDS, 0)]
    made.keep_bytes = 10
    assert put(kept(run, 1), name_of(federation, ROUNDS, 1)).status_code == 507
    made.token = "word"
    assert put(kept(run)).status_code == 401


def test_host_store__gives_it_to_the_host__beside_a_folder__and_a_node_of_ipfs_is_not_asked(run, host, tmp_path):
    made, url = host
    stores = Stores([LocalStore(tmp_path / "own"), IpfsStore("127.0.0.1:1"), HostStore(url)], warn=lambda text: None)
    name = name_of(place(run)[1], ROUNDS, 1)
    assert stores.takes_signed and not HttpStore(url).takes_signed
    stores.write_as(Writer(*place(run), 1, key_of(1).sign_typed, lambda text: None))
    assert not stores.has_signed(name)
    stores.put_signed(name, kept(run, 1))
    assert stores.has_signed(name)
    end = time.monotonic() + 10
    while not (made.store.path / name).is_file():
        assert time.monotonic() < end, "the host does not have it"
        time.sleep(0.02)
    assert (made.store.path / name).read_bytes() == kept(run, 1)
    with pytest.raises(StoreError, match="keeps files by their hash alone"):
        IpfsStore("127.0.0.1:1").put_signed(name, b"")
