"""What people do: time -> joint angles. Knows nothing of pictures, clothes or places.

`choreograph` gives the pose of one action over all frames. `Manner` is how a person moves: tempo, amplitude, phase,
handedness, posture; the same manner in two actions is recognisably the same person.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from tasks.drawing.figures import Array, Pose

_TURN = 2 * np.pi


@dataclass(frozen=True)
class Manner:
    """How one person performs: `tempo` and `reach` multiply, `phase` is in cycles, the rest is in radians."""

    tempo: float = 1.0
    reach: float = 1.0
    phase: float = 0.0
    hand: int = 1  # the side that acts alone: 0 right, 1 left
    facing: float = 0.0  # turned away from the camera's axis
    stoop: float = 0.03
    sway: float = 0.02


def _rad(*degrees: float) -> Array:
    return np.asarray(np.deg2rad(degrees), np.float32)


def _wave(seconds: Array, hertz: float, cycles: float = 0.0) -> Array:
    return np.asarray(np.sin(_TURN * (hertz * seconds + cycles)), np.float32)


def _rest(seconds: Array, manner: Manner) -> dict[str, Array]:
    """Standing at ease: breathing, weight moving slowly from foot to foot, arms hanging a little bent."""
    frames = len(seconds)
    slow, slower = _wave(seconds, 0.31 * manner.tempo, manner.phase), _wave(seconds, 0.17, 1.7 * manner.phase + 0.3)
    limb = np.zeros((frames, 2, 2), np.float32)
    sway = manner.sway * (0.6 * slow + 0.4 * slower)
    spine = np.stack([sway, manner.stoop + 0.4 * manner.sway * slower], axis=1)
    leg = np.stack([np.stack([0.07 + 0.5 * sway, 0 * sway], 1), np.stack([0.07 - 0.5 * sway, 0 * sway], 1)], axis=1)
    hang = _rad(11, 1) + 0.3 * manner.sway * np.stack([slow, slower], 1)[:, None, :]
    return {
        "upper_arm": limb + hang,
        "forearm": limb + _rad(6, 14) + 0.5 * manner.sway * np.stack([slower, slow], 1)[:, None, :],
        "thigh": leg,
        "shin": leg * 0.6,
        "toes": np.zeros((frames, 2), np.float32),
        "spine": spine,
        "head": np.stack([-0.5 * sway, 0.02 + 0.03 * slower], 1),
        "yaw": np.full(frames, manner.facing, np.float32) + 0.5 * manner.sway * slow,
        "twist": 0.4 * manner.sway * slower,
        "place": np.zeros(frames, np.float32),
        "lift": np.zeros(frames, np.float32),
    }


def _out(out: Array, forwards: Array | float) -> Array:
    """(T, 2) angles of one limb."""
    return np.stack([out, np.broadcast_to(np.asarray(forwards, np.float32), out.shape)], axis=1)


def _wave_one_hand(seconds: Array, manner: Manner, half_width: float) -> Pose:
    pose, side = _rest(seconds, manner), manner.hand
    swing, late = (
        _wave(seconds, 1.15 * manner.tempo, manner.phase),
        _wave(seconds, 1.15 * manner.tempo, manner.phase - 0.09),
    )
    pose["upper_arm"][:, side] = _out(np.deg2rad(108 + 9 * manner.reach * swing), 0.12)
    pose["forearm"][:, side] = _out(np.deg2rad(163 + 40 * manner.reach * late), 0.10)
    pose["spine"][:, 0] += (1 - 2 * side) * 0.05 + 0.018 * swing
    pose["head"][:, 0] += (2 * side - 1) * 0.05 + 0.02 * late
    return Pose(**pose, planted=True)


def _wave_two_hands(seconds: Array, manner: Manner, half_width: float) -> Pose:
    pose = _rest(seconds, manner)
    swing, late = (
        _wave(seconds, 0.85 * manner.tempo, manner.phase),
        _wave(seconds, 0.85 * manner.tempo, manner.phase - 0.07),
    )
    for side in (0, 1):
        pose["upper_arm"][:, side] = _out(np.deg2rad(118 + 32 * manner.reach * swing), 0.08)
        pose["forearm"][:, side] = _out(np.deg2rad(138 + 46 * manner.reach * late), 0.06)
    pose["spine"][:, 1] -= 0.03 * swing
    pose["head"][:, 1] -= 0.04 * late
    return Pose(**pose, planted=True)


def _jumping_jack(seconds: Array, manner: Manner, half_width: float) -> Pose:
    pose, hertz = _rest(seconds, manner), 0.92 * manner.tempo
    open_ = 0.5 + 0.5 * _wave(seconds, hertz, manner.phase)
    late = 0.5 + 0.5 * _wave(seconds, hertz, manner.phase - 0.05)
    hop = np.maximum(np.cos(_TURN * 2 * (hertz * seconds + manner.phase)), -0.35).astype(
        np.float32
    )  # up while the legs travel
    crouch = np.maximum(-np.cos(_TURN * 2 * (hertz * seconds + manner.phase)), 0.0).astype(np.float32)
    for side in (0, 1):
        pose["upper_arm"][:, side] = _out(np.deg2rad(14 + (132 + 12 * manner.reach) * open_), 0.05)
        pose["forearm"][:, side] = _out(np.deg2rad(10 + 158 * late), 0.08)
        pose["thigh"][:, side] = _out(np.deg2rad(4 + 22 * manner.reach * open_), 0.30 * crouch)
        pose["shin"][:, side] = _out(np.deg2rad(3 + 22 * manner.reach * open_), -0.30 * crouch)
        pose["toes"][:, side] = -0.55 * np.maximum(hop, 0)
    pose["lift"] += 0.05 * manner.reach * (np.maximum(hop, 0.0)) ** 1.2
    return Pose(**pose, planted=True)


def _bend(seconds: Array, manner: Manner, half_width: float) -> Pose:
    """Down to the toes and up again, seen from the side."""
    pose = _rest(seconds, manner)
    turn = _wave(seconds, 0.45 * manner.tempo, manner.phase - 0.25)
    down = 0.5 + 0.5 * turn
    pose["spine"][:, 1] += np.deg2rad(102 * min(manner.reach, 1.08)) * down
    pose["head"][:, 1] += np.deg2rad(118) * down
    pose["yaw"] += (2 * manner.hand - 1) * np.deg2rad(68) - manner.facing
    for side in (0, 1):
        pose["upper_arm"][:, side] = _out(pose["upper_arm"][:, side, 0], np.deg2rad(4 + 16 * down))
        pose["forearm"][:, side] = _out(pose["forearm"][:, side, 0] * (1 - down), np.deg2rad(12 + 8 * down))
        pose["thigh"][:, side, 1] += np.deg2rad(-1 - 13 * down)
        pose["shin"][:, side, 1] += np.deg2rad(-2 - 17 * down)
    return Pose(**pose, planted=True)


def _squat(seconds: Array, manner: Manner, half_width: float) -> Pose:
    pose = _rest(seconds, manner)
    down = (0.5 + 0.5 * _wave(seconds, 0.62 * manner.tempo, manner.phase - 0.25)) * min(manner.reach, 1.05)
    late = (0.5 + 0.5 * _wave(seconds, 0.62 * manner.tempo, manner.phase - 0.28)).astype(np.float32)
    pose["yaw"] += (2 * manner.hand - 1) * np.deg2rad(42) - manner.facing
    pose["spine"][:, 1] += np.deg2rad(34) * down
    pose["head"][:, 1] += np.deg2rad(8) * down
    for side in (0, 1):
        pose["upper_arm"][:, side] = _out(_rad(9) + 0 * down, np.deg2rad(4 + 84 * late))
        pose["forearm"][:, side] = _out(_rad(2) + 0 * down, np.deg2rad(16 + 76 * late))
        pose["thigh"][:, side] = _out(np.deg2rad(8 + 9 * down), np.deg2rad(92) * down)
        pose["shin"][:, side] = _out(np.deg2rad(7 + 0 * down), np.deg2rad(-34) * down)
    return Pose(**pose, planted=True)


def _legs(pose: dict[str, Array], cycle: Array, swing: Array, knee: float, lean: float) -> None:
    """Alternating legs. `cycle` counts strides of two steps, `swing` is the thigh's reach in radians."""
    for side in (0, 1):
        angle = _TURN * (cycle + 0.5 * side)
        thigh = swing * np.sin(angle) + lean
        flex = (
            0.10
            + knee * np.maximum(np.cos(angle + 0.45), 0.0) ** 1.4
            + 0.12 * np.maximum(np.cos(angle + np.pi - 0.6), 0.0)
        )
        pose["thigh"][:, side] = _out(0.02 + 0 * cycle, thigh)
        pose["shin"][:, side] = _out(0.01 + 0 * cycle, thigh - flex * np.clip(swing / 0.3, 0, 1))
        pose["toes"][:, side] = np.where(thigh < lean, 1.0, 0.5) * (thigh - lean) * 0.9


