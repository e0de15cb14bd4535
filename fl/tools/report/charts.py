"""Charts as inline SVG, written directly: small, sharp in print, and styled by the page's own style sheet, so that one drawing
serves light, dark and paper. Shapes, dashes and words repeat what colours say. Every text is escaped.

Each chart comes in two widths, of which the style sheet shows one: a drawing scaled down to a phone could not be read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from markupsafe import Markup, escape

WIDE, SLIM = 720, 340


@dataclass(frozen=True)
class Line:
    """One curve. `look`: the number of its colour, dash and marker in the style sheet."""

    name: str
    values: Sequence[float | None]
    look: int


@dataclass(frozen=True)
class Mark:
    """A sign on a lane, in a band, at a position from 0 to 1 in it."""

    lane: int
    band: int
    part: float
    shape: str  # circle, square, diamond, triangle, cross, ring
    text: str


@dataclass(frozen=True)
class Band:
    """A named stretch of a time axis."""

    name: str
    start: float
    end: float


def both(draw: Callable[[int], Markup]) -> Markup:
    """The drawing for screens and paper, and the one for phones."""
    return Markup('<div class="wide">{}</div><div class="slim">{}</div>').format(draw(WIDE), draw(SLIM))


def _id(title: str, width: float) -> str:
    """An id that is the same in every rendering and differs for every chart and width, so that ids never clash on a page."""
    return sha256(f"{title} {width}".encode()).hexdigest()[:10]


def _svg(width: float, height: float, title: str, text: str, parts: Sequence[Markup]) -> Markup:
    n = _id(title, width)
    head = Markup(
        '<svg class="chart" viewBox="0 0 {w:g} {h:g}" role="img" aria-labelledby="t{n} d{n}">'
        '<title id="t{n}">{title}</title><desc id="d{n}">{text}</desc>'
    ).format(w=round(width, 1), h=round(height, 1), n=n, title=title, text=text)
    return head + Markup("\n").join(parts) + Markup("</svg>")


def _tag(name: str, inner: object = None, **attributes: object) -> Markup:
    given = Markup("").join(
        Markup(' {}="{}"').format(k.rstrip("_").replace("_", "-"), round(v, 2) if isinstance(v, float) else v)
        for k, v in attributes.items()
        if v is not None
    )
    return Markup("<{0}{1}/>").format(name, given) if inner is None else Markup("<{0}{1}>{2}</{0}>").format(name, given, inner)


def _text(x: float, y: float, text: object, anchor: str = "start", class_: str | None = None) -> Markup:
    return _tag("text", escape(text), x=float(x), y=float(y), text_anchor=anchor, class_=class_)


def _line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    return _tag("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), class_=class_)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers that cover low to high."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return [low]
    rough = (high - low) / about
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough * 0.999)
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def short(text: object, letters: int) -> str:
    """At most so many letters."""
    result = " ".join(str(text).split())
    return result if len(result) <= letters else result[: max(letters - 1, 1)] + "…"


def breadth(text: str) -> float:
    """An upper estimate of the width of a text of 12 pixels: a drawing cannot know the reader's font."""
    return sum(
        4.2 if c in "iljtfrI.,:;'|!() " else 12.5 if c in "mwMW@%" or c > "\u024f" else 9.2 if c.isupper() else 7.4
        for c in text
    )


def fit(text: object, pixels: float) -> str:
    """As much of a text as fits."""
    result = short(text, 80)
    while len(result) > 1 and breadth(result) > pixels:
        result = result.rstrip("…")[:-1] + "…"
    return result


def sign(shape: str, x: float, y: float, size: float = 5, class_: str = "") -> Markup:
    """A marker that can be distinguished by its shape."""
    looks = f"sign {shape} {class_}".strip()
    if shape in ("circle", "ring"):
        return _tag("circle", cx=float(x), cy=float(y), r=float(size), class_=looks)
    s = size
    points = {
        "square": [(-s, -s), (s, -s), (s, s), (-s, s)],
        "diamond": [(0, -s * 1.3), (s * 1.3, 0), (0, s * 1.3), (-s * 1.3, 0)],
        "triangle": [(0, -s * 1.2), (s * 1.15, s * 0.9), (-s * 1.15, s * 0.9)],
    }
    if shape == "cross":
        drawn = f"M{x - s:.1f} {y - s:.1f}l{2 * s:.1f} {2 * s:.1f}M{x + s:.1f} {y - s:.1f}l{-2 * s:.1f} {2 * s:.1f}"
        return _tag("path", d=drawn, class_=looks)
    return _tag("polygon", points=" ".join(f"{x + a:.1f},{y + b:.1f}" for a, b in points[shape]), class_=looks)


