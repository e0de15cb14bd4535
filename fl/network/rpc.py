"""JSON-RPC to nodes that may be slow, absent, rate-limited or wrong: calls are bounded in time and size, retried, then
reported.

Several addresses may be given: after a failure the next one is asked at once, and only when all have failed is there a pause.
Sending a signed transaction twice is harmless, so every call may be repeated.

Providers report their own trouble as JSON-RPC errors with HTTP status 200: rate limits, spans of blocks that are too large,
state that was pruned, parameters that they do not support. None of this says anything about the contract. Only a revert does,
so only a revert (or a transaction pool's answer to a signed transaction) is raised as NodeRefused.
"""

from __future__ import annotations

import base64
import http.client
import itertools
import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from fl.errors import ChainError, ContractError
from fl.network.nesting import nests_too_deep

MAX_ANSWER_BYTES = 64 << 20
TRIES = 4
PAUSE = 0.1  # seconds before the second try; doubled after each
DEV_CHAINS = (1337, 31337)  # of anvil, Hardhat and Ganache, whose clocks are turned at will
LOOPBACK = ("127.0.0.1", "localhost", "::1")
MAX_PATIENCE = 5.0  # seconds up to which a node's Retry-After is respected
LIMITED_PAUSE = 1.0  # seconds to wait for a node that limits the rate without a Retry-After

SEND = "eth_sendRawTransaction"
RUNS_CODE = ("eth_call", "eth_estimateGas")  # the only methods that can carry a contract's revert
REVERT_CODE = 3
# How Geth, Erigon, Besu, Nethermind, anvil, Hardhat and Ganache say that a contract reverted.
REVERT = re.compile(r"\brevert(ed)?\b|vm exception while processing|vm execution error|invalid opcode|bad instruction", re.I)
LIMIT_CODES = (-32005, -32007, -32016, -32029, -32090, -32097, 15, 429)  # how nodes and gateways report rate limits
LIMIT = re.compile(r"rate limit|rate-limit|too many request|request limit|request count exceeded|throughput|capacity", re.I)
TOO_MUCH = re.compile(r"range|results|logs|blocks|size", re.I)  # an error about one large call, whatever its code


class NodeError(ChainError):
    """No node gave a usable answer. Nothing is known, so nothing is done.

    kind: what the last node did ("refused": it answered with an error of its own); where: its address without secrets;
    text: its message.
    """

    def __init__(self, message: str, kind: str = "garbage", where: str = "", text: str = ""):
        super().__init__(message)
        self.kind, self.where, self.text = kind, where, text or message


class NodeRefused(ContractError):
    """The contract reverted, or a node's pool rejected a signed transaction. `data`: the bytes of the revert."""

    def __init__(self, method: str, code: int, text: str, data: bytes):
        super().__init__(f"{method}: {text}")
        self.code, self.text, self.data = code, text, data


class _Failure(Exception):
    def __init__(self, kind: str, text: str, pause: float = 0.0):
        super().__init__(text)
        self.kind, self.text, self.pause = kind, text, pause


