"""The built-in footage, drawn, the same bytes for the same settings: human actions here, streets in `render_streets`,
directions of motion in `render_directions`, trailers in `render_trailers`.

    <out_dir>/<action>/performer<NN>_<action>.mp4      H.264, yuv420p, NN = 01 ... performers

Each performer has a build, clothes, a way of moving, a place and a camera of their own, drawn from
(seed, performer); what differs between takes is drawn from (seed, performer, action).
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks import files, media, parallel
from tasks.drawing import actions, bodies, cast, clothes, figures, scenery
from tasks.drawing.figures import Array
from tasks.params import Rendered, RenderedActions, RenderedDirections, RenderedStreets
from tasks.render_directions import render_directions
from tasks.render_streets import render_streets
from tasks.render_trailers import render_trailers

CANVAS_SCALE = 2  # pixels drawn for each pixel written, along each side
STATURE = 0.69  # a person of mean height, in picture heights: arms raised in a jump still fit
SENSOR_NOISE = 1.6  # standard deviation, grey levels of 255
CRF = 18


def run(settings: Rendered, out_dir: Path, workers: int = 1) -> None:
    """Draw what the settings describe; an existing `out_dir` is replaced, and only once the new one is complete.

    Args:
        workers: processes that draw; the bytes do not depend on it.

    Raises:
        OSError, ValueError: a video or sequence, which the message names, could not be written.
    """
    try:
        if isinstance(settings, RenderedActions):
            render_actions(out_dir, workers=workers, **settings.model_dump(exclude={"draw"}))
        elif isinstance(settings, RenderedStreets):
            render_streets(out_dir, settings, workers)
        elif isinstance(settings, RenderedDirections):
            render_directions(out_dir, settings, workers)
        else:
            render_trailers(out_dir, settings, workers)
    except parallel.WorkerError as error:
        for kind in (OSError, ValueError):  # a full disk: the user's to mend
            if isinstance(error.__cause__, kind):
                raise kind(str(error)) from error
        raise


@dataclass(frozen=True)
class _Job:
    path: Path
    action: str
    performer: int
    seed: int
    frames: int
    height_px: int
    width_px: int
    frames_per_second: int


def render_actions(
    out_dir: Path,
    *,
    seed: int,
    performers: int,
    seconds: float,
    height_px: int,
    width_px: int,
    frames_per_second: int,
    workers: int = 1,
) -> None:
    """Write one video for each action and performer, `round(seconds * frames_per_second)` frames each.

    An existing `out_dir` is replaced, and only once the new one is complete.

    Raises:
        ValueError: a setting is out of range.
        parallel.WorkerError: a video, which it names, could not be written; the cause is chained.
    """
    _check(seed, performers, seconds, height_px, width_px, frames_per_second)
    frames, shape = round(seconds * frames_per_second), (height_px, width_px)
    with files.replacing_folder(out_dir) as folder:
        jobs = []
        for action in sorted(actions.ACTIONS):
            (folder / action).mkdir()
            for performer in range(1, performers + 1):
                path = folder / action / f"performer{performer:02d}_{action}.mp4"
                jobs.append(_Job(path, action, performer, seed, frames, *shape, frames_per_second))
        parallel.map_sources(_write, jobs, workers, name=lambda job: job.path.name)


def _write(job: _Job) -> None:
    """Draw one video; in a worker."""
    pictures = film(
        job.action,
        job.performer,
        seed=job.seed,
        frames=job.frames,
        height_px=job.height_px,
        width_px=job.width_px,
        frames_per_second=job.frames_per_second,
    )
    media.encode_video(pictures, job.path, frames_per_second=job.frames_per_second, crf=CRF)


def film(
    action: str, performer: int, *, seed: int, frames: int, height_px: int, width_px: int, frames_per_second: int
) -> Iterator[NDArray[np.uint8]]:
    """The frames of one video, uint8 (height_px, width_px, 3) RGB, one at a time."""
    person = np.random.default_rng((seed, performer))
    take = np.random.default_rng((seed, performer, zlib.crc32(action.encode())))
    look = cast.look_of(performer, person)
    manner = replace(cast.manner_of(person), phase=float(take.uniform()))
    figure = clothes.dress(look, person)
    scale_px = height_px * CANVAS_SCALE
    scene = scenery.backdrop(performer - 1, scale_px, width_px * CANVAS_SCALE, person)

    times = (np.arange(frames) / frames_per_second).astype(np.float32)
    stature_px = STATURE * look.stature * min(height_px, width_px) * CANVAS_SCALE
    half_width = width_px * CANVAS_SCALE / 2 / stature_px
    pose = actions.choreograph(action, times, manner, half_width)
    at = figures.joints(figure, pose)
    camera_px = _camera(times, performer, take) * scale_px
    middle_px = (width_px * CANVAS_SCALE / 2, scenery.FEET * scale_px)
    for frame in range(frames):
        dx, dy = (float(v) for v in camera_px[frame])
        canvas = _look_at(scene, dx, dy, scale_px, width_px * CANVAS_SCALE)
        view = bodies.View(middle_px[0] - dx, middle_px[1] - dy, stature_px)
        bodies.draw_figure(canvas, figure, at, frame, float(pose.yaw[frame]), view)
        small = cv2.resize(canvas, (width_px, height_px), interpolation=cv2.INTER_AREA)
        small += take.standard_normal((height_px, width_px, 1), dtype=np.float32) * np.float32(SENSOR_NOISE)
        yield np.clip(small + np.float32(0.5), 0, 255).astype(np.uint8)


def _camera(seconds: Array, performer: int, rng: np.random.Generator) -> Array:
    """Where the camera points, (T, 2) picture heights; by performer: held in the hand, panning slowly, on a tripod."""
    hand = np.zeros((len(seconds), 2), np.float32)
    for hertz, reach in ((0.45, 0.0045), (1.1, 0.0022), (2.3, 0.0008)):
        phases = rng.uniform(0, 2 * np.pi, 2)
        hand += (reach * np.sin(2 * np.pi * hertz * seconds[:, None] + phases)).astype(np.float32)
    pan = np.sin(2 * np.pi * 0.11 * seconds + rng.uniform(0, 2 * np.pi)).astype(np.float32)
    style = performer % 3
    if style == 0:
        return np.zeros_like(hand)
    return hand if style == 1 else 0.3 * hand + np.stack([0.028 * pan, 0 * pan], axis=1)


def _look_at(scene: Array, dx: float, dy: float, height_px: int, width_px: int) -> Array:
    """The visible part of a scene, moved by a fraction of a pixel where the camera has moved."""
    margin = round(scenery.MARGIN * height_px)
    if dx == 0 and dy == 0:
        return scene[margin : margin + height_px, margin : margin + width_px].copy()
    centre = (margin + dx + (width_px - 1) / 2, margin + dy + (height_px - 1) / 2)
    view: Array = cv2.getRectSubPix(scene, (width_px, height_px), centre)
    return view


def _check(seed: int, performers: int, seconds: float, height_px: int, width_px: int, frames_per_second: int) -> None:
    ranges: dict[str, tuple[float, float, float]] = {
        "seed": (seed, 0, 2**32 - 1),
        "performers": (performers, 1, 99),
        "height_px": (height_px, 32, 1080),
        "width_px": (width_px, 32, 1920),
        "frames_per_second": (frames_per_second, 1, 120),
    }
    for name, (value, low, high) in ranges.items():
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"rendered actions: {name} is {value!r}; give a whole number from {low} to {high}")
    for name in ("height_px", "width_px"):
        if ranges[name][0] % 2:
            raise ValueError(
                f"rendered actions: {name} is {ranges[name][0]!r}; H.264 with yuv420p needs an even number"
            )
    if not (math.isfinite(seconds) and 0 < seconds <= 60):
        raise ValueError(f"rendered actions: seconds is {seconds!r}; give more than 0 and at most 60")
    if round(seconds * frames_per_second) < 1:
        raise ValueError(f"rendered actions: seconds is {seconds!r}, less than a frame at {frames_per_second} a second")
