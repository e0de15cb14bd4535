"""Renders facts as a page: one self-contained file without scripts, which opens from disk and loads nothing from a network."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from fl.errors import TreatyError
from fl.protocol.seat_metric import SeatMetric, told_seats
from fl.tools.cli.prices import ENVELOPE, Prices
from fl.tools.report import charts, text
from fl.tools.report.charts import Band, Line, Mark
from fl.tools.report.facts import Act, Facts, Round

TEMPLATES = Path(__file__).parent / "templates"
SHAPES = {
    "committed": "circle",
    "revealed": "square",
    "committed scores": "ring",
    "scored": "diamond",
    "proposed": "triangle",
    "fell": "cross",
}
MAX_LANES, MAX_ROUNDS, MAX_CURVES = 40, 12, 6
GAS_KINDS = ("commit and reveal", "draw and scores", "settle", "propose and finish", "challenges")
GAS_KIND = {"commit": 0, "reveal": 0, "close": 1, "draw": 1, "commitScores": 1, "revealScores": 1, "settle": 2}
GAS_KIND |= {"reportMissing": 2, "propose": 3, "finalize": 3, "openRound": 3}
GAS_KIND |= dict.fromkeys(("challenge", "demand", "answer", "expire"), 4)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    result = {"moment": text.moment, "lasting": text.lasting, "some": text.some, "short": charts.short}
    environment.filters.update(result, dollars=dollars, listed=text.listed)
    environment.globals.update(words=text, sign=_legend_sign)
    return environment


def page(facts: Facts, prices: Prices | None = None, live: bool = False) -> str:
    """The whole page."""
    body = Markup(part(facts, prices, live))
    name = "live.js" if live else None
    return render("report.html", facts=facts, body=body, live=live, script=script(name) if name else "", policy=policy(name))


def part(facts: Facts, prices: Prices | None = None, live: bool = False) -> str:
    """What changes while a federation runs: the page's body."""
    prices = prices or Prices()
    return (
        _environment()
        .get_template("body.html")
        .render(
            facts=facts,
            live=live,
            opening=text.opening(facts),
            audit=text.audited(facts),
            figures=_figures(facts, prices),
            curve=_curve(facts),
            seat_rows=_seat_metrics(facts),
            told_seats=told_seats(_last_seat_metrics(facts)),
            rounds=[(r, _timeline(facts, r)) for r in _chosen(facts)],
            shown=len(_chosen(facts)),
            matrix=[r for r in facts.rounds if r.log.settled][-MAX_ROUNDS:],
            pay=_pay(facts),
            agreement=_agreement(facts),
            gas=_gas(facts),
            costs=_costs(facts, prices),
            per_round=_per_round(facts, prices),
            prices=prices,
            shapes=SHAPES,
            terms=_terms(facts),
            privacy=_privacy(facts),
            spent=_spent(facts),
        )
    )


def picture(facts: Facts) -> str:
    """How the model learned, as a drawing of its own. Raises TreatyError if nothing was measured."""
    whole = _curve(facts)
    if not whole:
        raise TreatyError("no picture: no model was measured; give a summary, or the store and the task's file")
    drawing = str(whole)
    drawing = drawing[drawing.index("<svg ") : drawing.index("</svg>") + 6]
    head, body = drawing.split(">", 1)
    ground = '<rect x="-16" y="-12" width="752" height="328" style="fill: var(--ground)"/>'
    head = head.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" width="752" height="328" ')
    head = head.replace('viewBox="0 0 720 304"', 'viewBox="-16 -12 752 328"')
    return f"{head}><style>{script('style.css')}</style>{ground}{body}\n"


def policy(script_name: str | None) -> str:
    """The page's content security policy: its own style, and only this script, by its hash."""
    if script_name is None:
        return "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    digest = b64encode(sha256(script(script_name).encode()).digest()).decode()
    return f"{policy(None)}; script-src 'sha256-{digest}'; connect-src 'self'; base-uri 'none'; form-action 'none'"


def render(template: str, **given: Any) -> str:
    """A page of the folder, with the style that all share."""
    return _environment().get_template(template).render(style=script("style.css"), **given)


def dollars(value: float) -> str:
    """An amount in dollars, from a few cents to thousands."""
    return f"${value:,.0f}" if value >= 100 else f"${value:,.2f}" if value >= 0.1 else f"${value:.4f}"


def script(name: str) -> Markup:
    """A script or style sheet of the folder, to be inserted into a page unchanged."""
    return Markup((TEMPLATES / name).read_text())


def _legend_sign(shape: str) -> Markup:
    return Markup('<svg class="legend" viewBox="-9 -9 18 18" aria-hidden="true">{}</svg>').format(charts.sign(shape, 0, 0, 5))