MARKERS = ("circle", "square", "diamond", "triangle", "ring", "cross")


def curves(lines: Sequence[Line], title: str, text: str, axis: str, levels: Sequence[tuple[str, float]] = ()) -> Markup:
    """Values round by round, named at their right ends (on a phone: in a key below), with dashed level lines."""
    lines = [line for line in lines if any(v is not None and math.isfinite(v) for v in line.values)]
    known = [v for line in lines for v in line.values if v is not None and math.isfinite(v)] + [v for _, v in levels]
    if not known:
        return Markup("")
    low, high = min(known), max(known)
    if high - low < 1e-9 * max(1.0, abs(low)):
        low, high = low - 0.5 * max(1.0, abs(low)), high + 0.5 * max(1.0, abs(low))
    scale = ticks(low, high)
    low, high = scale[0], scale[-1]
    rounds = max(len(line.values) for line in lines) - 1

    def draw(width: int) -> Markup:
        slim = width == SLIM
        named = [(line.name, line.look) for line in lines] + [(name, 9) for name, _ in levels]
        right = 12.0 if slim else max(breadth(name) for name, _ in named) + 22
        left, top, height = 44.0, 26.0, 210.0 if slim else 300.0
        wide, tall = width - left - right, height - top - 34

        def x(i: float) -> float:
            return left + (wide * i / rounds if rounds else wide / 2)

        def y(v: float) -> float:
            return top + tall * (high - v) / (high - low)

        parts = [_text(4, 12, fit(axis, width - 12), class_="soft")]
        for t in scale:
            parts += [_line(left, y(t), left + wide, y(t), "grid"), _text(left - 6, y(t) + 4, f"{t:g}", "end", "soft")]
        step = max(1, math.ceil(rounds / (6 if slim else 12)))
        for i in range(0, rounds + 1, step):
            parts.append(_text(x(i), height - 16, i, "middle", "soft"))
        parts.append(_text(left + wide / 2, height - 2, "round (0: the first model)", "middle", "soft"))
        for _, v in levels:
            parts.append(_line(left, y(v), left + wide, y(v), "level"))
        for line in lines:
            points = [(x(i), y(v)) for i, v in enumerate(line.values) if v is not None and math.isfinite(v)]
            path = " ".join(f"{'L' if i else 'M'}{a:.1f} {b:.1f}" for i, (a, b) in enumerate(points))
            parts.append(_tag("path", d=path, class_=f"curve k{line.look}"))
            for i, value in enumerate(line.values):
                if value is not None and math.isfinite(value):
                    dot = sign(MARKERS[line.look % 6], x(i), y(value), 3 if line.look else 4, f"k{line.look}")
                    parts.append(_tag("g", _tag("title", escape(f"{line.name}, round {i}: {value:.4g}")) + dot))
        total = height
        if slim:
            for name, look in named:
                total += 20
                parts += _key(left, total - 8, name, look, width - left - 4)
        else:
            ends = [(y(_end(line)), line.name, line.look) for line in lines] + [(y(v), name, 9) for name, v in levels]
            for at, name, look in _apart(sorted(ends), 15, top, top + tall):
                parts.append(_text(left + wide + 12, at + 4, name, class_=f"name k{look}"))
        return _svg(width, total + 4, title, text, parts)

    return both(draw)


def _end(line: Line) -> float:
    return next(v for v in reversed(line.values) if v is not None and math.isfinite(v))


def _key(x: float, y: float, name: str, look: int, room: float) -> list[Markup]:
    middle = [sign(MARKERS[look % 6], x - 22, y - 4, 3.5, f"k{look}")] if look != 9 else []
    return [_line(x - 38, y - 4, x - 6, y - 4, f"curve k{look}"), *middle, _text(x, y, fit(name, room))]


def _apart(ends: list[tuple[float, str, int]], gap: float, top: float, bottom: float) -> list[tuple[float, str, int]]:
    """Labels pushed apart, downwards first, then back up from the bottom."""
    places = [e[0] for e in ends]
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + gap)
    if places and places[-1] > bottom:
        places[-1] = bottom
        for i in range(len(places) - 2, -1, -1):
            places[i] = min(places[i], places[i + 1] - gap)
    return [(place, name, look) for place, (_, name, look) in zip(places, ends, strict=True)]


