"""Sending: sign once, keep the bytes, then broadcast them, and again after a drop or a reorganisation; never a second nonce.

Only the fee may change, upwards and below a cap, at the same nonce. A new nonce is used only when the old one was provably used
by something else. Everything is written to disk before it is sent, so with a full disk nothing is sent. Transactions signed for
a round or an attempt that is over are cancelled before anything else: a correct proposal is a fraud one round later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from eth_hash.auto import keccak

from fl.errors import ChainError
from fl.log import Log
from fl.network import gas
from fl.network.chain import Chain
from fl.network.federation import Head
from fl.network.rpc import NodeError, NodeRefused
from fl.network.transactions import Signed, SignedTransaction, State, TransactionJournal
from fl.protocol.signatures import TypedData

GWEI = 10**9
MIN_GAS = 50_000  # no call of a federation takes less
MAX_GAS = 1 << 24  # of one transaction on Ethereum (EIP-7825); one with more is never mined, and blocks those after it
BUMP = 1.125  # nodes replace a transaction if the fee is 10 % higher
BUSY = 3  # times the present fee that a key should be able to pay: a transaction allows for twice the base fee and three bumps
KNOWN = ("already known", "already imported", "known transaction", "nonce too low", "already in pool")


class Signer(Protocol):
    """A key that signs without asking."""

    address: str

    def sign(self, fields: dict[str, Any]) -> bytes:
        """The raw signed transaction of these fields."""
        ...

    def sign_typed(self, data: TypedData) -> bytes:
        """The 65 bytes r, s, v of a signature over typed data."""
        ...


@dataclass(frozen=True)
class Fees:
    """Limits for fees. cap: highest price in wei per gas; patience: blocks before a transaction's fee is raised."""

    cap: int = 200 * GWEI
    tip: int = GWEI
    patience: int = 3


class Refused(ChainError):
    """The contract would reject the call now; nothing was signed."""


class Unpaid(ChainError):
    """The key cannot pay for the call's gas now; nothing was signed."""