def stroll(seconds: Array, walked: Array, yaw: Array, manner: Manner) -> Pose:
    """Walking along any way, on the spot: `walked` statures by each of `seconds`, facing `yaw` radians; all (T,)."""
    pose, swing = _rest(seconds, manner), 0.42 * manner.reach
    pose["yaw"] = yaw
    cycle = (walked / (4 * 0.475 * np.sin(swing)) + manner.phase).astype(np.float32)  # stride length fits the speed
    ahead = (swing * (0.45 + 0.55 * np.abs(np.sin(yaw)))).astype(np.float32)
    _legs(pose, cycle, ahead, 0.85, 0.02)
    for side in (0, 1):
        back = -np.sin(_TURN * (cycle + 0.5 * side)) * ahead
        pose["upper_arm"][:, side] = _out(_rad(8) + 0 * cycle, 0.95 * back - 0.04)
        pose["forearm"][:, side] = _out(_rad(5) + 0 * cycle, 1.05 * back + 0.30)
    pose["twist"] = (0.16 * np.sin(_TURN * cycle)).astype(np.float32)
    pose["spine"][:, 1] += 0.05
    return Pose(**pose, planted=False)


def _walk(seconds: Array, manner: Manner, half_width: float) -> Pose:
    """To and fro across the picture, turning towards the camera before each edge."""
    pose, speed = _rest(seconds, manner), 0.62 * manner.tempo
    edge, step = max(half_width - 0.26, 0.12), float(seconds[1] - seconds[0]) if len(seconds) > 1 else 0.0
    aim = heading = float(2 * manner.hand - 1)
    x = -heading * edge * 0.9
    for i in range(len(seconds)):
        if x * aim > edge - 0.16:  # the turn takes some ground of its own
            aim = -aim
        heading += float(np.clip(aim - heading, -2.6 * step, 2.6 * step))
        x += speed * float(np.sin(heading * np.pi / 2)) * step
        pose["yaw"][i], pose["place"][i] = heading * np.deg2rad(82), x
    gait = stroll(seconds, seconds * speed, pose["yaw"], manner)
    return replace(gait, place=pose["place"])


