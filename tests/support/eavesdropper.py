"""Hears every byte that is sent to a server through it, and looks for secrets in what it heard."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator

WINDOW = 32  # bytes: sixteen numbers of an update


class Eavesdropper:
    """Listens on a port of its own and forwards to `port`; `heard` is what clients sent, by connection, in order."""

    def __init__(self, port: int):
        self.port, self.heard = port, []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self.port))
            except OSError:  # closed, or nobody listens behind it
                return
            said = bytearray()
            self.heard.append(said)
            threading.Thread(target=_forward, args=(client, server, said), daemon=True).start()
            threading.Thread(target=_forward, args=(server, client, None), daemon=True).start()

    def close(self) -> None:
        self._listener.close()


def _forward(source: socket.socket, target: socket.socket, said: bytearray | None) -> None:
    try:
        while data := source.recv(1 << 16):
            if said is not None:
                said += data
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        source.close()
        target.close()


def windows(secret: bytes) -> Iterator[bytes]:
    """Parts of an update that say something: no more than half of their numbers are zero."""
    for start in range(0, len(secret) - WINDOW + 1, WINDOW):
        part = secret[start : start + WINDOW]
        if sum(part[i : i + 2] != b"\0\0" for i in range(0, WINDOW, 2)) >= WINDOW // 4:
            yield part


def tells(public: bytes, secret: bytes) -> bool:
    """Whether any part of a secret is in what is public: raw, in hexadecimal or in base64."""
    lower = public.lower()
    for part in windows(secret):
        # Of the characters of base64, those at the ends depend on the neighbours.
        encoded = (base64.b64encode(bytes(lead) + part)[lead + 1 : -4] for lead in range(3))
        if part in public or part.hex().encode() in lower or any(text in public for text in encoded):
            return True
    return False
