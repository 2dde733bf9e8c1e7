"""The shots of a trailer: camera moves over stills, each exposed to the brightness it is to have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.drawing import camera_moves, locations
from tasks.drawing.camera_moves import ACROSS, UP, Move

Picture = NDArray[np.uint8]

SHARPNESS = 1.5  # pixels of a still for each of the widest view of it
GRAIN = 2.5  # standard deviation, grey levels of 255
LOCATIONS = (4, 6)
FRAMINGS = 4  # tried for every shot, until one is unlike the picture before the cut
UNLIKE = 0.20  # mean absolute difference of luma, 0 to 1, before exposure
LUMA = locations.LUMA[None, :]


@dataclass(frozen=True)
class Script:
    """What is asked of a trailer's shots: their frames, the speed of the camera and the mean luma, 0..1."""

    lengths: tuple[int, ...]
    speeds: tuple[float, ...]  # picture widths a second
    lumas: tuple[float, ...]


@dataclass
class Seen:
    """What was really drawn, summed up while it is."""

    frames: int = 0
    luma: float = 0.0
    steps: int = 0
    speed: float = 0.0


def shoot(
    script: Script, seen: Seen, *, height_px: int, width_px: int, frames_per_second: float, rng: np.random.Generator
) -> Iterator[Picture]:
    """The frames, uint8 (height_px, width_px, 3) RGB, one at a time; `seen` is kept up with them, in place."""
    aspect = height_px / width_px
    stills = _stills(height_px, width_px, rng)
    grain = _grain(height_px, width_px, rng)
    place, before = -1, None
    for length, speed, luma in zip(script.lengths, script.speeds, script.lumas, strict=True):
        for _ in range(FRAMINGS):
            chosen = int(rng.integers(len(stills) - (place >= 0)))
            chosen += place >= 0 and chosen >= place
            move = camera_moves.move(length, speed, aspect, frames_per_second, rng)
            first = _view(stills[chosen], move, 0, height_px, width_px)
            if before is None or _unlike(before, first) >= UNLIKE:
                break
        place = chosen
        seen.steps += length - 1
        seen.speed += float(move.speeds(aspect, frames_per_second).sum())
        samples = [_view(stills[place], move, int(t), height_px, width_px) for t in np.linspace(0, length - 1, 5)]
        curve = _exposure(np.concatenate(samples), luma)
        before = samples[-1]
        for frame in range(length):
            picture = cv2.LUT(_view(stills[place], move, frame, height_px, width_px), curve)
            top, left = rng.integers(0, (height_px, width_px))
            picture = cv2.add(picture, grain[top : top + height_px, left : left + width_px], dtype=cv2.CV_8U)
            seen.frames += 1
            seen.luma += _luma(picture)
            yield picture


def _stills(height_px: int, width_px: int, rng: np.random.Generator) -> list[Picture]:
    colours = locations.palette(rng)
    count = int(rng.integers(LOCATIONS[0], LOCATIONS[1] + 1))
    size = round(UP * SHARPNESS * height_px), round(ACROSS * SHARPNESS * width_px)
    places = rng.permutation(len(locations.PLACES))[:count]
    return [locations.still(int(place), *size, colours, rng) for place in places]


def _grain(height_px: int, width_px: int, rng: np.random.Generator) -> NDArray[np.int8]:
    """Four pictures' worth, each frame takes a window of it."""
    noise = np.clip(np.rint(rng.standard_normal((2 * height_px, 2 * width_px, 1)) * GRAIN), -100, 100)
    return np.repeat(noise.astype(np.int8), 3, axis=2)


def _view(still: Picture, move: Move, frame: int, height_px: int, width_px: int) -> Picture:
    """What the camera sees of a still."""
    unit = SHARPNESS * width_px
    step = SHARPNESS * float(np.exp(-move.zoom[frame]))
    across = -step if move.mirrored else step
    x, y = move.middle[frame] * unit
    back = np.array(
        [[across, 0, x - 0.5 - across * (width_px - 1) / 2], [0, step, y - 0.5 - step * (height_px - 1) / 2]]
    )
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    view: Picture = cv2.warpAffine(still, back, (width_px, height_px), flags=how, borderMode=cv2.BORDER_REFLECT_101)
    return view


def _luma(picture: Picture) -> float:
    """The mean, 0..1."""
    return float(np.dot(cv2.mean(picture)[:3], locations.LUMA)) / 255


def _unlike(one: Picture, other: Picture) -> float:
    difference = cv2.transform(one, LUMA).astype(np.int16) - cv2.transform(other, LUMA)
    return float(np.abs(difference).mean()) / 255


def _exposure(views: Picture, luma: float) -> Picture:
    """The curve, uint8 (256,), that brings views to this mean luma: black stays black, and white white."""
    low, high = -3.0, 3.0
    for _ in range(14):
        middle = (low + high) / 2
        low, high = (middle, high) if _luma(cv2.LUT(views, _curve(middle))) < luma else (low, middle)
    return _curve((low + high) / 2)


def _curve(stops: float) -> Picture:
    level = np.linspace(0, 1, 256)
    curve = 1 - (1 - level) ** np.exp(stops) if stops > 0 else level ** np.exp(-stops)
    return np.asarray(np.rint(255 * curve), np.uint8)
