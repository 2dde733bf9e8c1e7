"""Streets to be filmed: the wall at the far side, the ground, what stands there, who walks by, and the camera.

`plan` decides everything about one sequence; `shoot` draws it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from tasks.drawing import bodies, camera, crowd, facades, pavement, props
from tasks.drawing.camera import Camera, Lens
from tasks.drawing.crowd import Walker
from tasks.drawing.figures import Array
from tasks.drawing.scenery import MARGIN, Paint

CANVAS_SCALE = 2  # pixels drawn for each pixel written, along each side


@dataclass(frozen=True)
class _Distance:
    """How far away people are. Depths in statures."""

    focal: float
    height: float
    horizon: float
    near: float  # people walk between these two
    far: float
    wall: float
    people: int
    things: tuple[int, int, int]  # that stand in front of, among and behind the people


_DISTANCES = (
    _Distance(1.20, 1.00, 0.32, 2.0, 4.2, 5.4, 8, (1, 2, 4)),  # the fastest go 20 px in 6 frames, at 216 px
    _Distance(1.35, 2.40, 0.04, 4.7, 9.6, 11.5, 11, (2, 5, 6)),  # 7 px
    _Distance(1.20, 1.30, 0.24, 2.9, 6.0, 7.4, 9, (1, 4, 5)),  # 14 px
    _Distance(1.25, 1.80, 0.14, 2.5, 7.6, 9.0, 10, (2, 4, 5)),  # all of it
)
_MOVES = ("pan", "track", "hand", "zoom")
_STILL_PLACES, _MOVING_PLACES = ("shops", "park", "hall", "offices"), ("park", "hall", "offices", "shops")
_GROUND = {  # where each pavement begins, as a share of the way from the wall to the camera
    "shops": (("slabs", 0.0), ("kerb", 0.42), ("crossing", 0.46), ("kerb", 0.86), ("cobbles", 0.90)),
    "hall": (("cobbles", 0.0), ("tiles", 0.30), ("red_bricks", 0.40), ("tiles", 0.78), ("cobbles", 0.88)),
    "park": (("grass", 0.0), ("kerb", 0.22), ("gravel", 0.25), ("kerb", 0.80), ("grass", 0.83)),
    "offices": (("small_slabs", 0.0), ("red_bricks", 0.34), ("small_slabs", 0.48), ("kerb", 0.88), ("asphalt", 0.92)),
}
_FRONT, _BACK = ("pole", "lamp", "bollards", "bin"), ("tree", "lamp", "bench", "bicycle", "planter", "car")
_BULKY = ("car", "column", "planter", "tree")  # these stand in the farther half, or they would hide everybody
_MIDDLE = {
    "shops": ("car", "lamp", "column", "bicycle", "bin"),
    "hall": ("planter", "lamp", "column", "bench", "bollards"),
    "park": ("bench", "tree", "bin", "bicycle", "lamp"),
    "offices": ("bicycle", "planter", "pole", "car", "column"),
}
_LIGHTS = (  # what red, green and blue are multiplied by; the sky
    ((0.98, 0.95, 0.89), "day"),
    ((0.74, 0.76, 0.80), "grey"),
    ((0.98, 0.83, 0.68), "evening"),
    ((0.60, 0.66, 0.78), "evening"),
    ((0.87, 0.87, 0.87), "day"),
)


class Thing(NamedTuple):
    """Something that stands in the street, `x` and `depth` in statures."""

    x: float
    depth: float
    cutout: props.Cutout


@dataclass(frozen=True)
class Street:
    """Everything about one sequence. `wall` is the picture of the camera at rest, `side` wider to either side."""

    height_px: int
    width_px: int
    frames: int
    camera: Camera
    wall: Array
    wall_depth: float
    side: float
    things: tuple[Thing, ...]
    walkers: tuple[Walker, ...]
    light: Array
    noise_seed: tuple[int, ...]


def plan(seed: int, number: int, *, height_px: int, width_px: int, frames: int, frames_per_second: int) -> Street:
    """Street `number`, from 1: odd ones stand still, even ones are filmed by a moving camera, each in its own way."""
    rng = np.random.default_rng((seed, number))
    pair, moving = divmod(number - 1, 2)
    distance = _DISTANCES[(pair + 2 * moving) % 4]
    place = (_MOVING_PLACES if moving else _STILL_PLACES)[pair % 4]
    tint, sky = _LIGHTS[(3 * pair + 2 * moving) % len(_LIGHTS)]
    lens = Lens(width_px / height_px, distance.focal, distance.height, distance.horizon)
    seconds = (np.arange(frames) / frames_per_second).astype(np.float32)
    moves = camera.direct(_MOVES[pair % 4] if moving else "tripod", lens, seconds, rng)
    things = _furnish(distance, place, moves, height_px * CANVAS_SCALE, rng)
    side = float(np.abs(moves.shift[:, 0]).max())
    side += float(np.abs(moves.track).max()) / lens.height * (1 + MARGIN - lens.horizon)
    return Street(
        height_px=height_px,
        width_px=width_px,
        frames=frames,
        camera=moves,
        wall=_paint(place, sky, distance, lens, side, things, height_px * CANVAS_SCALE, rng),
        wall_depth=distance.wall,
        side=side,
        things=tuple(things),
        walkers=tuple(crowd.gather(distance.people, (distance.near, distance.far), moves, seconds, rng)),
        light=_light(height_px, width_px, tint),
        noise_seed=(seed, number, 1),
    )


def _furnish(distance: _Distance, place: str, moves: Camera, scale_px: int, rng: np.random.Generator) -> list[Thing]:
    """What stands about: in front of the people, among them, behind them."""
    rows = (
        (_FRONT, 0.84 * distance.near, 0.96 * distance.near),
        (_MIDDLE[place], 1.1 * distance.near, distance.far),
        (_BACK, 1.04 * distance.far, 0.5 * (distance.far + distance.wall)),
    )
    things = []
    for (kinds, near, far), count in zip(rows, distance.things, strict=True):
        order = rng.permutation(len(kinds))
        for i in range(count):
            kind = kinds[order[i % len(kinds)]]
            depth = float(rng.uniform(math.sqrt(near * far) if kind in _BULKY else near, far))
            reach = moves.reach(depth) + float(np.abs(moves.track).max())
            x = reach * (2 * (i + float(rng.uniform(0.15, 0.85))) / count - 1)
            stature_px = moves.lens.focal / depth * scale_px
            things.append(Thing(x, depth, props.make(kind, stature_px, rng)))
    return things


def _paint(
    place: str,
    sky: str,
    distance: _Distance,
    lens: Lens,
    side: float,
    things: list[Thing],
    scale_px: int,
    rng: np.random.Generator,
) -> Array:
    paint = Paint(scale_px, round((lens.aspect + 2 * side) * scale_px), rng)
    unit = lens.focal / distance.wall
    facades.build(place, facades.Wall(paint, unit, lens.ground(distance.wall), sky))
    closest = lens.depth(1 + MARGIN)
    bands = [(name, distance.wall * (closest / distance.wall) ** share) for name, share in _GROUND[place]]
    pavement.pave(paint, side, lens, bands, rng)
    for thing in things:
        at_x = (side + lens.aspect / 2 + lens.focal * thing.x / thing.depth) * scale_px + paint.margin_px
        view = bodies.View(at_x, lens.ground(thing.depth) * scale_px + paint.margin_px, thing.cutout.foot[1])
        wide = thing.cutout.rgba.shape[1] / 2 / view.stature_px
        bodies.shade(paint.canvas, np.zeros(3, np.float32), view, 0.75 * wide, 0.04, 0.40)
    soft: Array = cv2.GaussianBlur(np.clip(paint.canvas, 0, 255), (0, 0), max(0.002 * scale_px, 0.5))
    return soft


def _light(height_px: int, width_px: int, tint: tuple[float, float, float]) -> Array:
    """What every pixel is multiplied by, (H, W, 3): the colour of the light, darker corners."""
    rows, columns = (np.linspace(-1, 1, n, dtype=np.float32) for n in (height_px, width_px))
    corners = 1 - 0.08 * (rows[:, None] ** 2 + columns[None, :] ** 2)
    return np.asarray(corners[..., None] * np.array(tint, np.float32), np.float32)
