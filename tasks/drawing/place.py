"""What the locations of trailers are painted with: light and hue, skies, hills, lamps, people, a film's grade.

Heights and places are those of `scenery.Paint`; colours are told as luma, 0 to 1, and hue, in turns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.drawing.scenery import MARGIN, Colour, Paint

LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # ITU-R BT.709, section 3.2
SATURATION = 0.7  # dark exposures deepen colours
TOP, BOTTOM = -MARGIN, 1 + MARGIN
FOLIAGE, SKY, LAMP, STONE, WATER, SKIN, WOOD = 0.27, 0.57, 0.12, 0.08, 0.53, 0.05, 0.07
HUES = ((0.03, 0.15), (0.50, 0.62), (0.90, 0.99))  # that films' lights are graded to


def _tint(hue: float) -> NDArray[np.float32]:
    """What a hue adds to red, green and blue, (3,), for a luma of 1; it has no luma of its own."""
    waves = np.cos(2 * np.pi * (hue - np.array([0, 1 / 3, 2 / 3], np.float32))).astype(np.float32)
    return np.asarray(waves - waves @ LUMA, np.float32)


@dataclass(frozen=True)
class Grade:
    """The colours of a film: hues of its shadows and of its lights, in turns, and how strong they are."""

    shadows: float
    lights: float
    strength: float

    def apply(self, picture_HWC: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take some colour out of a picture, 0..255, and tint it by its light."""
        luma = (picture_HWC @ LUMA)[..., None]
        level, paler = np.clip(luma / 255, 0, 1), luma + SATURATION * (picture_HWC - luma)
        low, high = self.strength * _tint(self.shadows), self.strength * _tint(self.lights)
        return np.asarray(paler * (1 + low + level * (high - low)), np.float32)


def grade(rng: np.random.Generator) -> Grade:
    """Lights of one of the usual hues, shadows of one across from it."""
    lights = float(rng.uniform(*HUES[int(rng.integers(len(HUES)))]))
    return Grade(lights + float(rng.uniform(0.38, 0.62)), lights, float(rng.uniform(0.10, 0.32)))


