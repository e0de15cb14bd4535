"""Renders the experiment's results as tables and figures."""

from __future__ import annotations

from collections import defaultdict
from html import escape
from statistics import mean, stdev
from typing import Any

from fl.learning.research.attacks import ADAPTIVE
from fl.learning.research.offchain import SCORERS

Known = dict[str, Any]
WITHIN, RUINED = -2.0, -10.0  # points below honest-only training: the aim of every cell, and what no seed may reach
COLOURS = ((-0.5, "#2f7d4f"), (-2.0, "#8bb86b"), (-3.0, "#e3c55b"), (-10.0, "#d98545"), (-1e9, "#b33a3a"))


def losses(known: Known) -> dict[tuple[str, ...], dict[str, Any]]:
    """By (setting, share, kind, rule): points lost against honest-only training without a gate, over the same seeds."""
    base = {}
    cells = {}
    for key, facts in known.items():
        part, *rest = key.split("/")
        if part != "gates":
            continue
        setting, share, kind, gate, trim = rest[:5]
        rule = gate + ("" if trim == "trim 0" else f", {trim}") + (", all-seeing" if "all-seeing" in rest else "")
        tail = tuple(rest[-2:])
        if kind == "nobody" and rule == "none":
            base[setting, tail] = facts
        cells[setting, share, kind, rule, tail] = facts
    out: dict[tuple[str, ...], dict[str, Any]] = {}
    for (setting, share, kind, rule, tail), facts in cells.items():
        if (honest := base.get((setting, tail))) is None:
            continue
        lost = [a - b for a, b in zip(facts["metric"], honest["metric"], strict=True)]
        error = stdev(lost) / len(lost) ** 0.5 if len(lost) > 1 else 0.0
        out[setting, share, kind, rule] = {**facts, "each": lost, "lost": mean(lost), "error": error}
    return out


SYBIL_OTHERS = 6  # seats beside the one that is divided


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in [head, ["---"] * len(head), *rows]]


def markdown(known: Known) -> str:
    """All tables that the figures hold."""
    lines: list[str] = []
    lost = losses(known)
    if lost:
        lines += _summary(lost) + _cells(lost)
    for part, table in (("pay", _pay), ("sybil", _sybil), ("shapley", _shapley)):
        rows = {tuple(key.split("/")[1:]): facts for key, facts in known.items() if key.startswith(part + "/")}
        if rows:
            lines += table(rows)
    return "\n".join(lines) + "\n"


def _below(each: list[float], points: float) -> str:
    """What share of seeds lost more than so many points."""
    return f"{100 * mean(one < points for one in each):.1f} %"


def _summary(lost: dict[tuple[str, ...], dict[str, Any]]) -> list[str]:
    groups: dict[tuple[str, str], list[tuple[str, str, dict[str, Any]]]] = defaultdict(list)
    calm: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for (setting, share, kind, rule), facts in lost.items():
        if kind == "nobody":
            calm[rule].append(facts)
        else:
            groups[rule, "about 30" if int(share) >= 30 else share].append((setting, kind, facts))
    rows = []
    for (rule, share), cells in sorted(groups.items()):
        means = [facts["lost"] for *_, facts in cells]
        also = [facts["lost"] >= WITHIN for _, kind, facts in cells if kind in ADAPTIVE]
        every = [one for *_, facts in cells for one in facts["each"]]
        setting, kind, worst = min(cells, key=lambda cell: min(cell[2]["each"]))
        quiet = calm.get(rule)
        rows.append(
            [
                rule,
                f"{share} %",
                f"{sum(points >= WITHIN for points in means)} of {len(cells)}",
                f"{sum(also)} of {len(also)}",
                f"{mean(means):.1f}",
                f"{min(worst['each']):.1f} ({kind}, {setting})",
                _below(every, WITHIN),
                _below(every, RUINED),
                "" if not quiet else f"{min(min(facts['each']) for facts in quiet):.1f}",
                "" if not quiet else f"{100 * min(facts['honest_in'] for facts in quiet):.1f} %",
            ]
        )
    head = ["gate", "cheats", "cells within 2 points", "of these adaptive", "mean", "worst seed"]
    head += ["seeds below -2", "below -10", "worst seed when nobody cheats", "honest let in then, at least"]
    return ["## Gates", "", *_table(head, rows), ""]


def _cells(lost: dict[tuple[str, ...], dict[str, Any]]) -> list[str]:
    lines = []
    for setting, share in sorted({key[:2] for key in lost if key[1] != "0"}):
        rules = list(dict.fromkeys(key[3] for key in lost if key[:2] == (setting, share)))
        kinds = list(dict.fromkeys(key[2] for key in lost if key[:2] == (setting, share)))
        rows = []
        for kind in kinds:
            row = [kind + (" (adaptive)" if kind in ADAPTIVE else "")]
            for rule in rules:
                facts = lost.get((setting, share, kind, rule))
                if facts is None:
                    row += [""] * 3
                    continue
                row.append(f"{facts['lost']:+.1f} ± {facts['error']:.1f}, {100 * facts['bad_in']:.0f} %")
                row += [f"{min(facts['each']):+.1f}", f"{_below(facts['each'], WITHIN)}, {_below(facts['each'], RUINED)}"]
            rows.append(row)
        title = f"### {setting}, {share} % cheat: points against honest-only training, and how often a cheat was let in"
        head = [column for rule in rules for column in (rule, "worst seed", "seeds below -2, -10")]
        lines += [title, "", *_table(["kind", *head], rows), ""]
    return lines + _backdoors(lost)


