"""Charts as inline SVG. Colours come from the page's style by class, so that they follow light and dark;
no style attributes, which the page's content policy forbids. Every text is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

Values = NDArray[np.float64]

WIDTH, HEIGHT = 460, 260
LEFT, RIGHT, TOP, BOTTOM = 52, 20, 10, 40
ROW = 30  # height of a row of `interval_chart`
LABEL = 190  # width of its labels
SERIES = 4  # colours and dashes in the style
LOG_TICK_ROOM = 34.0  # between the labels of a logarithmic axis


@dataclass(frozen=True)
class Line:
    """A curve, and optionally a band around it. NaN breaks nothing: such points are left out."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None


@dataclass(frozen=True)
class Mark:
    """A value with its interval; `strong` ones stand out from what they are compared with."""

    name: str
    value: float
    low: float
    high: float
    strong: bool = False
    dots: tuple[float, ...] = ()  # single values that it is the mean of, small below it


def ticks_within(low: float, high: float, most: int, whole: bool = False) -> list[float]:
    from matplotlib.ticker import MaxNLocator

    values = MaxNLocator(nbins=most, steps=[1, 2, 5, 10] if whole else [1, 2, 2.5, 5, 10], integer=whole).tick_values(
        low, high
    )
    return [float(v) for v in values if low - 1e-12 <= v <= high + 1e-12]


def tick_label(value: float, ticks: Sequence[float]) -> str:
    step = min(np.diff(ticks), default=1.0)
    digits = next((d for d in range(12) if np.isclose(step * 10**d, round(step * 10**d))), 12)
    return f"{value:,.{digits}f}".replace("-", "−")


def axis_range(values: Sequence[float]) -> tuple[float, float]:
    """The axis for these values; at least a hundredth of their size, as finer ticks would not fit beside it."""
    low, high = min(values), max(values)
    room = max(0.04 * (high - low), (0.01 * max(abs(low), abs(high), 1e-9) - (high - low)) / 2)
    return low - room, high + room


def _points(x: Values, y: Values) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))


def _log_ticks(values: Sequence[float], start: float, end: float) -> list[float]:
    """The values themselves, without those whose labels would touch the one before."""
    places = np.interp(np.log(values), (np.log(min(values)), np.log(max(values))), (start, end))
    kept: list[float] = []
    last = -np.inf
    for value, place in zip(values, places, strict=True):
        if place - last >= LOG_TICK_ROOM:
            kept.append(value)
            last = place
    return kept


def open_chart(width: float, height: float, title: str) -> Markup:
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(width, height, title)


