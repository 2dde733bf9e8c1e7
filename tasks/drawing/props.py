"""What stands about in a street, as cut-outs: poles, lamps, trees, cars, bicycles, benches, bins, planters, bollards.

Each is painted in statures: x from its middle, y up from the ground.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from tasks.drawing.figures import Array
from tasks.drawing.scenery import Colour

_FINE = 2  # pixels painted for each pixel of the cut-out, along each side
_CIRCLE = [(float(np.cos(a)), float(np.sin(a))) for a in np.linspace(0, 2 * np.pi, 28, endpoint=False)]


@dataclass(frozen=True)
class Cutout:
    """A flat thing: RGB multiplied by its cover and the cover, float32 (H, W, 4), RGB in 0..255 and cover in 0..1.

    `foot` is the pixel (x, y) that stands on the ground.
    """

    rgba: Array
    foot: tuple[float, float]


class Board:
    """A sheet to paint a cut-out on."""

    def __init__(self, half_width: float, height: float, stature_px: float, rng: np.random.Generator) -> None:
        self.scale, self.rng = stature_px * _FINE, rng
        self.foot = (half_width * self.scale, height * self.scale)
        size = (int(np.ceil(height * self.scale / _FINE + 2)) * _FINE, int(np.ceil(self.foot[0])) * 2)
        self.colour: Array = np.zeros((*size, 3), np.float32)
        self.cover: Array = np.zeros(size, np.float32)

    def polygon(self, points: list[tuple[float, float]], colour: Colour) -> None:
        pixels = np.array([[self.foot[0] + x * self.scale, self.foot[1] - y * self.scale] for x, y in points])
        corners = [pixels.round().astype(np.int32)]
        cv2.fillPoly(self.colour, corners, colour)
        cv2.fillPoly(self.cover, corners, 1.0)

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour)

    def tube(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        """Something round and upright: lit from the left, dark at its right edge."""
        for i in range(8):
            light = 0.62 + 0.62 * float(np.sin(np.pi * (0.22 + 0.72 * (1 - i / 7))))
            self.box(x0 + (x1 - x0) * i / 8, y0, x0 + (x1 - x0) * (i + 1) / 8, y1, _lit(colour, light))

    def ellipse(self, x: float, y: float, across: float, up: float, colour: Colour) -> None:
        self.polygon([(x + across * cos, y + up * sin) for cos, sin in _CIRCLE], colour)

    def line(self, x0: float, y0: float, x1: float, y1: float, wide: float, colour: Colour) -> None:
        length = float(np.hypot(x1 - x0, y1 - y0))
        nx, ny = -(y1 - y0) / length * wide / 2, (x1 - x0) / length * wide / 2
        self.polygon([(x0 + nx, y0 + ny), (x1 + nx, y1 + ny), (x1 - nx, y1 - ny), (x0 - nx, y0 - ny)], colour)

    def tone(self, colour: Colour, spread: float) -> Colour:
        """The colour, a little lighter or darker by chance."""
        return _lit(colour, float(1 + self.rng.uniform(-spread, spread)))

    def leaves(self, x: float, y: float, across: float, up: float, colour: Colour, count: int) -> None:
        turn, far = self.rng.uniform(0, 2 * np.pi, count), np.sqrt(self.rng.uniform(0, 1, count))
        for a, r in zip(turn, far, strict=True):
            high, light = float(r * np.sin(a)), 0.84 + 0.24 * float(r * np.sin(a))
            reach = float(self.rng.uniform(0.025, 0.06))
            tinted = self.tone(_lit(colour, light), 0.24)
            self.ellipse(x + across * float(r * np.cos(a)), y + up * high, reach, 0.75 * reach, tinted)

    def finish(self) -> Cutout:
        rows, columns = self.cover.shape
        spots = self.rng.standard_normal((max(rows // 24, 2), max(columns // 24, 2))).astype(np.float32)
        self.colour *= (1 + 0.05 * cv2.resize(spots, (columns, rows), interpolation=cv2.INTER_CUBIC))[..., None]
        rgba = np.dstack([np.clip(self.colour, 0, 255) * self.cover[..., None], self.cover])
        small = cv2.resize(rgba, (columns // _FINE, rows // _FINE), interpolation=cv2.INTER_AREA)
        return Cutout(np.asarray(small, np.float32), (self.foot[0] / _FINE, self.foot[1] / _FINE))


def _lit(colour: Colour, light: float) -> Colour:
    return (colour[0] * light, colour[1] * light, colour[2] * light)


def _pole(b: Board) -> None:
    b.tube(-0.035, 0, 0.035, 2.4, (120, 124, 128))
    b.tube(-0.05, 0, 0.05, 0.16, (84, 88, 92))
    for y in (0.62, 0.70):
        b.box(-0.036, y, 0.036, y + 0.04, (226, 196, 60))
    colour: Colour = ((36, 84, 160), (186, 44, 44))[int(b.rng.integers(2))]
    b.ellipse(0, 1.36, 0.17, 0.17, (240, 240, 240))
    b.ellipse(0, 1.36, 0.15, 0.15, colour)
    b.box(-0.09, 1.33, 0.09, 1.39, (240, 240, 240))


def _lamp(b: Board) -> None:
    b.tube(-0.028, 0, 0.028, 2.05, (52, 60, 58))
    b.tube(-0.06, 0, 0.06, 0.30, (46, 54, 52))
    b.tube(-0.042, 0.94, 0.042, 1.0, (46, 54, 52))
    b.polygon([(-0.07, 2.02), (0.07, 2.02), (0.11, 2.30), (-0.11, 2.30)], (250, 236, 190))
    b.line(-0.04, 2.02, -0.05, 2.30, 0.02, (46, 54, 52))
    b.polygon([(-0.14, 2.30), (0.14, 2.30), (0, 2.42)], (46, 54, 52))
    flowers: Colour = ((196, 60, 96), (222, 150, 52))[int(b.rng.integers(2))]
    b.leaves(0.0, 1.30, 0.20, 0.11, (84, 126, 60), 60)
    b.leaves(0.0, 1.33, 0.19, 0.10, flowers, 26)


def _bollards(b: Board) -> None:
    for x in (-0.7, 0.0, 0.7):
        b.tube(x - 0.045, 0, x + 0.045, 0.46, (66, 68, 74))
        b.box(x - 0.046, 0.36, x + 0.046, 0.41, (232, 230, 224))
        b.ellipse(x, 0.46, 0.05, 0.035, (84, 86, 92))
    for i in range(28):  # a chain
        t = i / 28
        for x in (-0.7, 0.0):
            y = 0.34 - 0.14 * float(np.sin(np.pi * t))
            b.ellipse(x + 0.7 * t, y, 0.016, 0.010, (50, 52, 56) if i % 2 else (120, 122, 128))


def _bin(b: Board) -> None:
    b.tube(-0.15, 0.03, 0.15, 0.52, b.tone((52, 92, 66), 0.3))
    for y in np.arange(0.08, 0.48, 0.07):
        b.box(-0.15, float(y), 0.15, float(y) + 0.014, (34, 58, 44))
    b.box(-0.17, 0.50, 0.17, 0.57, (40, 44, 44))
    b.ellipse(0, 0.58, 0.14, 0.05, (58, 64, 62))
    b.box(-0.07, 0.22, 0.07, 0.38, (232, 228, 214))


def _planter(b: Board) -> None:
    b.box(-0.62, 0, 0.62, 0.34, (168, 160, 148))
    for x in np.arange(-0.62, 0.62, 0.155):
        b.box(float(x), 0.02, float(x) + 0.012, 0.30, (122, 114, 104))
        b.box(float(x) + 0.012, 0.02, float(x) + 0.15, 0.30, b.tone((176, 166, 150), 0.10))
    b.box(-0.65, 0.30, 0.65, 0.36, (190, 182, 168))
    b.leaves(0, 0.50, 0.58, 0.17, (82, 128, 58), 300)
    b.leaves(0, 0.55, 0.54, 0.13, ((214, 72, 84), (236, 176, 60), (172, 96, 190))[int(b.rng.integers(3))], 70)


def _bench(b: Board) -> None:
    for x in (-0.5, 0.46):
        b.box(x, 0, x + 0.05, 0.28, (50, 52, 54))
        b.line(x + 0.02, 0.24, x - 0.02, 0.58, 0.04, (50, 52, 54))
    for y in (0.24, 0.29, 0.38, 0.45, 0.52):
        b.box(-0.60, y, 0.60, y + 0.045, b.tone((156, 108, 66), 0.16))


def _bicycle(b: Board) -> None:
    colour: Colour = ((196, 52, 44), (40, 92, 150), (40, 44, 48), (70, 140, 96))[int(b.rng.integers(4))]
    for x in (-0.32, 0.32):
        rim = [(x + 0.20 * float(np.cos(a)), 0.20 + 0.20 * float(np.sin(a))) for a in np.linspace(0, 2 * np.pi, 25)]
        for (x0, y0), (x1, y1) in itertools.pairwise(rim):
            b.line(x0, y0, x1, y1, 0.028, (34, 34, 36))
            b.line(x0, y0, x, 0.20, 0.005, (150, 152, 156))
    frame = [(-0.32, 0.20), (-0.14, 0.46), (0.24, 0.48), (-0.02, 0.20), (-0.14, 0.46), (-0.16, 0.54)]
    for (x0, y0), (x1, y1) in itertools.pairwise(frame):
        b.line(x0, y0, x1, y1, 0.026, colour)
    b.line(-0.32, 0.20, -0.02, 0.20, 0.022, colour)
    b.line(0.32, 0.20, 0.22, 0.60, 0.026, colour)
    b.line(0.14, 0.60, 0.26, 0.60, 0.030, (30, 30, 32))
    b.line(-0.24, 0.55, -0.08, 0.55, 0.040, (30, 30, 32))
    b.box(0.20, 0.44, 0.40, 0.58, (150, 112, 70))
    for x in np.arange(0.21, 0.40, 0.03):
        b.box(float(x), 0.45, float(x) + 0.01, 0.57, (112, 80, 48))


def _car(b: Board) -> None:
    paint: Colour = ((186, 40, 44), (48, 88, 140), (206, 208, 210), (58, 62, 68), (222, 178, 62))[
        int(b.rng.integers(5))
    ]
    dark, light = _lit(paint, 0.6), _lit(paint, 1.15)
    b.polygon([(-1.22, 0.14), (1.22, 0.14), (1.24, 0.44), (0.86, 0.52), (-1.10, 0.54), (-1.24, 0.46)], paint)
    b.polygon([(-0.86, 0.50), (0.70, 0.50), (0.36, 0.84), (-0.58, 0.85)], paint)
    b.polygon([(-1.22, 0.14), (1.22, 0.14), (1.22, 0.24), (-1.22, 0.24)], dark)
    b.box(-1.16, 0.46, 1.0, 0.49, light)
    b.polygon([(-0.74, 0.53), (-0.12, 0.53), (-0.12, 0.79), (-0.52, 0.79)], (64, 78, 92))
    b.polygon([(-0.04, 0.53), (0.56, 0.53), (0.31, 0.79), (-0.04, 0.79)], (64, 78, 92))
    b.polygon([(-0.66, 0.53), (-0.56, 0.53), (-0.36, 0.79), (-0.46, 0.79)], (150, 166, 178))
    b.polygon([(0.16, 0.53), (0.28, 0.53), (0.14, 0.79), (0.04, 0.79)], (150, 166, 178))
    for x in (-0.10, 0.62):
        b.line(x, 0.20, x, 0.52, 0.012, dark)
    for x in (-0.24, 0.44):
        b.box(x, 0.44, x + 0.10, 0.46, dark)
    b.box(1.14, 0.36, 1.24, 0.43, (250, 244, 214))
    b.box(-1.24, 0.36, -1.15, 0.44, (206, 36, 36))
    for x in (-0.76, 0.78):
        b.ellipse(x, 0.20, 0.22, 0.22, dark)
        b.ellipse(x, 0.185, 0.19, 0.185, (30, 30, 32))
        b.ellipse(x, 0.185, 0.11, 0.11, (176, 178, 182))
        for a in np.arange(0, 2 * np.pi, np.pi / 2.5):
            b.line(x, 0.185, x + 0.10 * float(np.cos(a)), 0.185 + 0.10 * float(np.sin(a)), 0.022, (90, 92, 96))


def _tree(b: Board) -> None:
    b.polygon([(-0.11, 0), (0.11, 0), (0.065, 1.55), (-0.055, 1.55)], (94, 76, 58))
    for _ in range(60):
        x, y = float(b.rng.uniform(-0.075, 0.06)), float(b.rng.uniform(0.0, 1.35))
        b.line(x, y, x * 0.9, y + float(b.rng.uniform(0.05, 0.18)), 0.014, b.tone((84, 66, 50), 0.30))
    for side in (-1, 1):
        b.line(0.02 * side, 1.30, 0.34 * side, 1.85, 0.05, (86, 68, 52))
    green: Colour = ((92, 134, 60), (126, 142, 58), (178, 122, 48))[int(b.rng.integers(3))]
    for x, y in ((-0.42, 1.85), (0.40, 1.82), (0.0, 2.1), (-0.15, 1.62), (0.25, 1.66)):
        b.leaves(x, y, 0.46, 0.34, b.tone(green, 0.15), 230)


def _column(b: Board) -> None:
    b.tube(-0.34, 0.10, 0.34, 1.62, (206, 198, 180))
    posters = ((-0.30, 0.9, -0.04, 1.5), (0.0, 1.0, 0.28, 1.52), (-0.26, 0.24, 0.06, 0.82), (0.1, 0.3, 0.3, 0.9))
    for x0, y0, x1, y1 in posters:
        hue = b.rng.uniform(50, 230, (4, 3))
        colours: list[Colour] = [(float(r), float(g), float(u)) for r, g, u in hue]
        b.box(x0, y0, x1, y1, colours[0])
        b.ellipse((x0 + x1) / 2, y0 + 0.6 * (y1 - y0), 0.35 * (x1 - x0), 0.22 * (y1 - y0), colours[1])
        for k in range(3):
            b.box(x0 + 0.03, y0 + 0.05 + 0.05 * k, x1 - 0.03 - 0.03 * k, y0 + 0.075 + 0.05 * k, colours[2])
    b.tube(-0.38, 0, 0.38, 0.12, (70, 92, 80))
    b.tube(-0.40, 1.60, 0.40, 1.72, (70, 92, 80))
    b.polygon([(-0.38, 1.72), (0.38, 1.72), (0.10, 1.92), (-0.10, 1.92)], (84, 108, 94))


# half the width and the height of the sheet, and what is painted on it
PROPS: dict[str, tuple[float, float, Callable[[Board], None]]] = {
    "pole": (0.2, 2.4, _pole),
    "lamp": (0.25, 2.45, _lamp),
    "bollards": (0.8, 0.55, _bollards),
    "bin": (0.2, 0.65, _bin),
    "planter": (0.7, 0.75, _planter),
    "bench": (0.65, 0.62, _bench),
    "bicycle": (0.56, 0.66, _bicycle),
    "car": (1.3, 0.9, _car),
    "tree": (0.95, 2.5, _tree),
    "column": (0.42, 1.95, _column),
}


def make(kind: str, stature_px: float, rng: np.random.Generator) -> Cutout:
    """One of `PROPS` as it looks where a stature is `stature_px` pixels."""
    half_width, height, paint = PROPS[kind]
    board = Board(half_width, height, stature_px, rng)
    paint(board)
    return board.finish()
