"""Where a federation was deployed; apart from deploying it, so that reading a record loads neither torch nor Ape."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Deployment:
    """The addresses of a deployment."""

    chain_id: int
    federation: str
    factory: str
    implementation: str
    disputes: str
    token: str
    manifest: str
    genesis: str
    gas: dict[str, int]
    block: int
