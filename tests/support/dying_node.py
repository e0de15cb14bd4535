"""A node that answers so many requests and then dies, in one of the ways in which nodes do."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

WAYS = ("closed", "503", "garbage", "limit")


class Dying(ThreadingHTTPServer):
    """Hands requests on to a node until `left` is used up, or a request of the kind `last` was answered."""

    daemon_threads = True

    def __init__(self, node: str):
        self.node, self.left, self.way, self.last = urlsplit(node).netloc, 0, "closed", ""
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def lasts(self, requests: int, way: str = "closed", last: str = "") -> str:
        """Dies after so many requests from now; returns its address."""
        self.left, self.way, self.last = requests, way, last
        return self.address


class _Handler(BaseHTTPRequestHandler):
    server: Dying
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        asked = json.loads(body)
        if self.server.left < 1:
            return self._die(asked)
        self.server.left = 0 if asked["method"] == self.server.last else self.server.left - 1
        node = http.client.HTTPConnection(self.server.node)
        node.request("POST", "/", body, {"Content-Type": "application/json"})
        self._say(200, node.getresponse().read())
        node.close()

    def _die(self, asked: dict) -> None:
        if self.server.way == "closed":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif self.server.way == "503":
            self._say(503, b"<html>Service Unavailable</html>")
        elif self.server.way == "garbage":
            self._say(200, b"<html>Welcome</html>")
        else:
            error = {"code": -32005, "message": "daily request count exceeded"}
            self._say(200, json.dumps({"jsonrpc": "2.0", "id": asked["id"], "error": error}).encode())

    def _say(self, status: int, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def dying(node: str) -> Iterator[Dying]:
    server = Dying(node)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