def _figures(facts: Facts, prices: Prices) -> list[tuple[str, str, str]]:
    """(figure, what it is, note beside it) for the first screen."""
    lines = []
    metrics, symbol = facts.known.metrics, facts.denomination.symbol
    if metrics:
        last = max(metrics)
        lines.append((text.measure(facts, metrics[last]), facts.metric, f"after round {last}" if last else "first model"))
    lines.append(
        (facts.denomination.brief(sum(p.pay for p in facts.people)), f"{symbol} paid", f"to {len(facts.people)} participants")
    )
    lost = sum(p.lost for p in facts.people)
    slashed = sum(len(p.slashes) for p in facts.people)
    lines.append(
        (facts.denomination.brief(lost), f"{symbol} slashed", f"{text.some(slashed, 'offence')}" if slashed else "no offence")
    )
    each = _per_round(facts, prices)
    if each:
        gas, main, rollup = each
        lines.append((f"{gas:,.0f}", "gas per seat and round", f"{dollars(main)} on mainnet, {dollars(rollup)} on a rollup"))
    return lines


def _curve(facts: Facts) -> Markup:
    known = facts.known
    if not known.metrics:
        return Markup("")
    last = max(known.metrics)
    lines = [Line("this federation", [known.metrics.get(i) for i in range(last + 1)], 0)]
    given = known.baselines.curves if known.baselines else {}
    names = {"pooled": "all data in one place", "float_fedavg": "honest only, in floats"}
    lines += [Line(name, given[key], i) for i, (key, name) in enumerate(names.items(), 1) if given.get(key)]
    alone = known.baselines.local_only if known.baselines else {}
    levels = [("local only, average", sum(alone.values()) / len(alone))] if alone else []
    result = "; ".join(
        f"{line.name} ends at {text.measure(facts, next(v for v in reversed(line.values) if v is not None))}" for line in lines
    )
    return charts.curves(lines, "How the model learned", f"{facts.metric} after each round: {result}.", facts.metric, levels)


def _last_seat_metrics(facts: Facts) -> Mapping[int, SeatMetric]:
    return facts.known.seat_metrics[max(facts.known.seat_metrics)] if facts.known.seat_metrics else {}


def _seat_metrics(facts: Facts) -> list[tuple[str, ...]]:
    """(participant, metric, rows, that of the shared model alone if any seat has layers of its own) after the last round with
    such."""
    seats = _last_seat_metrics(facts)
    both = any(m.shared is not None for m in seats.values())
    rows = []
    for seat, m in sorted(seats.items()):
        shared = ("–" if m.shared is None else f"{m.shared:.4f}",) if both else ()
        rows.append((charts.short(facts.name(seat), 60), f"{m.value:.4f}", f"{m.rows:,}", *shared))
    return rows


def _chosen(facts: Facts) -> list[Round]:
    """The rounds shown one by one: the latest, newest first, and every round in which something went wrong."""
    recent = facts.rounds[-MAX_ROUNDS:]
    odd = [r for r in facts.rounds[:-MAX_ROUNDS] if r.fallen or r.state == "void"]
    return [*odd[-MAX_ROUNDS:], *recent][::-1]


def _timeline(facts: Facts, r: Round) -> Markup:
    bands = [Band(s.phase, s.start, s.end) for s in r.spans]
    title = f"Round {r.number}: who did what, phase by phase"
    if len(r.log.active) <= MAX_LANES:
        seats = sorted({*r.log.active, *(a.seat for a in r.acts)})
        lanes, place = [facts.name(s) for s in seats], {s: i for i, s in enumerate(seats)}
    else:  # one lane for each kind of action: 128 lanes for seats would be unreadable
        lanes, place = list(SHAPES), {}
    marks, result = [], Counter[str]()
    for a in r.acts:
        where = _where(bands, a, result[a.what])
        result[a.what] += 1
        if where is not None:
            lane = place[a.seat] if place else lanes.index(a.what)
            marks.append(Mark(lane, *where, SHAPES[a.what], f"{facts.name(a.seat)} {a.what}"))
    said = ", ".join(f"{n} {what}" for what, n in result.items())
    begin, end = (bands[0].start, bands[-1].end) if bands else (0, 0)
    clock = text.moment(begin), f"{text.lasting(end - begin)} later"
    return charts.timeline(lanes, bands, marks, title, f"{text.status(r)}. {said}.", *clock)


PHASE_OF = {"committed": "commit", "revealed": "reveal", "committed scores": "score commit", "scored": "score reveal"}


def _where(bands: list[Band], act: Act, before: int) -> tuple[int, float] | None:
    """(band, part of it) of an act; a proposal opens its challenge window, and a fall ends it."""
    phase = PHASE_OF.get(act.what, "challenge")
    fitting = [i for i, b in enumerate(bands) if b.name == phase]
    index = before if phase == "challenge" else 0
    if index >= len(fitting):
        return None
    band = bands[fitting[index]]
    if phase == "challenge":
        return fitting[index], float(act.what == "fell")
    return fitting[index], (act.time - band.start) / max(band.end - band.start, 1)


