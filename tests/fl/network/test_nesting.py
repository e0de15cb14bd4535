"""Foreign JSON that nests deep is refused before it is read, in linear time, whatever its strings hold."""

import http.server
import json
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.network.nesting import MAX_NESTING, nests_too_deep
from fl.network.rpc import NodeError, Rpc

DEEP = MAX_NESTING + 1


def nested(depth: int, opening: str = "[", closing: str = "]") -> bytes:
    return (opening * depth + closing * depth).encode()


@pytest.mark.parametrize(
    "text",
    [
        nested(DEEP),
        b"[" * 100_000,
        nested(DEEP, '{"a":', "}"),
        b'["' + b"]" * 1000 + b'",' + nested(DEEP) + b"]",  # brackets in a string hide nothing
        b'["]",' * DEEP,
        b"]" * 50 + b'"\\"]]",' + b"[" * 100,
        b"[]" * (1 << 20) + b"[" * 200,
    ],
    ids=range(7),
)
def test_deep__is_refused(text):
    assert nests_too_deep(text)


JSON = st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


def depth_of(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)


@given(JSON, st.integers(0, 40))
def test_verdict__is_the_documents_depth(value, more):
    for _ in range(more):
        value = [value, ']}\\"[']
    assert nests_too_deep(json.dumps(value).encode()) == (depth_of(value) > MAX_NESTING)


@pytest.mark.parametrize("text", [b'"\\"' * (1 << 20), b'"' * (1 << 21), b"[]" * (1 << 21), b"\\" * (1 << 21)], ids=range(4))
def test_time__is_linear(text):
    before = time.perf_counter()
    nests_too_deep(text)
    assert time.perf_counter() - before < 2


@pytest.fixture
def node():
    """A node that answers every call with `node.answer`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(server.answer)))
            self.end_headers()
            self.wfile.write(server.answer)

        def log_message(self, *_): ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("where", ["result", "error"])
def test_node_that_answers_with_deep_json__is_one_that_fails(node, where):
    # 900 levels are read by json.loads, and overflow whoever shows the value.
    node.answer = b'{"jsonrpc":"2.0","id":1,"' + where.encode() + b'":' + nested(900) + b"}"
    rpc = Rpc([f"http://127.0.0.1:{node.server_address[1]}"], sleep=lambda _: None)
    with pytest.raises(NodeError, match=r"garbage: eth_chainId: JSON that nests too deep|garbage: JSON that nests too deep"):
        rpc("eth_chainId")