class Sender:
    """Sends for one key on one chain.

    explain: turns the bytes of a revert into words. mined: called for each transaction in a block, with its receipt.
    """

    def __init__(
        self,
        rpc: Chain,
        signer: Signer,
        chain_id: int,
        transactions: TransactionJournal,
        fees: Fees,
        log: Log,
        explain: Callable[[bytes], str],
        mined: Callable[[SignedTransaction, dict[str, Any]], None] = lambda transaction, receipt: None,
    ):
        self.rpc, self.signer, self.chain_id, self.transactions = rpc, signer, chain_id, transactions
        self.fees, self.log, self.explain, self.mined = fees, log, explain, mined
        self.undone = 0  # transactions that a reorganisation took back

    # ---- a new transaction

    def send(
        self,
        name: str,
        round_: int,
        function: str,
        to: str,
        data: bytes,
        head: Head,
        *,
        attempt: int | None = None,
        lasting: bool = False,
        revocable: bool = False,
        shared: bool = False,
        spare: int = 0,
    ) -> SignedTransaction:
        """Signs, keeps and broadcasts. Raises Refused if the contract would reject it, Unpaid if the key cannot pay for it,
        OSError if the journal cannot be written.

        attempt, lasting, revocable: as SignedTransaction has them. shared: others may make the call, so one node's revert
        suffices. spare: gas that it may take beyond what a node says, since others can make it dearer meanwhile."""
        call = {"from": self.signer.address, "to": to, "data": "0x" + data.hex()}
        balance = self._payable(head, MIN_GAS)
        estimate = self._estimate(call, shared)
        fee, tip = self._market(head)
        # The margin gives way to what the key can pay: a call with less of it is better than none.
        limit = max(estimate, min(MAX_GAS, gas.limit(estimate, head.rules) + spare, balance // max(1, fee)))
        account, nonce = self.signer.address, self._nonce()
        transaction = SignedTransaction(
            name,
            round_,
            function,
            to,
            data.hex(),
            account,
            nonce,
            limit,
            attempt=attempt,
            lasting=lasting,
            revocable=revocable,
        )
        fee = min(fee, self._payable(head, limit, balance) // limit)  # a node takes nothing that the key could not pay at worst
        transaction.sent.append(self._sign(transaction, fee, min(fee, tip), head))
        self.transactions.keep(transaction)
        self.log.info(
            f"{function} sent", transaction=name, tx=transaction.last.hash, nonce=transaction.nonce, gwei=f"{fee / GWEI:.3g}"
        )
        self._broadcast(transaction)
        return transaction

    def can_pay(self, head: Head) -> bool:
        """Whether the key could pay for any call at all."""
        try:
            return self._payable(head, MIN_GAS) > 0
        except Unpaid:
            return False

    def _payable(self, head: Head, gas: int, balance: int | None = None) -> int:
        """The key's ether in wei, if it pays for so much gas in the next block; of several nodes' answers the highest, since
        none of them must hold a reveal up. Raises Unpaid."""
        account, least = self.signer.address, gas * max(1, head.base_fee)
        if balance is None:
            balance = _number(self.rpc("eth_getBalance", account, "latest"))
            if balance < least and len(self.rpc.urls) > 1:
                balance = max([balance, *map(_or_zero, self.rpc.each("eth_getBalance", account, "latest"))])
        if balance < least:
            has, takes = f"{balance / 1e18:.6f} ETH", f"{least / 1e18:.6f}"
            raise Unpaid(f"{account} has {has}, and {gas:,} gas takes {takes}: send it ether; nothing was signed")
        return balance

    def _estimate(self, call: dict[str, str], shared: bool) -> int:
        """The most gas that a node says the call takes. A single one of several must not hold a reveal up by a revert that it
        made up, nor burn the key's money by too low a limit. Raises Refused if every node that answers says it reverts."""
        # Estimated on mined state only: another account's pending transaction may never arrive.
        refused: NodeRefused | None = None
        answers: list[Any] = []
        try:
            answers.append(self.rpc("eth_estimateGas", call, "latest"))
        except NodeRefused as error:
            if shared or len(self.rpc.urls) < 2:
                raise Refused(self._why(error)) from error
            refused = error
        if len(self.rpc.urls) > 1:
            answers += self.rpc.each("eth_estimateGas", call, "latest")
        if not answers and refused is not None:
            raise Refused(self._why(refused)) from refused
        possible = [number for answer in answers if 0 < (number := _or_zero(answer)) <= MAX_GAS]
        if not possible:
            self.rpc.turn()
            most = f"no transaction may take more than {MAX_GAS:,} gas"
            raise NodeError(f"eth_estimateGas answered {answers[0]!s:.40}, and {most}: nothing was signed")
        return max(possible)

    def _nonce(self) -> int:
        """The next nonce: after all that this key has signed here, and all that the chain counts. A node that counts too many
        would have every later transaction wait for a nonce that nobody uses."""
        counted = self._count("latest")
        signed = [t.nonce + 1 for t in self.transactions.all() if t.sender == self.signer.address]
        return max([counted, *signed])

    def _count(self, block: str) -> int:
        """How many transactions the chain counts of this key; of several nodes the lowest answer holds."""
        counted = _number(self.rpc("eth_getTransactionCount", self.signer.address, block))
        if len(self.rpc.urls) > 1:
            others = self.rpc.each("eth_getTransactionCount", self.signer.address, block)
            counted = min([counted, *(number for other in others if (number := _or_zero(other)) or other == "0x0")])
        return counted

    # ---- open transactions

    def tend(self, head: Head, confirmed: Head, round_: int, attempts: int) -> None:
        """Looks after every open transaction, by nonce: mined and deep? dropped? too cheap? undone?

        round_, attempts: the current ones. Transactions for others that are in no block are cancelled first.
        """
        waiting = []
        for transaction in self.transactions.open(self.signer.address):
            if (receipt := self._receipt(transaction)) is not None:
                self._mined(transaction, receipt, confirmed)
            elif transaction.is_past(round_, attempts) and not transaction.last.cancels:
                self.cancel(transaction, head)
            else:
                waiting.append(transaction)
        for transaction in waiting:
            if not self._lost(transaction, confirmed):
                self._again(transaction, head)

    def contradicted(self, transaction: SignedTransaction, head: Head) -> None:
        """Reopens a transaction that counted as done, because the chain does not show its effect."""
        transaction.state, transaction.mined_at = State.OPEN, None
        self.undone += 1
        self.transactions.keep(transaction)
        self.log.warn(
            f"{transaction.function} is not in the chain any more: the same bytes go out again", name=transaction.name
        )
        self._broadcast(transaction)

    def cancel(self, transaction: SignedTransaction, head: Head) -> None:
        """Cancels a transaction that must not happen any more, by an empty transaction to itself at the same nonce."""
        if transaction.last.cancels:
            return
        fee, tip = self._raised(transaction.last, head)
        fields = {"to": self.signer.address, "value": 0, "gas": 21_000, "data": b""}
        transaction.sent.append(replace(self._signed(transaction.nonce, fields, fee, tip, head), cancels=True))
        self.transactions.keep(transaction)
        self.log.warn(
            f"{transaction.function} is withdrawn: the chain changed under it",
            name=transaction.name,
            tx=transaction.last.hash,
        )
        self._broadcast(transaction)

    def _receipt(self, transaction: SignedTransaction) -> dict[str, Any] | None:
        for signed in reversed(transaction.sent):
            receipt = self.rpc("eth_getTransactionReceipt", signed.hash)
            if isinstance(receipt, dict) and receipt.get("blockNumber") and self._in_chain(receipt, signed):
                return receipt
        return None

    def _in_chain(self, receipt: dict[str, Any], signed: Signed) -> bool:
        """A receipt counts only if its block is on the node's own chain."""
        block = self.rpc("eth_getBlockByNumber", receipt["blockNumber"], False)
        same = isinstance(block, dict) and block.get("hash") == receipt.get("blockHash")
        return same and receipt.get("transactionHash") == signed.hash

    def _mined(self, transaction: SignedTransaction, receipt: dict[str, Any], confirmed: Head) -> None:
        number, worked = _number(receipt["blockNumber"]), _number(receipt.get("status", "0x1")) == 1
        news = transaction.mined_at != number
        deep = number <= confirmed.number
        transaction.mined_at = number
        if deep:
            cancelled = any(s.cancels and s.hash == receipt["transactionHash"] for s in transaction.sent)
            transaction.state = State.CANCELLED if cancelled else State.DONE if worked else State.FAILED
        if news or deep:
            self.transactions.keep(transaction)
        if news:
            self.mined(transaction, receipt)
        if news and worked:
            self.log.info(f"{transaction.function} mined", name=transaction.name, tx=receipt["transactionHash"], block=number)
        elif news:
            self.log.warn(
                f"{transaction.function} was mined but reverted",
                name=transaction.name,
                tx=receipt["transactionHash"],
                block=number,
            )

    def _lost(self, transaction: SignedTransaction, confirmed: Head) -> bool:
        """Whether something else used the nonce, deep in the chain, and no node knows any of our transactions."""
        if self._count(hex(confirmed.number)) <= transaction.nonce:
            return False
        if any(self._is_known(signed) for signed in transaction.sent):
            return False
        transaction.state = State.LOST
        self.transactions.keep(transaction)
        self.log.error(
            f"nonce {transaction.nonce} of {transaction.sender} was used by another program: "
            f"{transaction.function} needs a new one; keep this key to one daemon",
            name=transaction.name,
        )
        return True

    def _is_known(self, signed: Signed) -> bool:
        """Whether any node knows a transaction."""
        answers = [self.rpc("eth_getTransactionByHash", signed.hash)]
        if len(self.rpc.urls) > 1:
            answers += self.rpc.each("eth_getTransactionByHash", signed.hash)
        return any(answer is not None for answer in answers)

    def _again(self, transaction: SignedTransaction, head: Head) -> None:
        if transaction.mined_at is not None:
            transaction.mined_at = None
            self.undone += 1
            self.transactions.keep(transaction)
            self.log.warn(
                f"{transaction.function} was undone by a reorganisation: the same bytes go out again",
                name=transaction.name,
            )
        elif head.number - transaction.last.block >= self.fees.patience:
            self._raise_fee(transaction, head)
        self._broadcast(transaction)

    def _raise_fee(self, transaction: SignedTransaction, head: Head) -> None:
        fee, tip = self._raised(transaction.last, head)
        if fee < transaction.last.fee * 1.1:
            price, cap = f"{head.base_fee / GWEI:.3g}", f"{self.fees.cap / GWEI:g}"
            text = f"{transaction.function} waits: gas costs {price} gwei and the cap is {cap}"
            self.log.warn(text, name=transaction.name)
            return
        last = transaction.last
        fields = {"to": transaction.to, "value": 0, "gas": transaction.gas, "data": bytes.fromhex(transaction.data)}
        if last.cancels:
            fields = {"to": self.signer.address, "value": 0, "gas": 21_000, "data": b""}
        transaction.sent.append(replace(self._signed(transaction.nonce, fields, fee, tip, head), cancels=last.cancels))
        self.transactions.keep(transaction)
        facts = {"name": transaction.name, "tx": transaction.last.hash, "nonce": transaction.nonce, "gwei": f"{fee / GWEI:.3g}"}
        self.log.info(f"{transaction.function} replaced at a higher fee", **facts)

    # ---- fees and bytes

    def _market(self, head: Head) -> tuple[int, int]:
        """(fee cap per gas, tip per gas) for inclusion soon, below the overall cap."""
        fee = min(self.fees.cap, 2 * head.base_fee + self.fees.tip)
        return fee, min(self.fees.tip, fee)

    def _raised(self, last: Signed, head: Head) -> tuple[int, int]:
        market, _ = self._market(head)
        fee = min(self.fees.cap, max(market, int(last.fee * BUMP) + 1))
        return fee, min(fee, int(last.tip * BUMP) + 1)

    def _sign(self, transaction: SignedTransaction, fee: int, tip: int, head: Head) -> Signed:
        fields = {"to": transaction.to, "value": 0, "gas": transaction.gas, "data": bytes.fromhex(transaction.data)}
        return self._signed(transaction.nonce, fields, fee, tip, head)

    def _signed(self, nonce: int, fields: dict[str, Any], fee: int, tip: int, head: Head) -> Signed:
        whole = {**fields, "chainId": self.chain_id, "nonce": nonce, "type": 2}
        whole |= {"maxFeePerGas": fee, "maxPriorityFeePerGas": tip}
        raw = self.signer.sign(whole)
        return Signed(raw.hex(), "0x" + keccak(raw).hex(), fee, tip, head.number)

    def _broadcast(self, transaction: SignedTransaction) -> None:
        """Sends it to every node, since one of several may swallow it; what is reported is the answer of one that refuses."""
        raw = "0x" + transaction.last.raw
        if len(self.rpc.urls) > 1 and self.rpc.each("eth_sendRawTransaction", raw):
            return  # a node took it
        try:
            self.rpc("eth_sendRawTransaction", raw)
        except NodeError:
            self.log.warn(
                f"{transaction.function}: whether it arrived is not known; the same bytes go out again",
                name=transaction.name,
            )
        except NodeRefused as error:
            text = error.text.lower()
            if any(word in text for word in KNOWN):
                return
            if "insufficient funds" in text:
                self.log.error(f"{self.signer.address} cannot pay for gas: send it ether", name=transaction.name)
            else:
                self.log.warn(f"{transaction.function} is not accepted yet: {error.text}", name=transaction.name)

    def _why(self, error: NodeRefused) -> str:
        return self.explain(error.data) if error.data else error.text


def _or_zero(answer: Any) -> int:
    """A number; 0 if it is none, so that one node's garbage does not outweigh another's answer."""
    try:
        return _number(answer)
    except NodeError:
        return 0


def _number(value: Any) -> int:
    try:
        return int(value, 16)
    except (TypeError, ValueError) as error:
        raise NodeError(f"the node answered {str(value)[:40]!r} instead of a number") from error