def _pay(facts: Facts) -> Markup:
    rows = [(p.name, p.pay, p.lost) for p in facts.people[:128]]
    lost = [f"{p.name} lost {text.tokens(facts, p.lost)}" for p in facts.people if p.lost]
    message = (
        f"{text.tokens(facts, sum(p.pay for p in facts.people))} earned in all; {text.listed(lost) or 'nobody lost stake'}."
    )
    return charts.bars(rows, "What each participant earned and lost", message, "earned", "slashed", facts.denomination.brief)


def _agreement(facts: Facts) -> Markup:
    rounds = [r for r in facts.rounds if r.distances]
    columns = [(str(r.number), [(d, facts.name(v)) for v, d in r.distances.items()]) for r in rounds[-60:]]
    if not columns:
        return Markup("")
    all_ = [d for _, values in columns for d, _ in values]
    message = f"Mean distance of a validator's scores from the medians: {sum(all_) / len(all_):.1f} of 255 over all rounds."
    return charts.dots(columns, "How closely the committee agreed", message, "points from the medians (of 255)", 20)


def _gas(facts: Facts) -> Markup:
    columns = []
    for r in facts.rounds[-60:]:
        parts = [0.0] * len(GAS_KINDS)
        for what, gas in r.gas.items():
            first = what.split(" + ")[0].split(" ")[-1]
            parts[GAS_KIND.get(first, 3)] += gas / 1000
        columns.append((str(r.number), parts))
    message = "Thousands of gas that a round took, by what it was spent on."
    return charts.stacked(columns, GAS_KINDS, "What each round cost in gas", message, "thousand gas") if columns else Markup("")


def _costs(facts: Facts, prices: Prices) -> list[dict[str, Any]]:
    rows = []
    for what, g in facts.known.gas.items():
        rollup = prices.dollars(prices.rollup(g.mean, g.bytes / g.calls + ENVELOPE)) if g.bytes else None
        rows.append({"what": what, **asdict(g), "main": prices.dollars(prices.mainnet(g.mean)), "rollup": rollup})
    return rows


def _per_round(facts: Facts, prices: Prices) -> tuple[float, float, float] | None:
    """(gas, dollars on mainnet, on a rollup) that a finished round took, divided by its seats."""
    done = [r for r in facts.rounds if r.gas and r.log.finalized]
    seats = sum(len(r.log.active) for r in done)
    if not seats:
        return None
    gas = sum(sum(r.gas.values()) for r in done) / seats
    within = {what for r in done for what in r.gas}
    sent = [g for what, g in facts.known.gas.items() if what in within and g.bytes]
    data = sum(g.calls * prices.data_fee(g.bytes / g.calls + ENVELOPE) for g in sent) / seats
    rollup = gas * prices.l2_gas_price + data
    return gas, prices.dollars(prices.mainnet(gas)), prices.dollars(rollup / 1e9)


def _terms(facts: Facts) -> list[tuple[str, str]]:
    lines = []
    amounts = ("stake", "slash", "fee", "deposit", "rate")
    for name, value in asdict(facts.terms).items():
        if isinstance(value, bytes):
            value = "0x" + value.hex() if any(value) else "none"
        elif name.endswith("_window"):
            value = text.lasting(value)
        elif isinstance(value, int) and name.split("_")[-1] in amounts:
            value = facts.denomination.show(value)
        lines.append((name.replace("_", " "), str(value)))
    return lines


def _privacy(facts: Facts) -> list[dict[str, str]]:
    """What each private participant spent of its budget."""
    rows = []
    for name, one in facts.known.privacy.items():
        rows.append(
            {
                "name": charts.short(name, 60),
                "spent": _number(one.spent),
                "epsilon": _number(one.epsilon),
                "delta": _number(one.delta),
                "protects": {"sgd": "each row", "update": "the whole table"}.get(one.mechanism, "?"),
                "noise": _number(one.noise),
                "rounds": str(len(one.rounds)),
                "sat_out": ", ".join(map(str, one.sat_out)) or "none",
            }
        )
    return rows


def _spent(facts: Facts) -> Markup:
    """What each private participant had spent after each round, in this federation and elsewhere."""
    last = max((r.number for r in facts.rounds), default=0)
    lines = []
    for look, (name, one) in enumerate(sorted(facts.known.privacy.items(), key=lambda item: -item[1].spent)[:MAX_CURVES]):
        values: list[float | None] = []
        for n in range(last + 1):  # flat where it sat out
            values.append(one.series.get(n, values[-1] if values else None))
        lines.append(charts.Line(charts.short(name, 20), values, look))
    budgets = {one.epsilon for one in facts.known.privacy.values()}
    levels = [(f"budget {budget:g}", budget) for budget in sorted(budgets)]
    text_ = "; ".join(f"{name} {one.spent:.3g}" for name, one in facts.known.privacy.items())
    return charts.curves(lines, "Epsilon spent", f"Epsilon spent after each round, at the end: {text_}.", "epsilon", levels)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
