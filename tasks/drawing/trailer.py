"""The shots of a trailer: camera moves over stills, each exposed to the brightness it is to have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.drawing import camera_moves, locations
from tasks.drawing.camera_moves import ACROSS, UP, Move
from tasks.drawing.place import LUMA, grade

Picture = NDArray[np.uint8]

SHARPNESS = 1.5  # pixels of a still for each of the widest view of it
GRAIN = 2.5  # standard deviation, grey levels of 255
LOCATIONS = (4, 6)
FRAMINGS = 8  # tried for every shot, until one will do
SHOWS = (0.08, 0.88)  # mean luma before exposure
UNLIKE = 0.20  # mean absolute difference of luma, 0 to 1, before exposure
EXPOSED = 9  # views of a shot that its exposure is set by


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
    studio = _Studio(height_px, width_px, frames_per_second, _stills(height_px, width_px, rng), rng)
    grain = _grain(height_px, width_px, rng)
    location, before = -1, None
    for length, speed, luma in zip(script.lengths, script.speeds, script.lumas, strict=True):
        location, move = studio.frame(length, speed, location, before)
        seen.steps += length - 1
        seen.speed += float(move.speeds(height_px / width_px, frames_per_second).sum())
        samples = [studio.view(location, move, int(frame)) for frame in np.linspace(0, length - 1, EXPOSED)]
        curve = _exposure(np.concatenate(samples), luma)
        before = samples[-1]
        for frame in range(length):
            picture = cv2.LUT(studio.view(location, move, frame), curve)
            top, left = rng.integers(0, (height_px, width_px))
            picture = cv2.add(picture, grain[top : top + height_px, left : left + width_px], dtype=cv2.CV_8U)
            seen.frames += 1
            seen.luma += _luma(picture)
            yield picture


@dataclass(frozen=True)
class _Studio:
    """A film's locations, and the camera before them."""

    height_px: int
    width_px: int
    frames_per_second: float
    stills: list[Picture]
    rng: np.random.Generator

    def frame(self, length: int, speed: float, location: int, before: Picture | None) -> tuple[int, Move]:
        """A move over another location than the last, begun where the picture is unlike the one before the cut.

        It does not show a bare sky or a black wall, which no exposure would bring to the brightness asked for.
        """
        others = [number for number in range(len(self.stills)) if number != location]
        for _ in range(FRAMINGS):
            chosen = others[int(self.rng.integers(len(others)))]
            move = camera_moves.move(length, speed, self.height_px / self.width_px, self.frames_per_second, self.rng)
            views = [self.view(chosen, move, at) for at in (0, length // 2, length - 1)]
            shows = all(SHOWS[0] <= _luma(view) <= SHOWS[1] for view in views)
            if shows and (before is None or _unlike(before, views[0]) >= UNLIKE):
                break
        return chosen, move

    def view(self, location: int, move: Move, frame: int) -> Picture:
        """What the camera sees, before exposure."""
        step = SHARPNESS * float(np.exp(-move.zoom[frame]))
        across = -step if move.mirrored else step
        x, y = move.middle[frame] * SHARPNESS * self.width_px - 0.5
        back = np.array(
            [[across, 0, x - across * (self.width_px - 1) / 2], [0, step, y - step * (self.height_px - 1) / 2]]
        )
        size, how = (self.width_px, self.height_px), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        seen: Picture = cv2.warpAffine(self.stills[location], back, size, flags=how, borderMode=cv2.BORDER_REFLECT_101)
        return seen


def _stills(height_px: int, width_px: int, rng: np.random.Generator) -> list[Picture]:
    colours = grade(rng)
    count = int(rng.integers(LOCATIONS[0], LOCATIONS[1] + 1))
    size = round(UP * SHARPNESS * height_px), round(ACROSS * SHARPNESS * width_px)
    numbers = rng.permutation(len(locations.PLACES))[:count]
    return [locations.still(int(number), *size, colours, rng) for number in numbers]


def _grain(height_px: int, width_px: int, rng: np.random.Generator) -> NDArray[np.int8]:
    """Four pictures' worth, each frame takes a window of it."""
    noise = np.clip(np.rint(rng.standard_normal((2 * height_px, 2 * width_px, 1)) * GRAIN), -100, 100)
    return np.repeat(noise.astype(np.int8), 3, axis=2)


def _luma(picture: Picture) -> float:
    """The mean, 0..1."""
    return float(np.dot(cv2.mean(picture)[:3], LUMA)) / 255


def _unlike(one: Picture, other: Picture) -> float:
    difference = cv2.transform(one, LUMA[None]).astype(np.int16) - cv2.transform(other, LUMA[None])
    return float(np.abs(difference).mean()) / 255


def _exposure(views: Picture, luma: float) -> Picture:
    """The curve, uint8 (256,), that brings views to this mean luma: black stays black, and white white."""
    shares = sum(float(LUMA[c]) * cv2.calcHist([views], [c], None, [256], [0, 256]).ravel() for c in range(3))
    low, high = -4.0, 4.0
    for _ in range(14):
        middle = (low + high) / 2
        low, high = (middle, high) if np.average(_curve(middle), weights=shares) < 255 * luma else (low, middle)
    return _curve((low + high) / 2)


def _curve(stops: float) -> Picture:
    level = np.linspace(0, 1, 256)
    curve = 1 - (1 - level) ** np.exp(stops) if stops > 0 else level ** np.exp(-stops)
    return np.asarray(np.rint(255 * curve), np.uint8)
