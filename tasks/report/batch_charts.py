"""The charts of a batch's page: the error of a source over its time, and a rating on its scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from tasks.report.charts import Values, open_chart, tick_label, ticks_within

WIDTH, HEIGHT = 720, 200
LEFT, RIGHT, TOP, BOTTOM = 62, 12, 8, 36
MOST_COLUMNS = 330  # of a curve; of every column the least and the largest error are drawn, so that no peak is lost
NARROWEST = 3.0  # pixels of an interval: a single frame of a film of hours is still seen
SPARK_WIDTH, SPARK_HEIGHT, SPARK_COLUMNS = 160, 26, 50
SCALE_WIDTH, SCALE_HEIGHT, LINE_AT = 220, 26, 10


def error_curve(
    seconds: Sequence[float],
    mse: Sequence[float],
    told: Sequence[dict[str, Any]],
    *,
    median: float,
    threshold: float | None,
    title: str,
) -> Markup:
    """The mean squared error of every frame over the time in the source, and where it is told as an anomaly.

    Args:
        told: `start_seconds`, `end_seconds`, `peak_seconds` and `deviations` of each interval.
        median: of the source; a thin line.
        threshold: above which an error is told; dashed. None: it is not known.
    """
    x, y = np.asarray(seconds, np.float64), np.asarray(mse, np.float64)
    high = max(float(y.max()), threshold or 0.0) * 1.06 or 1.0
    first, last = float(x.min()), float(max(x.max(), max((t["end_seconds"] for t in told), default=-np.inf)))
    last += (last == first) * 1.0

    def across(value: Any) -> Values:
        return LEFT + (np.asarray(value, np.float64) - first) / (last - first) * (WIDTH - LEFT - RIGHT)

    def up(value: Any) -> Values:
        return HEIGHT - BOTTOM - np.asarray(value, np.float64) / high * (HEIGHT - TOP - BOTTOM)

    parts = [open_chart(WIDTH, HEIGHT, title)]
    for interval in told:
        start, end = (float(across(interval[key])) for key in ("start_seconds", "end_seconds"))
        spare = max(0.0, NARROWEST - (end - start)) / 2
        tip = f"{_span(interval)}: {interval['deviations']:,.1f} deviations above the median"
        parts.append(
            Markup(
                '<rect class="unusual" x="{:.1f}" y="{}" width="{:.1f}" height="{}"><title>{}</title></rect>'
            ).format(start - spare, TOP, end - start + 2 * spare, HEIGHT - TOP - BOTTOM, tip)
        )
    levels = ticks_within(0.0, high, 4)
    for tick in levels:
        at = float(up(tick))
        parts.append(Markup('<path class="grid" d="M{} {:.1f}H{}"/>').format(LEFT, at, WIDTH - RIGHT))
        parts.append(
            Markup('<text class="tick end" x="{}" y="{:.1f}">{}</text>').format(
                LEFT - 7, at + 4, tick_label(tick, levels)
            )
        )
    times = ticks_within(first, last, 8)
    for tick in times:
        parts.append(
            Markup('<text class="tick mid" x="{:.1f}" y="{}">{}</text>').format(
                float(across(tick)), HEIGHT - BOTTOM + 17, tick_label(tick, times)
            )
        )
    parts.append(Markup('<path class="axis" d="M{} {}H{}"/>').format(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT))
    parts.append(
        Markup('<text class="tick mid" x="{}" y="{}">seconds</text>').format((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4)
    )
    parts.append(Markup('<path class="usual" d="M{} {:.1f}H{}"/>').format(LEFT, float(up(median)), WIDTH - RIGHT))
    if threshold is not None:
        parts.append(Markup('<path class="zero" d="M{} {:.1f}H{}"/>').format(LEFT, float(up(threshold)), WIDTH - RIGHT))
    drawn = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(*_thinned(across(x), up(y)), strict=True))
    parts.append(Markup('<polyline class="line s0 fine" points="{}"/>').format(drawn))
    for interval in told:
        at_peak = float(np.interp(interval["peak_seconds"], x, y))
        peak = float(across(interval["peak_seconds"])), float(up(at_peak))
        parts.append(Markup('<circle class="peak" cx="{:.1f}" cy="{:.1f}" r="4"/>').format(*peak))
    return Markup("").join([*parts, Markup("</svg>")])


def _span(interval: dict[str, Any]) -> str:
    return f"{interval['start_seconds']:,.2f} to {interval['end_seconds']:,.2f} s"


def _thinned(x: Values, y: Values, columns: int = MOST_COLUMNS) -> tuple[Values, Values]:
    """The same curve in no more points than can be seen: of every column the highest and the lowest, in order."""
    if len(x) <= 2 * columns:
        return x, y
    kept: list[int] = []
    for rows in np.array_split(np.arange(len(x)), columns):
        kept += sorted({int(rows[np.argmin(y[rows])]), int(rows[np.argmax(y[rows])])})
    return x[kept], y[kept]


def spark(seconds: Any, mse: Any, told: Sequence[dict[str, Any]]) -> Markup:
    """The same curve without axes, from 0 to its own peak, for a cell of a table."""
    x, y = np.asarray(seconds, np.float64), np.asarray(mse, np.float64)
    first, long, high = float(x.min()), float(np.ptp(x)) or 1.0, float(y.max()) or 1.0

    def across(value: Any) -> Values:
        return (np.asarray(value, np.float64) - first) / long * SPARK_WIDTH

    parts = [Markup('<svg class="spark" viewBox="0 0 {} {}" aria-hidden="true">').format(SPARK_WIDTH, SPARK_HEIGHT)]
    for interval in told:
        start, end = (float(across(interval[key])) for key in ("start_seconds", "end_seconds"))
        wide = max(NARROWEST, end - start)
        shape = Markup('<rect class="unusual" x="{:.1f}" y="0" width="{:.1f}" height="{}"/>')
        parts.append(shape.format(min(start, SPARK_WIDTH - wide), wide, SPARK_HEIGHT))
    thin = zip(*_thinned(across(x), SPARK_HEIGHT - 1 - y / high * (SPARK_HEIGHT - 2), SPARK_COLUMNS), strict=True)
    parts.append(
        Markup('<polyline class="line s0 fine" points="{}"/></svg>').format(
            " ".join(f"{a:.0f},{b:.1f}" for a, b in thin)
        )
    )
    return Markup("").join(parts)


def rating_scale(
    rating: float, low: float | None, high: float | None, scale: tuple[float, float], subclips: Sequence[float]
) -> Markup:
    """A rating as a dot on its scale, with the interval as a line, and small dots of its subclips. For a cell."""

    def across(value: float) -> float:
        return 6 + (value - scale[0]) / ((scale[1] - scale[0]) or 1.0) * (SCALE_WIDTH - 12)

    said = f"{rating:.2f}" if low is None or high is None else f"{rating:.2f}, interval {low:.2f} to {high:.2f}"
    parts = [
        Markup('<svg class="scale" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(
            SCALE_WIDTH, SCALE_HEIGHT, f"{said}, on a scale from {scale[0]:g} to {scale[1]:g}"
        ),
        Markup('<path class="grid" d="M6 {0}H{1}M6 4V16M{1} 4V16"/>').format(LINE_AT, SCALE_WIDTH - 6),
    ]
    if low is not None and high is not None:
        whisker = Markup('<path class="whisker strong" d="M{:.1f} {}H{:.1f}"/>')
        parts.append(whisker.format(across(low), LINE_AT, across(high)))
    dot = Markup('<circle class="dot strong" cx="{:.1f}" cy="{}" r="{}"/>')
    parts.append(dot.format(across(rating), LINE_AT, 5))
    parts += [dot.format(across(value), SCALE_HEIGHT - 5, 2.2) for value in subclips]
    return Markup("").join([*parts, Markup("</svg>")])
