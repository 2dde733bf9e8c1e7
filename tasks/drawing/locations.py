"""Where the shots of trailers are taken: wide stills in a film's own colours, for a camera to move over.

Heights and places are those of `scenery.Paint`. Colours are told as levels of light, 0 to 1, which a film's `Palette`
tints, so that what a place looks like says nothing of the film's colours, and the other way round.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.drawing.scenery import MARGIN, Colour, Paint

LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # ITU-R BT.709, section 3.2
TOP, BOTTOM = -MARGIN, 1 + MARGIN


@dataclass(frozen=True)
class Palette:
    """Two hues, of the shadows and of the lights, in turns, and how strong they are."""

    shadows: float
    lights: float
    strength: float

    def at(self, level: float, turn: float = 0.0) -> Colour:
        """A colour of this luma, 0..1; `turn` is how far, in turns, its hue goes aside."""
        level = min(max(level, 0.0), 1.0)
        tint = np.zeros(3)
        for hue, share in ((self.shadows, 1 - level), (self.lights, level)):
            tint += share * np.cos(2 * np.pi * (hue + turn - np.array([0, 1 / 3, 2 / 3])))
        tint -= float(tint @ LUMA)
        r, g, b = (float(v) for v in 255 * level * (1 + self.strength * tint))
        return r, g, b


def palette(rng: np.random.Generator) -> Palette:
    """The colours of a film: lights of any hue, shadows of one across from it."""
    lights = float(rng.uniform())
    return Palette(lights + float(rng.uniform(0.35, 0.65)), lights, float(rng.uniform(0.15, 0.45)))


class Place(Paint):
    """A `Paint` with a film's palette."""

    def __init__(self, height_px: int, width_px: int, colours: Palette, rng: np.random.Generator) -> None:
        super().__init__(height_px, width_px, rng)
        self.tone = colours.at
        self.wide = self.right - self.left

    def between(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def sky(self, top: float, low: float, horizon: float) -> None:
        self.gradient(self.tone(top), self.tone(low), y1=horizon)

    def ground(self, far: float, near: float, horizon: float) -> None:
        self.gradient(self.tone(far), self.tone(near), y0=horizon)

    def ridge(self, base: float, rise: float, level: float, roughness: float = 1.0) -> None:
        """A range of hills up to `rise` above `base`, filled down to the bottom."""
        xs = np.linspace(self.left, self.right, 60)
        heights = np.zeros(60)
        for octave in range(1, 5):
            turns, phase = self.between(0.5, 1.5) * 2**octave / self.wide, self.between(0, 7)
            heights += np.abs(np.sin(2 * np.pi * turns * xs / 2 + phase)) * roughness ** (octave - 1) / 2**octave
        ridge = base - rise * heights
        points = [(float(x), float(y)) for x, y in zip(xs, ridge, strict=True)]
        self.polygon([*points, (self.right, BOTTOM), (self.left, BOTTOM)], self.tone(level))

    def person(self, x: float, feet: float, tall: float, level: float) -> None:
        """The silhouette of somebody who stands there."""
        colour, w = self.tone(level, self.between(-0.1, 0.1)), tall
        self.ellipse(x, feet - 0.93 * w, 0.055 * w, 0.07 * w, colour)
        wide = self.between(0.11, 0.15) * w
        self.polygon(
            [
                (x - 0.03 * w, feet - 0.86 * w), (x + 0.03 * w, feet - 0.86 * w), (x + wide, feet - 0.78 * w),
                (x + 0.9 * wide, feet - 0.42 * w), (x + 0.8 * wide, feet), (x + 0.25 * wide, feet),
                (x, feet - 0.40 * w), (x - 0.35 * wide, feet), (x - 0.9 * wide, feet),
                (x - 0.9 * wide, feet - 0.42 * w), (x - wide, feet - 0.78 * w),
            ],
            colour,
        )  # fmt: skip

    def people(self, feet: float, tall: float, level: float, most: int = 5) -> None:
        for _ in range(int(self.rng.integers(1, most + 1))):
            size = tall * self.between(0.85, 1.15)
            self.person(self.between(self.left, self.right), feet + self.between(-0.01, 0.03), size, level)

    def lamp(self, x: float, y: float, reach: float, strength: float) -> None:
        """Light around a point, added."""
        rows, columns = self.canvas.shape[:2]
        up = (np.arange(rows, dtype=np.float32) - self.margin_px) / self.scale - np.float32(y)
        across = (np.arange(columns, dtype=np.float32) - self.margin_px) / self.scale - np.float32(x)
        glow = np.exp(-((up / reach) ** 2))[:, None] * np.exp(-((across / reach) ** 2))[None, :]
        self.canvas += glow[..., None] * np.array(self.tone(strength), np.float32)


def _city(p: Place) -> None:
    dusk = p.between(0.15, 0.75)
    p.sky(dusk, min(dusk + 0.25, 0.95), 0.75)
    p.lamp(p.between(p.left, p.right), p.between(0.05, 0.4), 0.12, 0.5)
    for low, high, level, wide in ((0.15, 0.50, 0.8, 0.14), (0.25, 0.62, 0.45, 0.19), (0.42, 0.72, 0.15, 0.26)):
        x = p.left
        while x < p.right:
            width, top = p.between(0.6, 1.3) * wide, p.between(low, high)
            p.box(x, top, x + width, 0.86, p.tone(dusk * level))
            for wx in np.arange(x + 0.02, x + width - 0.03, 0.05):
                for wy in np.arange(top + 0.03, 0.84, 0.065):
                    if p.rng.random() < 0.35:
                        p.box(float(wx), float(wy), float(wx) + 0.022, float(wy) + 0.03, p.tone(0.9, 0.05))
            x += width + p.between(0.0, 0.08)
    p.ground(0.30, 0.12, 0.84)
    p.people(1.0, 0.3, 0.03)


def _hills(p: Place) -> None:
    sky = p.between(0.6, 0.95)
    p.sky(sky - 0.3, sky, 0.6)
    p.mottle(0.12, 0.35, y1=0.45, stretch=2.5)
    p.lamp(p.between(p.left, p.right), p.between(0.1, 0.4), 0.15, 0.5)
    for base, rise, level in ((0.52, 0.35, 0.62), (0.62, 0.25, 0.45), (0.74, 0.16, 0.3), (0.92, 0.12, 0.16)):
        p.ridge(base, rise, level * (sky + 0.1), 1.2)
        p.mottle(0.06, 0.05, base - 0.1)
    for _ in range(int(p.rng.integers(3, 8))):
        x, foot, tall = p.between(p.left, p.right), p.between(0.9, 1.1), p.between(0.25, 0.6)
        for k in range(4):
            y = foot - tall * (0.15 + 0.22 * k)
            p.polygon([(x, y - 0.35 * tall), (x + tall * (0.2 - 0.03 * k), y), (x - tall * (0.2 - 0.03 * k), y)],
                      p.tone(0.08 + 0.02 * k))  # fmt: skip
    p.people(0.98, 0.22, 0.04, 3)


def _forest(p: Place) -> None:
    light = p.between(0.55, 0.95)
    p.sky(0.5 * light, light, 0.8)
    p.mottle(0.3, 0.12, stretch=1.0)
    p.ground(0.45 * light, 0.12, 0.74)
    p.mottle(0.2, 0.04, 0.72, stretch=3)
    for level, wide, foot, count in ((0.42, 0.025, 0.76, 22), (0.22, 0.05, 0.86, 13), (0.07, 0.10, 1.05, 7)):
        for _ in range(count):
            x, w, lean = p.between(p.left, p.right), wide * p.between(0.6, 1.4), p.between(-0.05, 0.05)
            p.polygon([(x + lean - w / 3, TOP), (x + lean + w / 3, TOP), (x + w / 2, foot), (x - w / 2, foot)],
                      p.tone(level * light))  # fmt: skip
    for _ in range(26):
        p.ellipse(p.between(p.left, p.right), p.between(-0.12, 0.12), p.between(0.05, 0.16), p.between(0.03, 0.09),
                  p.tone(p.between(0.05, 0.35) * light, 0.06))  # fmt: skip
    p.people(0.95, 0.3, 0.85, 3)


def _sea(p: Place) -> None:
    horizon, bright = p.between(0.4, 0.6), p.between(0.45, 0.95)
    p.sky(0.6 * bright, bright, horizon)
    for _ in range(9):
        p.ellipse(p.between(p.left, p.right), p.between(-0.1, horizon - 0.1), p.between(0.1, 0.4),
                  p.between(0.01, 0.035), p.tone(min(1.0, bright * p.between(0.7, 1.3))))  # fmt: skip
    sun = p.between(p.left, p.right)
    p.ellipse(sun, horizon - 0.12, 0.07, 0.07, p.tone(1.0))
    p.lamp(sun, horizon - 0.12, 0.3, 0.3)
    p.ground(0.35 * bright, 0.12, horizon)
    p.mottle(0.25, 0.12, horizon, stretch=7)
    for _ in range(70):
        y = p.between(0, 1) ** 2 * (BOTTOM - horizon) + horizon
        x, w = sun + p.between(-0.5, 0.5) * (0.15 + y - horizon), 0.03 + 0.1 * (y - horizon)
        p.box(x, y, x + w, y + 0.008, p.tone(0.95))
    for _ in range(3):
        x, size = p.between(p.left, p.right), p.between(0.1, 0.3)
        p.polygon([(x, horizon + 0.05), (x + size, horizon + 0.05), (x + 0.8 * size, horizon + 0.1),
                   (x + 0.15 * size, horizon + 0.1)], p.tone(0.04))  # fmt: skip
        p.polygon([(x + 0.5 * size, horizon + 0.04), (x + 0.5 * size, horizon - 0.9 * size),
                   (x + 0.95 * size, horizon + 0.02)], p.tone(0.85))  # fmt: skip
    p.polygon([(p.left, BOTTOM), (p.left, 0.9), (p.between(p.left, p.right), p.between(0.95, 1.05)),
               (p.right, 0.98), (p.right, BOTTOM)], p.tone(0.07))  # fmt: skip
    p.people(1.0, 0.3, 0.03, 4)


def _room(p: Place) -> None:
    wall = p.between(0.25, 0.6)
    p.gradient(p.tone(wall + 0.1), p.tone(wall - 0.1), y1=0.8)
    x = p.left + p.between(0.05, 0.3)
    while x < p.right:
        kind, wide = int(p.rng.integers(4)), p.between(0.3, 0.5)
        if kind <= 1:
            p.box(x, 0.0, x + wide, 0.58, p.tone(0.12))
            p.gradient_box(x + 0.02, 0.02, x + wide - 0.02, 0.56, p.tone(1.0), p.tone(0.7))
            p.box(x + wide / 2 - 0.01, 0.02, x + wide / 2 + 0.01, 0.56, p.tone(0.12))
            p.box(x, 0.27, x + wide, 0.285, p.tone(0.12))
        elif kind == 2:
            for shelf in np.arange(0.05, 0.8, 0.15):
                p.box(x, float(shelf), x + wide, float(shelf) + 0.02, p.tone(0.1))
                for bx in np.arange(x + 0.01, x + wide - 0.03, 0.035):
                    low = float(shelf) + 0.15 - p.between(0.07, 0.12)
                    p.box(float(bx), low, float(bx) + 0.028, float(shelf) + 0.15, p.tone(p.between(0.1, 0.8), 0.1))
        else:
            p.box(x, 0.15, x + 0.8 * wide, 0.45, p.tone(0.9))
            p.gradient_box(x + 0.02, 0.17, x + 0.8 * wide - 0.02, 0.43, p.tone(0.6, 0.2), p.tone(0.2, -0.2))
            p.lamp(x + 0.4 * wide, 0.1, 0.2, 0.4)
        x += wide + p.between(0.1, 0.4)
    p.ground(0.3, 0.15, 0.8)
    for x in np.arange(p.left, p.right, 0.35):
        p.polygon([(float(x), 0.8), (float(x) + 0.01, 0.8), (1.5 * float(x) + 0.02, BOTTOM), (1.5 * float(x), BOTTOM)],
                  p.tone(0.08))  # fmt: skip
    for _ in range(2):
        x = p.between(p.left, p.right)
        p.box(x, 0.72, x + 0.5, 0.76, p.tone(0.08))
        p.box(x + 0.03, 0.76, x + 0.06, 0.98, p.tone(0.08))
        p.box(x + 0.44, 0.76, x + 0.47, 0.98, p.tone(0.08))
    p.people(1.02, 0.62, 0.06, 4)


def _hall(p: Place) -> None:
    p.gradient(p.tone(0.75), p.tone(0.35), y1=0.84)
    p.ground(0.5, 0.2, 0.82)
    p.mottle(0.15, 0.1, 0.82, stretch=4)
    x = p.left + p.between(0, 0.2)
    while x < p.right:
        glow = p.between(0.75, 1.0)
        p.box(x, 0.25, x + 0.26, 0.82, p.tone(glow))
        p.ellipse(x + 0.13, 0.25, 0.13, 0.16, p.tone(glow))
        p.polygon([(x, 0.83), (x + 0.26, 0.83), (x + 0.4, BOTTOM), (x + 0.02, BOTTOM)], p.tone(0.7))
        p.gradient_box(x + 0.30, TOP, x + 0.40, 0.88, p.tone(0.12), p.tone(0.28))
        p.box(x + 0.28, 0.86, x + 0.42, 0.91, p.tone(0.1))
        p.box(x + 0.28, 0.02, x + 0.42, 0.06, p.tone(0.1))
        x += 0.47
    p.people(0.97, 0.42, 0.03, 6)


def _street(p: Place) -> None:
    p.gradient(p.tone(0.06), p.tone(0.2), y1=0.8)
    x = p.left
    while x < p.right:
        wide, level = p.between(0.3, 0.6), p.between(0.1, 0.35)
        p.box(x, p.between(-0.1, 0.15), x + wide, 0.8, p.tone(level))
        for wx in np.arange(x + 0.05, x + wide - 0.1, 0.13):
            for wy in (0.2, 0.36):
                lit = p.between(0.7, 1.0) if p.rng.random() < 0.5 else 0.05
                p.box(float(wx), wy, float(wx) + 0.07, wy + 0.1, p.tone(lit, 0.03))
        p.box(x + 0.03, 0.53, x + wide - 0.03, 0.78, p.tone(p.between(0.5, 1.0), p.between(-0.2, 0.2)))
        p.box(x, 0.49, x + wide, 0.54, p.tone(p.between(0.3, 0.9), p.between(-0.3, 0.3)))
        x += wide
    p.ground(0.28, 0.1, 0.8)
    p.mottle(0.3, 0.05, 0.8, stretch=0.6)
    for x in np.arange(p.left + p.between(0, 0.5), p.right, 0.8):
        p.box(float(x), 0.1, float(x) + 0.02, 0.92, p.tone(0.04))
        p.lamp(float(x) + 0.01, 0.1, 0.13, 0.9)
        p.lamp(float(x) + 0.01, 0.92, 0.2, 0.4)
    p.people(0.98, 0.38, 0.03, 7)


def _canyon(p: Place) -> None:
    sky = p.between(0.7, 1.0)
    p.sky(sky - 0.2, sky, 0.6)
    for base, level, tall in ((0.62, 0.62, 0.4), (0.72, 0.4, 0.5)):
        x = p.left - 0.2
        while x < p.right:
            wide, top = p.between(0.25, 0.7), base - tall * p.between(0.3, 1.0)
            p.polygon([(x, base), (x + 0.12 * wide, top), (x + 0.9 * wide, top), (x + wide, base)], p.tone(level))
            for k in range(1, 5):
                y = top + (base - top) * k / 5
                p.box(x + 0.1 * wide, y, x + 0.92 * wide, y + 0.012, p.tone(level * p.between(0.6, 1.25)))
            p.polygon([(x + 0.6 * wide, top), (x + 0.9 * wide, top), (x + wide, base), (x + 0.7 * wide, base)],
                      p.tone(0.55 * level))  # fmt: skip
            x += wide + p.between(0.1, 0.5)
    p.ground(0.6, 0.25, 0.68)
    p.mottle(0.15, 0.06, 0.68, stretch=4)
    p.ridge(1.08, 0.2, 0.12, 1.3)
    p.people(0.95, 0.26, 0.03, 3)


PLACES: tuple[Callable[[Place], None], ...] = (_city, _hills, _forest, _sea, _room, _hall, _street, _canyon)


def still(place: int, height_px: int, width_px: int, colours: Palette, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Place `place`, counted round `PLACES`: uint8 (height_px, width_px, 3) RGB with lights and shadows of every level.

    The lightest and darkest hundredths of its pixels are white and black, so that any exposure has something to show.
    """
    scale_px = round(height_px / (1 + 2 * MARGIN))
    margin = round(MARGIN * scale_px)
    paint = Place(scale_px, width_px - 2 * margin, colours, rng)
    PLACES[place % len(PLACES)](paint)
    paint.mottle(0.05, 0.02)
    paint.mottle(0.06, 0.3)
    picture = cv2.resize(paint.canvas, (width_px, height_px), interpolation=cv2.INTER_LINEAR)
    picture = cv2.GaussianBlur(picture, (0, 0), 0.5)
    dark, light = np.percentile(picture[::3, ::3] @ LUMA, (1, 99))
    whole: NDArray[np.uint8] = np.clip((picture - dark) * (255 / max(light - dark, 1.0)), 0, 255).astype(np.uint8)
    return whole
