"""What streets are paved with: slabs, cobbles, asphalt with markings, gravel, grass, in exact perspective.

A pixel of the ground covers more of it the farther away it is; joints and grain finer than a pixel fade out rather
than flicker when the camera moves.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from tasks.drawing.camera import Lens
from tasks.drawing.figures import Array
from tasks.drawing.scenery import MARGIN, Colour, Paint

_TILE = 128  # samples along a side of the noise that repeats


@dataclass(frozen=True)
class Surface:
    """A kind of ground. Lengths in statures; `slab` is (across, in depth), None: no joints."""

    colour: Colour
    slab: tuple[float, float] | None = None
    joint: float = 0.012
    tone: float = 0.07  # how much slabs differ from each other
    grain: float = 0.06
    stripes: float = 0.0  # distance between white bars across the street; 0: none
    green: float = 0.0  # how much the grain changes the hue, as grass does


SURFACES = {
    "slabs": Surface((176, 170, 160), (0.42, 0.30), tone=0.09),
    "small_slabs": Surface((158, 152, 150), (0.24, 0.24), tone=0.10, joint=0.010),
    "cobbles": Surface((142, 132, 124), (0.10, 0.085), joint=0.018, tone=0.16, grain=0.05),
    "red_bricks": Surface((164, 104, 84), (0.17, 0.075), joint=0.010, tone=0.14),
    "asphalt": Surface((96, 97, 102), grain=0.10),
    "crossing": Surface((92, 93, 98), grain=0.10, stripes=0.56),
    "gravel": Surface((204, 190, 160), grain=0.10),
    "grass": Surface((96, 138, 64), grain=0.16, green=1.0),
    "kerb": Surface((192, 188, 180), (0.55, 9.0), joint=0.012, tone=0.05),
    "tiles": Surface((206, 200, 190), (0.34, 0.34), joint=0.008, tone=0.12, grain=0.03),
}


def pave(paint: Paint, side: float, lens: Lens, bands: list[tuple[str, float]], rng: np.random.Generator) -> None:
    """Cover the ground of `paint` from the foot of the wall to the camera.

    Args:
        side: how far `paint` reaches beyond the picture at its left and right, picture heights.
        bands: (a name in `SURFACES`, the depth at which it begins), nearest last; the first begins at the wall.
    """
    height, width = paint.canvas.shape[:2]
    top = int(np.ceil((lens.ground(bands[0][1]) + MARGIN) * paint.scale))
    row = (np.arange(top, height, dtype=np.float32)[:, None] + 0.5) / paint.scale - MARGIN
    column = (np.arange(width, dtype=np.float32)[None, :] + 0.5) / paint.scale - (MARGIN + side + lens.aspect / 2)
    depth = (lens.focal * lens.height / (row - lens.horizon)).astype(np.float32)
    x = (column * depth / lens.focal).astype(np.float32)
    pixel_x, pixel_depth = depth / (lens.focal * paint.scale), depth**2 / (lens.focal * lens.height * paint.scale)
    tile = rng.standard_normal((_TILE, _TILE))
    tile = cv2.GaussianBlur(np.pad(tile, 4, mode="wrap"), (0, 0), 0.6)[4:-3, 4:-3]  # one more row and column to reach
    noise = (tile / tile.std()).astype(np.float32)
    ground = paint.canvas[top:]
    for name, begins in bands:
        drawn = _surface(SURFACES[name], x, depth, pixel_x, pixel_depth, noise, rng)
        inside = np.clip((begins - depth) / pixel_depth + 0.5, 0, 1)[..., None]
        ground += (drawn - ground) * inside


def _surface(
    surface: Surface, x: Array, depth: Array, pixel_x: Array, pixel_depth: Array, noise: Array, rng: np.random.Generator
) -> Array:
    light = np.ones_like(x)
    for cell, share in ((0.03, 1.0), (0.11, 0.7), (0.45, 0.45), (1.9, 0.6)):
        seen = np.clip(1.5 - pixel_depth / cell, 0, 1) * surface.grain * share
        u, v = x / cell + float(rng.uniform(0, _TILE)), np.broadcast_to(depth / cell, x.shape)
        spots = cv2.remap(noise, u.astype(np.float32) % _TILE, v.astype(np.float32) % _TILE, cv2.INTER_LINEAR)
        light += seen * spots
    if surface.slab:
        wide, deep = surface.slab
        line = np.floor(depth / deep)
        moved = x + 0.5 * wide * (line % 2)  # every other row is laid half a slab on
        tones = rng.standard_normal((64, 64)).astype(np.float32)
        slab = tones[line.astype(int) % 64, np.floor(moved / wide).astype(int) % 64]
        light *= 1 + surface.tone * slab * np.clip(1.5 - 0.7 * pixel_depth / deep, 0, 1)
        light *= 1 - 0.38 * _line(moved, wide, surface.joint, pixel_x)
        light *= 1 - 0.38 * _line(np.broadcast_to(depth, x.shape), deep, surface.joint, pixel_depth)
    colour = np.asarray(surface.colour, np.float32) * light[..., None]
    if surface.green:
        colour *= 1 + surface.green * np.array((0.4, 0, -0.4), np.float32) * (light[..., None] - 1)  # dry or lush
    if surface.stripes:
        bar = _line(x, surface.stripes, 0.5 * surface.stripes, pixel_x)[..., None]
        worn = 0.90 + 0.25 * (light[..., None] - 1)
        colour += (np.array((226, 224, 216), np.float32) * light[..., None] - colour) * bar * worn
    return np.asarray(colour, np.float32)


def _line(along: Array, period: float, width: float, pixel: Array) -> Array:
    """The share of each pixel that lines of `width` cover, one every `period`: a box filter of a pixel's size."""
    off = np.abs(along / period - np.round(along / period)) * period
    inside = np.minimum(off + pixel / 2, width / 2) - np.maximum(off - pixel / 2, -width / 2)
    return np.asarray(np.clip(inside / pixel, 0, 1), np.float32)
