"""A daemon's metrics, as Prometheus text on loopback."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest, start_http_server

from fl.agents.record.view import View
from fl.network.denomination import Denomination
from fl.network.transactions import SignedTransaction, State


class Metrics:
    """Gauges and counters of one daemon, in their own registry. Amounts are whole tokens, as the help of each says."""

    def __init__(self, federation: str, seat: int, denomination: Denomination):
        self._unit, tokens = denomination, f"in {denomination.symbol}, which has {denomination.decimals} decimals."
        self.registry = CollectorRegistry()
        labels = {"federation": federation, "seat": str(seat)}

        def gauge(name: str, what: str) -> Gauge:
            made = Gauge(f"treaty_{name}", what, list(labels), registry=self.registry)
            return made.labels(**labels)

        self.round = gauge("round", "The present round, or the last one.")
        self.phase = gauge("phase", "The phase: 0 idle, 1 commit, 2 reveal, 3 draw, 4 and 5 scores, 6 settle, 7 propose, ...")
        self.phase_end = gauge("phase_end_seconds", "When the phase ends, in the chain's time; 0 if it does not.")
        self.block = gauge("head_block", "The newest block seen.")
        self.time = gauge("head_time_seconds", "The newest block's time.")
        self.base_fee = gauge("base_fee_gwei", "Gas price of the newest block.")
        self.stake = gauge("stake_tokens", f"The seat's stake, {tokens}")
        self.earned = gauge("earned_tokens", f"Pay not yet claimed, {tokens}")
        self.pool = gauge("pool_tokens", f"What the pool holds for rounds to come, {tokens}")
        self.open = gauge("transactions_open", "Transactions signed and not yet deep in the chain.")
        self.undone = gauge("transactions_undone", "Transactions undone by reorganisations since the start.")
        self.looks = Counter("treaty_looks", "Readings of the chain.", registry=self.registry)
        self.trouble = Counter("treaty_trouble", "Readings that failed, by kind.", ["kind"], registry=self.registry)
        self.rpc = Gauge("treaty_rpc_failures", "Failed calls of nodes, by kind.", ["kind"], registry=self.registry)
        self.transactions = Gauge(
            "treaty_transactions",
            "Signed transactions in the journal, by function, state.",
            ["function", "state"],
            registry=self.registry,
        )

    def serve(self, port: int) -> int:
        """Answers on loopback; 0 takes a free port. Returns the port."""
        server, _ = start_http_server(port, addr="127.0.0.1", registry=self.registry)
        return int(server.server_port)

    def text(self) -> str:
        return generate_latest(self.registry).decode()

    def saw(self, view: View, transactions: list[SignedTransaction], undone: int, failures: Mapping[str, int]) -> None:
        """Records a successful tick: the view, the journal's transactions, how many were undone, failed calls."""
        snapshot = view.snapshot
        self.round.set(view.facts.number)
        self.phase.set(view.phase)
        self.phase_end.set(view.phase_end)
        self.block.set(snapshot.head.number)
        self.time.set(snapshot.head.time)
        self.base_fee.set(snapshot.head.base_fee / 1e9)
        self.pool.set(self._unit.tokens(view.pool))
        if view.own.seat:
            self.stake.set(self._unit.tokens(view.own.seat.stake))
            self.earned.set(self._unit.tokens(view.own.earned))
        self.open.set(sum(d.state is State.OPEN for d in transactions))
        self.undone.set(undone)
        for (function, state), count in Tally((d.function, d.state.value) for d in transactions).items():
            self.transactions.labels(function, state).set(count)
        for kind, count in failures.items():
            self.rpc.labels(kind).set(count)
