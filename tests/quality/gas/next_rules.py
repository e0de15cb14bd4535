"""A node's transactions under the rules of another fork. The node runs each of them; an EVM in JavaScript runs it again, twice:
under today's rules, which must give the gas of the node's receipt, and under Amsterdam's, whose gas is told.

Amsterdam raises the floor of calldata to 64 gas a byte (EIP-7976), charges 1,530 gas for each byte of new state (EIP-8037:
97,920 for a slot, 183,600 for an account), charges more for cold accounts and changed slots (EIP-8038), and less for a
transaction (EIP-2780). The values are those of ethereum/EIPs pull request 12083 of August 2026, as @ethereumjs/evm has them.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from support.evm import CHAIN_ID, HISTORY, AnvilEvm

from fl.network.identity import DEPLOYER

TODAY, NEXT = "osaka", "amsterdam"
# The limit of a transaction counts what is not state alone (EIP-8037), so that a large contract can still be created at once.
GAS = {TODAY: 1 << 24, NEXT: 1 << 27}
VALUES = "EIPs 2780, 7976, 8037 and 8038 with the values of ethereum/EIPs#12083; @ethereumjs/vm 10.1.3"


class Rules:
    """An EVM in a process of its own."""

    def __init__(self, fork: str):
        call = ["node", str(Path(__file__).parent / "rules.cjs"), fork, str(CHAIN_ID)]
        self.fork = fork
        self.process = subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **facts: Any) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(facts) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the EVM of {self.fork} ended: see its error above"
        return json.loads(line)

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


class NextRules(AnvilEvm):
    """A node whose `gas` is that of Amsterdam's rules."""

    def __init__(self) -> None:
        super().__init__(fork=TODAY)
        self.rules = [Rules(TODAY), Rules(NEXT)]
        self.seen = int(self.rpc("eth_blockNumber"), 16) - 1
        code = {place: self.rpc("eth_getCode", place, "latest") for place in (DEPLOYER, HISTORY)}
        for rules in self.rules:
            rules.ask(code=code)

    def _transact(self, transaction: dict) -> dict:
        receipt = super()._transact(transaction)
        number = int(receipt["blockNumber"], 16)
        blocks = {n: self.rpc("eth_getBlockByNumber", hex(n), False) for n in range(self.seen + 1, number + 1)}
        facts = {"hashes": {n: b["hash"] for n, b in blocks.items() if n < number}, "block": blocks[number], "to": None}
        self.seen = number - 1
        for rules in self.rules:
            done = rules.ask(**{**facts, **transaction, "gas": GAS[rules.fork]})
            assert done["error"] is None, (rules.fork, done)
            if rules.fork == TODAY:
                assert done["gas"] == self.gas, f"counted {done['gas']}, and the node's receipt says {self.gas}"
                assert (done["address"] or "").lower() == (receipt["contractAddress"] or "").lower()
        self.gas = done["gas"]
        return receipt

    def close(self) -> None:
        for rules in self.rules:
            rules.close()
        super().close()
