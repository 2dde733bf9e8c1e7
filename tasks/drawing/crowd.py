"""Who walks down a street, when and where: people who come into the picture, pass each other and leave it.

Each of `people` ways runs along the street at a depth of its own and winds a little to and fro in depth. A way is as
long as the part of it that the camera can see and somewhat more; whoever reaches its end out of sight is done, and
somebody else begins at its other end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tasks.drawing import actions, cast, clothes, figures
from tasks.drawing.camera import Camera
from tasks.drawing.figures import Array, Figure

MARGIN = 0.75  # statures beyond the edge of the picture, where nobody is seen
_PACE = 0.85  # legs swing as pendulums do, fastest in mid-stance: paced for the mean speed, the foot would slide there


@dataclass(frozen=True)
class Walker:
    """One person on one passage. `frames` are when: half open. The arrays are over those frames alone."""

    number: int  # from 1, unique in the sequence
    figure: Figure
    frames: tuple[int, int]
    x: Array  # statures to the right of the street's middle
    depth: Array
    yaw: Array
    at: dict[str, Array]
    stature: float  # over the mean


@dataclass(frozen=True)
class _Way:
    depth: float
    winding: float  # statures in depth to either side
    turns: float  # windings for each stature walked, radians
    phase: float
    speed: float  # statures a second, negative to the left
    start: float  # share of the way that is done at the first frame


def gather(
    people: int, depths: tuple[float, float], camera: Camera, seconds: Array, rng: np.random.Generator
) -> list[Walker]:
    """Everybody who walks by during `seconds` (T,), on `people` ways between two depths (statures, near and far)."""
    near, far = depths
    found: list[Walker] = []
    order = rng.permutation(people)
    for place in range(people):
        share = (place + float(rng.uniform(0.2, 0.8))) / people
        depth = near * (far / near) ** share  # as crowded near as far, in the picture
        winding = float(rng.uniform(0.05, 0.30)) * min(depth - near, far - depth)
        way = _Way(
            depth=depth,
            winding=winding,
            turns=min(0.8 / max(winding, 0.1), 2.0),
            phase=float(rng.uniform(0, 2 * np.pi)),
            speed=float(rng.uniform(0.42, 0.78)) * (1 if (place + int(rng.integers(2))) % 2 else -1),
            start=(int(order[place]) + float(rng.uniform(0.2, 0.8))) / people,
        )
        found += _passages(way, camera, seconds, int(rng.integers(2**32)), len(found))
    return found


def _passages(way: _Way, camera: Camera, seconds: Array, seed: int, already: int) -> list[Walker]:
    """The people who take one way, one after the other."""
    half = camera.reach(way.depth + way.winding) + MARGIN
    walked = way.speed * seconds.astype(np.float64)
    along = (walked - camera.track) / (2 * half) + way.start
    passage = np.floor(along).astype(int)
    people: list[Walker] = []
    for count in np.unique(passage):
        frames = np.flatnonzero(passage == count)
        for part in np.split(frames, np.flatnonzero(np.diff(frames) > 1) + 1):  # the camera may turn back
            first, end = int(part[0]), int(part[-1]) + 1
            rng = np.random.default_rng((seed, int(count) + 2**20))
            x = (along[first:end] - count - 0.5) * 2 * half + camera.track[first:end]
            people.append(_walker(way, already + len(people) + 1, (first, end), x, seconds[first:end], rng))
    return people


def _walker(
    way: _Way, number: int, frames: tuple[int, int], x: Array, seconds: Array, rng: np.random.Generator
) -> Walker:
    angle = way.turns * x + way.phase
    depth = way.depth + way.winding * np.sin(angle)
    inwards = way.winding * way.turns * np.cos(angle) * np.sign(way.speed)  # depth gained for each stature walked along
    yaw = np.arctan2(np.full_like(x, np.sign(way.speed)), -inwards).astype(np.float32)
    step = float(seconds[1] - seconds[0]) if len(seconds) > 1 else 0.0
    walked = np.cumsum(np.abs(way.speed) * step * np.sqrt(1 + inwards**2))
    performer = int(rng.integers(1, 1 + 9 * len(cast.WARDROBE)))
    look = cast.look_of(performer, rng)
    manner = replace(cast.manner_of(rng), phase=float(rng.uniform()))
    figure = clothes.dress(look, rng)
    pose = actions.stroll(seconds, (_PACE * walked).astype(np.float32), yaw, manner)
    at = figures.joints(figure, pose)
    return Walker(number, figure, frames, x.astype(np.float32), depth.astype(np.float32), yaw, at, look.stature)
