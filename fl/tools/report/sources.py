"""The page of a federation: from what a simulation wrote, or from the chain and a store."""

from __future__ import annotations

import json
import shlex
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from fl.agents.record.history import History
from fl.agents.record.public_record import Record
from fl.errors import AuditError, ManifestError, StoreError, TreatyError
from fl.network.stores.files import write_durably
from fl.network.stores.local import LocalStore
from fl.protocol.manifest import DEFAULT_GATE
from fl.tools.audit.auditor import audit_summary
from fl.tools.audit.export import read_events
from fl.tools.audit.summary import Summary
from fl.tools.audit.verdict import Verdict
from fl.tools.cli.prices import Prices
from fl.tools.report.facts import Facts, Known, gather
from fl.tools.report.render import page, picture
from fl.tools.simulation.plan import Plan


def report_summary(
    path: Path, out: Path | None = None, prices: Prices | None = None, *, audited: bool = False
) -> tuple[Path, Facts]:
    """Writes the page of a simulation to `out`, or beside its summary. Raises TreatyError if the summary is invalid.

    audited: the summary's verdict was made just now; otherwise it is not trusted, and the audit is repeated."""
    facts = facts_of_summary(path)
    if not audited:
        try:
            verdict = audit_summary(path)
        except AuditError as error:  # it could not begin
            verdict = Verdict.failed(error)
        facts = replace(facts, known=replace(facts.known, audit=verdict))
    return write(out or path.parent / "report.html", page(facts, prices)), facts


def draw(facts: Facts, path: Path) -> None:
    """Writes only the learning curve. Raises TreatyError if no model was measured."""
    write(path, picture(facts))


def written(path: Path, facts: Facts, as_json: bool) -> str:
    """What was written, for a person or a program."""
    audit = facts.known.audit
    if as_json:
        rounds = sum(r.log.finalized for r in facts.rounds)
        found = None if audit is None else asdict(audit)
        return json.dumps({"written": str(path), "rounds": rounds, "model": facts.model, "audit": found})
    verdict = "not audited" if audit is None else "audit passed" if audit.passed else f"audit FAILED: {audit.difference}"
    return f"written: {path} ({verdict})"


# ---- a simulation


def facts_of_summary(path: Path) -> Facts:
    """A simulation's facts: events first, then what only the simulation knows."""
    try:
        summary = Summary.read(path)
        record = read_events(path.parent / "events.jsonl")
    except AuditError as error:
        raise TreatyError(str(error)) from error
    history = History(record.terms.committee)
    try:
        history.apply(record.events)
        known, times = _known(summary, path), summary.times
        if known.manifest:
            found = Record(record.terms, known.manifest, LocalStore(path.parent / "store"))
            found.note(record.events)
            reasons = {log.number: found.reasons(history, log) for log in history.rounds if log.settled}
            known = replace(known, reasons=reasons)
        place = record.chain_id, record.federation, record.terms
        return gather(*place, history, times, known, denomination=summary.denomination)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise TreatyError(f"{path} is of another simulation than its events, or one of them is damaged: {error!r}") from error


def _known(summary: Summary, path: Path) -> Known:
    manifest = None
    if (folder := path.parent / "store").is_dir():
        with suppress(StoreError, ManifestError, ValueError):
            manifest = LocalStore(folder).get_manifest(bytes.fromhex(summary.deployment.manifest))
    rounds, seats = summary.rounds, summary.seats
    return Known(
        names={s.seat: s.name for s in seats},
        kinds={s.seat: s.kind for s in seats},
        metric=summary.metric,
        higher_is_better=summary.higher_is_better,
        metrics={0: summary.start, **{r.number: r.metric for r in rounds}},
        seat_metrics={r.number: r.seat_metrics for r in rounds if r.seat_metrics},
        baselines=summary.baselines,
        gas=summary.gas,
        gas_of_round={r.number: r.gas for r in rounds},
        gas_of_seat={s.seat: s.gas for s in seats},
        manifest=manifest,
        audit=summary.audit,
        privacy={s.name: s.privacy for s in seats if s.privacy},
        task=summary.plan.task,
        commands=(f"ape run audit --summary {shlex.quote(path.name)}", _again(summary.plan)),
    )


def _again(plan: Plan) -> str:
    """The command that reproduces the same roots."""
    if plan.names:
        return shlex.join(["ape", "run", "demo", "--rounds", str(plan.rounds), "--seed", str(plan.seed)])
    words = ["ape", "run", "simulate"]
    for name in ("task", "seats", "rounds", "seed", "alpha", "trim"):
        if (value := getattr(plan, name)) not in (None, 0) or name == "seed":
            words += [f"--{name}", str(value)]
    for kind, count in plan.adversaries:
        words += ["--adversary", f"{kind}:{count}"]
    if plan.gate != DEFAULT_GATE:
        words += ["--gate", plan.gate]
    words += ["--private-sum"] if plan.masked else []
    for flag, limit in (("--until-metric", plan.until), ("--patience", plan.patience)):
        words += [] if limit is None else [flag, str(limit)]
    words += ["--publish-metrics"] if plan.publish_metrics else []
    if private := plan.privacy:
        words += ["--private", private.mechanism]
        for name in ("epsilon", "delta", "clip", "noise"):
            words += [] if getattr(private, name) is None else [f"--{name}", str(getattr(private, name))]
    return shlex.join([*words, "--out", "again"])


def write(path: Path, text: str) -> Path:
    if path.is_dir():
        raise TreatyError(f"{path} is a folder: give --out a file, such as report.html")
    try:
        write_durably(path, text.encode())
    except OSError as error:
        raise TreatyError(f"{path} cannot be written: {error.strerror or error}; give a place that you may write") from error
    return path
