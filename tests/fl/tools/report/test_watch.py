"""The live page's server: serves what was read last, keeps it when the chain stops answering, and answers nothing else."""

import fcntl
import http.client
import io
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from support.pages import KNOWN, facts, federation
from support.system import UNIT

from fl.errors import ChainError, TreatyError
from fl.protocol.phases import Phase
from fl.tools.cli.prices import Prices
from fl.tools.report.join_page import join_page
from fl.tools.report.watch import Screen, Server, print_once, status, terminal


class Chain:
    """A chain in this process that a test moves on, or silences."""

    def __init__(self):
        self.book = federation()
        self.moment = {}
        self.error = None

    def look(self):
        if self.error:
            raise self.error
        return True

    def facts(self, audit=True):
        return facts(KNOWN, self.book, **self.moment)

    def open_a_round(self):
        self.book.note("RoundOpened", round=4, active=0b110, base=b"\x0c" * 32, pot=UNIT, openedAt=self.book.clock)
        self.moment = {"time": self.book.clock, "phase": Phase.COMMIT, "phase_end": self.book.clock + 600}


@pytest.fixture
def chain():
    return Chain()


@pytest.fixture
def screen(chain):
    return Screen(chain, Prices(), join_page)


@pytest.fixture
def ask(screen):
    server = Server(screen, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()

    def request(path, method="GET", **headers):
        connection = http.client.HTTPConnection(*server.server_address[:2], timeout=10)
        connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        result = answer.status, dict(answer.getheaders()), answer.read().decode()
        connection.close()
        return result

    yield request
    server.shutdown()
    thread.join()
    server.server_close()


def test_before_the_first_look__it_says_so(ask):
    code, _, text = ask("/")
    assert code == 503 and "reading the chain" in text


def test_pages__are_served_with_a_policy_that_fits_their_script(ask, screen):
    screen.refresh()
    for path in ("/", "/join"):
        code, headers, text = ask(path)
        assert code == 200 and headers["Content-Type"] == "text/html; charset=utf-8" and text.startswith("<!doctype html>")
        allowed = headers["Content-Security-Policy"].split("script-src ")[1].split(";")[0]
        assert allowed.startswith("'sha256-") and allowed.replace("'", "&#39;") in text and "unsafe-inline" not in allowed
        assert (headers["X-Content-Type-Options"], headers["Referrer-Policy"]) == ("nosniff", "no-referrer")
        assert headers["X-Frame-Options"] == "DENY" and "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_body__is_sent_when_it_changed__and_only_then(ask, screen, chain):
    screen.refresh()
    code, headers, text = ask("/body")
    assert code == 200 and "Round 3" in text and "<html" not in text and headers["Treaty-Status"] == "between rounds"
    version = headers["ETag"]
    assert ask("/body", If_None_Match=version)[0] == 304
    screen.refresh()
    assert ask("/body", If_None_Match=version)[0] == 304
    chain.open_a_round()
    screen.refresh()
    code, headers, text = ask("/body", If_None_Match=version)
    assert code == 200 and headers["ETag"] != version and "Round 4" in text
    assert headers["Treaty-Status"] == "round 4, commit, 10 min left"


@pytest.mark.parametrize("error", [ChainError("the node said no"), ConnectionError("down"), ValueError("nonsense")])
def test_chain_that_falls_silent__is_told__and_what_was_known_stays(ask, screen, chain, error):
    screen.refresh()
    chain.error = error
    assert screen.refresh() is None
    code, headers, text = ask("/body")
    assert code == 200 and "Round 3" in text
    assert headers["Treaty-Status"] == (str(error) if isinstance(error, ChainError) else screen.trouble) and screen.trouble
    chain.error = None
    screen.refresh()
    assert ask("/body")[1]["Treaty-Status"] == "between rounds"


def test_trouble__cannot_split_a_header(ask, screen, chain):
    screen.refresh()
    chain.error = ChainError("a\r\nSet-Cookie: x=1 é")
    screen.refresh()
    _, headers, _ = ask("/body")
    assert "Set-Cookie" not in headers and headers["Treaty-Status"].startswith("a? Set-Cookie")


def test_nothing_else_is_served(ask, screen):
    screen.refresh()
    for path in ("/../fl", "/etc/passwd", "/body/", "/static/x.js"):
        assert ask(path)[0] == 404
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert ask("/", method)[0] == 501
    code, headers, text = ask("/", "HEAD")
    assert code == 200 and text == "" and int(headers["Content-Length"]) > 10_000


def test_another_site_s_name_is_refused(ask, screen):
    screen.refresh()
    assert ask("/", Host="evil.example")[0] == 421
    assert ask("/", Host="localhost:8018")[0] == 200


def test_port__that_is_taken_or_none__is_refused_in_one_line(screen):
    first = Server(screen, "127.0.0.1", 0)
    port = first.server_address[1]
    with pytest.raises(TreatyError, match=rf"127.0.0.1:{port} cannot be served on: .*; give another --port or --host"):
        Server(screen, "127.0.0.1", port)
    with pytest.raises(TreatyError, match="--port 70000: give a number from 0 to 65535"):
        Server(screen, "127.0.0.1", 70000)
    first.server_close()


def test_status__between_and_within_rounds(chain):
    assert status(facts(book=chain.book, concluded=True)) == "between rounds, concluded"
    chain.open_a_round()
    assert status(chain.facts()) == "round 4, commit, 10 min left"


def drawn(screen) -> str:
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(terminal(screen))
    return console.export_text()


def test_terminal__shows_rounds_people_and_what_happened_last(screen, chain):
    assert "reading the chain" in drawn(screen)
    chain.open_a_round()
    screen.refresh()
    result = drawn(screen)
    assert "round 4, commit, 10 min left" in result and "void: nobody was paid" in result and "the forger" in result
    assert "round 4 opened" in result and "found no difference" in result
    chain.error = ConnectionError()
    screen.refresh()
    assert "the chain does not answer" in drawn(screen) and "the forger" in drawn(screen)


def test_terminal__shows_markup_as_text(screen, chain):
    chain.facts = lambda audit=True: facts(replace(KNOWN, names=dict.fromkeys(range(5), "[red]x[/]")), chain.book)
    screen.refresh()
    assert "[red]x[/]" in drawn(screen)


def test_terminal__of_80_columns__keeps_every_number(screen, chain):
    chain.open_a_round()
    screen.refresh()
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(terminal(screen))
    result = console.export_text()
    assert "committed  revealed  accepted  how it stands" in result and "0xcdcdcd…cdcd" in result
    assert all(len(line) <= 80 for line in result.splitlines())


WATCHED = """
import sys
sys.path[:0] = sys.argv[1:]
from test_watch import Chain, Prices, Screen, join_page
from fl.tools.report.watch import Server, serve, watch_terminal
chain = Chain()
screen = Screen(chain, Prices(), join_page)
look = screen.refresh
def refresh():
    look()
    chain.open_a_round() if not chain.moment else None
screen.refresh = refresh
"""
IN_A_TERMINAL = "watch_terminal(screen, 0.2)"
IN_A_BROWSER = """
screen.refresh = lambda: print("looked", flush=True)
serve(screen, Server(screen, "127.0.0.1", 0), 0.2)
"""
HERE = Path(__file__).parent
PATHS = [str(HERE), str(HERE.parents[2])]


def test_terminal__draws_in_place__follows_the_chain__and_leaves_the_screen_as_it_was():
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 80, 0, 0))
    call = [sys.executable, "-c", WATCHED + IN_A_TERMINAL, *PATHS]
    env = {**os.environ, "TERM": "xterm-256color"}
    watching = subprocess.Popen(call, stdin=inner, stdout=inner, stderr=inner, env=env, start_new_session=True)
    os.close(inner)
    seen = b""

    def until(words: bytes) -> None:
        nonlocal seen
        while words not in seen:
            seen += os.read(outer, 65536)  # ends with an error if the process does

    until(b"between rounds")
    until(b"round 4, commit, 10 min left")
    watching.send_signal(signal.SIGINT)
    until(b"\x1b[?1049l")
    assert watching.wait() == 0
    os.close(outer)
    assert seen.startswith(b"\x1b[?1049h") and b"\x1b[?25h" in seen and b"Traceback" not in seen


def test_server__ends_with_an_interrupt__and_that_is_no_failure():
    call = [sys.executable, "-c", WATCHED + IN_A_BROWSER, *PATHS]
    watching = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert watching.stdout.readline() == "looked\n"
    watching.send_signal(signal.SIGINT)
    _, err = watching.communicate()
    assert (watching.returncode, err) == (0, "")


def test_once__fails_when_the_chain_cannot_be_read(screen, chain, capsys):
    print_once(screen)
    assert "between rounds" in capsys.readouterr().out
    chain.error = ChainError("no node")
    with pytest.raises(TreatyError, match="no node"):
        print_once(screen)
