"""The calibration of a model as one SVG that needs no style sheet."""

from __future__ import annotations

from markupsafe import escape

from fl.errors import plain
from fl.learning.uncertainty import Calibration

SIZE, LEFT, TOP, WIDTH, HEIGHT = 320, 56, 44, 400, 470


def picture(sure: Calibration) -> str:
    """Each bin as a dot with its 95 % interval against the diagonal, where probabilities mean what they say; rows below."""
    most = max(b.rows for b in sure.bins)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        'font-family="sans-serif" font-size="12">',
        f"<title>Calibration of the probability of {escape(plain(sure.of))}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        _text(LEFT, 18, f"Probability of {plain(sure.of)[:40]}: does it mean what it says?"),
        _text(LEFT, 34, f"mean gap {sure.error:.3f}, Brier score {sure.brier:.3f}", fill="#555555"),
    ]
    for i in range(6):
        share = i / 5
        parts += [_line(_x(0), _y(share), _x(1), _y(share), "#dddddd"), _text(LEFT - 6, _y(share) + 4, f"{share:.1f}", "end")]
        parts.append(_text(_x(share), TOP + SIZE + 16, f"{share:.1f}", "middle"))
    parts.append(_line(_x(0), _y(0), _x(1), _y(1), "#777777", ' stroke-dasharray="5 4"'))
    for b in sure.bins:
        x, base, tall = _x(b.predicted), TOP + SIZE + 86, 34 * b.rows / most
        note = f"{b.low:.1f} to {b.high:.1f}: {b.rows} rows, mean {b.predicted:.2f}, came true {b.observed.value:.2f}"
        parts.append(_line(x, _y(b.observed.low), x, _y(b.observed.high), "#1f5fa8", ' stroke-width="2"'))
        dot = f'<circle cx="{x:.1f}" cy="{_y(b.observed.value):.1f}" r="5" fill="#1f5fa8"><title>{note}</title></circle>'
        place = f'x="{_x(b.low) + 2:.1f}" y="{base - tall:.1f}" width="{SIZE / 10 - 4:.1f}" height="{tall:.1f}"'
        bar = f'<rect {place} fill="#9bb8d8"/>'
        parts += [dot, bar, _text(_x((b.low + b.high) / 2), base + 14, str(b.rows), "middle")]
    parts.append(_text(_x(0.5), TOP + SIZE + 34, "mean probability that the model gave", "middle"))
    parts.append(_text(LEFT - 6, TOP + SIZE + 100, "rows", "end"))  # beside the counts
    aside = f'transform="rotate(-90 14 {_y(0.5):.0f})"'
    parts.append(_text(14, _y(0.5), "share that came true (95 % interval)", "middle", more=aside))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _x(share: float) -> float:
    return LEFT + SIZE * share


def _y(share: float) -> float:
    return TOP + SIZE * (1 - share)


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, more: str = "") -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"{more}/>'


def _text(x: float, y: float, text: str, anchor: str = "start", fill: str = "#222222", more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}" {more}>{escape(text)}</text>'