def _backdoors(lost: dict[tuple[str, ...], dict[str, Any]]) -> list[str]:
    """How often each backdoor opens the final model, beside what its trigger does where nobody cheats."""
    rows = []
    for (setting, share, kind, rule), facts in lost.items():
        if (hits := facts.get(f"hits {kind}")) is None:
            continue
        calm = lost.get((setting, "0", "nobody", "none"), {}).get(f"hits {kind}")
        by_chance = "" if calm is None else f"{mean(calm):.0f} %"
        rows.append([setting, f"{share} %", kind, rule, f"{mean(hits):.0f} %", f"{max(hits):.0f} %", by_chance])
    if not rows:
        return []
    text = "Test rows of other labels that the final model takes for the backdoor's target once they bear the trigger."
    head = ["setting", "cheats", "kind", "gate", "success", "worst seed", "when nobody cheats"]
    return ["## Backdoors", "", text, "", *_table(head, rows), ""]


def _pay(rows: dict[tuple[str, ...], dict[str, Any]]) -> list[str]:
    lines = [
        "## Pay",
        "",
        "Trainer's pay, bad over honest (1 = as much), in the mean and in the worst seed, and what a validator's turn pays.",
        "",
    ]
    for setting in dict.fromkeys(key[0] for key in rows):
        table = []
        for kind in dict.fromkeys(key[1] for key in rows if key[0] == setting):
            row = [kind]
            for scorers in SCORERS:
                facts = next((f for key, f in rows.items() if key[:3] == (setting, kind, scorers)), None)
                if facts is None:
                    row += ["", ""]
                    continue
                honest = facts["honest_trainer"]
                ratio = "" if kind == "nobody" or not honest else f"{facts['bad_trainer'] / honest:.2f}"
                turn = f"{facts['honest_validator']:.2f}" + ("" if kind == "nobody" else f" / {facts['bad_validator']:.2f}")
                worst = f", {facts['worst_ratio']:.2f}" if "worst_ratio" in facts else ""
                row += [f"{ratio or '-'}{worst} ({honest:.2f})", turn]
            table.append(row)
        head = ["kind", "honest scorers: ratio (honest pay)", "validators honest / bad"]
        head += ["cheats collude as scorers: ratio (honest pay)", "validators honest / bad"]
        head += ["and shade what they say: ratio (honest pay)", "validators honest / bad"]
        lines += [f"### {setting}", "", *_table(head, table), ""]
    return lines


def _sybil(rows: dict[tuple[str, ...], dict[str, Any]]) -> list[str]:
    table = []
    for setting in dict.fromkeys(key[0] for key in rows):
        mine = {int(key[1]): facts for key, facts in rows.items() if key[0] == setting}
        row = [setting, f"{100 * max(f['rows'] for f in mine.values()):.0f} %"]
        for n in (1, 2, 3, 4):
            if n not in mine:
                row.append("")
                continue
            owner, other, part = mine[n]["owner"], mine[n]["others"], mine[n]["rows"]
            beyond = (owner - part * (owner + SYBIL_OTHERS * other)) / other
            row.append(f"{owner:.2f} ({other:.2f}), {beyond:+.1f}")
        table.append(row)
    head = ["setting", "of all rows", "1 seat", "2 seats", "3 seats", "4 seats"]
    text = (
        "One owner's pay a round in a trainer's rates (another seat's), and what of it goes beyond the part of all pay that its"
    )
    text += " rows are of all rows, in other seats' pay."
    return ["## Sybils", "", text, "", *_table(head, table), ""]


def _shapley(rows: dict[tuple[str, ...], dict[str, Any]]) -> list[str]:
    table = []
    for key, ways in rows.items():
        table += [[key[0], way, f"{f['models']:.0f}", f"{f['one']:.2f}", f"{f['sum']:.2f}"] for way, f in ways.items()]
    head = ["setting", "estimate", "models evaluated a round", "rank correlation with exact, one round", "summed over five"]
    return ["## Shapley", "", *_table(head, table), ""]


def svg(known: Known) -> dict[str, str]:
    """Figures by name: the cells of every setting as a chart of colours."""
    lost = losses(known)
    columns = sorted({(key[0], key[3]) for key in lost if int(key[1]) >= 30})
    kinds = list(dict.fromkeys(key[2] for key in lost if key[2] != "nobody"))
    if not columns or not kinds:
        return {}
    wide, high, left, top = 64, 20, 110, 150
    parts = []
    for x, (setting, rule) in enumerate(columns):
        at = left + x * wide
        name = escape(f"{setting}: {rule}")
        parts.append(f'<text transform="translate({at + 30},{top - 6}) rotate(-45)">{name}</text>')
        for y, kind in enumerate(kinds):
            facts = next(
                (f for key, f in lost.items() if (key[0], key[2], key[3]) == (setting, kind, rule) and int(key[1]) >= 30), None
            )
            if facts is None:
                continue
            colour = next(c for least, c in COLOURS if facts["lost"] >= least)
            parts.append(f'<rect x="{at}" y="{top + y * high}" width="{wide - 2}" height="{high - 2}" fill="{colour}"/>')
            parts.append(f'<text x="{at + 6}" y="{top + y * high + 13}" fill="white">{facts["lost"]:+.1f}</text>')
    parts += [f'<text x="4" y="{top + y * high + 13}">{escape(kind)}</text>' for y, kind in enumerate(kinds)]
    width, height = left + len(columns) * wide + 90, top + len(kinds) * high + 10
    style = 'font-family="sans-serif" font-size="11"'
    return {
        "gates": f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" {style}>{"".join(parts)}</svg>\n'
    }
