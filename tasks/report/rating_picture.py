"""The README's picture of a model that rates: predicted against true ratings of films it never saw, with their
pictures, and a strip of the film that it rates best and of the one it rates worst."""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks import pictures
from tasks.report import rating_charts, thumbnails
from tasks.report.charts import tick_label, ticks_within
from tasks.report.kinds import RATING
from tasks.report.rate_page import of_model, off
from tasks.report.rating_charts import Rated, Square
from tasks.report.results import Result
from tasks.report.thumbnails import Point

WIDTH, HEIGHT, MARGIN, AXIS = 1240, 640, 20, 46  # of the chart; room around it all; and for the figures of the axes
LINE, GAP = 44, 12  # of a strip's name, and above the first
PICTURE_PX, RADIUS = 62, 6
STRIP_FRAMES = 12
NAME_LETTERS = 48  # of a film's title, at most
GRID = (228, 228, 222)


def draw(judged: Result) -> pictures.Image:
    """Chart and strips under one another on paper white."""
    from PIL import Image, ImageDraw, ImageFont

    strips = _strips(judged)
    height = HEIGHT + GAP + sum(image.shape[0] + LINE for _, image in strips)
    page = Image.new("RGB", (WIDTH + 2 * MARGIN, height + 2 * MARGIN), pictures.PAPER)
    page.paste(_chart(judged), (MARGIN, MARGIN))
    pen, top = ImageDraw.Draw(page), MARGIN + HEIGHT + GAP
    font = ImageFont.load_default(size=20)
    for told, image in strips:
        pen.text((MARGIN, top + LINE // 2), told, fill=pictures.PENCIL, font=font, anchor="lm")
        page.paste(Image.fromarray(image), (MARGIN, top + LINE - 4))
        top += LINE + image.shape[0]
    return np.asarray(page)


def _chart(judged: Result) -> Any:
    from PIL import Image, ImageDraw, ImageFont

    assert judged.metrics is not None
    frames = _thumbnails(judged)
    films = [
        Rated(str(row["film"]), float(row["score"]), float(row["predicted"]))
        for row in of_model(judged).to_dict("records")
    ]
    square = rating_charts.square_of(films, AXIS, 4, WIDTH - 4, HEIGHT - AXIS)
    points = []
    for film in films:
        at, frame = square.at(film.score, film.predicted), frames.get(film.name)
        aspect = frame.shape[1] / frame.shape[0] if frame is not None else 1.0
        points.append(Point(film.name, *at, None if frame is None else film.name, aspect))
    corners = thumbnails.placed(points, (AXIS + 2, 4, WIDTH - 4, HEIGHT - AXIS - 2), RADIUS, PICTURE_PX)
    chart = Image.new("RGB", (WIDTH, HEIGHT), pictures.PAPER)
    pen = ImageDraw.Draw(chart)
    _axes(pen, square, ImageFont.load_default(size=18))
    for number, (left, top) in corners.items():
        point = points[number]
        size = round(PICTURE_PX * point.aspect), PICTURE_PX
        middle = left + size[0] / 2, top + PICTURE_PX / 2
        pen.line((point.x, point.y, *middle), fill=pictures.SOFT, width=1)
        frame = Image.fromarray(pictures.rgb(frames[point.told])).resize(size, Image.Resampling.LANCZOS)
        chart.paste(frame, (round(left), round(top)))
    for point in points:
        box = (point.x - RADIUS, point.y - RADIUS, point.x + RADIUS, point.y + RADIUS)
        pen.ellipse(box, fill=pictures.STRONG)
    count = f"{len(films)} film{'s' * (len(films) != 1)} it has never seen"
    label = f"{judged.name}: {count}; across the true rating, up the predicted one"
    pen.text((AXIS, HEIGHT - 6), label, fill=pictures.PENCIL, font=ImageFont.load_default(size=18), anchor="ls")
    return chart


def _axes(pen: Any, square: Square, font: Any) -> None:
    ticks = ticks_within(square.low, square.high, 8)
    for tick in ticks:
        x, y = square.at(tick, tick)
        pen.line((square.left, y, square.right, y), fill=GRID)
        pen.line((x, square.top, x, square.bottom), fill=GRID)
        label = tick_label(tick, ticks)
        pen.text((square.left - 8, y), label, fill=pictures.PENCIL, font=font, anchor="rm")
        pen.text((x, square.bottom + 5), label, fill=pictures.PENCIL, font=font, anchor="mt")
    ends = square.parallel(0.0)
    assert ends is not None
    pen.line(ends, fill=pictures.SOFT, width=3)


def _thumbnails(judged: Result) -> dict[str, Any]:
    if judged.examples is None or "thumbnail" not in judged.examples:
        return {}
    names = judged.examples["thumbnail_film"]
    return {str(name): frame for name, frame in zip(names, judged.examples["thumbnail"], strict=True)}


def _strips(judged: Result) -> list[tuple[str, pictures.Image]]:
    """The nearest and the most wrong film, each as wide as the chart."""
    from PIL import Image

    examples = judged.examples
    assert examples is not None
    found = []
    for role, told in (("right", "Nearest"), ("wrong", "Farthest off")):
        numbers = np.flatnonzero(examples["role"] == role)
        if len(numbers):
            number = int(numbers[0])
            frames = examples["frames"][number][: int(examples["length"][number])]
            strip = pictures.strip(frames[pictures.shown_frames(len(frames), STRIP_FRAMES)])
            size = WIDTH, max(1, round(strip.shape[0] * WIDTH / strip.shape[1]))
            image = np.asarray(Image.fromarray(strip).resize(size, Image.Resampling.LANCZOS))
            score, said = float(examples["score"][number]), float(examples["predicted"][number])
            name = str(examples["film"][number])[:NAME_LETTERS]
            about = f"rated {RATING.number(score)}, predicted {RATING.number(said)}, {off(said - score)}"
            found.append((f"{told}: {name}, {about}", image))
    return found
