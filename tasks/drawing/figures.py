"""What an articulated person is: joint angles -> joints in space, and the limbs that cover them.

Nothing here knows an action, a place or a picture. Units are the person's own height ("statures").
A part of the body is a tapered, round-ended tube between two joints:

        a ------------------- b          radius: (64,) along a -> b, in statures
      (   ) radius(t)         )          texture: (64, 64, 3), rows along a -> b, columns once around,
        ------------------- b            column 32 is the front of the body

World axes: x to the right of the picture, y up, z towards the camera; the ground is y = 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Real = NDArray[np.floating[Any]]
TABLE = 64  # samples along a part, and around it


@dataclass(frozen=True)
class Build:
    """Lengths of the skeleton in statures; adult means as in Winter's segment table, with a slightly larger head."""

    shoulders: float = 0.108  # half the distance between the shoulder joints
    hips: float = 0.052
    torso: float = 0.295
    neck: float = 0.035
    head: float = 0.156
    upper_arm: float = 0.165
    forearm: float = 0.145
    hand: float = 0.050
    thigh: float = 0.240
    shin: float = 0.235
    foot: float = 0.115
    ankle: float = 0.032  # height of the ankle joint above the ground


@dataclass(frozen=True)
class Pose:
    """Angles in radians over T frames; every segment's angle is against the vertical, not against its parent.

    Limbs are (T, 2, 2): side (0 the person's right, at the left of the picture when facing the camera; 1 the
    other), then (outwards, forwards); both zero is hanging down, outwards pi is straight up.
    """

    upper_arm: Array
    forearm: Array
    thigh: Array
    shin: Array
    toes: Array  # (T, 2) the toes raised above the heel
    spine: Array  # (T, 2) leaning sideways, forwards
    head: Array  # (T, 2) tilted sideways, nodding forwards
    yaw: Array  # (T,) 0 faces the camera, pi / 2 faces the right of the picture
    twist: Array  # (T,) shoulders turned against the hips
    place: Array  # (T,) where the person stands: statures to the right of the picture's middle
    lift: Array  # (T,) how far the lower foot is above the ground, statures
    planted: bool  # the feet keep their place and the hips give way, or the other way round


@dataclass(frozen=True)
class Part:
    """A tube between two named joints. `nearer` moves it towards the camera in the drawing order only."""

    a: str
    b: str
    radius: Array
    texture: Array
    flat: float = 1.0  # 1: round ends; 3: ends that stand out a third as far
    thickness: float = 1.0  # front-to-back over side-to-side
    nearer: float = 0.0


@dataclass(frozen=True)
class Figure:
    """A person: a skeleton and what covers it."""

    build: Build
    parts: tuple[Part, ...]
    extras: dict[str, tuple[float, float, float]] = field(
        default_factory=dict
    )  # joints fixed to the head: (x, up, forwards)


def _directions(angles: Array, side: float = 1.0) -> Array:
    """Unit vectors (T, 3) in the body's axes (x, y up, z forwards) for (outwards, forwards) angles (T, 2)."""
    out, forwards = angles[:, 0], angles[:, 1]
    return np.stack([side * np.sin(out) * np.cos(forwards), -np.cos(out) * np.cos(forwards), np.sin(forwards)], axis=1)


def joints(figure: Figure, pose: Pose) -> dict[str, Array]:
    """Joint positions, (T, 3) float32 each, in world axes and statures."""
    build, frames = figure.build, len(pose.yaw)
    at: dict[str, Real] = {}
    up = -_directions(pose.spine * np.array([-1, -1], np.float32))
    zero = np.zeros(frames, np.float32)
    across = np.stack([np.cos(pose.twist), -np.sin(pose.spine[:, 0]), -np.sin(pose.twist)], axis=1)
    pelvis_across = np.stack([np.cos(pose.twist / 2), zero, np.sin(pose.twist / 2)], axis=1)
    at["pelvis"] = np.zeros((frames, 3), np.float32)
    at["crotch"] = at["pelvis"] - up * 0.035
    at["waist"] = up * 0.06
    at["neck"] = up * build.torso
    at["hem"] = up * -0.028
    at["collar"] = up * (build.torso - 0.03)
    for side, name in ((0, "r"), (1, "l")):
        sign = 2.0 * side - 1.0
        at["shoulder_" + name] = up * (build.torso - 0.028) + across * (sign * build.shoulders)
        at["elbow_" + name] = at["shoulder_" + name] + _directions(pose.upper_arm[:, side], sign) * build.upper_arm
        forearm = _directions(pose.forearm[:, side], sign)
        at["wrist_" + name] = at["elbow_" + name] + forearm * build.forearm
        at["fingers_" + name] = at["wrist_" + name] + forearm * build.hand
        at["hip_" + name] = pelvis_across * (sign * build.hips)
        at["knee_" + name] = at["hip_" + name] + _directions(pose.thigh[:, side], sign) * build.thigh
        at["ankle_" + name] = at["knee_" + name] + _directions(pose.shin[:, side], sign) * build.shin
        pitch = pose.toes[:, side]
        sole = np.stack([zero + sign * 0.18, np.sin(pitch), np.cos(pitch)], axis=1)
        at["heel_" + name] = at["ankle_" + name] + np.array([0, -0.55 * build.ankle, 0], np.float32) - sole * 0.02
        at["toe_" + name] = at["heel_" + name] + sole * build.foot
    head_up = -_directions(pose.head * np.array([-1, -1], np.float32))
    chin = at["neck"] + (up + head_up) * (build.neck / 2)
    front = np.stack([zero, -head_up[:, 2], head_up[:, 1]], axis=1)
    at["chin"], at["crown"] = chin, chin + head_up * build.head
    for name, (x, rise, forwards) in figure.extras.items():
        at[name] = chin + head_up * rise + front * forwards + np.array([x, 0, 0], np.float32)
    return _stand(at, build, pose)


def _stand(at: dict[str, Real], build: Build, pose: Pose) -> dict[str, Array]:
    """Put the lower foot on the ground, turn the body to where it faces and move it to its place."""
    lows = np.stack([np.minimum(at["ankle_" + n][:, 1] - build.ankle, at["toe_" + n][:, 1] - 0.012) for n in "rl"])
    ground = lows.min(axis=0) - 0.01 * np.exp(-np.abs(lows[0] - lows[1]) / 0.02)  # rounds the change of feet
    shift = np.stack([np.zeros_like(ground), pose.lift - ground, np.zeros_like(ground)], axis=1)
    if pose.planted:
        feet = (at["ankle_r"] + at["ankle_l"]) / 2
        shift[:, [0, 2]] -= feet[:, [0, 2]]
    cos, sin = np.cos(pose.yaw), np.sin(pose.yaw)
    world = {}
    for name, point in at.items():
        x, y, z = (point + shift).T
        world[name] = np.stack([x * cos + z * sin + pose.place, y, z * cos - x * sin], axis=1).astype(np.float32)
    return world
