"""What stands along the far side of a street: shops, a town hall, a park, an office block.

A `Wall` is painted in statures: x from the left end of the canvas, y up from the foot of the wall.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from tasks.drawing.scenery import MARGIN, Colour, Paint

SKY = {
    "day": ((104, 158, 214), (206, 226, 240)),
    "grey": ((168, 176, 184), (212, 214, 216)),
    "evening": ((112, 124, 172), (250, 206, 156)),
}


@dataclass(frozen=True)
class Wall:
    """A plane to paint on: `unit` picture heights a stature, `foot` the row where it meets the ground."""

    paint: Paint
    unit: float
    foot: float
    sky: str

    @property
    def rng(self) -> np.random.Generator:
        return self.paint.rng

    @property
    def left(self) -> float:
        return self.paint.left / self.unit

    @property
    def right(self) -> float:
        return self.paint.right / self.unit

    @property
    def top(self) -> float:
        """The height at the upper edge of the canvas."""
        return (self.foot + MARGIN) / self.unit

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour)

    def polygon(self, points: list[tuple[float, float]], colour: Colour) -> None:
        self.paint.polygon([(x * self.unit, self.foot - y * self.unit) for x, y in points], colour)

    def ellipse(self, x: float, y: float, across: float, up: float, colour: Colour) -> None:
        self.paint.ellipse(x * self.unit, self.foot - y * self.unit, across * self.unit, up * self.unit, colour)

    def tone(self, colour: Colour, spread: float) -> Colour:
        """The colour, a little lighter or darker by chance."""
        by = float(1 + self.rng.uniform(-spread, spread))
        return (colour[0] * by, colour[1] * by, colour[2] * by)

    def courses(
        self, x0: float, y0: float, x1: float, y1: float, colour: Colour, size: tuple[float, float], tone: float = 0.10
    ) -> None:
        """A wall of bricks, stones or tiles of `size` (wide, high), each of its own tone, with joints between them."""
        scale, margin = self.paint.scale, self.paint.margin_px
        columns, rows = self.paint.canvas.shape[1], self.paint.canvas.shape[0]
        c0, c1 = (int(np.clip(round(x * self.unit * scale) + margin, 0, columns)) for x in (x0, x1))
        r0, r1 = (int(np.clip(round((self.foot - y * self.unit) * scale) + margin, 0, rows)) for y in (y1, y0))
        if c0 >= c1 or r0 >= r1:
            return
        pixel = 1 / (self.unit * scale)
        y = (self.foot - (np.arange(r0, r1)[:, None] + 0.5 - margin) / scale) / self.unit
        x = ((np.arange(c0, c1)[None, :] + 0.5 - margin) / scale) / self.unit
        wide, high = size
        line = np.floor(y / high)
        along = x / wide + 0.5 * (line % 2)
        tones = self.rng.standard_normal((64, 64))[line.astype(int) % 64, np.floor(along).astype(int) % 64]
        joint = 0.12 * min(wide, high)
        edge = np.minimum((along % 1) * wide, (y / high % 1) * high + 0 * x)
        light = (1 + tone * tones) * (1 - 0.30 * np.clip((joint - edge) / pixel + 0.5, 0, 1) * min(1, joint / pixel))
        self.paint.canvas[r0:r1, c0:c1] = np.asarray(colour, np.float32) * light[..., None].astype(np.float32)

    def window(self, x: float, y: float, wide: float, high: float, frame: Colour, panes: int = 2) -> None:
        """A window with its frame, the sky in it, sometimes a curtain."""
        b = 0.035
        self.box(x - b, y - b, x + wide + b, y + high + b, frame)
        top, bottom = SKY[self.sky]
        for i in range(8):
            mixed = [0.30 * (a + (c - a) * i / 7) + 20 + 6 * i for a, c in zip(bottom, top, strict=True)]
            self.box(x, y + high * i / 8, x + wide, y + high * (i + 1) / 8, (mixed[0], mixed[1], mixed[2]))
        slant = float(self.rng.uniform(0.1, 0.7)) * wide
        self.polygon([(x + slant, y), (x + slant + 0.2 * wide, y), (x + slant, y + high), (x + slant - 0.1, y + high)],
                     self.tone((124, 138, 150), 0.2))  # fmt: skip
        if self.rng.random() < 0.5:
            curtain = self.tone((206, 190, 170), 0.25)
            for side in (x, x + 0.72 * wide):
                self.box(side, y, side + 0.28 * wide, y + high, curtain)
        for i in range(1, panes):
            self.box(x + wide * i / panes - 0.014, y, x + wide * i / panes + 0.014, y + high, frame)
        self.box(x, y + 0.6 * high, x + wide, y + 0.6 * high + 0.025, frame)
        self.box(x - 0.06, y - 0.09, x + wide + 0.06, y - b, self.tone(frame, 0.1))

    def letters(self, x0: float, y: float, x1: float, high: float, colour: Colour) -> None:
        """Something that reads like a sign from across the street."""
        x = x0
        while x < x1 - 0.6 * high:
            wide = float(self.rng.uniform(0.35, 0.65)) * high
            self.box(x, y, x + 0.28 * wide, y + high, colour)
            for level in self.rng.choice((0.0, 0.4, 0.8), 2, replace=False):
                self.box(x, y + float(level) * high, x + wide, y + (float(level) + 0.2) * high, colour)
            if self.rng.random() < 0.5:
                self.box(x + 0.72 * wide, y, x + wide, y + high, colour)
            x += wide + (0.25 if self.rng.random() < 0.8 else 0.8) * high

    def foliage(self, x: float, y: float, across: float, up: float, colour: Colour, leaves: int) -> None:
        """A crown or a hedge: many small leaves, lighter at the top."""
        turn, far = self.rng.uniform(0, 2 * np.pi, leaves), np.sqrt(self.rng.uniform(0, 1, leaves))
        for a, r in zip(turn, far, strict=True):
            high = float(r * np.sin(a))
            light = 0.80 + 0.22 * high
            tinted = self.tone((colour[0] * light, colour[1] * light, colour[2] * light), 0.22)
            reach = float(self.rng.uniform(0.04, 0.09))
            self.ellipse(x + across * float(r * np.cos(a)), y + up * high, reach, 0.7 * reach, tinted)

    def air(self) -> None:
        top, bottom = SKY[self.sky]
        self.paint.gradient(top, bottom, y1=self.foot)


def _shops(w: Wall) -> None:
    colours: tuple[Colour, ...] = ((178, 96, 74), (206, 190, 160), (150, 84, 66), (196, 160, 108), (130, 134, 140))
    awnings: tuple[Colour, ...] = ((190, 58, 52), (44, 96, 76), (42, 74, 130), (206, 148, 50), (110, 52, 96))
    x, number = w.left, int(w.rng.integers(5))
    while x < w.right:
        wide, colour, awning = float(w.rng.uniform(1.7, 2.6)), colours[number % 5], awnings[(number * 3) % 5]
        w.courses(x, 0, x + wide, w.top, colour, (0.16, 0.06))
        w.box(x, 0, x + 0.07, w.top, w.tone((120, 112, 104), 0.2))
        w.box(x + 0.12, 0.16, x + wide - 0.08, 1.38, (38, 36, 40))
        for _ in range(46):  # what the shop sells
            gx, gy = float(w.rng.uniform(x + 0.2, x + wide - 0.75)), float(w.rng.choice((0.22, 0.52, 0.84)))
            size = float(w.rng.uniform(0.04, 0.10))
            hue = w.rng.uniform(60, 235, 3)
            w.box(gx, gy, gx + size, gy + 1.6 * size, (float(hue[0]), float(hue[1]), float(hue[2])))
        for y in (0.20, 0.50, 0.82):
            w.box(x + 0.16, y - 0.02, x + wide - 0.6, y + 0.01, (150, 128, 100))
        w.box(x + wide - 0.56, 0.02, x + wide - 0.14, 1.34, w.tone(awning, 0.15))
        w.window(x + wide - 0.49, 0.42, 0.28, 0.80, (70, 62, 58), 1)
        stripes = np.arange(x + 0.06, x + wide - 0.10, 0.13)
        for i, sx in enumerate(stripes):
            w.polygon([(sx, 1.22), (sx + 0.13, 1.22), (sx + 0.13, 1.56), (sx, 1.56)],
                      awning if i % 2 else (238, 232, 220))  # fmt: skip
        w.box(x + 0.06, 1.60, x + wide - 0.04, 1.86, w.tone(awning, 0.1))
        w.letters(x + 0.2, 1.66, x + wide - 0.3, 0.14, (244, 236, 214))
        for y in np.arange(2.15, w.top, 1.25):
            for wx in np.arange(x + 0.28, x + wide - 0.5, 0.74):
                w.window(float(wx), float(y), 0.40, 0.72, (232, 226, 212))
        x, number = x + wide, number + 1


def _hall(w: Wall) -> None:
    stone: Colour = (198, 186, 160)
    w.courses(w.left, 0, w.right, w.top, stone, (0.42, 0.20), 0.06)
    w.courses(w.left, 0, w.right, 0.30, (150, 142, 130), (0.50, 0.15), 0.06)
    for i, x in enumerate(np.arange(w.left + 0.3, w.right, 1.15)):
        x = float(x)
        w.box(x - 0.06, 0.42, x + 0.60, 1.62, (148, 138, 118))
        w.ellipse(x + 0.27, 1.62, 0.33, 0.28, (148, 138, 118))
        w.ellipse(x + 0.27, 1.60, 0.24, 0.20, (66, 74, 86))
        w.window(x + 0.03, 0.50, 0.48, 1.08, (96, 78, 60), 3)
        for y in (0.36, 1.98):
            w.box(x + 0.72, y, x + 1.04, y + 0.10, (214, 204, 182))
        for k in range(6):  # a fluted column
            shade = (0.74, 0.98, 1.10, 1.12, 1.0, 0.80)[k]
            w.box(x + 0.76 + 0.04 * k, 0.46, x + 0.79 + 0.04 * k, 1.98, (214 * shade, 202 * shade, 178 * shade))
        if i % 3 == 1:
            w.box(x + 0.02, 1.0, x + 0.52, 2.3, w.tone((160, 44, 52), 0.2))
            w.letters(x + 0.10, 1.9, x + 0.46, 0.12, (240, 214, 130))
            w.ellipse(x + 0.27, 1.45, 0.16, 0.20, (240, 214, 130))
        w.window(x + 0.05, 2.55, 0.44, 0.70, (228, 220, 200))
        w.window(x + 0.05, 3.85, 0.44, 0.70, (228, 220, 200))
    w.box(w.left, 2.10, w.right, 2.28, (222, 212, 190))
    for x in np.arange(w.left, w.right, 0.14):
        w.box(float(x), 2.06, float(x) + 0.07, 2.12, (120, 112, 98))


def _park(w: Wall) -> None:
    w.air()
    x = w.left
    while x < w.right:
        wide, high = float(w.rng.uniform(0.8, 1.9)), float(w.rng.uniform(1.5, 2.8))
        w.box(x, 0, x + wide, high, w.tone((150, 146, 150), 0.2))
        for wx in np.arange(x + 0.1, x + wide - 0.1, 0.20):
            for y in np.arange(0.9, high - 0.1, 0.26):
                w.box(float(wx), float(y), float(wx) + 0.10, float(y) + 0.15, w.tone((84, 92, 108), 0.4))
        x += wide + 0.02
    for x in np.arange(w.left, w.right + 0.8, 0.95):
        x = float(x + w.rng.uniform(-0.25, 0.25))
        trunk = float(w.rng.uniform(0.05, 0.09))
        w.polygon([(x - trunk, 0), (x + trunk, 0), (x + 0.5 * trunk, 1.5), (x - 0.5 * trunk, 1.5)], (92, 72, 56))
        for _ in range(3):
            dx, dy = float(w.rng.normal(0, 0.25)), float(w.rng.normal(0, 0.18))
            w.foliage(x + dx, 1.75 + dy, 0.55, 0.42, w.tone((104, 142, 66), 0.2), 130)
    for x in np.arange(w.left, w.right + 0.3, 0.30):
        w.foliage(float(x), 0.30, 0.26, 0.26, (74, 112, 54), 70)
    for x in np.arange(w.left, w.right, 0.085):
        w.box(float(x), 0, float(x) + 0.020, 0.62, (44, 48, 50))
    for y in (0.10, 0.54):
        w.box(w.left, y, w.right, y + 0.03, (44, 48, 50))


def _offices(w: Wall) -> None:
    w.box(w.left, 0, w.right, w.top, (150, 152, 154))
    for x in np.arange(w.left, w.right, 0.72):
        for y in np.arange(1.62, w.top, 0.62):
            w.window(float(x) + 0.05, float(y) + 0.06, 0.60, 0.46, w.tone((70, 74, 80), 0.1), int(w.rng.integers(1, 4)))
    w.courses(w.left, 0, w.right, 1.42, (202, 206, 200), (0.13, 0.13), 0.05)
    w.courses(w.left, 0, w.right, 0.18, (58, 70, 84), (0.13, 0.09), 0.08)
    w.box(w.left, 1.42, w.right, 1.62, (40, 82, 130))
    for x in np.arange(w.left + 0.4, w.right, 2.4):
        w.letters(float(x), 1.46, float(x) + 1.6, 0.12, (240, 242, 244))
    for x in np.arange(w.left + 0.2, w.right, 1.05):
        x, colours = float(x), w.rng.uniform(50, 230, (6, 3))
        w.box(x - 0.03, 0.35, x + 0.63, 1.25, (60, 60, 64))
        for i in range(6):  # a poster
            px, py, reach = x + float(w.rng.uniform(0.08, 0.45)), float(w.rng.uniform(0.45, 1.0)), 0.05 + 0.02 * i
            paint = (float(colours[i, 0]), float(colours[i, 1]), float(colours[i, 2]))
            if i == 0:
                w.box(x, 0.38, x + 0.60, 1.22, paint)
            elif i % 2:
                w.ellipse(px, py, reach, reach, paint)
            else:
                w.box(px, py, min(px + 2 * reach, x + 0.6), py + reach, paint)
        w.letters(x + 0.06, 1.08, x + 0.50, 0.09, (250, 250, 246))


FACADES: dict[str, Callable[[Wall], None]] = {"shops": _shops, "hall": _hall, "park": _park, "offices": _offices}


def build(kind: str, wall: Wall) -> None:
    """Paint one of `FACADES` over everything above the ground, with the sky where it does not reach."""
    wall.air()
    FACADES[kind](wall)
    stains = cv2.resize(wall.rng.standard_normal((5, 24)).astype(np.float32), wall.paint.canvas.shape[1::-1],
                        interpolation=cv2.INTER_CUBIC)  # fmt: skip
    wall.paint.canvas *= (1 + 0.035 * stains)[..., None]