class Rpc:
    """One or more nodes behind one interface.

    failed: called for every failure with (kind, address without path, text).
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        timeout: float = 10.0,
        failed: Callable[[str, str, str], None] = lambda kind, where, text: None,
        sleep: Callable[[float], None] = time.sleep,
    ):
        self.urls, self.timeout, self.failed, self.sleep = list(urls), timeout, failed, sleep
        self.failures: Counter[str] = Counter()
        self._at = 0
        self._kept: dict[tuple[int, str], http.client.HTTPConnection] = {}
        self._ids = itertools.count(1)

    def __call__(self, method: str, *params: Any) -> Any:
        """The result. Raises NodeRefused for a revert, and NodeError after some tries for everything else."""
        count, pause, last = len(self.urls), PAUSE, _Failure("silent", "")
        refused: NodeRefused | None = None
        longest = 0.0  # seconds that a node of this turn asked us to wait
        for attempt in range(max(TRIES, 2 * count if count > 1 else 0)):
            if attempt and attempt % count == 0:  # everybody was asked
                self.sleep(max(pause, longest))
                pause, longest = 2 * pause, 0.0
            url = self.urls[self._at % count]
            try:
                return self._ask(url, method, params)
            except NodeRefused as refusal:
                if method != SEND or attempt + 1 >= count:
                    raise
                refused = refusal  # a pool's own rule, such as a minimum tip: another pool may accept it
            except _Failure as failure:
                last, longest = failure, max(longest, failure.pause)
                self.failures[failure.kind] += 1
                self.failed(failure.kind, host(url), f"{method}: {failure.text}")
            self._at += 1
        if refused:
            raise refused
        where = host(self.urls[(self._at - 1) % count])
        who = f"the node {where}" if count == 1 else f"none of the nodes {', '.join(map(host, self.urls))}"
        failed = f"{who} {'did not answer' if count == 1 else 'answered'} {method}: {last.kind}: {last.text}"
        raise NodeError(f"{failed}; make sure that it runs, and check --network or --rpc", last.kind, where, last.text)

    def turn(self) -> None:
        """Makes the next call start with the next address."""
        self._at += 1

    def each(self, method: str, *params: Any) -> list[Any]:
        """The answer of every address, for comparison; those that fail are left out."""
        answers = []
        for url in self.urls:
            try:
                answers.append(self._ask(url, method, params))
            except (_Failure, NodeRefused):
                continue
        return answers

    def _ask(self, url: str, method: str, params: tuple[Any, ...]) -> Any:
        number = next(self._ids)
        body = json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode()
        try:
            return _result(method, number, self._exchange(url, body))
        except TimeoutError as error:
            raise _Failure("timed out", f"nothing within {self.timeout:g} s") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _Failure("unreachable", f"{type(error).__name__}: {error}") from error

    def _exchange(self, url: str, body: bytes) -> bytes:
        """The answer's bytes. The connection is kept open, and opened again if the node has closed it."""
        kept = self._kept.pop((os.getpid(), url), None)  # a forked process must not share its parent's connection
        for connection in [kept, self._connect(url)] if kept else [self._connect(url)]:
            try:
                connection.request("POST", _path(url), body, self._headers(url))
                reply = connection.getresponse()
            except (ConnectionError, http.client.BadStatusLine):
                connection.close()
                if connection is kept:
                    continue
                raise
            except BaseException:
                connection.close()
                raise
            try:
                # The time-out bounds each wait for bytes; the deadline bounds a node that sends them slowly.
                data = _read(reply, time.monotonic() + 2 * self.timeout)
                reply.close()  # otherwise http.client does not notice the end of the answer
            except BaseException:
                connection.close()
                raise
            if reply.status == 429:
                raise _Failure("rate-limited", "429, too many requests", _patience(reply.headers.get("Retry-After", "")))
            if reply.status != 200:
                raise _Failure("http", f"HTTP status {reply.status}")
            self._kept[(os.getpid(), url)] = connection
            return data
        raise ConnectionError("closed")

    def _connect(self, url: str) -> http.client.HTTPConnection:
        parts = urlsplit(url)
        if parts.scheme == "https":
            return http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=self.timeout)
        return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=self.timeout)

    def _headers(self, url: str) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "User-Agent": "treaty"}
        parts = urlsplit(url)
        if parts.username:
            pair = f"{parts.username}:{parts.password or ''}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        return headers


def _path(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _read(reply: Any, deadline: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := reply.read1(1 << 16):  # whatever has arrived, without waiting
        parts.append(part)
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            raise _Failure("garbage", f"an answer above {MAX_ANSWER_BYTES:,} bytes")
        if time.monotonic() > deadline:
            raise _Failure("timed out", "the answer drips")
    return b"".join(parts)


def _result(method: str, number: int, data: bytes) -> Any:
    if nests_too_deep(data):
        raise _Failure("garbage", f"JSON that nests too deep: {data[:40]!r}")
    try:
        answer = json.loads(data)
    except ValueError as error:
        raise _Failure("garbage", f"no JSON: {data[:40]!r}") from error
    if not isinstance(answer, dict) or answer.get("id") != number:
        raise _Failure("garbage", f"an answer to something else: {data[:60]!r}")
    if (refused := answer.get("error")) is not None:
        raise _trouble(method, refused)
    if "result" not in answer:
        raise _Failure("garbage", f"neither result nor error: {data[:60]!r}")
    return answer["result"]


def _trouble(method: str, error: Any) -> NodeRefused | _Failure:
    """Classifies a JSON-RPC error: the contract's revert, a pool's rejection, or the node's own failure."""
    if not isinstance(error, dict):
        return _Failure("refused", str(error)[:300])
    code, text, data = error.get("code"), str(error.get("message", ""))[:300], _data(error.get("data"))
    number = code if isinstance(code, int) else 0
    if method in RUNS_CODE and (number == REVERT_CODE or data or REVERT.search(text)):
        return NodeRefused(method, number, text, data)
    if LIMIT.search(text) or (number in LIMIT_CODES and not (method == "eth_getLogs" and TOO_MUCH.search(text))):
        return _Failure("rate-limited", text, LIMITED_PAUSE)
    if method == SEND:
        return NodeRefused(method, number, text, data)
    return _Failure("refused", f"{text} ({number})")


def _data(value: Any) -> bytes:
    if isinstance(value, dict):
        value = value.get("data", "")
    try:
        return bytes.fromhex(value[2:]) if isinstance(value, str) and value.startswith("0x") else b""
    except ValueError:
        return b""


def _patience(given: str) -> float:
    return min(float(given), MAX_PATIENCE) if given.isdecimal() else 1.0


def on_loopback(url: str) -> bool:
    """Whether an address is on this machine."""
    return urlsplit(url).hostname in LOOPBACK


def host(url: str) -> str:
    """A node's host, without user, path or query, which may hold the keys to paid nodes."""
    rest = url.partition("://")[2] or url
    return rest.partition("/")[0].rpartition("@")[2]
