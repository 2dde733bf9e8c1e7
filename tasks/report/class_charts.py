"""Charts of answers that are classes, as inline SVG: reliability, shares with their intervals, saliency over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from tasks.report.charts import box, open_chart

SIDE, LEFT, RIGHT, TOP, BELOW = (
    250,
    44,
    24,
    8,
    58,
)  # of the reliability diagram: the square of 0 to 100%, and the room around it
BAR_WIDTH, BAR_HEIGHT = 160, 18
MOMENT_WIDTH, MOMENT_HEIGHT = 640, 44


def reliability(bins: Sequence[dict[str, Any]], *, title: str) -> Markup:
    """How often answers of a confidence are right; on the diagonal confidence and accuracy agree. Under each bin stands
    how many answers it holds.

    Args:
        bins: `low`, `high` (0 to 1, the edges), `count`, `confidence`, `accuracy` (0 to 1, None in an empty bin).
    """
    width, height = LEFT + SIDE + RIGHT, TOP + SIDE + BELOW

    def at(x: float, y: float) -> tuple[float, float]:
        return LEFT + x * SIDE, TOP + (1 - y) * SIDE

    parts = [open_chart(width, height, title)]
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = at(tick, tick)
        parts.append(Markup('<path class="grid" d="M{} {:.1f}H{}"/>').format(LEFT, y, LEFT + SIDE))
        share = f"{tick:.0%}"
        parts.append(Markup('<text class="tick end" x="{}" y="{:.1f}">{}</text>').format(LEFT - 6, y + 4, share))
        parts.append(Markup('<text class="tick mid" x="{:.1f}" y="{}">{}</text>').format(x, TOP + SIDE + 32, share))
    for one in bins:
        (left, bottom), (right, _) = at(one["low"], 0.0), at(one["high"], 0.0)
        middle = (left + right) / 2
        if not one["count"]:
            continue
        _, top = at(0.0, one["accuracy"])
        parts.append(box("bin", left + 1, top, right - left - 2, max(bottom - top, 1.0), _told(one)))
        x, y = at(one["confidence"], one["accuracy"])
        parts.append(Markup('<circle class="dot strong" cx="{:.1f}" cy="{:.1f}" r="4"/>').format(x, y))
        count = Markup('<text class="tick mid small" x="{:.1f}" y="{}">{:,}</text>')
        parts.append(count.format(middle, TOP + SIDE + 15, one["count"]))
    parts.append(Markup('<path class="zero" d="M{} {}L{} {}"/>').format(*at(0.0, 0.0), *at(1.0, 1.0)))
    parts.append(Markup('<path class="axis" d="M{} {}H{}"/>').format(LEFT, TOP + SIDE, LEFT + SIDE))
    label = '<text class="tick mid" x="{}" y="{}">confidence; small figures: how many answers</text>'
    parts.append(Markup(label).format(LEFT + SIDE / 2, height - 6))
    return Markup("").join([*parts, Markup("</svg>")])


def _told(one: dict[str, Any]) -> str:
    return f"{one['count']:,} answers: {one['confidence']:.0%} sure, {one['accuracy']:.0%} right"


def share_bar(value: float | None, low: float | None, high: float | None, *, title: str) -> Markup:
    """A share of 0 to 1 as a bar, with a whisker over its interval."""
    if value is None or not np.isfinite(value):
        return Markup("")
    middle = BAR_HEIGHT / 2
    opening = Markup('<svg class="share" viewBox="0 0 {} {}" role="img" aria-label="{}">')
    parts = [opening.format(BAR_WIDTH, BAR_HEIGHT, title)]
    parts.append(Markup('<rect class="trough" width="{}" height="10" y="4" rx="2"/>').format(BAR_WIDTH))
    parts.append(Markup('<rect class="fill" width="{:.1f}" height="10" y="4" rx="2"/>').format(value * BAR_WIDTH))
    if low is not None and high is not None and np.isfinite(low) and high > low:
        ends = low * BAR_WIDTH + 1, middle, max(high * BAR_WIDTH - 1, low * BAR_WIDTH + 2)
        parts.append(Markup('<path class="reach" d="M{:.1f} {}H{:.1f}"/>').format(*ends))
    return Markup("").join([*parts, Markup("</svg>")])


def moments(share_T: NDArray[Any], *, title: str) -> Markup:
    """What share of a clip's saliency falls on each of its frames, as wide as the strip above it; the line is what
    every frame would have if all counted alike."""
    top = float(max(share_T.max(), 2.0 / len(share_T)))
    step = MOMENT_WIDTH / len(share_T)
    opening = Markup('<svg class="moments" viewBox="0 0 {} {}" role="img" aria-label="{}" preserveAspectRatio="none">')
    parts = [opening.format(MOMENT_WIDTH, MOMENT_HEIGHT, title)]
    for t, share in enumerate(share_T.tolist()):
        height = share / top * MOMENT_HEIGHT
        told = f"frame {t}: {share:.0%} of the saliency"
        parts.append(box("fill", t * step + 1, MOMENT_HEIGHT - height, step - 2, height, told))
    even = MOMENT_HEIGHT - MOMENT_HEIGHT / top / len(share_T)
    parts.append(Markup('<path class="zero" d="M0 {:.1f}H{}"/>').format(even, MOMENT_WIDTH))
    return Markup("").join([*parts, Markup("</svg>")])
