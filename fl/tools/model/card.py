"""The card of a model: what it is, who made it, how well it does and on whose rows, and how anybody verifies it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fl.agents.record.history import RoundLog
from fl.errors import plain
from fl.tools.model.folder import CARD, CONFIG, ONNX, WEIGHTS, Config, Personal
from fl.tools.model.source import Chosen, Source, command

UNKNOWN_LICENCE = "not stated"
SHOWN = 128
SHOWN_LAYERS = 12


@dataclass(frozen=True)
class Measured:
    """The metric of each round's model. rows: whose they are, for people."""

    rows: str
    metrics: Mapping[int, float]


def card(
    source: Source,
    chosen: Chosen,
    config: Config,
    licence: str,
    verified: Sequence[str],
    onnx: bool,
    measured: Measured | None = None,
) -> str:
    """The card as Markdown, with the front matter that model hubs read. Untrusted text is shown as code."""
    parts = [
        f"---\nlicense: {_yaml(licence)}\nlibrary_name: pytorch\ntags: [federated-learning, treaty]\n---",
        f"# {_text(config.task.name)}: round {chosen.round} of a federation",
        _what(source, chosen, config, licence),
        "## Use\n\n" + _use(config, onnx),
        "## How well it does\n\n" + _quality(chosen, config, measured or _simulated(source)),
        "## Who trained it\n\n" + _people(source, chosen),
        "## Privacy\n\n" + _privacy(source),
        "## How to verify it\n\n" + _verify(source, chosen, verified),
    ]
    return "\n\n".join(parts) + "\n"


def personal_card(config: Config, personal: Personal, given: Iterable[str]) -> str:
    """The card of a model that one participant trained on."""
    origin = config.origin
    lines = [
        "---\nlicense: unknown\nlibrary_name: pytorch\ntags: [treaty, personal]\n---",
        f"# {_text(config.task.name)}: trained further by one participant",
        f"**This is not the federation's model, and it is not published.** It began as the model of round {origin.round} of "
        f"the federation `{origin.federation}` on chain {origin.chain_id} (root `{origin.root}`) and was trained for "
        f"{personal.epochs} epochs on {personal.rows} rows of one participant, from seed {personal.seed}. Its parameters may "
        "reveal something of those rows: anybody who passes the model on passes that on, too.",
        f"Measured on {personal.held_out} rows of the same participant that were held out:\n",
        "\n".join(f"- {_text(line)}" for line in given),
        _use(config, False),
    ]
    return "\n\n".join(lines) + "\n"


def _what(source: Source, chosen: Chosen, config: Config, licence: str) -> str:
    terms, manifest = source.terms, source.manifest
    table = {
        "task": f"{_text(config.task.name)} ({config.task.kind})",
        "parameters": f"{config.parameters:,}",
        "federation": f"`{source.federation}` on chain {source.chain_id}",
        "round": f"{chosen.round}",
        "root": f"`{chosen.root.hex()}`",
        "manifest": f"`{terms.manifest.hex()}`",
        "first model": f"`{terms.genesis.hex()}`, from seed {manifest.genesis_seed}",
        "gate": f"{_text(manifest.gate.name)} (version {manifest.gate.version}), trim {terms.trim}",
        **_layers(source),
        "licence": _text(licence) + ("; ask the federation's sponsor" if licence == UNKNOWN_LICENCE else ""),
    }
    return _table(("", ""), table.items())


def _layers(source: Source) -> dict[str, str]:
    """What the model does not share, if the manifest names any."""
    names = source.manifest.details.get("local")
    if not isinstance(names, list) or not names:
        return {}
    some = ", ".join(_text(name) for name in names[:SHOWN_LAYERS]) + (", ..." if len(names) > SHOWN_LAYERS else "")
    told = "these are as they began, not trained: each participant keeps its own. `ape run evaluate --personalise` trains yours"
    return {"local layers": f"{some}: {told}"}


def _use(config: Config, onnx: bool) -> str:
    task = ', task="FILE"' if config.task.kind == "file" else ""
    flag = " --task FILE" if config.task.kind == "file" else ""
    message = f"""```python
import fl
model = fl.load_model("."{task})  # a torch.nn.Module in eval mode
```

`ape run predict --model .{flag} --data new.csv --out predictions.csv` predicts a table; `ape run evaluate
--model .{flag} --data mine.csv` measures the model on your rows.
`{WEIGHTS}` has PyTorch's own names for the parameters, `{CONFIG}` what it takes to rebuild the module."""
    if config.task.kind == "file":
        message += f"\n\nFILE is the task's own file, with SHA-256 `{config.task.sha256}`. Read it before you run it."
    return message + (f"\n\n`{ONNX}` takes `rows` and gives `outputs`." if onnx else "")


