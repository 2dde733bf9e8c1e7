"""Filming a street: each frame drawn from far to near, and where each person is in it, measured on what was drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.drawing import bodies
from tasks.drawing.crowd import Walker
from tasks.drawing.figures import Array
from tasks.drawing.scenery import MARGIN
from tasks.drawing.streets import CANVAS_SCALE, Street

SENSOR_NOISE = 2.0  # standard deviation, grey levels of 255
_LEAST_COVER = 0.5  # a drawn pixel belongs to a person from this cover on
_HAZE = 14.0  # grey levels that scattered light adds everywhere
_COLOURFUL = 0.78  # how colourful a camera sees clothes and paint, 1: as they are drawn


class Box(NamedTuple):
    """A person in a frame: whole pixels, `left` and `top` from 0; the box is of the whole person, also out of sight."""

    number: int
    left: int
    top: int
    width: int
    height: int
    visibility: float  # the share of the person that is in the picture and not behind something, 0 to 1


def _expose(picture: Array, street: Street) -> Array:
    """A picture as the camera sees it: in this light, less colourful, with some haze."""
    grey = picture @ np.array((0.299, 0.587, 0.114), np.float32)
    return np.asarray((grey[..., None] + _COLOURFUL * (picture - grey[..., None])) * street.light + _HAZE, np.float32)


class _Sprite(NamedTuple):
    """A cut-out in its place: the canvas pixel of its upper left corner."""

    left: int
    top: int
    colour: Array  # multiplied by the cover
    cover: Array
    number: int  # of the person; 0: a thing


def shoot(street: Street) -> Iterator[tuple[NDArray[np.uint8], list[Box]]]:
    """The frames, uint8 (height_px, width_px, 3) RGB, each with the people in it by their numbers."""
    rng = np.random.default_rng(street.noise_seed)
    size = (street.height_px * CANVAS_SCALE, street.width_px * CANVAS_SCALE)
    backdrop, things = np.zeros((0, 0, 3), np.float32), list[tuple[float, _Sprite]]()
    for frame in range(street.frames):
        if frame == 0 or street.camera.moves():
            backdrop, things = _backdrop(street, frame, size), _stand(street, frame, size)
        canvas = backdrop.copy()
        seen = [w for w in street.walkers if w.frames[0] <= frame < w.frames[1]]
        views = [_view(street, walker, frame, size[0]) for walker in seen]
        for walker, view in zip(seen, views, strict=True):
            bodies.draw_shadow(canvas, walker.at, frame - walker.frames[0], view)
        people = [
            (float(walker.depth[frame - walker.frames[0]]), body)
            for walker, view in zip(seen, views, strict=True)
            if (body := _body(walker, frame, view, size)) is not None
        ]
        sprites = [sprite for _, sprite in sorted(things + people, key=lambda pair: -pair[0])]
        for sprite in sprites:
            _lay(canvas, sprite)
        small = _expose(cv2.resize(canvas, (street.width_px, street.height_px), interpolation=cv2.INTER_AREA), street)
        small += np.float32(SENSOR_NOISE) * rng.standard_normal((*small.shape[:2], 1), dtype=np.float32)
        yield np.clip(small + np.float32(0.5), 0, 255).astype(np.uint8), _boxes(sprites, size)


def _view(street: Street, walker: Walker, frame: int, scale_px: int) -> bodies.View:
    k = frame - walker.frames[0]
    view = street.camera.view(frame, float(walker.x[k]), float(walker.depth[k]), scale_px)
    return bodies.View(view.x_px, view.y_px, view.stature_px * walker.stature)


def _backdrop(street: Street, frame: int, size: tuple[int, int]) -> Array:
    """The wall and the ground, each moved as the camera's move moves it."""
    scale_px, lens, width = size[0], street.camera.lens, size[1]
    margin = round(MARGIN * scale_px)
    zoom, _, down = street.camera.plane(frame, math.inf)
    slide = street.camera.slide(frame)
    layers = []
    for lean, depth in ((0.0, street.wall_depth), (slide, math.inf)) if slide else ((0.0, math.inf),):
        across = street.camera.plane(frame, depth)[1]
        left = street.side - across / zoom - lean * (down / zoom + lens.horizon)
        back = np.array(
            [[1 / zoom, lean / zoom, margin + left * scale_px], [0, 1 / zoom, margin - down / zoom * scale_px]]
        )
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        layers.append(cv2.warpAffine(street.wall, back, (width, scale_px), flags=how, borderMode=cv2.BORDER_REPLICATE))
    foot = (zoom * lens.ground(street.wall_depth) + down) * scale_px
    share = np.clip(np.arange(scale_px, dtype=np.float32) - np.float32(foot) + 0.5, 0, 1)[:, None, None]
    return np.asarray(layers[0] + (layers[-1] - layers[0]) * share, np.float32)


