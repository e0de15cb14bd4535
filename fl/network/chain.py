"""The interface to a chain: JSON-RPC calls over any transport. `Rpc` speaks HTTP to nodes; the tests answer the same calls
from an engine in their own process, so that reader, sender, journal and executor are the same code there."""

from __future__ import annotations

from collections import Counter
from typing import Any, Protocol


class Chain(Protocol):
    """A JSON-RPC endpoint, or several behind one interface. Called with a method and its parameters, it returns the result.

    Raises NodeRefused if the contract reverted, NodeError if no node gave a usable answer.
    """

    @property
    def urls(self) -> list[str]:
        """The addresses of the nodes."""
        ...

    @property
    def failures(self) -> Counter[str]:
        """How many calls failed, by kind."""
        ...

    def __call__(self, method: str, *params: Any) -> Any: ...

    def each(self, method: str, *params: Any) -> list[Any]:
        """The answer of every node; those that fail are left out."""
        ...

    def turn(self) -> None:
        """Makes the next call start with another node, if there are several."""
        ...