def _simulated(source: Source) -> Measured | None:
    """What a simulation measured, if the record is one's."""
    if (summary := source.summary) is None:
        return None
    rows = (
        "by the simulation on test rows of the task's own table that nobody trained or scored on (on a public toy table, on "
        "all rows)"
    )
    metrics = {0: summary.start, **{r.number: r.metric for r in summary.rounds}}
    return Measured(rows, {number: value for number, value in metrics.items() if value is not None})


def _quality(chosen: Chosen, config: Config, measured: Measured | None) -> str:
    better = "higher is better" if config.higher_is_better else "lower is better"
    if measured is None:
        return (
            f"This model was not measured on test rows here. The metric of its task is {_text(config.metric)} ({better}). "
            "During the rounds a committee scored updates on rows of its own members; those scores paid the participants and "
            "do not measure the model. Measure it on your rows with `ape run evaluate`."
        )
    metrics = measured.metrics
    message = f"{_text(config.metric)} {_number(metrics.get(chosen.round))} ({better}), measured {measured.rows}."
    rounds = [(str(n), _number(metrics[n])) for n in sorted(metrics) if n <= chosen.round]
    return message + "\n\n" + _table(("round", _text(config.metric)), rounds)


def _people(source: Source, chosen: Chosen) -> str:
    logs = [log for log in source.history.rounds if 0 < log.number <= chosen.round and log.finalized]
    if not logs:
        return "Nobody: this is the first model, before anybody trained."
    message = (
        f"{len(logs)} rounds, each the {_rule(source)} of the updates that the gate and a drawn committee accepted. The chain "
        "knows participants by address; what else is public is in the record."
    )
    owners = {event.fields["seat"]: event.fields["owner"] for event in source.history.events if event.name == "Joined"}
    names = {seat.seat: seat.name for seat in source.summary.seats} if source.summary else {}
    rows = [
        (str(seat), f"`{owners[seat]}`", _text(names.get(seat, "")), f"{_rounds(logs, seat)}")
        for seat in sorted(owners)
        if _rounds(logs, seat)
    ]
    return (
        message + "\n\n" + _table(("seat", "owner", "name in the simulation", "rounds with an accepted update"), rows[:SHOWN])
    )


def _rule(source: Source) -> str:
    return "mean" if not source.terms.trim else f"mean, trimmed by {source.terms.trim} on each side,"


def _rounds(logs: Sequence[RoundLog], seat: int) -> int:
    return sum(log.adopted and seat in log.accepted for log in logs)


def _privacy(source: Source) -> str:
    message = (
        "No rows left the participants. Their updates are public for ever, and an update leaks about the rows behind it unless "
        "its participant trained privately."
    )
    if source.summary is None:
        return message + " The chain does not say who did: each participant decides whether to publish its privacy statement."
    private = [(seat.name, seat.privacy) for seat in source.summary.seats if seat.privacy]
    if not private:
        return message + " In this simulation nobody did."
    rows = [
        (_text(name), _text(spent.mechanism), f"{spent.spent:.3f}", f"{spent.epsilon:g}", f"{spent.delta:g}")
        for name, spent in private
    ]
    note = "The noise of a simulation is seeded: these figures show what a private run would cost and promise nothing."
    return f"{message} {note}\n\n" + _table(("participant", "mechanism", "epsilon spent", "budget", "delta"), rows)


def _verify(source: Source, chosen: Chosen, verified: Sequence[str]) -> str:
    checked = "\n".join(f"- {_text(line)}" for line in verified)
    where = "in the simulation's folder" if source.summary else "on the federation's network"
    again = command(source, "model", "--round", str(chosen.round), "--out", "again")
    return f"""When this folder was written:

{checked}

To check the rest (every commitment, draw, score, payment and model), and to make `{WEIGHTS}` again from the record, {where}:

```text
{plain(command(source, "audit"))}
{plain(again)}
sha256sum again/{WEIGHTS}
```

The digest must be the one in `{CONFIG}`, which names the SHA-256 of every file but itself and `{CARD}`. The federation
computes in integers of 2^-24; `{WEIGHTS}` has them as 32-bit floats, so that a parameter of size 1 or more may
lose its last bits."""


def _number(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, int | float) else "not measured"


def _text(value: object) -> str:
    """Untrusted text as one harmless line of Markdown."""
    words = " ".join(plain(str(value)).split())[:200]
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>()#|!$" else c for c in words)


def _yaml(value: str) -> str:
    return "unknown" if value == UNKNOWN_LICENCE else '"' + plain(value).replace("\\", "").replace('"', "")[:200] + '"'


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(heads)} |", f"| {' | '.join('---' for _ in heads)} |"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])
