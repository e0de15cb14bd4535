"""Hosts at fault: each answers in its own wrong way, over real HTTP. Some stand before a true host."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests


class Crooked:
    """A server whose every request is handled by `answer(method, path, body)`, which returns (status, body) or None to say
    nothing."""

    def __init__(self, answer: Callable[[str, str, bytes], tuple[int, bytes] | None]):
        self.asked: list[tuple[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.asked.append((self.command, self.path))
                if (found := answer(self.command, self.path, body)) is None:
                    return
                status, data = found
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            do_GET = do_HEAD = do_POST = do_PUT = handle_any

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Silent:
    """Accepts connections and never answers."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}"

    def close(self) -> None:
        self.server.close()


def refuses() -> Crooked:
    return Crooked(lambda method, path, body: (503, b"the budget for gas is spent: send the transaction yourself\n"))


def sleeps() -> Crooked:
    """Takes everything and does nothing."""
    return Crooked(lambda method, path, body: (404, b"") if method in ("GET", "HEAD") else (202, b"taken\n"))


def lies() -> Crooked:
    """Says that acts are on the chain, that it keeps files, and serves others of the right size."""

    def answer(method: str, path: str, body: bytes) -> tuple[int, bytes]:
        if method == "POST":
            return 200, json.dumps({"done": "0xffffffffffffffffffffffffffffffff", "text": "the chain has it already"}).encode()
        if method == "PUT":
            return 201, b"kept\n"
        size = 264 if path.endswith("update") else 1024 if path.endswith("model") else 2
        return 200, bytes(size)

    return Crooked(answer)


def slow(url: str, seconds: float) -> Crooked:
    """Passes everything on to a true host, and its answers back after everybody's patience."""

    def answer(method: str, path: str, body: bytes) -> tuple[int, bytes]:
        time.sleep(seconds)
        return _passed_on(url, method, path, body)

    return Crooked(answer)


def censors(url: str, seat: int) -> Crooked:
    """Passes everything on to a true host but one seat's acts, which it says it has taken."""

    def answer(method: str, path: str, body: bytes) -> tuple[int, bytes]:
        if method == "POST" and re.search(rb'"seat": %d\b' % seat, body):
            return 202, b"taken\n"
        return _passed_on(url, method, path, body)

    return Crooked(answer)


def _passed_on(url: str, method: str, path: str, body: bytes) -> tuple[int, bytes]:
    done = requests.request(method, url + path, data=body, timeout=10)
    return done.status_code, done.content
