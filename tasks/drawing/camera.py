"""Where things of a street appear in a picture: a camera at eye level or above, looking across the street.

    depth d ------------  foot of the wall         Lengths in the street are statures (a mean person's height),
             o                                     lengths in the picture are picture heights, y down:
            /|\\      x to the right                    x_picture = aspect / 2 + focal * (x - track) / d
             |                                         y_ground  = horizon + focal * height / d
    d = 0  [camera]                                a person is focal / d high

The camera may move sideways (`track`: near things pass faster than far ones), turn (`shift`) and zoom.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.drawing.bodies import View
from tasks.drawing.figures import Array

STYLES = ("tripod", "pan", "track", "hand", "zoom")


@dataclass(frozen=True)
class Lens:
    """What does not change during a sequence."""

    aspect: float  # picture width over height
    focal: float  # picture heights
    height: float  # of the camera above the ground, statures
    horizon: float  # its row, picture heights from the top

    def ground(self, depth: float) -> float:
        """The row where the ground at `depth` appears, picture heights from the top."""
        return self.horizon + self.focal * self.height / depth

    def depth(self, row: float) -> float:
        """The depth of the ground at a row below the horizon."""
        return self.focal * self.height / (row - self.horizon)


@dataclass(frozen=True)
class Camera:
    """A lens and how it moves: `track` (T,) statures, `shift` (T, 2) picture heights, `zoom` (T,) from 1 up."""

    lens: Lens
    track: Array
    shift: Array
    zoom: Array

    def moves(self) -> bool:
        return bool(np.ptp(self.track) or np.ptp(self.shift) or np.ptp(self.zoom))

    def reach(self, depth: float) -> float:
        """Half the width at `depth` that ever comes into the picture, measured from where the camera is, statures."""
        half = self.lens.aspect / 2 + float(np.abs(self.shift[:, 0]).max())
        return half * depth / self.lens.focal

    def view(self, frame: int, x: float, depth: float, scale_px: float) -> View:
        """Where something that stands on the ground at (x, depth) appears; `scale_px` is the picture's height."""
        scale, dx, dy = self.plane(frame, depth)
        across, down = self.lens.aspect / 2 + self.lens.focal * x / depth, self.lens.ground(depth)
        return View(
            (scale * across + dx) * scale_px,
            (scale * down + dy) * scale_px,
            scale * self.lens.focal / depth * scale_px,
        )

    def plane(self, frame: int, depth: float) -> tuple[float, float, float]:
        """Scale, x and y of the plane at `depth`: a point p of the picture at rest goes to scale * p + (x, y)."""
        zoom = float(self.zoom[frame])
        passing = self.lens.focal * float(self.track[frame]) / depth
        dx, dy = (float(v) for v in self.shift[frame])
        return zoom, (1 - zoom) * self.lens.aspect / 2 - zoom * passing - dx, (1 - zoom) * 0.5 - dy

    def slide(self, frame: int) -> float:
        """How far the ground moves to the left, picture heights for each picture height below the horizon."""
        return float(self.track[frame]) / self.lens.height


def direct(style: str, lens: Lens, seconds: Array, rng: np.random.Generator) -> Camera:
    """A camera that moves in one of `STYLES`, over `seconds` (T,); every move goes to and fro within bounds."""
    rest, phase = np.zeros(len(seconds), np.float32), float(rng.uniform(-0.12, 0.12)) + 0.5 * float(rng.integers(2))
    turns = [(h, r, rng.uniform(0, 1, 2)) for h, r in ((0.45, 0.010), (1.1, 0.005), (2.3, 0.0016))]
    hand = np.stack([sum(r * _swing(seconds, h, p[i]) for h, r, p in turns) for i in (0, 1)], axis=1).astype(np.float32)
    if style == "tripod":
        return Camera(lens, rest, 0 * hand, rest + 1)
    if style == "pan":
        return Camera(lens, rest, _aside(0.24 * _swing(seconds, 1 / 8, phase)) + 0.15 * hand, rest + 1)
    if style == "track":
        return Camera(lens, 0.55 * lens.height * _swing(seconds, 1 / 9, phase), 0.25 * hand, rest + 1)
    if style == "zoom":
        return Camera(lens, rest, 0.15 * hand, 1.16 + 0.16 * _swing(seconds, 1 / 7, phase))
    assert style == "hand"
    return Camera(lens, rest, hand, 1.03 + 0.015 * _swing(seconds, 0.6, phase))


def _swing(seconds: Array, hertz: float, cycles: float) -> Array:
    return np.asarray(np.sin(2 * np.pi * (hertz * seconds + cycles)), np.float32)


def _aside(shift: Array) -> Array:
    return np.stack([shift, np.zeros_like(shift)], axis=1)
