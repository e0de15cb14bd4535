"""Connections to addresses from an untrusted file: only to public machines, whatever the name resolves to.

A manifest is written by the sponsor, and every participant's daemon reads from the stores that it names. A public name may
lead to a private address, or to another one at the second look (DNS rebinding), so that the sponsor could make a daemon contact
machines in the participant's own network. Here the addresses are looked up once and checked, and the connection goes to the
address that was checked; TLS still verifies the name. Several libraries reach the nodes and hosts that an invitation
names, so `only_public` checks whatever looks one of their names up.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from typing import Any, ClassVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError

# IPv6 networks whose addresses carry an IPv4 address in their last 32 bits, which a translator in this network may connect to:
# NAT64 (RFC 6052), IPv4-translated (RFC 7915), IPv4-compatible (RFC 4291).
_CARRIERS = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "::ffff:0:0:0/96", "::/96")))
# Networks that Python does not hold for private: local NAT64 (RFC 8215), site-local (RFC 3879), documentation (RFC 3849).
_INSIDE = tuple(map(ipaddress.IPv6Network, ("64:ff9b:1::/48", "fec0::/10", "2001:db8::/32")))


def is_public_address(text: str) -> bool:
    """Whether an IP address belongs to one machine on the public internet, also where an IPv6 address carries an IPv4 address.
    Raises ValueError if it is not an IP address."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        if any(address in network for network in _INSIDE):
            return False
        carried = address.ipv4_mapped or address.sixtofour
        if any(address in network for network in _CARRIERS):
            carried = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if carried is not None:
            address = carried
    return address.is_global and not address.is_multicast


def public_addresses(host: str, port: int) -> list[str]:
    """The addresses of a host, if all of them are public. Raises OSError if one is not, or the name does not resolve."""
    found = _public(host, socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    return list(dict.fromkeys(str(info[4][0]) for info in found))


_strangers: set[str] = set()  # names that lead to public machines alone


def only_public(url: str) -> None:
    """From now on, whatever part of this process looks up the name in this address, it leads to public machines or nowhere.
    Raises OSError if it leads elsewhere now; a name that is not known at present may be known later."""
    parts = urlsplit(url)
    with suppress(socket.gaierror):
        _public(parts.hostname, socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM))
    _strangers.add(_name(parts.hostname))
    if getattr(socket.getaddrinfo, "func", None) is not _looked_up:
        setattr(socket, "getaddrinfo", partial(_looked_up, socket.getaddrinfo))  # noqa: B010  the type checker forbids it


def _looked_up(look_up: Callable[..., list[Any]], host: Any, *given: Any, **more: Any) -> list[Any]:
    found = look_up(host, *given, **more)
    return _public(host, found) if _name(host) in _strangers else found


def _public(host: Any, found: list[Any]) -> list[Any]:
    """What a look-up found, if all of it is public. Raises OSError if not."""
    if inside := [address for info in found if not is_public_address(address := str(info[4][0]))]:
        raise OSError(f"{_name(host)} leads to {inside[0]}, which is not a public address: a stranger must not name it")
    return found


def _name(host: Any) -> str:
    """A name in one spelling."""
    return (host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)).lower().rstrip(".")


_opened: ContextVar[list[Any] | None] = ContextVar("opened", default=None)


@contextmanager
def closing_all(opened: list[Any]) -> Iterator[None]:
    """Lists the connections that are opened within, so that `cut` can end them."""
    token = _opened.set(opened)
    try:
        yield
    finally:
        _opened.reset(token)


def cut(opened: list[Any]) -> None:
    """Ends these connections. A server may keep a thread that reads from it busy without end, by interim answers (100 Continue)
    or a header that never ends, while each single wait is short."""
    for connection in opened:
        with suppress(OSError, AttributeError):  # closed already
            connection.sock.shutdown(socket.SHUT_RDWR)


class _Listed:
    """A connection that `closing_all` lists."""

    def connect(self: Any) -> None:
        super().connect()  # type: ignore[misc]
        if (opened := _opened.get()) is not None:
            opened.append(self)


class _ListedHTTP(_Listed, HTTPConnection):
    pass


class _ListedHTTPS(_Listed, HTTPSConnection):
    pass


class _Pinned(_Listed):
    """Connects to a checked address instead of the name."""

    def _new_conn(self: Any) -> socket.socket:
        try:
            addresses, failure = public_addresses(self._dns_host, self.port), OSError("it has no address")
        except OSError as error:
            raise NewConnectionError(self, str(error)) from error
        for address in addresses:
            try:
                return socket.create_connection((address, self.port), self.timeout)
            except OSError as error:
                failure = error
        raise NewConnectionError(self, f"{self._dns_host} cannot be reached: {failure}") from failure


class _PinnedHTTP(_Pinned, HTTPConnection):
    pass


class _PinnedHTTPS(_Pinned, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _ListedHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _ListedHTTPS


class _PinnedHTTPPool(HTTPConnectionPool):
    ConnectionCls = _PinnedHTTP


class _PinnedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _PinnedHTTPS


class _Adapter(HTTPAdapter):
    """Makes connections of these classes."""

    pools: ClassVar[dict[str, Any]] = {"http": _HTTPPool, "https": _HTTPSPool}

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self.pools


class _PinnedAdapter(_Adapter):
    pools: ClassVar[dict[str, Any]] = {"http": _PinnedHTTPPool, "https": _PinnedHTTPSPool}


def own_session() -> requests.Session:
    """A session for addresses that the user named."""
    session = requests.Session()
    session.mount("http://", _Adapter())
    session.mount("https://", _Adapter())
    return session


def public_session() -> requests.Session:
    """A session that reaches only public addresses and ignores this user's settings: no proxy, no .netrc."""
    session = requests.Session()
    session.trust_env = False
    session.mount("http://", _PinnedAdapter())
    session.mount("https://", _PinnedAdapter())
    return session