def timeline(
    lanes: Sequence[str], bands: Sequence[Band], marks: Sequence[Mark], title: str, text: str, begin: str, end: str
) -> Markup:
    """Who did what and when. Every phase is wide enough for its name; within a phase time runs evenly."""
    if not bands:
        return Markup("")

    def draw(width: int) -> Markup:
        slim = width == SLIM
        names = min(max((breadth(n) for n in lanes), default=0), 84 if slim else 170)
        left, row = names + 10, 22.0
        wide = width - left - 6
        shares = _shares([b.end - b.start for b in bands], [len(b.name) for b in bands])
        aslant = any(share * wide < breadth(b.name) for share, b in zip(shares, bands, strict=True))
        top = 66.0 if aslant else 30.0
        wide -= 34 if aslant else 0  # the last name sticks out
        edges = [left]
        for share in shares:
            edges.append(edges[-1] + wide * share)
        bottom = top + row * len(lanes)
        parts = []
        for i, b in enumerate(bands):
            a, z = edges[i], edges[i + 1]
            parts.append(
                _tag("rect", x=float(a), y=top - 4, width=float(z - a), height=bottom - top + 8, class_=f"band b{i % 2}")
            )
            if aslant:
                place = Markup("rotate(-42 {:.1f} {:.1f})").format((a + z) / 2, top - 8)
                parts.append(_tag("text", escape(b.name), x=float((a + z) / 2), y=top - 8, class_="soft", transform=place))
            else:
                parts.append(_text((a + z) / 2, top - 10, b.name, "middle", "soft"))
        for i, lane in enumerate(lanes):
            middle = top + row * (i + 0.5)
            parts += [_line(left, middle, left + wide, middle, "lane"), _text(left - 8, middle + 4, fit(lane, names), "end")]
        for m in marks:
            at = edges[m.band] + 9 + (edges[m.band + 1] - edges[m.band] - 18) * min(max(m.part, 0.0), 1.0)
            parts.append(_tag("g", _tag("title", escape(m.text)) + sign(m.shape, at, top + row * (m.lane + 0.5), 5)))
        below = 14 if breadth(begin) + breadth(end) + 12 > wide else 0  # one line each if they are too wide for one
        parts += [
            _text(left, bottom + 20, begin, class_="soft"),
            _text(left + wide, bottom + 20 + below, end, "end", "soft"),
        ]
        return _svg(width, bottom + 26 + below, title, text, parts)

    return both(draw)


def _shares(lengths: Sequence[float], letters: Sequence[int]) -> list[float]:
    """Widths of phases: half by what their names need, half by time, so that a minute beside an hour is still seen."""
    all_time, all_letters = sum(lengths) or 1, sum(n + 2 for n in letters) or 1
    return [0.25 * t / all_time + 0.75 * (n + 2) / all_letters for t, n in zip(lengths, letters, strict=True)]


def bars(
    rows: Sequence[tuple[str, int, int]], title: str, text: str, good: str, bad: str, form: Callable[[int], str]
) -> Markup:
    """(name, what was earned, what was lost) as a pair of bars from one line, the loss hatched and to the left."""
    most_good, most_bad = max((r[1] for r in rows), default=0), max((r[2] for r in rows), default=0)
    if not rows or most_good + most_bad <= 0:
        return Markup("")

    def draw(width: int) -> Markup:
        slim = width == SLIM
        names = min(max(breadth(r[0]) for r in rows), 92 if slim else 170)
        left, row, end = names + 10, 24.0, 58.0
        room = width - left - end - (end if most_bad else 0)
        scale = room / (most_good + most_bad)
        zero = left + (end + most_bad * scale if most_bad else 0)
        hatch = f"h{_id(title, width)}"
        parts = [_hatch(hatch)]
        top = 22.0
        parts.append(_text(zero + 4, 12, f"{good} →", class_="soft"))
        if most_bad:
            parts.append(_text(zero - 4, 12, f"← {bad}", "end", "soft"))
        for i, (name, gain, loss) in enumerate(rows):
            y = top + row * i
            parts.append(_text(left - 8, y + 15, fit(name, names), "end"))
            bar = _tag("rect", x=float(zero), y=y + 4, width=max(gain * scale, 0.5), height=row - 9, class_="gain")
            parts += [bar, _text(zero + gain * scale + 5, y + 15, form(gain))]
            if loss:
                x = zero - loss * scale
                parts += [
                    _tag(
                        "rect",
                        x=float(x),
                        y=y + 4,
                        width=float(loss * scale),
                        height=row - 9,
                        class_="loss",
                        fill=f"url(#{hatch})",
                    ),
                    _text(x - 5, y + 15, form(loss), "end"),
                ]
        bottom = top + row * len(rows)
        parts.append(_line(zero, top, zero, bottom, "axis"))
        return _svg(width, bottom + 6, title, text, parts)

    return both(draw)


