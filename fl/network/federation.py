"""Reads a federation through nodes that may lie: at one block, some confirmations deep; contradictions are rejected."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from eth_hash.auto import keccak
from eth_utils.address import is_hex_address, to_checksum_address

from fl.errors import ChainError, ContractError
from fl.network import gas
from fl.network.abi import TOKEN_ABI, Interface, federation_abi, unhex
from fl.network.calls import bytes_of, code_at, number_of
from fl.network.chain import Chain
from fl.network.denomination import Denomination, denomination_of
from fl.network.events import Event
from fl.network.headers import HeaderMismatch, header_of
from fl.network.identity import Maker, born_at, check_identity
from fl.network.kept_logs import KeptLogs, Reading
from fl.network.rpc import DEV_CHAINS, NodeError
from fl.protocol.mode import Mode
from fl.protocol.phases import Phase, RoundFacts, phase_and_end
from fl.protocol.seats import from_bitmap
from fl.protocol.terms import Terms

LOG_BLOCKS = 2_000  # span of blocks that public nodes serve; halved if a node does not
MAX_LOG_BLOCKS = 128_000  # a span grows up to this if the node accepts it
GROWS_AFTER = 4  # whole spans that succeed before a larger one is tried
MAX_LOGS = 10_000  # providers truncate answers at this length, some of them silently
KEPT_BLOCKS = 1_000  # blocks without a log after which a reading is written down nevertheless
SEEN = 256  # hashes of past heads that are remembered
MAX_AHEAD = 120  # seconds by which a head may be ahead of this machine's clock
STUCK = 300  # seconds by which a node's head may be older than the newest one before its clock is ignored


class WrongChain(ChainError):
    """The node is on another chain: nothing is sent, and the daemon stops."""


class Distrust(ChainError):
    """The node contradicts itself, or shows less than it did before: nothing is done on its word."""


@dataclass(frozen=True)
class Head:
    """The parts of a block that are used here. base_fee: wei per gas; rules: by which its gas was counted (fl.network.gas)."""

    number: int
    time: int
    hash: str
    parent: str
    base_fee: int
    rules: str


@dataclass(frozen=True)
class SeatFacts:
    """A seat as the contract stores it, and its record in the current round: 0 nothing, 1 committed, 2 revealed.

    stake, earned: token units.
    """

    owner: str
    stake: int
    operator: str
    earned: int
    record: int


@dataclass(frozen=True)
class Party:
    """Somebody for whom the chain is read: an account, and the seat that it acts for."""

    account: str
    seat: int | None = None


@dataclass(frozen=True)
class Own:
    """What concerns one party: what its account was credited, in token units, and its seat."""

    credit: int = 0
    seat: SeatFacts | None = None

    @property
    def earned(self) -> int:
        """The seat's unclaimed pay, in token units."""
        return self.seat.earned if self.seat else 0


@dataclass(frozen=True)
class SeatSets:
    """Seats by status, ascending. Eligible seats take part in the next round; leaving ones can be withdrawn afterwards."""

    taken: list[int]
    eligible: list[int]
    leaving: list[int]


@dataclass(frozen=True)
class Accounting:
    """The contract's own accounting, and the balance that the token shows for it (`held`), all in token units."""

    stakes: int
    earned: int
    credit: int
    slashed: int
    deposits: int
    pool: int
    kept: int
    pot: int
    held: int

    @property
    def available(self) -> int:
        """What future rounds can be paid from."""
        return self.pool + self.kept


@dataclass(frozen=True)
class Snapshot:
    """One reading of the chain. Facts and events are those of `confirmed`; the clock is the head's.

    earliest: the earliest time that the head of any node shows, except stuck ones. Secrets are revealed by this clock, so
    that one node that lies about the time does not get one early.
    header: of the block that seeds the draw, once another one has followed it; empty before, and where no draw is due.
    own: what concerns the parties for whom the chain was read.
    events: new since the last reading; all of them if `anew` (the first look, or after the chain changed below `confirmed`).
    """

    head: Head
    confirmed: Head
    facts: RoundFacts
    pool: int
    concluded: bool
    own: Mapping[Party, Own]
    events: list[Event]
    anew: bool
    earliest: int
    header: bytes = b""


