"""A faulty node: a proxy that drops, garbles, delays or falsifies answers as its rule says; for the chaos test and tests."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Call = dict[str, Any]
Rule = Callable[[Call], str]

KINDS = ("drop", "deaf", "garbage", "limit", "hang", "error")


def fair(call: Call) -> str:
    """The rule without faults."""
    return ""


class Proxy:
    """Forwards JSON-RPC to `upstream`. Change `rule` and `change` at any time, from any thread.

    rule(call): "" forwards; drop: the call never reaches the node; deaf: it does, and the answer is lost; garbage: invalid
    JSON;
    limit: status 429; hang: silence for `pause` seconds; error: status 500; swallow: the call never reaches the node, and is
    answered as a transaction that was taken.
    change(call, answer): the answer that is passed on.
    refuse(call): the code and text of a JSON-RPC error that is answered with status 200, as providers do; None forwards.
    """

    def __init__(self, upstream: str, pause: float = 2.0):
        self.upstream, self.pause = upstream, pause
        self.rule: Rule = fair
        self.change: Callable[[Call, Any], Any] = lambda call, answer: answer
        self.refuse: Callable[[Call], tuple[int, str] | None] = lambda call: None
        self.done: Counter[str] = Counter()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                proxy._serve(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        call = json.loads(body)
        fault = self.rule(call)
        self.done[fault or "fair"] += 1
        try:
            if fault == "drop":
                handler.close_connection = True
                handler.connection.close()
            elif fault == "limit":
                handler.send_response(429)
                handler.send_header("Retry-After", "0")
                handler.send_header("Content-Length", "0")
                handler.end_headers()
            elif fault == "error":
                handler.send_error(500)
            elif fault == "garbage":
                _reply(handler, b"<html>502 Bad Gateway</html>")
            elif fault == "swallow":
                _reply(handler, json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": "0x" + "00" * 32}).encode())
            elif fault == "hang":
                time.sleep(self.pause)
                handler.connection.close()
            elif error := self.refuse(call):
                self.done["refused"] += 1
                said = {"code": error[0], "message": error[1]}
                _reply(handler, json.dumps({"jsonrpc": "2.0", "id": call["id"], "error": said}).encode())
            else:
                request = urllib.request.Request(self.upstream, body, {"Content-Type": "application/json"})
                with urllib.request.urlopen(request, timeout=60) as reply:
                    answer = self.change(call, json.loads(reply.read()))
                if fault == "deaf":
                    handler.connection.close()
                else:
                    _reply(handler, json.dumps(answer).encode())
        except OSError:
            handler.close_connection = True  # the client or the node has gone


def _reply(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)
