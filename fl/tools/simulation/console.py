"""What people see in a terminal: live progress, then tables. Nothing is computed here."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from fl.agents.record.view import View
from fl.agents.runtime.lockstep import Done
from fl.learning.research.comparison import Baselines
from fl.network.ape_accounts import quiet
from fl.protocol.phases import Phase
from fl.tools.audit.summary import Summary
from fl.tools.cli.tables import new_table
from fl.tools.report.facts import OFFENCES
from fl.tools.simulation.simulate import Watcher

# Transactions that are worth a line: how it is shown, and what was done.
LOUD = {
    "challenge": ("bold red", "disproves the proposal"),
    "demand": ("yellow", "demands a leaf"),
    "expire": ("bold red", "topples a proposal that nobody could open"),
}


class Live:
    """A progress line while a federation runs, and a line for each notable event."""

    def __init__(self, rounds: int):
        columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}")
        self.progress = Progress(*columns, TimeElapsedColumn(), console=Console(soft_wrap=True))
        self.task = self.progress.add_task("starting", total=rounds)
        self.metric = ""
        self._shown: set[tuple[int, int]] = set()
        self.watcher = Watcher(self.say, self.view, self.done, self.measured)

    def __enter__(self) -> Live:
        quiet()
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def say(self, text: str) -> None:
        self.progress.update(self.task, description=text)
        self.progress.console.print(f"[dim]{text}[/]")

    def measured(self, number: int, metric: float) -> None:
        self.metric = f"{metric:.4f}"
        self.progress.update(self.task, completed=number)
        self.progress.console.print(f"round {number}: {self.metric}" if number else f"first model: {self.metric}")

    def view(self, view: View) -> None:
        phase = view.phase.name.lower().replace("_", " ") if view.phase is not Phase.IDLE else "between rounds"
        self.progress.update(self.task, description=f"round {view.facts.number}  {phase:14} model {self.metric}")
        for index, event in enumerate(view.history.events):
            if event.name == "Slashed" and (view.chain_id, index) not in self._shown:
                self._shown.add((view.chain_id, index))
                lost = view.denomination.show(event.fields["amount"])
                text = f"seat {event.fields['seat']} {OFFENCES[event.fields['offence']]}: {lost} slashed"
                self.progress.console.print(f"[bold red]caught[/] {escape(text)}")

    def done(self, done: Done) -> None:
        if done.function in LOUD:
            style, what = LOUD[done.function]
            self.progress.console.print(f"[{style}]{done.function}[/] {escape(done.agent.name)} {what} ({done.gas:,} gas)")


def report(summary: Summary) -> None:
    """Prints the tables after a federation has ended."""
    console = Console(width=max(Console().width, 100))
    names = {s.seat: s.name for s in summary.seats}
    console.print()
    console.print(_rounds(summary, names))
    console.print(_seats(summary))
    if any(s.privacy for s in summary.seats):
        console.print(_privacy(summary))
    if summary.rounds and summary.rounds[-1].seat_metrics:
        console.print(_seat_metrics(summary, names))
    console.print(_costs(summary))
    if summary.baselines:
        console.print(_baselines(summary, summary.baselines))
    for line in _caught(summary, names):
        console.print(line)
    audit = summary.audit
    if audit is None:
        return
    if audit.passed:
        checks = ", ".join(f"{n} {what}" for what, n in audit.checks.items())
        console.print(f"[bold green]audit passed[/]: {checks} recomputed from events and store; model {audit.model[:16]}")
    else:
        console.print(f"[bold red]audit FAILED[/]: {audit.difference}")


def _rounds(summary: Summary, names: dict[int, str]) -> Table:
    table = new_table("Rounds", "round", summary.metric, "accepted", "left out", "proposer", "model root", "gas")
    for r in summary.rounds:
        fell = "".join(f"{s} fell, " for s in r.fallen)
        proposer = "void" if r.voided else f"{fell}{'none' if r.proposer is None else r.proposer}"
        accepted, left_out = (" ".join(map(str, seats)) or "-" for seats in (r.accepted, r.left_out))
        gas = f"{sum(r.gas.values()):,}"
        table.add_row(str(r.number), f"{r.metric:.4f}", accepted, left_out, proposer, r.model_root[:12], gas)
    return table


def _seats(summary: Summary) -> Table:
    table = new_table(
        f"Participants (amounts in {escape(summary.denomination.symbol)})",
        "seat",
        "stake",
        "median scores, round by round",
        "pay",
        "slashed",
        "gas",
    )
    for s in summary.seats:
        scores = " ".join("-" if v is None else str(v) for v in s.scores[-12:])
        slashed = sum(s.slashes.values())
        name = f"{s.seat} {s.name}".replace(f"{s.seat} seat {s.seat}", str(s.seat))
        row = [name, f"{s.stake:g}", scores, f"{s.pay:.2f}", f"{slashed:g}", f"{s.gas:,}"]
        table.add_row(*row, style=None if s.kind == "honest" else "red")
    return table


def _privacy(summary: Summary) -> Table:
    table = new_table("Privacy (simulated noise is seeded and promises nothing)", "seat", "mechanism", "noise", "spent")
    for column in ("budget", "delta", "sat out"):
        table.add_column(column, justify="right")
    for s in summary.seats:
        if p := s.privacy:
            noise = "-" if p.noise is None else f"{p.noise:.2f}"
            sat_out = " ".join(map(str, p.sat_out)) or "-"
            spent, budget, delta = f"{p.spent:.3f}", f"{p.epsilon:g}", f"{p.delta:g}"
            table.add_row(f"{s.seat} {s.name}", p.mechanism, noise, spent, budget, delta, sat_out)
    return table


def _seat_metrics(summary: Summary, names: dict[int, str]) -> Table:
    table = new_table(
        f"{summary.metric} of the last model on seats' own held-out rows", "seat", "with own layers", "shared model", "rows"
    )
    for seat, m in summary.rounds[-1].seat_metrics.items():
        shared = "-" if m.shared is None else f"{m.shared:.4f}"
        table.add_row(f"{seat} {names[seat]}", f"{m.value:.4f}", shared, str(m.rows))
    return table


def _costs(summary: Summary) -> Table:
    table = new_table("Gas", "action", "calls", "mean", "most")
    for what, g in summary.gas.items():
        table.add_row(what, str(g.calls), f"{g.mean:,}", f"{g.most:,}")
    return table


def _baselines(summary: Summary, baselines: Baselines) -> Table:
    table = new_table(f"{summary.metric} on everybody's test rows", "who", summary.metric)
    local_only = baselines.local_only
    for name, value in list(local_only.items())[:8]:
        table.add_row(f"{name}, local only", f"{value:.4f}")
    table.add_row("local only, average", f"{sum(local_only.values()) / len(local_only):.4f}", style="bold")
    table.add_row("centralised: all data together", f"{baselines.pooled:.4f}")
    table.add_row("float FedAvg, honest only", f"{baselines.float_fedavg:.4f}")
    table.add_row("this federation", f"{summary.totals.final:.4f}", style="bold green")
    return table


def _caught(summary: Summary, names: dict[int, str]) -> list[str]:
    lines = []
    for s in summary.seats:
        if s.kind == "honest":
            continue
        out = [r.number for r in summary.rounds if s.seat in r.left_out]
        excluded = sum(s.seat in r.excluded for r in summary.rounds)
        offences = [f"lost {amount:g} of stake for {offence}" for offence, amount in s.slashes.items()]
        if out:
            offences.append(f"update left out and unpaid in {len(out)} of {len(summary.rounds)} rounds")
        if excluded:
            offences.append(f"accepted, reported missing by a majority and left out of the model in {excluded} rounds")
        caught = "; ".join(offences) or "nothing to catch"
        honestly = f"earned {s.pay:.2f} by the honest part of its work" if s.pay else "earned nothing"
        lines.append(f"[red]{s.name}[/] (seat {s.seat}, {s.kind}): {caught}; {honestly}")
    return lines