def line_chart(lines: Sequence[Line], *, x_label: str, y_label: str, title: str, log_x: bool = False) -> Markup:
    """Curves over a common axis, with a legend when there is more than one. `title` is what a screen reader says.

    With `log_x` equal factors are equally far apart, and the ticks are the lines' own x (above 0).

    Raises:
        ValueError: no line holds a finite point.
    """
    kept = []
    for line in lines:
        x, y = np.asarray(line.x, np.float64), np.asarray(line.y, np.float64)
        low = np.asarray(line.low if line.low is not None else line.y, np.float64)
        high = np.asarray(line.high if line.high is not None else line.y, np.float64)
        known = np.isfinite(x) & np.isfinite(y)
        kept.append((line, x[known], y[known], low[known], high[known]))
    if not any(len(x) for _, x, *_ in kept):
        raise ValueError(f"chart {title!r} has no point to draw")
    x_all = np.concatenate([x for _, x, *_ in kept])
    y_low, y_high = axis_range(np.concatenate([np.concatenate(k[2:]) for k in kept]).tolist())
    bend = np.log if log_x else np.asarray
    x_low, x_high = float(bend(x_all.min())), float(bend(x_all.max()))
    x_high += x_high == x_low

    def across(x: Values) -> Values:
        return LEFT + (bend(np.asarray(x)) - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT)

    def up(y: Values) -> Values:
        return HEIGHT - BOTTOM - (np.asarray(y) - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM)

    if log_x:
        x_ticks = _log_ticks(np.unique(x_all).tolist(), LEFT, WIDTH - RIGHT)
    else:
        x_ticks = ticks_within(x_low, x_high, 6, whole=bool((x_all == x_all.round()).all()))
    y_ticks = ticks_within(y_low, y_high, 5)
    parts = [open_chart(WIDTH, HEIGHT, title)]
    parts += [level(float(up(np.asarray(tick))), tick_label(tick, y_ticks)) for tick in y_ticks]
    parts += [below(float(across(np.asarray(tick))), tick_label(tick, x_ticks)) for tick in x_ticks]
    parts.append(Markup('<path class="axis" d="M{} {}H{}"/>').format(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT))
    parts.append(
        Markup('<text class="tick mid" x="{}" y="{}">{}</text>').format((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 5, x_label)
    )
    for number, (line, x, y, low, high) in enumerate(kept):
        if line.low is not None:
            outline = _points(np.concatenate([across(x), across(x[::-1])]), np.concatenate([up(low), up(high[::-1])]))
            parts.append(Markup('<polygon class="band s{}" points="{}"/>').format(number % SERIES, outline))
        parts.append(
            Markup('<polyline class="line s{}" points="{}"/>').format(number % SERIES, _points(across(x), up(y)))
        )
    parts.append(Markup("</svg>"))
    return _legend([line.name for line in lines], y_label) + Markup("").join(parts)


def level(y: float, label: str) -> Markup:
    """A line of a line chart's grid with its figure at the left."""
    grid = Markup('<path class="grid" d="M{} {:.1f}H{}"/>').format(LEFT, y, WIDTH - RIGHT)
    return grid + Markup('<text class="tick end" x="{}" y="{:.1f}">{}</text>').format(LEFT - 7, y + 4, label)


def below(x: float, label: str) -> Markup:
    return Markup('<text class="tick mid" x="{:.1f}" y="{}">{}</text>').format(x, HEIGHT - BOTTOM + 17, label)


def box(kind: str, x: float, y: float, width: float, height: float, told: str) -> Markup:
    """A bar, and what shows under the pointer."""
    drawn = Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>')
    return drawn.format(kind, x, y, width, height, told)


def _legend(names: Sequence[str], y_label: str) -> Markup:
    key = Markup('<svg class="key" viewBox="0 0 24 8" aria-hidden="true"><path class="line s{}" d="M1 4H23"/></svg>')
    items = [Markup("<span>{}{}</span>").format(key.format(n % SERIES), name) for n, name in enumerate(names)]
    shown = Markup("").join(items) if len(items) > 1 else Markup("")
    return Markup('<p class="legend"><span class="unit">{}</span>{}</p>').format(y_label, shown)


def interval_chart(marks: Sequence[Mark], *, x_label: str, title: str, line: float | None = None) -> Markup:
    """One row a mark: a dot and a whisker over the interval. `line` stands dashed, for what intervals are held against:
    no gain, or chance.

    Raises:
        ValueError: no mark.
    """
    if not marks:
        raise ValueError(f"chart {title!r} has nothing to draw")
    low, high = axis_range([v for m in marks for v in (m.low, m.high, *m.dots)] + ([] if line is None else [line]))
    height = len(marks) * ROW + BOTTOM

    def across(x: float) -> float:
        return LABEL + (x - low) / (high - low) * (WIDTH - LABEL - RIGHT)

    parts = [open_chart(WIDTH, height, title)]
    ticks = ticks_within(low, high, 5)
    for tick in ticks:
        at = across(tick)
        parts.append(Markup('<path class="grid" d="M{:.1f} 4V{}"/>').format(at, height - BOTTOM))
        where = height - BOTTOM + 17
        parts.append(
            Markup('<text class="tick mid" x="{:.1f}" y="{}">{}</text>').format(at, where, tick_label(tick, ticks))
        )
    if line is not None:
        parts.append(Markup('<path class="zero" d="M{:.1f} 4V{}"/>').format(across(line), height - BOTTOM))
    middle = (LABEL + WIDTH - RIGHT) / 2
    parts.append(Markup('<text class="tick mid" x="{}" y="{}">{}</text>').format(middle, height - 5, x_label))
    for number, mark in enumerate(marks):
        y, kind = number * ROW + ROW / 2 + 2, "strong" if mark.strong else "plain"
        parts.append(Markup('<text class="name {}" x="0" y="{:.1f}">{}</text>').format(kind, y + 4, mark.name))
        span = across(mark.low), y, across(mark.high)
        parts.append(Markup('<path class="whisker {}" d="M{:.1f} {:.1f}H{:.1f}"/>').format(kind, *span))
        parts.append(
            Markup('<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="5"/>').format(kind, across(mark.value), y)
        )
        single = Markup('<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="2.2"/>')
        parts += [single.format(kind, across(value), y + 9) for value in mark.dots]
    parts.append(Markup("</svg>"))
    return Markup("").join(parts)
