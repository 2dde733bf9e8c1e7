"""Pictures among the points of a chart, as inline SVG: beside their point where there is room, under the pointer
elsewhere. Nothing runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

PICTURE_PX = 56  # height of a picture among the points
LARGE_PX = 150  # and of one that shows under the pointer

Corner = tuple[float, float]
Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class Point:
    """A point of a chart, in the chart's own pixels, and its picture."""

    told: str  # what shows under the pointer
    x: float
    y: float
    picture: str | None  # a data URI
    aspect: float = 1.0  # width of the picture over its height
    urgent: bool = False  # its picture is placed before the others

    @property
    def width(self) -> float:
        return PICTURE_PX * self.aspect


def placed(points: Sequence[Point], area: Box, radius: float, height: float = PICTURE_PX) -> dict[int, Corner]:
    """Top left corners of the pictures that have room: beside their point, on no other picture and on no point.

    Args:
        area: that pictures stand in.
        radius: of the points.
        height: of the pictures.
    """
    taken: list[Box] = [(p.x - radius, p.y - radius, p.x + radius, p.y + radius) for p in points]
    found: dict[int, Corner] = {}
    for number in sorted(range(len(points)), key=lambda k: (not points[k].urgent, k)):
        point = points[number]
        x, y = point.x, point.y
        if point.picture is None:
            continue
        width, away = height * point.aspect, radius + 3
        beside = [
            (x + away, y - height / 2), (x - away - width, y - height / 2),
            (x - width / 2, y - away - height), (x - width / 2, y + away),
            (x + away, y + away), (x - away - width, y - away - height),
            (x + away, y - away - height), (x - away - width, y + away),
        ]  # fmt: skip
        for left, top in beside:
            box = left, top, left + width, top + height
            inside = left >= area[0] and top >= area[1] and box[2] <= area[2] and box[3] <= area[3]
            if inside and not any(_overlap(box, other) for other in taken):
                found[number] = (left, top)
                taken.append(box)
                break
    return found


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def seen(point: Point, corner: Corner, colour: str) -> Markup:
    """A picture at its place, with a rim and a line to its point."""
    left, top = corner
    tie = Markup('<path class="tie" d="M{:.1f} {:.1f}L{:.1f} {:.1f}"/>')
    box = Markup('<rect class="rim {}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{}"/>')
    return (
        tie.format(point.x, point.y, left + point.width / 2, top + PICTURE_PX / 2)
        + _image(point, left, top, PICTURE_PX, "seen")
        + box.format(colour, left, top, point.width, PICTURE_PX)
    )


def spot(point: Point, drawn: Markup, radius: float, size: tuple[float, float], *, pictured: bool) -> Markup:
    """A point as it is `drawn`, with its name under the pointer, and its picture if that is not `pictured` already.

    Args:
        size: width and height of the chart.
    """
    peek = Markup("")
    if not pictured and point.picture:
        left = min(max(point.x - LARGE_PX * point.aspect / 2, 0.0), size[0] - LARGE_PX * point.aspect)
        top = point.y + radius + 6 if point.y < size[1] / 2 else point.y - radius - 6 - LARGE_PX
        peek = _image(point, left, top, LARGE_PX, "peek")
    return Markup('<g class="spot"><title>{}</title>{}{}</g>').format(point.told, drawn, peek)


def _image(point: Point, left: float, top: float, height: float, kind: str) -> Markup:
    image = Markup('<image class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{}" href="{}"/>')
    return image.format(kind, left, top, height * point.aspect, height, point.picture)