def _run_in_place(seconds: Array, manner: Manner, half_width: float) -> Pose:
    pose, hertz = _rest(seconds, manner), 1.25 * manner.tempo
    cycle = (hertz * seconds + manner.phase).astype(np.float32)
    pose["yaw"] += (2 * manner.hand - 1) * np.deg2rad(58) - manner.facing
    for side in (0, 1):
        up = np.maximum(np.sin(_TURN * (cycle + 0.5 * side)), 0.0) ** 0.9
        pose["thigh"][:, side] = _out(0.03 + 0 * cycle, np.deg2rad(76 * manner.reach) * up - 0.03)
        pose["shin"][:, side] = _out(0.01 + 0 * cycle, -np.deg2rad(30) * up - 0.06)
        pose["toes"][:, side] = -0.6 * up
        pump = -np.sin(_TURN * (cycle + 0.5 * side))
        pose["upper_arm"][:, side] = _out(_rad(10) + 0 * cycle, np.deg2rad(46) * pump - 0.15)
        pose["forearm"][:, side] = _out(_rad(-4) + 0 * cycle, np.deg2rad(86 + 34 * pump))
    pose["lift"] += 0.028 * (np.abs(np.sin(_TURN * cycle)) ** 2).astype(np.float32)
    pose["twist"] = (0.14 * np.sin(_TURN * cycle)).astype(np.float32)
    pose["spine"][:, 1] += 0.07
    return Pose(**pose, planted=False)


ACTIONS: dict[str, Callable[[Array, Manner, float], Pose]] = {
    "bend": _bend,
    "jumping_jack": _jumping_jack,
    "run_in_place": _run_in_place,
    "squat": _squat,
    "walk": _walk,
    "wave_one_hand": _wave_one_hand,
    "wave_two_hands": _wave_two_hands,
}


def choreograph(action: str, seconds: Array, manner: Manner, half_width: float) -> Pose:
    """The pose of `action` at each of `seconds`, (T,) float32. `half_width`: half the picture's width in statures."""
    return ACTIONS[action](seconds, manner, half_width)