def _hatch(name: str) -> Markup:
    return Markup(
        '<defs><pattern id="{}" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<rect width="6" height="6" class="hatch-ground"/>'
        '<line x1="0" y1="0" x2="0" y2="6" class="hatch-line"/></pattern></defs>'
    ).format(name)


def dots(columns: Sequence[tuple[str, Sequence[tuple[float, str]]]], title: str, text: str, axis: str, most: float) -> Markup:
    """Each column's values as rings, with the mean as a bar across them."""
    if not any(values for _, values in columns):
        return Markup("")
    scale = ticks(0, max(most, max(v for _, values in columns for v, _ in values)))
    high = scale[-1] or 1

    def draw(width: int) -> Markup:
        slim = width == SLIM
        left, top, height = 40.0, 26.0, 190.0
        wide, tall = width - left - 8, height - top - 34
        step = wide / len(columns)

        def y(v: float) -> float:
            return top + tall * (1 - v / high)

        parts = [_text(4, 12, fit(axis, width - 12), class_="soft")]
        for t in scale:
            parts += [_line(left, y(t), left + wide, y(t), "grid"), _text(left - 6, y(t) + 4, f"{t:g}", "end", "soft")]
        every = max(1, math.ceil(len(columns) / (8 if slim else 24)))
        for i, (name, values) in enumerate(columns):
            x = left + step * (i + 0.5)
            if i % every == 0:
                parts.append(_text(x, height - 16, name, "middle", "soft"))
            for j, (v, who) in enumerate(values):
                aside = (j - (len(values) - 1) / 2) * min(6.0, step / (len(values) + 1))
                parts.append(
                    _tag("g", _tag("title", escape(f"round {name}, {who}: {v:.1f}")) + sign("ring", x + aside, y(v), 4))
                )
            if values:
                mean = sum(v for v, _ in values) / len(values)
                half = min(step * 0.35, 18.0)
                parts.append(_line(x - half, y(mean), x + half, y(mean), "mean"))
        parts.append(_text(left + wide / 2, height - 2, "round", "middle", "soft"))
        return _svg(width, height + 4, title, text, parts)

    return both(draw)


def stacked(columns: Sequence[tuple[str, Sequence[float]]], kinds: Sequence[str], title: str, text: str, axis: str) -> Markup:
    """Columns of stacked parts, each part with its own look and named in a key."""
    most = max((sum(parts) for _, parts in columns), default=0)
    if most <= 0:
        return Markup("")
    scale = ticks(0, most)
    high = scale[-1]

    def draw(width: int) -> Markup:
        slim = width == SLIM
        left, top, height = 46.0, 26.0, 230.0
        wide, tall = width - left - 8, height - top - 34
        step = wide / len(columns)
        parts = [_text(4, 12, fit(axis, width - 12), class_="soft")]
        for t in scale:
            y = top + tall * (1 - t / high)
            parts += [_line(left, y, left + wide, y, "grid"), _text(left - 6, y + 4, f"{t:g}", "end", "soft")]
        every = max(1, math.ceil(len(columns) / (8 if slim else 24)))
        for i, (name, values) in enumerate(columns):
            y, x, thick = top + tall, left + step * 0.14 + step * i, min(step * 0.72, 46.0)
            if i % every == 0:
                parts.append(_text(x + thick / 2, height - 16, name, "middle", "soft"))
            for k, v in enumerate(values):
                tallness = tall * v / high
                y -= tallness
                bar = _tag("rect", x=float(x), y=float(y), width=float(thick), height=float(tallness), class_=f"part p{k}")
                letter = (
                    _text(x + thick / 2, y + tallness / 2 + 4, "abcde"[k], "middle", f"on{k}") if tallness > 14 < thick else ""
                )
                parts.append(_tag("g", _tag("title", escape(f"round {name}, {kinds[k]}: {v:.3g}")) + bar + letter))
        parts.append(_text(left + wide / 2, height - 2, "round", "middle", "soft"))
        total, x = height, left
        for k, kind in enumerate(kinds):
            if x + breadth(kind) + 20 > width or x == left:
                total, x = total + 20, left
            parts += [
                _tag("rect", x=float(x), y=total - 15, width=15, height=15, class_=f"part p{k}"),
                _text(x + 7.5, total - 4, "abcde"[k], "middle", f"on{k}"),
                _text(x + 20, total - 4, kind),
            ]
            x += breadth(kind) + 32
        return _svg(width, total + 6, title, text, parts)

    return both(draw)
