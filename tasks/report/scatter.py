"""The held-out videos laid out by what the network takes for alike (t-SNE), with their pictures, as inline SVG.

Classes are told apart by colour and, for eyes that see no colours, by a letter. A picture that had no room shows while
the pointer rests on its letter.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tasks.report import thumbnails
from tasks.report.charts import open_chart
from tasks.report.thumbnails import Point

WIDTH, HEIGHT, MARGIN = 960, 640, 46
RADIUS = 9
COLOURS = 8  # in the style, c0 to c7


@dataclass(frozen=True)
class Spot:
    """A video: its place (0 to 1, y upwards), what it is and was taken for, and its picture."""

    name: str
    label: str
    predicted: str
    x: float
    y: float
    picture: str | None  # a data URI
    aspect: float = 1.0  # width of the picture over its height

    @property
    def wrong(self) -> bool:
        return self.label != self.predicted

    @property
    def point(self) -> Point:
        told = f"{self.name}: {self.label}" + (f", taken for {self.predicted}" if self.wrong else "")
        x, y = MARGIN + self.x * (WIDTH - 2 * MARGIN), MARGIN + (1 - self.y) * (HEIGHT - 2 * MARGIN)
        return Point(told, x, y, self.picture, self.aspect, urgent=self.wrong)


def marks_of(labels: Sequence[str]) -> dict[str, str]:
    """A letter for each class; numbers where there are more classes than letters."""
    few = len(labels) <= len(string.ascii_uppercase)
    return {label: string.ascii_uppercase[k] if few else str(k + 1) for k, label in enumerate(labels)}


def scatter(spots: Sequence[Spot], labels: Sequence[str], *, title: str) -> Markup:
    """The points, and pictures beside as many of them as fit without covering one another; wrong ones come first."""
    points = [spot.point for spot in spots]
    corners = thumbnails.placed(points, (0, 0, WIDTH, HEIGHT), RADIUS)
    colours = [f"c{labels.index(spot.label) % COLOURS}" for spot in spots]
    parts = [open_chart(WIDTH, HEIGHT, title)]
    parts += [thumbnails.seen(points[number], corner, colours[number]) for number, corner in corners.items()]
    letters = marks_of(labels)
    for number in sorted(range(len(spots)), key=lambda k: spots[k].wrong):  # wrong ones above the others
        spot, point = spots[number], points[number]
        drawn = _disc(point, letters[spot.label], colours[number], wrong=spot.wrong)
        parts.append(thumbnails.spot(point, drawn, RADIUS, (WIDTH, HEIGHT), pictured=number in corners))
    return Markup("").join([*parts, Markup("</svg>")])


def legend(labels: Sequence[str], counts: dict[str, int]) -> list[dict[str, str | int]]:
    """Letter, colour and number of videos of each class."""
    letters = marks_of(labels)
    return [
        {"letter": letters[name], "colour": f"c{k % COLOURS}", "name": name, "videos": counts.get(name, 0)}
        for k, name in enumerate(labels)
    ]


def _disc(point: Point, letter: str, colour: str, *, wrong: bool) -> Markup:
    x, y, ring = point.x, point.y, Markup("")
    if wrong:
        ring = Markup('<circle class="missed" cx="{:.1f}" cy="{:.1f}" r="{}"/>').format(x, y, RADIUS + 4)
    disc = Markup('<circle class="disc {}" cx="{:.1f}" cy="{:.1f}" r="{}"/>').format(colour, x, y, RADIUS)
    return ring + disc + Markup('<text class="letter" x="{:.1f}" y="{:.1f}">{}</text>').format(x, y + 4, letter)
