"""How the camera of a trailer moves over a still: pans, tilts, zooms, a hand that is not quite steady.

Lengths are in widths of the widest view: that view is 1 wide and `aspect` (height over width) high, and the still is
`ACROSS` wide and `UP` views high. Speed is how far the points of the picture move, root mean square over the picture,
in widths of the picture: for a pan |v|, for a zoom by e^z a second z * sqrt((1 + aspect^2) / 12).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ACROSS, UP = 2.5, 1.5
EDGE = 0.03  # the hand and the last correction of speed may need it
CLOSEST = 0.6  # the log of how much nearer than the widest view a shot begins
LONGEST_ZOOM = 0.45  # in logs, over a shot
TURN_SECONDS = 0.6  # a camera that comes to the end of the still turns round this slowly


@dataclass(frozen=True)
class Move:
    """Where the camera looks in every frame of a shot: the middle of the view (T, 2) as x, y, and log zoom (T,)."""

    middle: Array
    zoom: Array
    mirrored: bool

    def speeds(self, aspect: float, frames_per_second: float) -> Array:
        """(T - 1,) picture widths a second, from each frame to the next."""
        steps = np.diff(self.middle, axis=0) * np.exp((self.zoom[1:] + self.zoom[:-1]) / 2)[:, None]
        spread = np.diff(self.zoom) * math.sqrt((1 + aspect**2) / 12)
        speeds: Array = np.sqrt((steps**2).sum(axis=1) + spread**2) * frames_per_second
        return speeds


def move(frames: int, speed: float, aspect: float, frames_per_second: float, rng: np.random.Generator) -> Move:
    """A camera move of this mean speed, in picture widths a second; direction, zoom and place are drawn."""
    seconds = np.arange(frames) / frames_per_second
    zoom = _zoom(seconds, speed, aspect, rng)
    rate = abs(zoom[-1] - zoom[0]) / max(seconds[-1], 1e-9) * math.sqrt((1 + aspect**2) / 12)
    pan = math.sqrt(max(speed**2 - rate**2, 0.0))
    travelled = np.concatenate([[0.0], np.cumsum(pan / frames_per_second * np.exp(-zoom[1:]))])
    half = 0.5 * math.exp(-float(zoom.min()))
    room = np.array([ACROSS - 2 * half, (UP - 2 * half) * aspect]) - 2 * EDGE
    steepest = math.asin(min(1.0, room[1] / max(travelled[-1], 1e-9)))
    steep = float(rng.choice((0.0, 0.3, 1.0), p=(0.5, 0.3, 0.2))) * steepest + float(rng.uniform(0, 0.1))
    way = np.array([math.cos(steep), math.sin(min(steep, steepest))])
    lengths = way * travelled[-1]
    start = rng.uniform(0, np.maximum(room - lengths, 0.02 * room))
    path = _turned(start + way * travelled[:, None], room, round(TURN_SECONDS * frames_per_second))
    for axis in (0, 1):
        if rng.random() < 0.5:
            path[:, axis] = room[axis] - path[:, axis]
    path += _hand(seconds, speed * float(rng.uniform(0.1, 0.3)), rng) * np.exp(-zoom)[:, None]
    corner = np.array([half, half * aspect]) + EDGE * np.array([1, 1])
    found = Move(path + corner, zoom, bool(rng.random() < 0.5))
    for _ in range(3):
        faster = speed / max(float(found.speeds(aspect, frames_per_second).mean()), 1e-9) if frames > 1 else 1.0
        origin = found.middle.mean(axis=0)
        found = Move(origin + (found.middle - origin) * faster, found.zoom, found.mirrored)
    return found


def _zoom(seconds: Array, speed: float, aspect: float, rng: np.random.Generator) -> Array:
    """The log of the zoom in every frame: constant in most shots, growing or shrinking steadily in the others."""
    change = 0.0
    if rng.random() < 0.4:
        fastest = 0.7 * speed / math.sqrt((1 + aspect**2) / 12) * float(seconds[-1])
        change = float(rng.choice((-1.0, 1.0)) * min(LONGEST_ZOOM, fastest) * rng.uniform(0.5, 1.0))
    nearest = float(rng.uniform(0, CLOSEST))
    return nearest + max(0.0, -change) + change * np.linspace(0, 1, len(seconds))


def _turned(path: Array, room: Array, turn_frames: int) -> Array:
    """A path folded into 0 <= path <= room, its corners rounded."""
    folded: Array = room - np.abs(room - path % (2 * room))
    left = turn_frames // 2
    if bool((path <= room).all()) or not 0 < left < len(path):
        return folded
    padded = np.concatenate([path[:1] + (path[:1] - path[left:0:-1]), path, 2 * path[-1:] - path[-2 : -2 - left : -1]])
    folded = room - np.abs(room - padded % (2 * room))
    window = 2 * left + 1
    sums = np.concatenate([np.zeros((1, 2)), np.cumsum(folded, axis=0)])
    return np.asarray((sums[window:] - sums[:-window]) / window)


def _hand(seconds: Array, speed: float, rng: np.random.Generator) -> Array:
    """A camera held in the hand, (T, 2), shaking at about this mean speed."""
    shaken = np.zeros((len(seconds), 2))
    for hertz, share in ((0.5, 0.6), (1.2, 0.4)):
        phases = rng.uniform(0, 2 * np.pi, 2)
        shaken += share * speed / (2 * np.pi * hertz) * np.sin(2 * np.pi * hertz * seconds[:, None] + phases)
    return shaken
