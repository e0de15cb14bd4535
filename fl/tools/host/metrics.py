"""A host's metrics, as Prometheus text on loopback. None of them is about a visitor."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest, start_http_server


class Metrics:
    """Counters of one host, in their own registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(f"treaty_host_{name}", what, labels, registry=self.registry)

        self.answers = counter("answers", "Answers, by route and status.", "route", "status")
        self.sent = counter("sent_bytes", "Bytes of files sent to readers.")
        self.kept = counter("kept_bytes", "Bytes of files taken from seats.")
        self.acts = counter("acts", "Acts offered for relaying, by kind and result.", "kind", "result")
        self.batches = counter("batches", "Transactions of relayed acts, by kind.", "kind")
        self.relayed = counter("relayed", "Relayed acts that the chain has, by kind.", "kind")
        self.gas = counter("gas", "Gas that was paid, by kind of act, and for moving rounds on.", "kind")
        self.pruned = counter("pruned_bytes", "Bytes of old files that were removed.")

        def gauge(name: str, what: str) -> Gauge:
            return Gauge(f"treaty_host_{name}", what, registry=self.registry)

        self.budget = gauge("budget_ether", "What is left of the budget for gas.")
        self.participant_rounds = gauge("participant_rounds", "Rounds of participants that were relayed, by the host's file.")
        self.each = gauge("gas_of_participant_round", "Gas that relayed acts took, by those rounds.")
        self.block = gauge("head_block", "The newest block that was acted on.")

    def serve(self, port: int) -> int:
        """Answers on loopback; 0 takes a free port. Returns the port."""
        server, _ = start_http_server(port, addr="127.0.0.1", registry=self.registry)
        return int(server.server_port)

    def text(self) -> str:
        return generate_latest(self.registry).decode()
