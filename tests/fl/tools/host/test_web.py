"""A host's web server against visitors that hold connections: it ends those that send or take nothing, and counts the rest."""

import socket
import time
from contextlib import ExitStack, closing

import pytest
import requests
from starlette.applications import Starlette
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from fl.tools.host import web
from fl.tools.host.web import Address, WebServer

LARGE = bytes(64 << 20)  # more than the kernel buffers for a visitor that reads nothing


@pytest.fixture
def serve():
    async def small(request):
        return Response(b"here")

    async def large(request):
        return Response(LARGE)

    async def pieces(request):
        async def parts():
            for _ in range(len(LARGE) >> 16):
                yield LARGE[: 1 << 16]

        return StreamingResponse(parts(), headers={"Content-Length": str(len(LARGE))})

    running = []

    def start(**given) -> WebServer:
        server = WebServer(
            Starlette(routes=[Route("/", small), Route("/large", large), Route("/pieces", pieces)]), Address(**given)
        )
        server.start()
        running.append(server)
        return server

    yield start
    for server in running:
        server.stop()


def line_to(server: WebServer) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def ended(line: socket.socket) -> bool:
    try:
        return line.recv(1) == b""
    except ConnectionResetError:
        return True


def gone(server: WebServer) -> None:
    until = time.monotonic() + 8
    while server.connections:
        assert time.monotonic() < until, "the connection stays"
        time.sleep(0.02)


@pytest.mark.parametrize("first", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"], ids=["silent", "begun", "second"])
def test_visitor__that_never_ends_its_request__is_cut_off(serve, monkeypatch, first):
    monkeypatch.setattr(web, "HEAD_SECONDS", 0.5)
    with closing(line_to(serve())) as line:
        line.sendall(first)
        if first.endswith(b"\r\n\r\n"):
            answer = b""
            while not answer.endswith(b"here"):
                answer += line.recv(1000)
            line.sendall(b"G")
        began = time.monotonic()
        assert ended(line) and time.monotonic() - began < 5


def test_visitor__that_drips_its_request__is_cut_off_as_well(serve, monkeypatch):
    monkeypatch.setattr(web, "HEAD_SECONDS", 0.5)
    with closing(line_to(serve())) as line, pytest.raises(OSError):
        for _ in range(60):
            line.sendall(b"x")
            time.sleep(0.1)


@pytest.mark.parametrize("how, bound", [("large", "HEAD_SECONDS"), ("pieces", "PATIENCE")])
def test_visitor__that_takes_no_answer__is_cut_off(serve, monkeypatch, how, bound):
    """One that was handed over whole, and one that is read from a file while it is sent."""
    monkeypatch.setattr(web, "SLOWEST", 1 << 30)
    monkeypatch.setattr(web, bound, 0.5)
    server = serve()
    with closing(line_to(server)) as line:
        line.sendall(f"GET /{how} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert b"200" in line.recv(100) and server.connections
        gone(server)


def test_one_visitor__cannot_take_every_connection(serve):
    server = serve()
    with ExitStack() as held:
        lines = [held.enter_context(closing(line_to(server))) for _ in range(web.MAX_FROM_ONE)]
        assert ended(held.enter_context(closing(line_to(server))))
        assert len(server.connections) == web.MAX_FROM_ONE < web.MAX_CONNECTIONS
        lines[0].sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" in lines[0].recv(1000)  # those that it has are served
    gone(server)
    assert requests.get(server.url, timeout=5).content == b"here"


def test_proxy__may_hold_as_many_as_it_has_visitors(serve):
    server = serve(proxy="127.0.0.1")
    with ExitStack() as held:
        for _ in range(web.MAX_FROM_ONE + 5):
            held.enter_context(closing(line_to(server)))
        assert requests.get(server.url, timeout=5).content == b"here"
