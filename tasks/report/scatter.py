"""The held-out videos laid out by what the network takes for alike (t-SNE), with their pictures, as inline SVG.

Classes are told apart by colour and, for eyes that see no colours, by a letter. Nothing runs: a picture that had no
room shows while the pointer rests on its letter.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tasks.report.charts import open_chart

WIDTH, HEIGHT, MARGIN = 960, 640, 46
PICTURE_PX = 56  # height of a picture among the points
LARGE_PX = 150  # and of one that shows under the pointer
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
    def told(self) -> str:
        return f"{self.name}: {self.label}" + (f", taken for {self.predicted}" if self.wrong else "")


def marks_of(labels: Sequence[str]) -> dict[str, str]:
    """A letter for each class; numbers where there are more classes than letters."""
    few = len(labels) <= len(string.ascii_uppercase)
    return {label: string.ascii_uppercase[k] if few else str(k + 1) for k, label in enumerate(labels)}


def scatter(spots: Sequence[Spot], labels: Sequence[str], *, title: str) -> Markup:
    """The points, and pictures beside as many of them as fit without covering one another; wrong ones come first."""
    places = [(MARGIN + s.x * (WIDTH - 2 * MARGIN), MARGIN + (1 - s.y) * (HEIGHT - 2 * MARGIN)) for s in spots]
    corners = _placed(spots, places)
    parts = [open_chart(WIDTH, HEIGHT, title)]
    for number, (left, top) in corners.items():
        spot, (x, y) = spots[number], places[number]
        width = PICTURE_PX * spot.aspect
        tie = x, y, left + width / 2, top + PICTURE_PX / 2
        parts.append(Markup('<path class="tie" d="M{:.1f} {:.1f}L{:.1f} {:.1f}"/>').format(*tie))
        parts.append(_picture(spot, left, top, PICTURE_PX, "seen"))
        box = Markup('<rect class="rim c{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{}"/>')
        parts.append(box.format(labels.index(spot.label) % COLOURS, left, top, width, PICTURE_PX))
    letters = marks_of(labels)
    for number in sorted(range(len(spots)), key=lambda k: spots[k].wrong):  # wrong ones above the others
        spot, (x, y) = spots[number], places[number]
        parts.append(_spot(spot, x, y, letters[spot.label], labels.index(spot.label) % COLOURS, number in corners))
    return Markup("").join([*parts, Markup("</svg>")])


def legend(labels: Sequence[str], counts: dict[str, int]) -> list[dict[str, str | int]]:
    """Letter, colour and number of videos of each class."""
    letters = marks_of(labels)
    return [
        {"letter": letters[name], "colour": f"c{k % COLOURS}", "name": name, "videos": counts.get(name, 0)}
        for k, name in enumerate(labels)
    ]


def _spot(spot: Spot, x: float, y: float, letter: str, colour: int, pictured: bool) -> Markup:
    ring = Markup("")
    if spot.wrong:
        ring = Markup('<circle class="missed" cx="{:.1f}" cy="{:.1f}" r="{}"/>').format(x, y, RADIUS + 4)
    disc = Markup('<circle class="disc c{}" cx="{:.1f}" cy="{:.1f}" r="{}"/>').format(colour, x, y, RADIUS)
    text = Markup('<text class="letter" x="{:.1f}" y="{:.1f}">{}</text>').format(x, y + 4, letter)
    peek = Markup("")
    if not pictured and spot.picture:
        left = min(max(x - LARGE_PX * spot.aspect / 2, 0.0), WIDTH - LARGE_PX * spot.aspect)
        top = y + RADIUS + 6 if y < HEIGHT / 2 else y - RADIUS - 6 - LARGE_PX
        peek = _picture(spot, left, top, LARGE_PX, "peek")
    return Markup('<g class="spot"><title>{}</title>{}{}{}{}</g>').format(spot.told, ring, disc, text, peek)


def _picture(spot: Spot, left: float, top: float, height: float, kind: str) -> Markup:
    image = Markup('<image class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{}" href="{}"/>')
    return image.format(kind, left, top, height * spot.aspect, height, spot.picture)


def _placed(spots: Sequence[Spot], places: Sequence[tuple[float, float]]) -> dict[int, tuple[float, float]]:
    """Top left corners of the pictures that have room: beside their point, on no other picture and on no point."""
    taken: list[tuple[float, float, float, float]] = [
        (x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS) for x, y in places
    ]
    found: dict[int, tuple[float, float]] = {}
    for number in sorted(range(len(spots)), key=lambda k: (not spots[k].wrong, k)):
        spot, (x, y) = spots[number], places[number]
        if spot.picture is None:
            continue
        width, away = PICTURE_PX * spot.aspect, RADIUS + 3
        beside = [
            (x + away, y - PICTURE_PX / 2), (x - away - width, y - PICTURE_PX / 2),
            (x - width / 2, y - away - PICTURE_PX), (x - width / 2, y + away),
            (x + away, y + away), (x - away - width, y - away - PICTURE_PX),
            (x + away, y - away - PICTURE_PX), (x - away - width, y + away),
        ]  # fmt: skip
        for left, top in beside:
            box = left, top, left + width, top + PICTURE_PX
            inside = left >= 0 and top >= 0 and box[2] <= WIDTH and box[3] <= HEIGHT
            if inside and not any(_overlap(box, other) for other in taken):
                found[number] = (left, top)
                taken.append(box)
                break
    return found


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
