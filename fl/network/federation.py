"""A federation seen through nodes that may lie: read at one block, some confirmations deep; contradictions are refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_utils import is_hex_address, to_checksum_address

from fl.errors import ChainError
from fl.network.abi import TOKEN_ABI, Interface, unhex
from fl.network.chain import Chain
from fl.network.denomination import denomination_of
from fl.network.events import Event
from fl.network.rpc import NodeError, NodeRefused
from fl.protocol.phases import RoundFacts
from fl.protocol.terms import Terms

LOG_BLOCKS = 2_000  # a span that public nodes serve
SEEN = 256  # hashes of past heads that are remembered


class WrongChain(ChainError):
    """The node is on another chain: nothing is sent, and nobody goes on."""


class Distrust(ChainError):
    """The node says what cannot be, or less than it said before: nothing is done on its word."""


@dataclass(frozen=True)
class Head:
    """A block, as far as anybody here cares. base_fee in wei per gas."""

    number: int
    time: int
    hash: str
    parent: str
    base_fee: int


@dataclass(frozen=True)
class SeatFacts:
    """A seat as the contract stores it, and its record in the present round: 0 nothing, 1 committed, 2 revealed."""

    owner: str
    stake: int
    operator: str
    earned: int
    record: int


@dataclass(frozen=True)
class Snapshot:
    """One look. Facts and events are those of `confirmed`; the clock is the head's.

    events: new since the last look; all of them if `anew` (the first look, or after the chain changed below `confirmed`).
    """

    head: Head
    confirmed: Head
    facts: RoundFacts
    pool: int
    concluded: bool
    credit: int
    seat: SeatFacts | None
    events: list[Event]
    anew: bool


class FederationReader:
    """Reads one federation for one account and perhaps one seat."""

    def __init__(self, rpc: Chain, abi: Sequence[Any], address: str, account: str, depth: int, chain_id: int | None = None):
        if not is_hex_address(address):
            raise ChainError(f"{address!r} is no address: give 0x and 40 hexadecimal digits")
        self.rpc, self.address, self.account, self.depth = rpc, to_checksum_address(address), account, depth
        self.interface, self.token = Interface(abi), Interface(TOKEN_ABI)
        self.chain_id = chain_id if chain_id is not None else self._number("eth_chainId")
        self.check_chain()
        self.genesis = self._block(0).hash
        self.terms = self._terms()
        self.denomination = denomination_of(self._of_token("decimals"), self._of_token("symbol"))
        self.start = self._creation()
        self.seat: int | None = None
        self._seen = self.start - 1  # the last block whose events were taken
        self._last: Head | None = None  # the last confirmed block
        self._hashes: dict[int, str] = {}
        self._anew = True

    def check_chain(self) -> None:
        """Raises WrongChain if any node that answers is on another chain."""
        for answer in self.rpc.each("eth_chainId"):
            if isinstance(answer, str) and answer.startswith("0x") and int(answer, 16) != self.chain_id:
                where = f"the node is on chain {int(answer, 16)}, the federation on {self.chain_id}"
                raise WrongChain(f"{where}: check --rpc and --network")

    def look(self, known: Head | None = None) -> Snapshot | None:
        """What there is to see; None if the head is still `known`. Raises Distrust, NodeError or WrongChain.

        Nothing is remembered of a look that raised.
        """
        head = self._block("latest")
        if known is not None and head.hash == known.hash:
            return None
        self.check_chain()
        confirmed = self._block(max(0, head.number - self.depth))
        anew = self._compare(head, confirmed) or self._anew
        start = self.start if anew else self._seen + 1
        events = self._events(start, confirmed)
        facts, pool, concluded, credit, seat = self._state(confirmed)
        snapshot = Snapshot(head, confirmed, facts, pool, concluded, credit, seat, events, anew)
        self._remember(head, confirmed)
        return snapshot

    def forget(self) -> None:
        """The next look takes every event anew."""
        self._anew = True

    def read(self, function: str, *args: Any, at: Any = "latest") -> Any:
        """A view of the federation."""
        return self._call(self.address, self.interface, function, args, at)

    def allowance(self) -> tuple[int, int]:
        """(tokens that the account holds, tokens that it lets the federation take)."""
        balance = self._call(self.terms.token, self.token, "balanceOf", (self.account,), "latest")
        allowed = self._call(self.terms.token, self.token, "allowance", (self.account, self.address), "latest")
        return int(balance), int(allowed)

    def refusal(self, data: bytes) -> str:
        """What the federation answered to a call that it refused, in words."""
        return self.interface.error(data, self.denomination)

    # ---- private

    def _compare(self, head: Head, confirmed: Head) -> bool:
        """Whether the chain changed below what counted as confirmed. Raises Distrust."""
        if confirmed.time > head.time:
            raise Distrust(f"block {confirmed.number} is later than its successor {head.number}: the node lies about its head")
        self._agree(confirmed)
        last = self._last
        if last is None:
            return False
        if confirmed.number < last.number:
            if self._hashes.get(head.number, head.hash) != head.hash:
                return True
            raise Distrust(f"the node lags: its head is {head.number}, block {last.number} was confirmed before")
        if head.time < last.time:
            raise Distrust(f"the head's clock went back below block {last.number}: the node lies about its head")
        if confirmed.number == last.number:
            return confirmed.hash != last.hash
        if confirmed.number == last.number + 1:
            return confirmed.parent != last.hash
        return self._block(last.number).hash != last.hash

    def _agree(self, confirmed: Head) -> None:
        """Several nodes must show the same block. Raises Distrust."""
        if len(self.rpc.urls) < 2:
            return
        answers = self.rpc.each("eth_getBlockByNumber", hex(confirmed.number), False)
        hashes = {a["hash"] for a in answers if isinstance(a, dict) and "hash" in a}
        if len(hashes | {confirmed.hash}) > 1:
            raise Distrust(f"the nodes show different blocks {confirmed.number}: none is believed")

    def _remember(self, head: Head, confirmed: Head) -> None:
        self._hashes[head.number] = head.hash
        self._hashes[confirmed.number] = confirmed.hash
        for number in sorted(self._hashes)[:-SEEN]:
            del self._hashes[number]
        self._last, self._seen, self._anew = confirmed, confirmed.number, False

    def _block(self, which: int | str) -> Head:
        found = self.rpc("eth_getBlockByNumber", which if isinstance(which, str) else hex(which), False)
        if found is None:
            raise Distrust(f"the node does not show block {which}: it lags or lies about its head")
        try:
            number, time_ = int(found["number"], 16), int(found["timestamp"], 16)
            fee = int(found.get("baseFeePerGas") or "0x0", 16)
            head = Head(number, time_, str(found["hash"]), str(found["parentHash"]), fee)
        except (KeyError, TypeError, ValueError) as error:
            raise NodeError(f"the node sent a block that is none: {type(error).__name__}: {error}") from error
        if not isinstance(which, str) and number != which:
            raise Distrust(f"asked for block {which}, the node shows {number}")
        return head

    def _number(self, method: str, *params: Any) -> int:
        answer = self.rpc(method, *params)
        try:
            return int(answer, 16)
        except (TypeError, ValueError) as error:
            raise NodeError(f"{method} answered {str(answer)[:40]!r}, no number") from error

    def _call(self, to: str, interface: Interface, function: str, args: tuple[Any, ...], at: Any) -> Any:
        call = {"to": to, "data": "0x" + interface.call(function, *args).hex()}
        try:
            data = unhex(self.rpc("eth_call", call, at))
        except ValueError as error:
            raise NodeError(f"{function} answered no bytes: {error}") from error
        return interface.result(function, data)

    def _terms(self) -> Terms:
        try:
            facts = self.read("terms")
        except NodeError:
            raise
        except ChainError as error:
            raise ChainError(f"no federation at {self.address} on chain {self.chain_id}: check address and network") from error
        return Terms(*[bytes(v) if isinstance(v, bytes) else v for v in facts])

    def _of_token(self, function: str) -> Any:
        """What the token says of itself; None if it does not, which is no reason to leave a seat unguarded."""
        try:
            return self._call(self.terms.token, self.token, function, (), "latest")
        except NodeError:
            raise
        except ChainError:
            return None

    def _state(self, confirmed: Head) -> tuple[RoundFacts, int, bool, int, SeatFacts | None]:
        """What the contract stores at a block, in one call: (round, pool, notice given, the account's credit, the seat)."""
        wanted: list[tuple[str, tuple[Any, ...]]] = [("roundInfo", ()), ("accounting", ()), ("concluded", ())]
        wanted.append(("credits", (self.account,)))
        if self.seat is not None:
            wanted += [("seatInfo", (self.seat,)), ("recordOf", (self.seat,))]
        calls = [self.interface.call(function, *args) for function, args in wanted]
        answers = self.read("multicall", calls, at={"blockHash": confirmed.hash})
        if len(answers) != len(wanted):
            raise NodeError(f"{len(wanted)} reads were answered by {len(answers)}")
        told = [self.interface.result(function, data) for (function, _), data in zip(wanted, answers, strict=True)]
        seat = None
        if self.seat is not None:
            owner, stake, operator, earned = told[4]
            seat = SeatFacts(owner, int(stake), operator, int(earned), int(told[5][0]))
        return RoundFacts(*told[0]), int(told[1][5]), bool(told[2]), int(told[3]), seat

    def _events(self, start: int, confirmed: Head) -> list[Event]:
        found: list[Event] = []
        while start <= confirmed.number:
            end = min(confirmed.number, start + LOG_BLOCKS - 1)
            span = {"address": self.address, "fromBlock": hex(start), "toBlock": hex(end)}
            logs = self.rpc("eth_getLogs", span)
            if not isinstance(logs, list):
                raise NodeError(f"eth_getLogs answered {str(logs)[:40]!r}, no list")
            for log in logs:
                event = self.interface.event(log)
                if log.get("removed") or (event and not start <= event.block <= end):
                    raise Distrust("the node sent logs that were not asked for")
                if event and event.block == confirmed.number and log.get("blockHash") != confirmed.hash:
                    raise Distrust(f"block {confirmed.number} changed while it was read")
                if event and str(log.get("address", "")).lower() == self.address.lower():
                    found.append(event)
            start = end + 1
        return sorted(found, key=lambda e: (e.block, e.index))

    def _creation(self) -> int:
        """The block that created the federation; 0 where the node has no past state to show."""
        low, high = 0, self._block("latest").number
        try:
            while low < high:
                middle = (low + high) // 2
                if self.rpc("eth_getCode", self.address, hex(middle)) in (None, "0x"):
                    low = middle + 1
                else:
                    high = middle
        except NodeRefused:
            return 0
        return low
