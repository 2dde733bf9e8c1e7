"""Charts of answers that are ratings, as inline SVG: predicted against true, the errors, how ratings are spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from tasks.report import charts, thumbnails
from tasks.report.charts import axis_range, open_chart, tick_label, ticks_within
from tasks.report.kinds import RATING
from tasks.report.thumbnails import Point

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 960, 640, 58, 18, 12, 54  # of predicted against true
RADIUS, SMALL_RADIUS, CROWD = 5, 3, 60  # of the points; from so many films on they are small
LEAST_SPAN = 1.0  # points that an axis of ratings spans at least
BINS = 12  # of a histogram, at most
ROW, BAR_ROOM, LABEL = 74, 44, 96  # height of a row of the histogram and of its tallest bar, width of its names


@dataclass(frozen=True)
class Rated:
    """A film, its true rating and the predicted one, and a picture of it."""

    name: str
    score: float
    predicted: float
    picture: str | None = None  # a data URI
    aspect: float = 1.0  # width of the picture over its height

    @property
    def error(self) -> float:
        return self.predicted - self.score

    @property
    def told(self) -> str:
        true, said = RATING.number(self.score), RATING.number(self.predicted)
        return f"{self.name}: rated {true}, predicted {said} ({RATING.number(self.error, sign=True)})"


@dataclass(frozen=True)
class Square:
    """One range of ratings on both axes of a chart, across and up."""

    low: float
    high: float
    left: float
    top: float
    right: float
    bottom: float

    def at(self, score: float, predicted: float) -> tuple[float, float]:
        across, up = ((v - self.low) / (self.high - self.low) for v in (score, predicted))
        return self.left + across * (self.right - self.left), self.bottom - up * (self.bottom - self.top)

    def parallel(self, above: float) -> tuple[float, float, float, float] | None:
        """The ends of the line predicted = true + `above` within the square; None where it does not pass through."""
        if abs(above) >= self.high - self.low:
            return None
        start, end = max(self.low, self.low - above), min(self.high, self.high - above)
        return *self.at(start, start + above), *self.at(end, end + above)


def square_of(films: Sequence[Rated], left: float, top: float, right: float, bottom: float) -> Square:
    low, high = axis_range([v for film in films for v in (film.score, film.predicted)])
    room = max(0.0, LEAST_SPAN - (high - low)) / 2
    return Square(low - room, high + room, left, top, right, bottom)


def predicted_against_true(
    films: Sequence[Rated], *, half_width: float | None, mean: float | None, title: str
) -> Markup:
    """Every film: across its true rating, up the predicted one; pictures beside as many as have room, in the order of
    the films. On the line both are equal.

    Args:
        half_width: of the band around that line, dashed; None: no band.
        mean: what the training mean tells every film, dotted.
    """
    square = square_of(films, LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM)
    points = [Point(f.told, *square.at(f.score, f.predicted), f.picture, f.aspect) for f in films]
    radius = RADIUS if len(films) < CROWD else SMALL_RADIUS
    parts = [open_chart(WIDTH, HEIGHT, title), *_axes(square)]
    for kind, above in (("diagonal", 0.0), *((("zero", s * half_width) for s in (1, -1)) if half_width else ())):
        ends = square.parallel(above)
        if ends is not None:
            parts.append(Markup('<path class="{}" d="M{:.1f} {:.1f}L{:.1f} {:.1f}"/>').format(kind, *ends))
    if mean is not None and square.low < mean < square.high:
        level = LEFT, square.at(mean, mean)[1], WIDTH - RIGHT
        parts.append(Markup('<path class="mean" d="M{} {:.1f}H{}"/>').format(*level))
    corners = thumbnails.placed(points, (LEFT + 1, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM - 1), radius)
    parts += [thumbnails.seen(points[number], corner, "c0") for number, corner in corners.items()]
    for number, point in enumerate(points):
        dot = Markup('<circle class="dot strong" cx="{:.1f}" cy="{:.1f}" r="{}"/>').format(point.x, point.y, radius)
        parts.append(thumbnails.spot(point, dot, radius, (WIDTH, HEIGHT), pictured=number in corners))
    return _legend(half_width, mean) + Markup("").join([*parts, Markup("</svg>")])


def _axes(square: Square) -> list[Markup]:
    ticks = ticks_within(square.low, square.high, 8)
    parts = []
    for tick in ticks:
        x, y = square.at(tick, tick)
        label = tick_label(tick, ticks)
        parts.append(Markup('<path class="grid" d="M{} {:.1f}H{}"/>').format(square.left, y, square.right))
        parts.append(Markup('<path class="grid" d="M{:.1f} {}V{}"/>').format(x, square.top, square.bottom))
        parts.append(Markup('<text class="tick end" x="{}" y="{:.1f}">{}</text>').format(square.left - 8, y + 4, label))
        parts.append(Markup('<text class="tick mid" x="{:.1f}" y="{}">{}</text>').format(x, square.bottom + 19, label))
    frame = square.left, square.bottom, square.right
    parts.append(Markup('<path class="axis" d="M{} {}H{}"/>').format(*frame))
    middle = (square.left + square.right) / 2
    label = Markup('<text class="tick mid" x="{}" y="{}">true rating; upwards: the predicted one</text>')
    return [*parts, label.format(middle, square.bottom + 44)]


def _legend(half_width: float | None, mean: float | None) -> Markup:
    keys = [("diagonal", "predicted is true")]
    if half_width is not None:
        keys.append(("zero", f"± {RATING.number(half_width)} around it"))
    if mean is not None:
        keys.append(("mean", f"the training mean, {RATING.number(mean)}"))
    key = Markup(
        '<span><svg class="key" viewBox="0 0 24 8" aria-hidden="true"><path class="{}" d="M1 4H23"/></svg>{}</span>'
    )
    return Markup('<p class="legend">{}</p>').format(Markup("").join(key.format(*k) for k in keys))


def errors_by_score(films: Sequence[Rated], *, slope: float | None, title: str) -> Markup:
    """Predicted less true, by the true rating; the line of the least squares where a `slope` of predicted on true is
    given."""
    low, high = axis_range([f.score for f in films])
    room = max(0.0, LEAST_SPAN - (high - low)) / 2
    low, high = low - room, high + room
    bottom, top = axis_range([0.0, *(f.error for f in films)])
    width, height = charts.WIDTH, charts.HEIGHT

    def at(score: float, error: float) -> tuple[float, float]:
        across, up = (score - low) / (high - low), (error - bottom) / (top - bottom)
        x = charts.LEFT + across * (width - charts.LEFT - charts.RIGHT)
        return x, height - charts.BOTTOM - up * (height - charts.TOP - charts.BOTTOM)

    parts = [open_chart(width, height, title)]
    levels, places = ticks_within(bottom, top, 5), ticks_within(low, high, 6)
    parts += [charts.level(at(low, tick)[1], tick_label(tick, levels)) for tick in levels]
    parts += [charts.below(at(tick, 0)[0], tick_label(tick, places)) for tick in places]
    zero = charts.LEFT, at(low, 0.0)[1], width - charts.RIGHT
    parts.append(Markup('<path class="zero" d="M{} {:.1f}H{}"/>').format(*zero))
    label = Markup('<text class="tick mid" x="{}" y="{}">true rating</text>')
    parts.append(label.format((charts.LEFT + width - charts.RIGHT) / 2, height - 5))
    radius = RADIUS if len(films) < CROWD else SMALL_RADIUS
    if slope is not None:
        middle, mean = float(np.mean([f.score for f in films])), float(np.mean([f.error for f in films]))
        ends = min(f.score for f in films), max(f.score for f in films)
        line = [v for x in ends for v in at(x, mean + (slope - 1.0) * (x - middle))]
        parts.append(Markup('<path class="line s1" d="M{:.1f} {:.1f}L{:.1f} {:.1f}"/>').format(*line))
    for film in films:
        dot = Markup('<g class="spot"><title>{}</title><circle class="dot strong" cx="{:.1f}" cy="{:.1f}" r="{}"/></g>')
        parts.append(dot.format(film.told, *at(film.score, film.error), radius))
    legend = Markup('<p class="legend"><span class="unit">predicted less true, points; dashed: no error</span></p>')
    return legend + Markup("").join([*parts, Markup("</svg>")])


def histogram(parts_of: Sequence[tuple[str, Sequence[float]]], *, title: str) -> Markup:
    """How many films have which rating: a row of bars for each named part, all on one scale.

    Raises:
        ValueError: no rating.
    """
    values = [score for _, scores in parts_of for score in scores]
    if not values:
        raise ValueError(f"chart {title!r} has nothing to draw")
    edges = _edges(min(values), max(values))
    counts = [np.histogram(scores, edges)[0] for _, scores in parts_of]
    most = max(int(count.max()) for count in counts)
    height, step = len(counts) * ROW + charts.BOTTOM, (charts.WIDTH - LABEL - charts.RIGHT) / (len(edges) - 1)
    drawn = [open_chart(charts.WIDTH, height, title)]
    for row, ((name, scores), of_bin) in enumerate(zip(parts_of, counts, strict=True)):
        ground = (row + 1) * ROW
        text = Markup('<text class="name strong" x="0" y="{}">{}</text><text class="tick" x="0" y="{}">{}</text>')
        films = f"{len(scores):,} film{'s' * (len(scores) != 1)}"
        drawn.append(text.format(ground - 22, name, ground - 6, films))
        for k, count in enumerate(of_bin.tolist()):
            if count:
                x, tall = LABEL + k * step, count / most * BAR_ROOM
                told = f"{name}: {count} of {tick_label(edges[k], edges)} to {tick_label(edges[k + 1], edges)}"
                drawn.append(charts.box("fill", x + 1, ground - tall, step - 2, tall, told))
                number = Markup('<text class="tick mid small" x="{:.1f}" y="{:.1f}">{}</text>')
                drawn.append(number.format(x + step / 2, ground - tall - 4, count))
        drawn.append(Markup('<path class="axis" d="M{} {}H{}"/>').format(LABEL, ground, charts.WIDTH - charts.RIGHT))
    every = 1 if step >= charts.LOG_TICK_ROOM else 2
    for k in range(0, len(edges), every):
        tick = Markup('<text class="tick mid" x="{:.1f}" y="{}">{}</text>')
        drawn.append(tick.format(LABEL + k * step, height - charts.BOTTOM + 17, tick_label(edges[k], edges)))
    label = Markup('<text class="tick mid" x="{}" y="{}">rating; figures: how many films</text>')
    drawn.append(label.format((LABEL + charts.WIDTH - charts.RIGHT) / 2, height - 5))
    return Markup("").join([*drawn, Markup("</svg>")])


def _edges(low: float, high: float) -> list[float]:
    """Round edges of at most `BINS` bins that hold every value."""
    from matplotlib.ticker import MaxNLocator

    room = max(0.0, LEAST_SPAN - (high - low)) / 2
    return [float(v) for v in MaxNLocator(nbins=BINS, steps=[1, 2, 2.5, 5, 10]).tick_values(low - room, high + room)]
