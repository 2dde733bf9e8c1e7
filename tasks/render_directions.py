"""The built-in footage of directions: dots that drift, in which no single frame, and no streak, tells the direction.

    <out_dir>/<direction>/scene<NNN>_<direction>.mp4      H.264, yuv420p; direction: down, left, right, up

A random-dot kinematogram. Half of the dots, the signal, drift in the direction; the other half, the mask, move along
the other axis, half of them each way:

    right   signal  o> o> o> o>     mask  o^ o^ ov ov

So whoever looks at frames one by one finds the same dots everywhere, and whoever piles frames up (a mean, a maximum
over time) finds as many streaks along one axis as along the other. Played backwards, `left` is `right`.

The frame is a torus: what leaves on one side comes back on the other, so the last frame is as full of dots as the
first. Every dot has a lane of its own, a row or a column, so that dots never meet head on, which they would on the
mask's axis only; and a speed of its own, so that the signal is no rigid pattern.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks import files, media, parallel
from tasks.params import RenderedDirections

Array = NDArray[np.float64]

DIRECTIONS = {"down": (0, 1), "left": (-1, 0), "right": (1, 0), "up": (0, -1)}  # steps along columns and rows
LANES = (6, 8, 10)  # along each axis; even, because half of the mask goes each way
SPEED = (1.1, 2.2)  # pixels a frame where the shorter side has 64, a scene's mean
OWN_SPEED = (0.85, 1.15)  # a dot's, of the scene's
CRF = 12  # small dots survive


@dataclass(frozen=True)
class Scene:
    """What the videos of a scene have in common, whichever way the dots go: the ground, and N dots without a place.

    `ground` (H, W, 3) and `colours` (N, 3) 0 to 255; `radius` (N,) and `edge`, the width of the soft rim, in pixels;
    `speed` (N,) in pixels a frame.
    """

    ground: Array
    colours: Array
    radius: Array
    speed: Array
    edge: float


@dataclass(frozen=True)
class _Job:
    settings: RenderedDirections
    number: int
    direction: str
    path: Path


def render_directions(out_dir: Path, settings: RenderedDirections, workers: int = 1) -> None:
    """Write every scene once for each direction; an existing `out_dir` is replaced once all are complete.

    Every frame is coded on its own: a frame predicted from another would carry traces of the motion. The bytes do not
    depend on `workers`, and a scene does not depend on how many there are.

    Raises:
        parallel.WorkerError: a video, which it names, could not be written; the cause is chained.
    """
    with files.replacing_folder(out_dir) as folder:
        for direction in DIRECTIONS:
            (folder / direction).mkdir()
        jobs = [
            _Job(settings, number, direction, folder / direction / f"scene{number:03d}_{direction}.mp4")
            for number in range(1, settings.scenes + 1)
            for direction in DIRECTIONS
        ]
        parallel.map_sources(_write, jobs, workers, name=lambda job: job.path.name)


def _write(job: _Job) -> None:
    """Draw one video; in a worker."""
    settings = job.settings
    scene = scene_of(settings.seed, job.number, settings.height_px, settings.width_px)
    media.encode_video(
        film(scene, job.direction, settings.frames, np.random.default_rng(_seeds(settings, job.number, job.direction))),
        job.path,
        frames_per_second=settings.frames_per_second,
        crf=CRF,
        all_key_frames=True,
    )


def _seeds(settings: RenderedDirections, number: int, direction: str) -> tuple[int, int, int]:
    return settings.seed, number, zlib.crc32(direction.encode())


def scene_of(seed: int, number: int, height_px: int, width_px: int) -> Scene:
    """The scene of this number: its ground, and how many dots of which colours, sizes and speeds."""
    rng = np.random.default_rng((seed, number))
    shorter = min(height_px, width_px)
    lanes = int(rng.choice(LANES))
    dots = 2 * lanes
    pitch = shorter / lanes
    level = rng.uniform(90, 165)  # of the ground
    contrast = rng.choice((-1.0, 1.0), (dots, 1)) * rng.uniform(50, 85, (dots, 1))
    return Scene(
        ground=_ground(height_px, width_px, level, rng),
        colours=np.clip(level + contrast + rng.uniform(-20, 20, (dots, 3)), 5, 250),
        radius=pitch * rng.uniform(0.26, 0.36) * rng.uniform(0.85, 1.15, dots),
        speed=rng.uniform(*SPEED) * shorter / 64 * rng.uniform(*OWN_SPEED, dots),
        edge=float(rng.uniform(1.0, 2.0)) * max(shorter / 64, 1.0),
    )


def _ground(height_px: int, width_px: int, level: float, rng: np.random.Generator) -> Array:
    """Coloured noise at three scales, the same along both axes."""
    ground = np.full((height_px, width_px, 3), level) + rng.uniform(-15, 15, 3)
    for blur in (1.0, 3.0, 8.0):
        sigma = blur * min(height_px, width_px) / 64
        noise = cv2.GaussianBlur(rng.standard_normal((height_px, width_px, 3)), (0, 0), sigma)
        ground += noise / noise.std() * rng.uniform(3, 8)
    return ground


def film(scene: Scene, direction: str, frames: int, rng: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    """The frames of one video, uint8 (H, W, 3) RGB, one at a time: the scene's dots in places of their own."""
    height, width, _ = scene.ground.shape
    sides = np.array([width, height], np.float64)
    dots = len(scene.radius)
    places_N2, steps_N2 = _field(DIRECTIONS[direction], dots // 2, sides, rng)
    order = rng.permutation(dots)  # which of them are the signal, and which lie over which
    steps_N2 *= scene.speed[order, None]
    columns, rows = np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64)
    for frame in range(frames):
        canvas = scene.ground.copy()
        at_N2 = (places_N2 + frame * steps_N2) % sides
        x_NW, y_NH = _around(columns - at_N2[:, :1], width), _around(rows - at_N2[:, 1:], height)
        for dot in np.argsort(order):
            radius = scene.radius[order[dot]]
            x, y = x_NW[dot], y_NH[dot]
            reach = radius + scene.edge  # beyond, nothing changes
            near = np.flatnonzero(np.abs(y) < reach)[:, None], np.flatnonzero(np.abs(x) < reach)
            distance = np.sqrt(x[near[1]] ** 2 + y[near[0]] ** 2)
            cover = np.clip((radius - distance) / scene.edge + 0.5, 0, 1)[..., None]
            under = canvas[near]
            canvas[near] = under + cover * (scene.colours[order[dot]] - under)
        yield np.clip(canvas + 0.5, 0, 255).astype(np.uint8)


def _field(direction: tuple[int, int], lanes: int, sides: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Where 2 x `lanes` dots start, and the unit steps they take, both (N, 2) as x, y; the signal comes first."""
    along = 0 if direction[0] else 1
    signal = np.full(lanes, direction[along])
    mask = rng.permutation(np.repeat((-1, 1), lanes // 2))
    places, steps = np.zeros((2 * lanes, 2)), np.zeros((2 * lanes, 2))
    for dots, axis, signs in ((slice(0, lanes), along, signal), (slice(lanes, None), 1 - along, mask)):
        across = 1 - axis
        lane = np.arange(lanes) + rng.uniform(-0.15, 0.15, lanes) + rng.uniform(0, lanes)
        places[dots, across] = lane * sides[across] / lanes % sides[across]
        places[dots, axis] = rng.uniform(0, sides[axis], lanes)
        steps[dots, axis] = signs
    return places, steps


def _around(distance: Array, side: int) -> Array:
    """Distances on a circle of this many pixels, -side/2 to side/2."""
    return (distance + side / 2) % side - side / 2
