"""A command that takes a seat and is killed after any of its transactions: called again it goes on, and no token is lost."""

import http.client
import json
import subprocess
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support.cli import APE, remembered

from fl.network.federation import FederationReader
from fl.network.rpc import Rpc
from fl.network.token import Token

pytestmark = pytest.mark.xdist_group("commands")


class Killing(ThreadingHTTPServer):
    """Hands requests on to a node, and kills the process that asks once the node has so many of its transactions."""

    daemon_threads = True
    process: subprocess.Popen
    left = 0

    def __init__(self, node: str):
        self.node = node.removeprefix("http://")
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        node = http.client.HTTPConnection(self.server.node)
        node.request("POST", "/", body, {"Content-Type": "application/json"})
        answer = node.getresponse().read()
        node.close()
        if json.loads(body)["method"] == "eth_sendRawTransaction":
            self.server.left -= 1
            if self.server.left == 0:
                self.server.process.kill()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def reader(commands, tmp_path_factory):
    store = tmp_path_factory.mktemp("killed") / "store"
    assert commands("deploy", "--account", "TEST::0", "--task", "linear", "--store", store).code == 0
    return FederationReader.open(Rpc([commands.node]), remembered(commands)[-1]["federation"])


@contextmanager
def unmined(commands, seconds: float):
    """The node makes no block by itself, but one after so many seconds."""
    commands.web3.provider.make_request("evm_setAutomine", [False])

    def mine() -> None:
        commands.web3.provider.make_request("evm_mine", [])
        commands.web3.provider.make_request("evm_setAutomine", [True])

    timer = threading.Timer(seconds, mine)
    yield timer.start
    timer.join()


# Which of its transactions is the last one: it mints, approves and joins, or mints and joins by a permit.
POINTS = [(1, 1, ["--approve"]), (2, 2, ["--approve"]), (3, 3, ["--approve"]), (4, 1, []), (5, 2, [])]


def killed(commands, reader, account: int, transactions: int, words: list[str]) -> None:
    server = Killing(commands.node)
    server.left = transactions
    call = ["join", "--federation", reader.address, "--account", f"TEST::{account}", "--mint", *words]
    with subprocess.Popen(
        [APE, "run", *call, "--network", f"http://127.0.0.1:{server.server_port}"],
        cwd=commands.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as server.process:
        _, told = server.process.communicate(timeout=120)
    server.shutdown()
    server.server_close()
    assert server.left == 0 and server.process.returncode == -9, told


def has_one_seat_and_all_tokens(reader, owner: str) -> bool:
    terms, token = reader.terms, Token(reader.rpc, reader.terms.token)
    deposits = terms.demands_to_pay() * terms.demand_deposit
    (seat,) = reader.seats_of(owner)
    assert reader.seats([seat])[seat].stake == terms.min_stake and reader.credit(owner) == deposits
    assert token.held_by(owner) == 0 == token.allowance(owner, reader.address)  # it minted what it needed, and paid it once
    return True


@pytest.mark.parametrize("account, transactions, words", POINTS)
def test_join__killed_after_any_transaction__goes_on_when_it_is_called_again(commands, reader, account, transactions, words):
    killed(commands, reader, account, transactions, words)
    owner = commands.web3.eth.accounts[account]
    taken = reader.seats_of(owner)
    again = commands("join", "--federation", reader.address, "--account", f"TEST::{account}", "--mint", *words)
    if taken:
        assert again.code == 1 and f"{owner} holds seat {taken[0]} already: nothing was sent" in again.err, again
    else:
        assert again.code == 0 and "staked" in again.out, again
    assert has_one_seat_and_all_tokens(reader, owner)


@pytest.mark.parametrize("account, transactions, words", [(6, 2, ["--approve"]), (7, 3, ["--approve"]), (8, 2, [])])
def test_join__killed_before_a_block_has_its_transaction__waits_for_it_and_sends_no_second(
    commands, reader, account, transactions, words
):
    owner = commands.web3.eth.accounts[account]
    killed(commands, reader, account, transactions - 1, words)
    with unmined(commands, 2) as begin:
        killed(commands, reader, account, 1, words)
        assert not reader.seats_of(owner)
        begin()
        began = time.monotonic()
        again = commands("join", "--federation", reader.address, "--account", f"TEST::{account}", "--mint", *words)
    assert time.monotonic() - began > 1
    assert again.code == 0 or f"{owner} holds seat" in again.err, again
    assert has_one_seat_and_all_tokens(reader, owner)
    counts = [commands.web3.eth.get_transaction_count(owner, which) for which in ("latest", "pending")]
    assert counts == [transactions if again.code else transactions + 1] * 2
