"""What a chain's blocks give a draw, measured on its newest blocks."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from fl.network.calls import code_at, number_of
from fl.network.chain import Chain
from fl.network.headers import header_of
from fl.network.rpc import NodeError
from fl.protocol.header import prev_randao

HISTORY = "0x0000F90827F1C53a10cb7A02335B175320002935"  # the contract of EIP-2935
HISTORY_BLOCKS, OPCODE_BLOCKS = 8191, 256  # how long a contract can ask for the hash of a block, with that contract and without
LOOKED_AT = 16  # blocks
SPAN = 100  # blocks over which the time between two is averaged
AHEAD = 64 * 12  # seconds for which the proposers of Ethereum's blocks are known

NONE, COPIED, OWN = "none", "copied", "own"
KINDS = {
    NONE: "blocks carry no randomness: nobody can draw a committee here, and the factory creates no federation",
    COPIED: "blocks repeat another chain's randomness, as rollups of the OP Stack repeat Ethereum's: whoever orders the "
    "transactions knows it before the draw, and can bias the draw at the price of one no_reveal_slash a bit",
    OWN: "each block brings randomness of its own, as on Ethereum: whoever holds the slot before the one that seeds the draw "
    "can have one other draw instead, by making no block",
}


@dataclass(frozen=True)
class Randomness:
    """kind: a key of KINDS. block_seconds: between two blocks. kept: blocks for which the draw can be made."""

    kind: str
    block_seconds: float
    kept: int

    def longest_draw(self, delay: int) -> float:
        """Seconds that a draw window must have: three times what the delay takes, for missed blocks and late callers."""
        return 3 * delay * self.block_seconds


def randomness_of(rpc: Chain) -> Randomness:
    """Looks at the newest blocks, and checks that their headers have their hashes. Raises NodeError or HeaderError."""
    newest = number_of("the newest block's number", _block(rpc, "latest").get("number"))
    blocks = [_block(rpc, hex(number)) for number in range(max(0, newest - LOOKED_AT + 1), newest + 1)]
    values = [prev_randao(header_of(block)) for block in blocks if number_of("a block's number", block.get("number"))]
    kept = HISTORY_BLOCKS if code_at(rpc, HISTORY) else OPCODE_BLOCKS
    kind = NONE if any(int.from_bytes(value, "big") >> 64 == 0 for value in values) else OWN
    if kind == OWN and any(one == two for one, two in pairwise(values)):
        kind = COPIED
    return Randomness(kind, block_seconds(rpc), kept)


def block_seconds(rpc: Chain) -> float:
    """The time between two blocks, as the chain made them lately. Raises NodeError."""
    last = _block(rpc, "latest")
    newest = number_of("the newest block's number", last.get("number"))
    return (_time(last) - _time(_block(rpc, hex(max(0, newest - SPAN))))) / max(1, min(newest, SPAN))


def _block(rpc: Chain, which: str) -> dict[str, str]:
    found = rpc("eth_getBlockByNumber", which, False)
    if not isinstance(found, dict):
        raise NodeError(f"the node does not show block {which}: it lags or lies about its head")
    return found


def _time(block: dict[str, str]) -> int:
    return number_of("a block's time", block.get("timestamp"))