def _stand(street: Street, frame: int, size: tuple[int, int]) -> list[tuple[float, _Sprite]]:
    """The things that are in the picture, each with its depth."""
    found = []
    for thing in street.things:
        view = street.camera.view(frame, thing.x, thing.depth, size[0])
        zoom, (foot_x, foot_y), (rows, columns) = (
            float(street.camera.zoom[frame]), thing.cutout.foot, thing.cutout.rgba.shape[:2],
        )  # fmt: skip
        left, top = max(math.floor(view.x_px - foot_x * zoom) - 1, 0), max(math.floor(view.y_px - foot_y * zoom) - 1, 0)
        right = min(math.ceil(view.x_px + (columns - foot_x) * zoom) + 1, size[1])
        bottom = min(math.ceil(view.y_px + (rows - foot_y) * zoom) + 1, size[0])
        if left >= right or top >= bottom:
            continue
        back = np.array(
            [[1 / zoom, 0, foot_x - (view.x_px - left) / zoom], [0, 1 / zoom, foot_y - (view.y_px - top) / zoom]]
        )
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        rgba = cv2.warpAffine(thing.cutout.rgba, back, (right - left, bottom - top), flags=how)
        found.append((thing.depth, _Sprite(left, top, rgba[..., :3], rgba[..., 3], 0)))
    return found


def _body(walker: Walker, frame: int, view: bodies.View, size: tuple[int, int]) -> _Sprite | None:
    """A person alone, whole even where the picture ends; None for one who is not in it."""
    k = frame - walker.frames[0]
    left, top, right, bottom = bodies.extent(walker.figure, walker.at, k, view)
    if left >= size[1] or top >= size[0] or right <= 0 or bottom <= 0:
        return None
    colour = np.zeros((bottom - top, right - left, 3), np.float32)
    cover = np.zeros((bottom - top, right - left), np.float32)
    inside = bodies.View(view.x_px - left, view.y_px - top, view.stature_px)
    bodies.draw_body(colour, walker.figure, walker.at, k, float(walker.yaw[k]), inside, cover)
    return _Sprite(left, top, colour, cover, walker.number)


def _overlap(sprite: _Sprite, size: tuple[int, ...]) -> tuple[tuple[slice, slice], tuple[slice, slice]] | None:
    """The same pixels in the canvas and in the sprite; None where they do not meet."""
    rows, columns = sprite.cover.shape
    top, bottom = max(sprite.top, 0), min(sprite.top + rows, size[0])
    left, right = max(sprite.left, 0), min(sprite.left + columns, size[1])
    if top >= bottom or left >= right:
        return None
    own = (slice(top - sprite.top, bottom - sprite.top), slice(left - sprite.left, right - sprite.left))
    return (slice(top, bottom), slice(left, right)), own


def _lay(canvas: Array, sprite: _Sprite) -> None:
    where = _overlap(sprite, canvas.shape)
    if where is not None:
        there, own = where
        canvas[there] *= bodies.thrice(1 - sprite.cover[own])
        canvas[there] += sprite.colour[own]


def _boxes(sprites: list[_Sprite], size: tuple[int, int]) -> list[Box]:
    """Everybody whose box meets the picture. `sprites` go from far to near."""
    hidden = np.zeros(size, np.float32)
    height_px, width_px = size[0] // CANVAS_SCALE, size[1] // CANVAS_SCALE
    found = []
    for sprite in reversed(sprites):
        where = _overlap(sprite, size)
        if where is None:
            continue
        there, own = where
        cover, over = sprite.cover[own], hidden[there]
        if sprite.number:
            box = _box(sprite, float((cover * (1 - over)).sum() / sprite.cover.sum()))
            if box.left < width_px and box.top < height_px and box.left + box.width > 0 and box.top + box.height > 0:
                found.append(box)
        over += (1 - over) * cover
    return sorted(found)


def _box(sprite: _Sprite, visibility: float) -> Box:
    inside = sprite.cover >= min(_LEAST_COVER, float(sprite.cover.max()))
    (top, bottom), (left, right) = (
        _pixels(np.flatnonzero(inside.any(axis=axis)) + start) for axis, start in ((1, sprite.top), (0, sprite.left))
    )
    return Box(sprite.number, left, top, right - left, bottom - top, visibility)


def _pixels(drawn: NDArray[np.intp]) -> tuple[int, int]:
    """The half-open span of written pixels that these drawn ones, in ascending order, lie in."""
    return int(drawn[0]) // CANVAS_SCALE, int(drawn[-1]) // CANVAS_SCALE + 1