class Place(Paint):
    """A `Paint` with what most places have."""

    def between(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def along(self) -> float:
        """Somewhere across the still."""
        return self.between(self.left, self.right)

    def tone(self, level: float, hue: float | None = None, strength: float = 0.35) -> Colour:
        level = min(max(level, 0.0), 1.0)
        tint = np.zeros(3) if hue is None else strength * _tint(hue)
        r, g, b = (float(v) for v in 255 * level * (1 + tint))
        return r, g, b

    def sky(self, top: float, low: float, horizon: float) -> None:
        self.gradient(self.tone(top, SKY, 0.4), self.tone(low, SKY, 0.15), y1=horizon)

    def ground(self, far: float, near: float, horizon: float, hue: float) -> None:
        self.gradient(self.tone(far, hue), self.tone(near, hue), y0=horizon)

    def ridge(self, base: float, rise: float, level: float, hue: float) -> None:
        """A range of hills up to `rise` above `base`, filled down to the bottom."""
        xs = np.linspace(self.left, self.right, 60)
        heights = np.zeros(60)
        for octave in range(1, 5):
            turns, phase = self.between(0.5, 1.5) * 2**octave / (self.right - self.left), self.between(0, 7)
            heights += np.abs(np.sin(np.pi * turns * xs + phase)) * 1.2 ** (octave - 1) / 2**octave
        points = [(float(x), float(y)) for x, y in zip(xs, base - rise * heights, strict=True)]
        self.polygon([*points, (self.right, BOTTOM), (self.left, BOTTOM)], self.tone(level, hue))

    def lamp(self, x: float, y: float, reach: float, strength: float) -> None:
        """Light around a point, added."""
        top, bottom = self._row(y - 2.5 * reach), self._row(y + 2.5 * reach)
        up = (np.arange(top, bottom, dtype=np.float32) - self.margin_px) / self.scale - np.float32(y)
        across = (np.arange(self.canvas.shape[1], dtype=np.float32) - self.margin_px) / self.scale - np.float32(x)
        glow = np.exp(-((up / reach) ** 2))[:, None] * np.exp(-((across / reach) ** 2))[None, :]
        self.canvas[top:bottom] += glow[..., None] * np.array(self.tone(strength, LAMP), np.float32)

    def people(self, feet: float, tall: float, light: float, most: int = 5) -> None:
        """Up to `most` who stand about, and more often than not one who is near."""
        for _ in range(int(self.rng.integers(1, most + 1))):
            self.person(self.along(), feet + self.between(-0.01, 0.03), tall * self.between(0.85, 1.15), light)
        for _ in range(int(self.rng.integers(0, 3))):
            self.bust(self.along(), self.between(0.25, 0.45), max(light, 0.25))

    def person(self, x: float, feet: float, tall: float, light: float) -> None:
        coat, side = self.between(0, 1), float(self.rng.choice((-1, 1)))
        wide, step = self.between(0.11, 0.15) * tall, self.between(0.0, 0.5)
        for foot in (-1 - step, 1 + step):
            hip, toe = x + 0.4 * foot / abs(foot) * wide, x + 0.6 * foot * wide
            self.polygon([(x - 0.6 * wide, feet - 0.48 * tall), (x + 0.6 * wide, feet - 0.48 * tall),
                          (toe + 0.3 * wide, feet), (toe - 0.3 * wide, feet), (hip, feet - 0.3 * tall)],
                         self.tone(0.5 * light))  # fmt: skip
        for shade, cut in ((1.0, -1.0), (1.8, 0.25)):  # the side towards the light is lighter
            edges = [(cut * wide, 0.80), (wide, 0.78), (0.95 * wide, 0.40), (0.8 * cut * wide, 0.40)]
            self.polygon([(x + side * dx, feet - up * tall) for dx, up in edges], self.tone(shade * light, coat, 0.25))
        self.box(x - 0.025 * tall, feet - 0.85 * tall, x + 0.025 * tall, feet - 0.78 * tall, self.tone(light, SKIN))
        self.ellipse(x, feet - 0.92 * tall, 0.055 * tall, 0.072 * tall, self.tone(0.4 * light))
        self.ellipse(x + side * 0.015 * tall, feet - 0.91 * tall, 0.04 * tall, 0.06 * tall, self.tone(2 * light, SKIN))

    def bust(self, x: float, top: float, light: float) -> None:
        """Head and shoulders of somebody near the camera, lit from one side."""
        coat, side, w = self.between(0, 1), float(self.rng.choice((-1, 1))), self.between(0.11, 0.14)
        neck = top + 2.9 * w
        for shade, cut in ((0.7, -2.2), (1.3, 0.6)):
            edges = [(cut, 1.9 * w), (0.9, 0.15 * w), (1.9, 0.6 * w), (2.2, 1.9 * w), (2.3, 2.0), (cut, 2.0)]
            if cut < 0:
                edges = [(-2.3, 2.0), (-2.2, 1.9 * w), (-1.9, 0.6 * w), (-0.9, 0.15 * w), *edges[1:5]]
            self.polygon([(x + side * dx * w, neck + down) for dx, down in edges], self.tone(shade * light, coat, 0.25))
        skin = self.between(0.6, 1.4) * light
        self.box(x - 0.5 * w, neck - 0.7 * w, x + 0.5 * w, neck + 0.25 * w, self.tone(0.8 * skin, SKIN))
        hair = self.tone(self.between(0.05, 0.5) * light, WOOD)
        self.ellipse(x, top + 1.15 * w, 1.12 * w, self.between(1.2, 1.7) * w, hair)
        self.ellipse(x + 0.08 * side * w, top + 1.5 * w, 0.85 * w, 1.15 * w, self.tone(skin, SKIN))
        self.ellipse(x + 0.38 * side * w, top + 1.5 * w, 0.55 * w, 1.0 * w, self.tone(1.7 * skin, SKIN))
        for eye in (-0.3, 0.45):
            self.ellipse(x + (eye * side + 0.05) * w, top + 1.4 * w, 0.14 * w, 0.07 * w, self.tone(0.3 * skin))
        self.box(x + (0.1 * side - 0.25) * w, top + 2.1 * w, x + (0.1 * side + 0.25) * w, top + 2.17 * w,
                 self.tone(0.6 * skin, SKIN))  # fmt: skip
