"""What the project asks of a chain: JSON-RPC calls, by whatever way they travel. `Rpc` speaks HTTP to nodes; the tests answer
the same calls from an engine in their own process, so that reader, sender, journal and executor are the same code there."""

from __future__ import annotations

from collections import Counter
from typing import Any, Protocol


class Chain(Protocol):
    """A JSON-RPC endpoint, or several behind one face. Called with a method and its parameters, it returns the result.

    Raises NodeRefused where the contract reverted, NodeError where no node gave a usable answer.
    """

    @property
    def urls(self) -> list[str]:
        """Where the nodes are."""
        ...

    @property
    def failures(self) -> Counter[str]:
        """How many calls failed, by kind."""
        ...

    def __call__(self, method: str, *params: Any) -> Any: ...

    def each(self, method: str, *params: Any) -> list[Any]:
        """What every node answers; those that fail are left out."""
        ...

    def turn(self) -> None:
        """The next call begins with another node, if there are several."""
        ...