class FederationReader:
    """Reads one federation.

    depth: blocks that lie above what counts as confirmed.
    chain_id: the expected chain; by default the one that the node serves.
    clock: the time in seconds, such as time.time; a head that is far ahead of it is not believed. With None, and on
    development chains, the chain's clock is taken as it is.
    factory: the one that made the federation, if it is not at its recomputed address.
    Raises ChainError if there is no federation at the address, WrongChain, or NodeError.
    """

    def __init__(
        self,
        rpc: Chain,
        abi: Sequence[Any],
        address: str,
        depth: int = 0,
        chain_id: int | None = None,
        clock: Callable[[], float] | None = None,
        factory: str | None = None,
    ):
        if not is_hex_address(address):
            raise ChainError(f"{address!r} is not a valid address: give 0x and 40 hexadecimal digits")
        self.rpc, self.address, self.depth, self.factory = rpc, to_checksum_address(address), depth, factory
        self.interface, self.token = Interface(abi), Interface(TOKEN_ABI)
        self.chain_id = chain_id if chain_id is not None else number_of("eth_chainId", rpc("eth_chainId"))
        self.clock = None if self.chain_id in DEV_CHAINS else clock
        self.check_chain()
        self.terms = self._terms()
        self._seen: int | None = None  # the last block whose events were taken; None before any
        self._last: Head | None = None  # the last confirmed block
        self._hashes: dict[int, str] = {}
        self._anew, self._doubted = True, False
        self._by_hash = True  # whether the nodes read state at a block's hash (EIP-1898)
        self._span, self._whole = LOG_BLOCKS, 0
        self._grows_after, self._grew = GROWS_AFTER, False
        self._kept: KeptLogs | None = None
        self._times: dict[int, int] = {}

    @classmethod
    def open(cls, rpc: Chain, address: str, factory: str | None = None) -> FederationReader:
        """A reader for commands."""
        return cls(rpc, federation_abi(), address, factory=factory)

    @cached_property
    def genesis(self) -> str:
        """The hash of the chain's first block."""
        return self.block(0).hash

    @cached_property
    def denomination(self) -> Denomination:
        """The denomination of its amounts."""
        return denomination_of(self._of_token("decimals"), self._of_token("symbol"))

    @cached_property
    def announce_window(self) -> int:
        """How long seats announce keys, in seconds; 0 if the federation is open, and its contract knows no such window."""
        if not self.interface.knows("announceWindow"):
            return 0
        try:
            return int(self.read("announceWindow"))
        except ContractError:
            return 0

    @property
    def mode(self) -> Mode:
        """As the contract says; `check_identity` proves it."""
        return Mode.MASKED if self.announce_window else Mode.OPEN

    @cached_property
    def start(self) -> int:
        """The block from which events are read."""
        return self._creation()

    def check_identity(self) -> Maker:
        """Who made it; raises ChainError unless it is of this program's version. Called before anything is paid or staked."""
        return check_identity(self.rpc, self.address, self.terms, self.factory, self.mode)

    def check_chain(self) -> None:
        """Raises WrongChain if any node that answers is on another chain."""
        for answer in self.rpc.each("eth_chainId"):
            if isinstance(answer, str) and answer.startswith("0x") and int(answer, 16) != self.chain_id:
                where = f"the node is on chain {int(answer, 16)}, the federation on {self.chain_id}"
                raise WrongChain(f"{where}: check --rpc and --network")

    # ---- for daemons

    def keep(self, path: Path) -> None:
        """Keeps logs in this file, so that the next start reads only what is new."""
        topics = keccak(b"".join(self.interface.topics)).hex()
        self._kept = KeptLogs(path, (self.chain_id, self.genesis, self.address, topics))

    def look(self, known: Head | None = None, parties: Sequence[Party] = ()) -> Snapshot | None:
        """Reads the chain for these parties; None if the head is still `known`. Raises Distrust, NodeError or
        WrongChain.

        A reading that raised leaves no trace.
        """
        head = self.head()
        if known is not None and head.hash == known.hash:
            return None
        self._check_clock(head)
        self.check_chain()
        confirmed = self.block(max(0, head.number - self.depth))
        anew = self._compare(head, confirmed) or self._anew
        if anew or self._seen is None:
            start, events = self._resume(confirmed)
        else:
            start, events = self._seen + 1, []
        logs = self._read(start, confirmed)
        events += [event for event, _ in logs]
        facts, pool, concluded, own = self._state(confirmed, parties)
        earliest = self._earliest(head)
        header = self._seeding_header(facts, head)
        snapshot = Snapshot(head, confirmed, facts, pool, concluded, own, events, anew, earliest, header)
        if self._kept is not None and (logs or confirmed.number >= start + KEPT_BLOCKS):
            self._kept.add(Reading(confirmed.number, confirmed.hash, [log for _, log in logs]))
        self._remember(head, confirmed)
        return snapshot

    def forget(self) -> None:
        """Makes the next reading fetch every event again."""
        self._anew, self._doubted = True, True

    def balance(self, account: str) -> int:
        """What an account holds, in token units."""
        return int(self._call(self.terms.token, self.token, "balanceOf", (account,), "latest"))

    def allowance(self, account: str) -> int:
        """What an account lets the federation take, in token units."""
        return int(self._call(self.terms.token, self.token, "allowance", (account, self.address), "latest"))

    def refusal(self, data: bytes) -> str:
        """The error of the federation for a call that it rejected, in words."""
        return self.interface.error(data, self.denomination)

    # ---- the contract's state; `at` is a block, or a tag such as "latest"

    def head(self) -> Head:
        """The newest block."""
        return self.block("latest")

    def block(self, which: int | str) -> Head:
        """A block by number or tag. Raises Distrust if the node does not show it."""
        found = self._block(which)
        try:
            number, time_ = int(found["number"], 16), int(found["timestamp"], 16)
            fee = int(found.get("baseFeePerGas") or "0x0", 16)
            head = Head(number, time_, str(found["hash"]), str(found["parentHash"]), fee, gas.rules_of(found))
        except (KeyError, TypeError, ValueError) as error:
            raise NodeError(f"the node sent an invalid block: {type(error).__name__}: {error}") from error
        if not isinstance(which, str) and number != which:
            raise Distrust(f"asked for block {which}, the node shows {number}")
        return head

    def header(self, number: int) -> bytes:
        """The RLP of a block's header, which has the block's hash. Raises Distrust if the node does not show the block,
        HeaderMismatch if it shows another one; the next call asks another node."""
        try:
            return header_of(self._block(number))
        except HeaderMismatch:
            self.rpc.turn()
            raise

    def read(self, function: str, *args: Any, at: Head | str = "latest") -> Any:
        """One view of the federation: its value, or a tuple of them."""
        return self._call(self.address, self.interface, function, args, at)

    def read_all(self, calls: Sequence[tuple[str, tuple[Any, ...]]], at: Head | str = "latest") -> list[Any]:
        """Several views in one call, and so at one block: pairs of function and arguments to their results."""
        data = [self.interface.call(function, *args) for function, args in calls]
        answers = self.read("multicall", data, at=at)
        if len(answers) != len(calls):
            raise NodeError(f"{len(calls)} reads were answered by {len(answers)}")
        return [self.interface.result(function, answer) for (function, _), answer in zip(calls, answers, strict=True)]

    def round_facts(self, at: Head | str = "latest") -> RoundFacts:
        """The current round, or the last one."""
        return self._round_facts(self.read("roundInfo", at=at))

    def accounting(self, at: Head | str = "latest") -> Accounting:
        """The contract's accounting in token units."""
        held = self._call(self.terms.token, self.token, "balanceOf", (self.address,), at)
        return Accounting(*map(int, (*self.read("accounting", at=at), held)))

    def seat_sets(self, at: Head | str = "latest") -> SeatSets:
        """Which seats are taken, eligible and leaving."""
        return SeatSets(*(from_bitmap(int(bits)) for bits in self.read("seatSets", at=at)))

    def seats(self, numbers: Sequence[int], at: Head | str = "latest") -> dict[int, SeatFacts]:
        """The facts of some seats, by number."""
        calls = [call for i in numbers for call in (("seatInfo", (i,)), ("recordOf", (i,)))]
        result = self.read_all(calls, at) if calls else []
        return {i: _seat(result[2 * k], result[2 * k + 1]) for k, i in enumerate(numbers)}

    def seats_of(self, owner: str) -> list[int]:
        """The seats that an address owns."""
        held = self.seats(self.seat_sets().taken)
        return [i for i, facts in held.items() if facts.owner.lower() == owner.lower()]

    def model(self, at: Head | str = "latest") -> bytes:
        """The root of the model in force."""
        return bytes(self.read("model", at=at))

    def concluded(self, at: Head | str = "latest") -> bool:
        """Whether the sponsor has given notice."""
        return bool(self.read("concluded", at=at))

    def credit(self, account: str) -> int:
        """Fees for fraud proofs and returned deposits that an account has not claimed, in token units."""
        return int(self.read("credits", account))

    def code(self, address: str) -> bytes:
        """The code of an address, empty if it holds none."""
        return code_at(self.rpc, address)

    # ---- what happened

    def new_events(self) -> list[Event]:
        """The events up to the newest block since the last call, in order; a call that raised leaves no trace."""
        head = self.head()
        events = self._events(self.start if self._seen is None else self._seen + 1, head)
        self._seen = max(head.number, -1 if self._seen is None else self._seen)
        return events

    def events_until(self, head: Head) -> list[Event]:
        """All events up to a block, in order."""
        return self._events(self.start, head)

    def events_since(self, time: int) -> list[Event]:
        """The events from the block of this time on. The block is found by headers, so that no archive node is needed."""
        head = self.head()
        low, high = 0, head.number
        while low < high:
            middle = (low + high) // 2
            if self.block(middle).time < time:
                low = middle + 1
            else:
                high = middle
        return self._events(low, head)

    def events_of(self, transaction: str) -> list[Event]:
        """The federation's events in the receipt of a transaction that was mined."""
        logs = self._mined("eth_getTransactionReceipt", transaction).get("logs")
        ours = [log for log in logs or [] if str(log.get("address", "")).lower() == self.address.lower()]
        return [event for log in ours if (event := self.interface.event(log))]

    def times(self, events: Iterable[Event]) -> dict[int, int]:
        """When the blocks of these events were made: block to seconds. Asks once per block."""
        blocks = {event.block for event in events}
        for number in blocks - set(self._times):
            self._times[number] = self.block(number).time
        return {number: self._times[number] for number in blocks}

    def cost(self, transaction: str) -> tuple[int, int, str]:
        """(gas, bytes of calldata, function or empty) of a transaction that was mined."""
        size, function = self.called(transaction)
        return self.gas_of(transaction), size, function

    def called(self, transaction: str) -> tuple[int, str]:
        """(bytes of calldata, function or empty) of a transaction that was mined."""
        body = self._mined("eth_getTransactionByHash", transaction)
        try:
            data = unhex(body["input"])
            return len(data), self.interface.function(data)
        except (KeyError, TypeError, ValueError) as error:
            raise NodeError(f"the node does not say what transaction {transaction} called: {error!r}") from error

    def gas_of(self, transaction: str) -> int:
        """The gas of a transaction that was mined."""
        receipt = self._mined("eth_getTransactionReceipt", transaction)
        try:
            return int(receipt["gasUsed"], 16)
        except (KeyError, TypeError, ValueError) as error:
            raise NodeError(f"the node does not say what transaction {transaction} cost: {error!r}") from error

    # ---- private

    def _block(self, which: int | str) -> Any:
        found = self.rpc("eth_getBlockByNumber", which if isinstance(which, str) else hex(which), False)
        if found is None:
            raise Distrust(f"the node does not show block {which}: it lags or lies about its head")
        return found

    def _seeding_header(self, facts: RoundFacts, head: Head) -> bytes:
        """What the next draw must be given; empty if there is none to make yet."""
        number = facts.close_block + self.terms.draw_delay
        due = facts.close_block and phase_and_end(facts, self.terms, head.time)[0] is Phase.DRAW
        return self.header(number) if due and head.number > number else b""

    def _check_clock(self, head: Head) -> None:
        """Raises Distrust for a head that is dated far ahead of this machine's clock; the next look asks another node."""
        if self.clock is not None and (ahead := head.time - self.clock()) > MAX_AHEAD:
            self.rpc.turn()
            raise Distrust(
                f"block {head.number} is dated {ahead:.0f} seconds ahead of this machine's clock: either the node lies about "
                "its head, or this clock is slow; nothing is sent meanwhile, and a missed reveal costs stake: set the clock"
            )

    def _earliest(self, head: Head) -> int:
        """The earliest time among the heads of all nodes, but for nodes that stand still and for clocks that run ahead."""
        if len(self.rpc.urls) < 2:
            return head.time
        times = [head.time]
        for answer in self.rpc.each("eth_getBlockByNumber", "latest", False):
            try:
                times.append(int(answer["timestamp"], 16))
            except (KeyError, TypeError, ValueError):
                continue
        if self.clock is not None:
            latest = self.clock() + MAX_AHEAD
            times = [time for time in times if time <= latest]
        return min(time for time in times if time >= max(times) - STUCK)

    def _mined(self, method: str, transaction: str) -> dict[str, Any]:
        found = self.rpc(method, transaction)
        if not isinstance(found, dict):
            raise NodeError(f"the node does not show transaction {transaction}, which it has mined: it lags")
        return found

    def _compare(self, head: Head, confirmed: Head) -> bool:
        """Whether the chain changed below the last confirmed block. Raises Distrust."""
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
        return self.block(last.number).hash != last.hash

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

    def _call(self, to: str, interface: Interface, function: str, args: tuple[Any, ...], at: Head | str) -> Any:
        call = {"to": to, "data": "0x" + interface.call(function, *args).hex()}
        answer = self.rpc("eth_call", call, at) if isinstance(at, str) else self._at_block(call, at)
        data = bytes_of(function, answer)
        if not data and isinstance(at, Head):
            raise ContractError(
                f"{to} had no code at block {at.number}, which is as new as counts as confirmed: it was created later; wait "
                "until the chain has made more blocks (a local one may make them for transactions alone), then call again"
            )
        return interface.result(function, data)

    def _at_block(self, call: dict[str, str], block: Head) -> Any:
        """A call at a block, by its hash; or by its number if nodes do not support EIP-1898, and then the hash is compared."""
        if self._by_hash:
            try:
                return self.rpc("eth_call", call, {"blockHash": block.hash})
            except NodeError as error:
                if error.kind != "refused":
                    raise
        answer = self.rpc("eth_call", call, hex(block.number))
        if self.block(block.number).hash != block.hash:
            raise Distrust(f"block {block.number} changed while it was read")
        self._by_hash = False
        return answer

    def _terms(self) -> Terms:
        try:
            facts = self.read("terms")
        except ContractError as error:
            raise ContractError(
                f"no federation at {self.address} on chain {self.chain_id}: check address and network"
            ) from error
        return Terms(*facts)

    def _of_token(self, function: str) -> Any:
        """The token's denomination; None if it states none, which is no reason to leave a seat unguarded."""
        try:
            return self._call(self.terms.token, self.token, function, (), "latest")
        except ContractError:
            return None

    def _state(self, confirmed: Head, parties: Sequence[Party]) -> tuple[RoundFacts, int, bool, dict[Party, Own]]:
        """What the contract stores at a block, in one call: (round, money for rounds, notice given, each party's own)."""
        wanted: list[tuple[str, tuple[Any, ...]]] = [("roundInfo", ()), ("accounting", ()), ("concluded", ())]
        for party in parties:
            wanted.append(("credits", (party.account,)))
            if party.seat is not None:
                wanted += [("seatInfo", (party.seat,)), ("recordOf", (party.seat,))]
        facts, accounting, concluded, *others = self.read_all(wanted, confirmed)
        rest, own = iter(others), {}
        for party in parties:
            credit = int(next(rest))
            own[party] = Own(credit, None if party.seat is None else _seat(next(rest), next(rest)))
        return self._round_facts(facts), int(accounting[5] + accounting[6]), bool(concluded), own

    def _round_facts(self, facts: Sequence[Any]) -> RoundFacts:
        return replace(RoundFacts(*facts), announce_window=self.announce_window)

    def _resume(self, confirmed: Head) -> tuple[int, list[Event]]:
        """(the block from which logs must be read, the events before it): from disk, as far as its blocks are on the chain."""
        readings = self._kept.load() if self._kept is not None else []
        if self._doubted:
            readings = []
        while readings and not self._stands(readings[-1], confirmed):
            readings.pop()
        try:
            events = [event for reading in readings for log in reading.logs if (event := self.interface.event(log))]
        except ChainError:
            readings, events = [], []
        if self._kept is not None:
            self._kept.cut(len(readings))
        self._doubted = False
        return (readings[-1].number + 1 if readings else self.start), events

    def _stands(self, reading: Reading, confirmed: Head) -> bool:
        return reading.number <= confirmed.number and self.block(reading.number).hash == reading.hash

    def _events(self, start: int, last: Head) -> list[Event]:
        """The federation's events from a block on up to `last`, in order."""
        return [event for event, _ in self._read(start, last)]

    def _read(self, start: int, last: Head) -> list[tuple[Event, Any]]:
        """The same, each with its log as the node sent it."""
        found: list[tuple[Event, Any]] = []
        while start <= last.number:
            end = min(last.number, start + self._span - 1)
            logs = self._logs(start, end)
            if logs is None:
                continue
            for log in logs:
                event = self.interface.event(log)
                if log.get("removed") or (event and not start <= event.block <= end):
                    raise Distrust("the node sent logs that were not asked for")
                if event and event.block == last.number and log.get("blockHash") != last.hash:
                    raise Distrust(f"block {last.number} changed while it was read")
                if event and str(log.get("address", "")).lower() == self.address.lower():
                    found.append((event, log))
            start = end + 1
        return sorted(found, key=lambda pair: (pair[0].block, pair[0].index))

    def _logs(self, start: int, end: int) -> list[Any] | None:
        """The raw logs of a span; None if it is too large for the node, which is then asked for smaller ones."""
        topics = [["0x" + topic.hex() for topic in self.interface.topics]]
        asked = {"address": self.address, "topics": topics, "fromBlock": hex(start), "toBlock": hex(end)}
        size = end - start + 1
        try:
            logs = self.rpc("eth_getLogs", asked)
        except NodeError as error:
            if error.kind in ("refused", "garbage", "timed out"):
                self._shrink(size)
            if error.kind not in ("refused", "garbage"):  # after a time-out the next reading asks for less
                raise
            if size == 1:
                return self._block_logs(start, error)
            return None
        if not isinstance(logs, list):
            raise NodeError(f"eth_getLogs answered {str(logs)[:40]!r}, which is not a list")
        if len(logs) >= MAX_LOGS:
            if size == 1:
                return self._block_logs(start, None) or logs
            self._shrink(size)
            return None
        if size == self._span:
            self._whole += 1
            self._grew = self._grew and self._whole < 2
            if self._whole >= self._grows_after and size < MAX_LOG_BLOCKS:
                self._span, self._whole, self._grew = min(MAX_LOG_BLOCKS, 2 * size), 0, True
        return logs

    def _shrink(self, size: int) -> None:
        """Asks for half of a span that was too large. A span that had just grown is tried again later and later."""
        if self._grew:
            self._grows_after *= 2
        self._span, self._whole, self._grew = max(1, size // 2), 0, False

    def _block_logs(self, number: int, refused: NodeError | None) -> list[Any]:
        """The federation's logs of one block that holds more than the node sends at once, from the block's receipts; nothing if
        it is asked without need by a node that does not know them. Raises NodeError."""
        topics = {"0x" + topic.hex() for topic in self.interface.topics}
        try:
            receipts = self.rpc("eth_getBlockReceipts", hex(number))
            logs = [log for receipt in receipts for log in receipt["logs"]]
            ours = [log for log in logs if str(log["address"]).lower() == self.address.lower()]
            return [log for log in ours if log["topics"] and log["topics"][0] in topics]
        except (NodeError, KeyError, TypeError, IndexError) as error:
            if refused is None:
                return []
            raise refused from error

    def _creation(self) -> int:
        """The block that created the federation: its factory says, or else the past state; 0 if the node has none."""
        low, high = 0, self.head().number
        if 0 < (born := born_at(self.rpc, self.address, self.factory)) <= high:
            return born
        try:
            while low < high:
                middle = (low + high) // 2
                if self.rpc("eth_getCode", self.address, hex(middle)) in (None, "0x"):
                    low = middle + 1
                else:
                    high = middle
        except NodeError as error:
            if error.kind != "refused":
                raise
            return 0
        return low


def _seat(info: Sequence[Any], record: Sequence[Any]) -> SeatFacts:
    owner, stake, operator, earned = info
    return SeatFacts(owner, int(stake), operator, int(earned), int(record[0]))
