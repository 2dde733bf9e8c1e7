"""Where the shots of trailers are taken: wide stills in a film's own grade, for a camera to move over."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.drawing.place import BOTTOM, FOLIAGE, LAMP, LUMA, SKY, STONE, TOP, WATER, WOOD, Grade, Place
from tasks.drawing.scenery import MARGIN


def _city(p: Place) -> None:
    dusk = p.between(0.2, 0.8)
    p.sky(dusk, min(dusk + 0.25, 0.95), 0.75)
    p.lamp(p.along(), p.between(0.05, 0.4), 0.12, 0.5)
    for low, high, level, wide in ((0.15, 0.50, 0.8, 0.14), (0.25, 0.62, 0.5, 0.19), (0.42, 0.72, 0.2, 0.26)):
        x = p.left
        while x < p.right:
            width, top, shade = p.between(0.6, 1.3) * wide, p.between(low, high), level * p.between(0.85, 1.1)
            p.box(x, top, x + width, 0.86, p.tone(dusk * shade, SKY, 0.25))
            p.box(x + 0.75 * width, top, x + width, 0.86, p.tone(0.75 * dusk * shade, SKY, 0.25))
            for wx in np.arange(x + 0.02, x + width - 0.03, 0.05):
                for wy in np.arange(top + 0.03, 0.84, 0.065):
                    if p.rng.random() < 0.35:
                        p.box(float(wx), float(wy), float(wx) + 0.02, float(wy) + 0.028, p.tone(0.9, LAMP))
            x += width + p.between(0.0, 0.08)
    p.ground(0.30, 0.12, 0.84, STONE)
    p.people(1.0, 0.3, 0.08)


def _hills(p: Place) -> None:
    sky = p.between(0.6, 0.95)
    p.sky(sky - 0.3, sky, 0.6)
    p.mottle(0.08, 0.35, y1=0.45, stretch=2.5)
    p.lamp(p.along(), p.between(0.1, 0.4), 0.15, 0.5)
    for base, rise, level, hue in ((0.52, 0.35, 0.62, SKY), (0.62, 0.25, 0.48, 0.45), (0.74, 0.16, 0.33, 0.35)):
        p.ridge(base, rise, level * (sky + 0.1), hue)
        p.mottle(0.05, 0.05, base - 0.1)
    p.ridge(0.92, 0.12, 0.2, FOLIAGE)
    p.mottle(0.12, 0.03, 0.82)
    for _ in range(int(p.rng.integers(3, 8))):
        x, foot, tall = p.along(), p.between(0.9, 1.1), p.between(0.25, 0.6)
        for k in range(4):
            y, w = foot - tall * (0.15 + 0.22 * k), tall * (0.2 - 0.03 * k)
            p.polygon([(x, y - 0.35 * tall), (x + w, y), (x - w, y)], p.tone(0.08 + 0.02 * k, FOLIAGE))
            p.polygon([(x, y - 0.35 * tall), (x + w, y), (x + 0.3 * w, y)], p.tone(0.16 + 0.03 * k, FOLIAGE))
    p.people(0.98, 0.24, 0.10, 3)


def _forest(p: Place) -> None:
    light = p.between(0.6, 0.95)
    p.gradient(p.tone(0.5 * light, FOLIAGE), p.tone(light, 0.2), y1=0.8)
    for _ in range(60):
        p.ellipse(p.along(), p.between(-0.1, 0.7), p.between(0.03, 0.14), p.between(0.03, 0.08),
                  p.tone(light * p.between(0.5, 1.0), p.between(0.2, 0.32)))  # fmt: skip
    p.ground(0.45 * light, 0.15, 0.74, 0.22)
    p.mottle(0.2, 0.03, 0.72, stretch=3)
    for level, wide, foot, count in ((0.42, 0.025, 0.76, 22), (0.26, 0.05, 0.86, 13), (0.1, 0.10, 1.05, 7)):
        for _ in range(count):
            x, w, lean = p.along(), wide * p.between(0.6, 1.4), p.between(-0.05, 0.05)
            for left, shade in ((-1.0, 1.0), (0.2, 1.7)):
                p.polygon([(x + lean + left * w / 3, TOP), (x + lean + w / 3, TOP), (x + w / 2, foot),
                           (x + left * w / 2, foot)], p.tone(shade * level * light, WOOD))  # fmt: skip
    for _ in range(30):
        p.ellipse(p.along(), p.between(-0.12, 0.12), p.between(0.05, 0.16), p.between(0.03, 0.09),
                  p.tone(p.between(0.1, 0.4) * light, p.between(0.22, 0.32)))  # fmt: skip
    p.people(0.95, 0.3, 0.4, 3)


def _sea(p: Place) -> None:
    horizon, bright = p.between(0.4, 0.6), p.between(0.45, 0.95)
    p.sky(0.6 * bright, bright, horizon)
    for _ in range(12):
        p.ellipse(p.along(), p.between(-0.1, horizon - 0.1), p.between(0.1, 0.4), p.between(0.01, 0.035),
                  p.tone(min(1.0, bright * p.between(0.8, 1.25)), LAMP, 0.1))  # fmt: skip
    sun = p.along()
    p.ellipse(sun, horizon - 0.12, 0.07, 0.07, p.tone(1.0, LAMP))
    p.lamp(sun, horizon - 0.12, 0.3, 0.3)
    p.ground(0.4 * bright, 0.14, horizon, WATER)
    p.mottle(0.2, 0.12, horizon, stretch=7)
    for _ in range(70):
        y = p.between(0, 1) ** 2 * (BOTTOM - horizon) + horizon
        x, w = sun + p.between(-0.5, 0.5) * (0.15 + y - horizon), 0.03 + 0.1 * (y - horizon)
        p.box(x, y, x + w, y + 0.008, p.tone(0.95, LAMP))
    for _ in range(3):
        x, size = p.along(), p.between(0.1, 0.3)
        p.polygon([(x, horizon + 0.05), (x + size, horizon + 0.05), (x + 0.8 * size, horizon + 0.1),
                   (x + 0.15 * size, horizon + 0.1)], p.tone(0.06, WOOD))  # fmt: skip
        p.polygon([(x + 0.5 * size, horizon + 0.04), (x + 0.5 * size, horizon - 0.9 * size),
                   (x + 0.95 * size, horizon + 0.02)], p.tone(0.85))  # fmt: skip
    p.polygon([(p.left, BOTTOM), (p.left, 0.9), (p.along(), p.between(0.95, 1.05)), (p.right, 0.98),
               (p.right, BOTTOM)], p.tone(0.12, STONE))  # fmt: skip
    p.people(1.0, 0.3, 0.08, 4)


def _room(p: Place) -> None:
    wall, hue = p.between(0.3, 0.6), p.between(0, 1)
    p.gradient(p.tone(wall + 0.1, hue, 0.2), p.tone(wall - 0.1, hue, 0.2), y1=0.8)
    x = p.left + p.between(0.05, 0.3)
    while x < p.right:
        wide = p.between(0.3, 0.5)
        (_window, _window, _shelves, _painting)[int(p.rng.integers(4))](p, x, wide)
        x += wide + p.between(0.1, 0.4)
    p.ground(0.35, 0.18, 0.8, WOOD)
    p.box(p.left, 0.77, p.right, 0.8, p.tone(wall + 0.25, hue, 0.2))
    for x in np.arange(p.left, p.right, 0.35):
        p.polygon([(float(x), 0.8), (float(x) + 0.01, 0.8), (1.5 * float(x) + 0.02, BOTTOM), (1.5 * float(x), BOTTOM)],
                  p.tone(0.12, WOOD))  # fmt: skip
    for _ in range(2):
        x = p.along()
        for x0, y0, x1, y1 in ((0.0, 0.72, 0.5, 0.76), (0.03, 0.76, 0.06, 0.98), (0.44, 0.76, 0.47, 0.98)):
            p.box(x + x0, y0, x + x1, y1, p.tone(0.14, WOOD, 0.6))
        p.box(x + 0.1, 0.66, x + 0.16, 0.72, p.tone(p.between(0.3, 0.9), p.between(0, 1)))
    p.people(1.02, 0.62, 0.15, 3)


def _window(p: Place, x: float, wide: float) -> None:
    p.box(x, 0.0, x + wide, 0.58, p.tone(0.15, WOOD))
    p.gradient_box(x + 0.02, 0.02, x + wide - 0.02, 0.56, p.tone(1.0, SKY, 0.1), p.tone(0.75, SKY))
    p.box(x + wide / 2 - 0.01, 0.02, x + wide / 2 + 0.01, 0.56, p.tone(0.15, WOOD))
    p.box(x, 0.27, x + wide, 0.285, p.tone(0.15, WOOD))


def _shelves(p: Place, x: float, wide: float) -> None:
    for shelf in np.arange(0.05, 0.65, 0.15):
        for bx in np.arange(x + 0.01, x + wide - 0.03, 0.035):
            low = float(shelf) + 0.15 - p.between(0.07, 0.12)
            tone = p.tone(p.between(0.1, 0.8), p.between(0, 1))
            p.box(float(bx), low, float(bx) + 0.028, float(shelf) + 0.15, tone)
        p.box(x, float(shelf) + 0.15, x + wide, float(shelf) + 0.17, p.tone(0.12, WOOD))


def _painting(p: Place, x: float, wide: float) -> None:
    p.box(x, 0.15, x + 0.8 * wide, 0.45, p.tone(0.85, LAMP))
    first, second = p.tone(0.6, p.between(0, 1)), p.tone(0.2, p.between(0, 1))
    p.gradient_box(x + 0.02, 0.17, x + 0.8 * wide - 0.02, 0.43, first, second)
    p.ellipse(x + 0.4 * wide, 0.3, 0.06, 0.08, p.tone(0.7, p.between(0, 1)))
    p.lamp(x + 0.4 * wide, 0.1, 0.2, 0.4)


def _hall(p: Place) -> None:
    p.gradient(p.tone(0.6, STONE), p.tone(0.35, STONE), y1=0.84)
    p.ground(0.5, 0.2, 0.82, STONE)
    p.mottle(0.12, 0.1, 0.82, stretch=4)
    x = p.left + p.between(0, 0.2)
    while x < p.right:
        glow = p.between(0.75, 1.0)
        p.box(x, 0.25, x + 0.26, 0.82, p.tone(glow, SKY, 0.2))
        p.ellipse(x + 0.13, 0.25, 0.13, 0.16, p.tone(glow, SKY, 0.2))
        p.box(x + 0.12, 0.1, x + 0.135, 0.82, p.tone(0.3, STONE))
        p.box(x, 0.45, x + 0.26, 0.46, p.tone(0.3, STONE))
        p.polygon([(x, 0.83), (x + 0.26, 0.83), (x + 0.4, BOTTOM), (x + 0.02, BOTTOM)], p.tone(0.7, LAMP, 0.2))
        p.box(x + 0.30, TOP, x + 0.40, 0.88, p.tone(0.15, STONE))
        p.box(x + 0.36, TOP, x + 0.385, 0.88, p.tone(0.35, STONE))
        for y0, y1 in ((0.86, 0.91), (0.02, 0.06)):
            p.box(x + 0.28, y0, x + 0.42, y1, p.tone(0.18, STONE))
        x += 0.47
    p.people(0.97, 0.42, 0.08, 6)


def _street(p: Place) -> None:
    p.gradient(p.tone(0.08, SKY, 0.5), p.tone(0.25, SKY), y1=0.8)
    x = p.left
    while x < p.right:
        wide, level, wall = p.between(0.3, 0.6), p.between(0.12, 0.4), p.between(0.98, 1.12)
        p.box(x, p.between(-0.1, 0.15), x + wide, 0.8, p.tone(level, wall))
        for wx in np.arange(x + 0.05, x + wide - 0.1, 0.13):
            for wy in (0.2, 0.36):
                lit = p.between(0.7, 1.0) if p.rng.random() < 0.5 else 0.06
                p.box(float(wx) - 0.008, wy - 0.01, float(wx) + 0.078, wy + 0.11, p.tone(1.5 * level, wall))
                p.box(float(wx), wy, float(wx) + 0.07, wy + 0.1, p.tone(lit, LAMP))
        p.box(x + 0.03, 0.53, x + wide - 0.03, 0.78, p.tone(p.between(0.5, 1.0), LAMP))
        for _ in range(5):
            goods, size = p.between(x + 0.04, x + wide - 0.1), p.between(0.02, 0.06)
            p.box(goods, 0.76 - 2 * size, goods + size, 0.78, p.tone(p.between(0.1, 0.6), p.between(0, 1)))
        for k, sx in enumerate(np.arange(x, x + wide - 0.03, 0.05)):
            p.box(float(sx), 0.47, float(sx) + 0.05, 0.54, p.tone(0.8 if k % 2 else 0.3, wall, 0.7))
        x += wide
    p.ground(0.3, 0.12, 0.8, SKY)
    p.mottle(0.25, 0.05, 0.8, stretch=0.6)
    for x in np.arange(p.left + p.between(0, 0.5), p.right, 0.8):
        p.box(float(x), 0.1, float(x) + 0.02, 0.92, p.tone(0.06))
        p.lamp(float(x) + 0.01, 0.1, 0.13, 0.9)
        p.lamp(float(x) + 0.01, 0.92, 0.2, 0.4)
    p.people(0.98, 0.38, 0.10, 6)


def _canyon(p: Place) -> None:
    sky = p.between(0.7, 1.0)
    p.sky(sky - 0.2, sky, 0.6)
    for base, level, tall in ((0.62, 0.62, 0.4), (0.72, 0.4, 0.5)):
        x = p.left - 0.2
        while x < p.right:
            wide, top = p.between(0.25, 0.7), base - tall * p.between(0.3, 1.0)
            p.polygon([(x, base), (x + 0.12 * wide, top), (x + 0.9 * wide, top), (x + wide, base)],
                      p.tone(level, 0.04, 0.5))  # fmt: skip
            for k in range(1, 5):
                y = top + (base - top) * k / 5
                p.box(x + 0.1 * wide, y, x + 0.92 * wide, y + 0.012, p.tone(level * p.between(0.7, 1.25), 0.04, 0.5))
            p.polygon([(x + 0.6 * wide, top), (x + 0.9 * wide, top), (x + wide, base), (x + 0.7 * wide, base)],
                      p.tone(0.55 * level, 0.03, 0.5))  # fmt: skip
            x += wide + p.between(0.1, 0.5)
    p.ground(0.6, 0.3, 0.68, 0.06)
    p.mottle(0.1, 0.06, 0.68, stretch=4)
    for _ in range(25):
        x, y = p.along(), p.between(0.72, 1.1)
        p.ellipse(x, y, 0.08 * (y - 0.5), 0.03 * (y - 0.5), p.tone(p.between(0.15, 0.3), 0.2))
    p.ridge(1.08, 0.2, 0.14, 0.04)
    p.people(0.95, 0.26, 0.10, 3)


PLACES: tuple[Callable[[Place], None], ...] = (_city, _hills, _forest, _sea, _room, _hall, _street, _canyon)


def still(place: int, height_px: int, width_px: int, colours: Grade, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Place `place`, counted round `PLACES`: uint8 (height_px, width_px, 3) RGB with lights and shadows of every level.

    The lightest and darkest hundredths of its pixels are white and black, so that any exposure has something to show.
    """
    scale_px = round(height_px / (1 + 2 * MARGIN))
    paint = Place(scale_px, width_px - 2 * round(MARGIN * scale_px), rng)
    PLACES[place % len(PLACES)](paint)
    paint.mottle(0.02, 0.02)
    paint.mottle(0.05, 0.3)
    picture = cv2.resize(paint.canvas, (width_px, height_px), interpolation=cv2.INTER_LINEAR)
    picture = colours.apply(cv2.GaussianBlur(picture, (0, 0), 0.5))
    dark, light = np.percentile(picture[::3, ::3] @ LUMA, (1, 99))
    whole: NDArray[np.uint8] = np.clip((picture - dark) * (255 / max(light - dark, 1.0)), 0, 255).astype(np.uint8)
    return whole
