"""Where people perform: painted places, a little out of focus, so that the person stands out.

Lengths are in picture heights: the visible picture spans 0 <= x <= aspect, 0 <= y <= 1 (y down), and every place is
painted `MARGIN` further on each side so that a camera may move. The ground begins at `FLOOR`; people stand at `FEET`.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from tasks.drawing.figures import Array

MARGIN = 0.12
FLOOR = 0.76
FEET = 0.905
_SHIFT = 4  # OpenCV draws with coordinates in 1/16 pixel
_CIRCLE = [(float(np.cos(a)), float(np.sin(a))) for a in np.linspace(0, 2 * np.pi, 40, endpoint=False)]
Colour = tuple[float, float, float]


class Paint:
    """A canvas, float32 (rows, columns, 3) RGB in 0..255, drawn on in picture heights."""

    def __init__(self, height_px: int, width_px: int, rng: np.random.Generator) -> None:
        self.scale, self.rng = height_px, rng
        self.margin_px = round(MARGIN * height_px)
        self.aspect = width_px / height_px
        self.left, self.right = -MARGIN, self.aspect + MARGIN
        self.canvas: Array = np.zeros((height_px + 2 * self.margin_px, width_px + 2 * self.margin_px, 3), np.float32)

    def _row(self, y: float) -> int:
        return int(np.clip(round(y * self.scale) + self.margin_px, 0, self.canvas.shape[0]))

    def gradient(self, top: Colour, bottom: Colour, y0: float = -MARGIN, y1: float = 1 + MARGIN) -> None:
        rows = slice(self._row(y0), self._row(y1))
        share = np.linspace(0, 1, max(rows.stop - rows.start, 1), dtype=np.float32)[
            : rows.stop - rows.start, None, None
        ]
        self.canvas[rows] = np.array(top, np.float32) * (1 - share) + np.array(bottom, np.float32) * share

    def polygon(self, points: list[tuple[float, float]], colour: Colour) -> None:
        pixels = np.array(
            [[(x * self.scale + self.margin_px) * 16, (y * self.scale + self.margin_px) * 16] for x, y in points]
        )
        cv2.fillPoly(self.canvas, [pixels.round().astype(np.int32)], colour, cv2.LINE_AA, _SHIFT)

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour)

    def gradient_box(self, x0: float, y0: float, x1: float, y1: float, top: Colour, bottom: Colour) -> None:
        for i in range(12):
            share, low, high = i / 11, y0 + (y1 - y0) * i / 12, y0 + (y1 - y0) * (i + 1) / 12
            mixed = tuple(a * (1 - share) + b * share for a, b in zip(top, bottom, strict=True))
            self.box(x0, low, x1, high, (mixed[0], mixed[1], mixed[2]))

    def ellipse(self, x: float, y: float, across: float, up: float, colour: Colour) -> None:
        self.polygon([(x + across * cos, y + up * sin) for cos, sin in _CIRCLE], colour)

    def mottle(
        self, strength: float, cell: float, y0: float = -MARGIN, y1: float = 1 + MARGIN, stretch: float = 1.0
    ) -> None:
        """Multiply by smooth noise with spots about `cell` wide and `cell / stretch` high."""
        rows = slice(self._row(y0), self._row(y1))
        height, width = rows.stop - rows.start, self.canvas.shape[1]
        coarse = self.rng.standard_normal(
            (max(int(height / self.scale / cell * stretch), 2), max(int(width / self.scale / cell), 2))
        )
        noise = cv2.resize(coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
        self.canvas[rows] *= (1 + strength * noise)[..., None]

    def finish(self, blur: float) -> Array:
        """Defocus by `blur` picture heights, darken the corners a little, and give the canvas in 0..255."""
        sharp = np.clip(self.canvas, 0, 255)
        soft: Array = cv2.GaussianBlur(sharp, (0, 0), max(blur * self.scale, 0.3)).astype(np.float32)
        rows, columns = (np.linspace(-1, 1, n, dtype=np.float32) for n in soft.shape[:2])
        return soft * (1 - 0.10 * (rows[:, None] ** 2 + columns[None, :] ** 2))[..., None]


def _brick(p: Paint) -> None:
    p.gradient((176, 104, 84), (150, 84, 68))
    for i, y in enumerate(np.arange(-MARGIN, FLOOR, 0.055)):
        for x in np.arange(p.left - 0.075 * (i % 2), p.right, 0.15):
            tone = float(p.rng.uniform(0.86, 1.12))
            p.box(x + 0.006, y + 0.006, x + 0.144, min(y + 0.049, FLOOR), (182 * tone, 106 * tone, 84 * tone))
    p.gradient((168, 162, 154), (132, 126, 120), FLOOR)
    p.box(p.left, FLOOR - 0.03, p.right, FLOOR + 0.004, (112, 92, 84))
    p.mottle(0.05, 0.05)
    p.mottle(0.06, 0.4)


def _park(p: Paint) -> None:
    p.gradient((126, 182, 232), (222, 238, 244), y1=0.55)
    for _ in range(4):
        x, y = float(p.rng.uniform(p.left, p.right)), float(p.rng.uniform(0.0, 0.2))
        for _ in range(4):
            p.ellipse(x + float(p.rng.normal(0, 0.07)), y + float(p.rng.normal(0, 0.012)), 0.08, 0.028, (246, 249, 252))
    p.box(p.left, 0.50, p.right, FLOOR, (136, 180, 116))
    for x in np.arange(p.left, p.right + 0.1, 0.27):
        x = float(x + p.rng.uniform(-0.05, 0.05))
        p.box(x - 0.016, 0.42, x + 0.016, FLOOR - 0.02, (104, 80, 60))
        for _ in range(9):
            tone = float(p.rng.uniform(0.92, 1.22))
            p.ellipse(
                x + float(p.rng.normal(0, 0.06)),
                0.32 + float(p.rng.normal(0, 0.07)),
                0.07,
                0.06,
                (104 * tone, 164 * tone, 88 * tone),
            )
    p.gradient((134, 182, 92), (98, 152, 70), FLOOR - 0.03)
    p.mottle(0.05, 0.03, FLOOR - 0.03, stretch=3)
    p.polygon([(p.left, 0.86), (p.right, 0.80), (p.right, 0.98), (p.left, 1.05)], (214, 198, 164))


def _gym(p: Paint) -> None:
    p.gradient((206, 196, 178), (192, 182, 166))
    p.box(p.left, 0.52, p.right, FLOOR, (88, 122, 158))
    for x in np.arange(p.left + 0.05, p.right, 0.36):
        for y in np.arange(0.02, 0.70, 0.062):
            p.box(float(x), float(y), float(x) + 0.26, float(y) + 0.020, (190, 142, 88))
        for post in (0.0, 0.24):
            p.box(float(x) + post, -MARGIN, float(x) + post + 0.020, 0.74, (158, 112, 66))
    p.gradient((214, 166, 108), (180, 130, 78), FLOOR)
    for y in (0.80, 0.86, 0.95, 1.06):
        p.box(p.left, y, p.right, y + 0.005, (164, 116, 70))
    p.polygon([(p.left, 0.985), (p.right, 0.945), (p.right, 0.965), (p.left, 1.005)], (244, 240, 232))
    p.mottle(0.03, 0.2)


def _street(p: Paint) -> None:
    p.gradient((226, 200, 160), (212, 184, 146))
    for x in np.arange(p.left + 0.04, p.right, 0.31):
        x = float(x)
        for y in (-0.10, 0.22):
            p.box(x - 0.012, y - 0.012, x + 0.172, y + 0.242, (246, 236, 216))
            p.gradient_box(x, y, x + 0.16, y + 0.23, (96, 122, 146), (152, 178, 194))
            p.box(x + 0.076, y, x + 0.084, y + 0.23, (246, 236, 216))
    p.box(p.left, 0.54, p.right, FLOOR, (132, 108, 92))
    for x in np.arange(p.left, p.right, 0.10):
        stripe = (198, 70, 62) if round((x - p.left) / 0.10) % 2 else (246, 240, 230)
        p.polygon(
            [(float(x), 0.52), (float(x) + 0.10, 0.52), (float(x) + 0.095, 0.60), (float(x) - 0.005, 0.60)], stripe
        )
    p.gradient((178, 176, 172), (160, 158, 156), FLOOR)
    for x in np.arange(-0.8, p.right + 0.8, 0.22):
        p.polygon(
            [
                (float(x), FLOOR),
                (float(x) + 0.006, FLOOR),
                (1.7 * float(x) - 0.35 * p.aspect, 1.12),
                (1.7 * float(x) - 0.36 * p.aspect, 1.12),
            ],
            (140, 138, 136),
        )
    p.mottle(0.03, 0.06)


def _skyline(p: Paint) -> None:
    p.gradient((64, 76, 138), (250, 176, 128), y1=0.66)
    p.ellipse(0.74 * p.aspect, 0.50, 0.075, 0.075, (255, 226, 168))
    for low, high, tone, wide in ((0.26, 0.46, (126, 104, 142), 0.13), (0.38, 0.60, (78, 70, 110), 0.17)):
        x = p.left
        while x < p.right:
            width, top = float(p.rng.uniform(0.6, 1.2)) * wide, float(p.rng.uniform(low, high))
            p.box(x, top, x + width, FLOOR, tone)
            for wx in np.arange(x + 0.02, x + width - 0.02, 0.035):
                for wy in np.arange(top + 0.03, FLOOR, 0.05):
                    if p.rng.random() < 0.35:
                        p.box(float(wx), float(wy), float(wx) + 0.015, float(wy) + 0.022, (250, 212, 138))
            x += width + 0.008
    p.gradient((176, 140, 134), (132, 108, 116), FLOOR)
    p.box(p.left, FLOOR - 0.05, p.right, FLOOR + 0.015, (110, 90, 104))
    p.mottle(0.03, 0.1, FLOOR)


def _beach(p: Paint) -> None:
    p.gradient((112, 180, 232), (214, 236, 246), y1=0.50)
    for _ in range(3):
        p.ellipse(float(p.rng.uniform(p.left, p.right)), float(p.rng.uniform(0.05, 0.3)), 0.2, 0.02, (240, 247, 250))
    p.gradient((40, 126, 168), (96, 190, 198), 0.50, FLOOR)
    p.mottle(0.10, 0.16, 0.52, FLOOR - 0.02, stretch=7)
    p.gradient((240, 220, 176), (220, 192, 142), FLOOR - 0.01)
    waves = [(float(x), FLOOR + 0.014 * float(np.sin(9 * x)) - 0.004) for x in np.linspace(p.left, p.right, 50)]
    p.polygon([*waves, (p.right, FLOOR - 0.04), (p.left, FLOOR - 0.04)], (236, 246, 244))
    p.mottle(0.03, 0.03, FLOOR)
    p.polygon([(0.12, 0.34), (0.145, 0.34), (0.175, FLOOR + 0.03), (0.155, FLOOR + 0.03)], (238, 238, 232))
    p.polygon([(-0.10, 0.40), (0.02, 0.27), (0.13, 0.24), (0.26, 0.29), (0.36, 0.42)], (226, 84, 72))
    p.polygon([(0.02, 0.39), (0.09, 0.25), (0.15, 0.24), (0.20, 0.40)], (248, 240, 226))


def _studio(p: Paint) -> None:
    p.gradient((112, 128, 150), (168, 180, 194), y1=FLOOR)
    p.gradient((168, 180, 194), (206, 210, 214), FLOOR)
    glow = p.canvas.copy()
    rows, columns = (np.linspace(-1, 1, n, dtype=np.float32) for n in p.canvas.shape[:2])
    spot = np.exp(-((columns[None, :] * 1.2) ** 2) - ((rows[:, None] + 0.15) * 1.5) ** 2)
    p.canvas[:] = glow * (0.82 + 0.30 * spot[..., None])
    p.mottle(0.015, 0.3)


def _living_room(p: Paint) -> None:
    p.gradient((148, 178, 164), (132, 162, 148))
    p.box(0.60 * p.aspect, 0.04, 0.98 * p.aspect, 0.50, (246, 242, 232))
    p.gradient_box(0.62 * p.aspect, 0.06, 0.96 * p.aspect, 0.48, (186, 220, 244), (244, 246, 240))
    p.box(0.785 * p.aspect, 0.05, 0.80 * p.aspect, 0.49, (246, 242, 232))
    p.box(0.06, 0.12, 0.30, 0.34, (92, 70, 54))
    p.gradient_box(0.08, 0.14, 0.28, 0.32, (240, 196, 120), (176, 84, 72))
    p.box(p.left, 0.54, 0.34, FLOOR + 0.03, (204, 122, 76))
    p.box(p.left, 0.62, 0.36, 0.68, (222, 142, 94))
    p.box(p.left, FLOOR - 0.025, p.right, FLOOR, (240, 236, 226))
    p.gradient((150, 110, 80), (124, 86, 60), FLOOR)
    p.ellipse(0.5 * p.aspect, FEET + 0.01, 0.46 * p.aspect, 0.085, (190, 176, 150))
    p.ellipse(0.5 * p.aspect, FEET + 0.01, 0.42 * p.aspect, 0.070, (206, 194, 170))
    p.mottle(0.02, 0.2)


def _mountains(p: Paint) -> None:
    p.gradient((84, 140, 206), (190, 216, 238), y1=0.6)
    xs = [float(x) for x in np.linspace(p.left, p.right, 41)]
    peaks = p.rng.uniform(0.0, 1.0, (2, 8))
    for base, rise, rock, coarse in ((0.44, 0.26, (142, 156, 182), peaks[0]), (0.55, 0.10, (104, 132, 138), peaks[1])):
        shape = np.interp(np.linspace(0, 7, 41), np.arange(8), coarse) + 0.06 * p.rng.standard_normal(41)
        ridge = [base - rise * float(h) for h in shape]
        snow = [max(y + 0.012, 0.30 + 0.03 * float(p.rng.standard_normal())) for y in ridge]
        p.polygon([*zip(xs, ridge, strict=True), (p.right, FLOOR), (p.left, FLOOR)], (242, 246, 252))
        p.polygon([*zip(xs, snow, strict=True), (p.right, FLOOR), (p.left, FLOOR)], rock)
    p.gradient((92, 128, 84), (120, 156, 84), 0.60, FLOOR)
    p.mottle(0.10, 0.09, 0.58, FLOOR, stretch=2)
    p.gradient((158, 178, 96), (128, 150, 74), FLOOR)
    p.mottle(0.05, 0.04, FLOOR, stretch=3)


PLACES: tuple[Callable[[Paint], None], ...] = (
    _gym, _park, _brick, _street, _beach, _living_room, _skyline, _studio, _mountains,
)  # fmt: skip


def backdrop(place: int, height_px: int, width_px: int, rng: np.random.Generator) -> Array:
    """Place `place`, counted round `PLACES`: float32 (rows, columns, 3) RGB in 0..255, `MARGIN` on every side."""
    paint = Paint(height_px, width_px, rng)
    PLACES[place % len(PLACES)](paint)
    return paint.finish(0.006)
