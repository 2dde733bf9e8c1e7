"""Drawing a person: the limbs of a `Figure`, shaded and textured, on a picture; `View` scales statures to pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from tasks.drawing.figures import TABLE, Array, Figure, Part

CAMERA_PITCH = 0.13  # radians the camera looks down, so that feet pointing at it still show
_DOWN = (float(np.cos(CAMERA_PITCH)), float(np.sin(CAMERA_PITCH)))
_LIGHT = np.array(
    [-0.48, -0.58, 0.66], np.float32
)  # from the upper left, in picture axes (x right, y down, z to the camera)
_ARC = np.arcsin(np.linspace(-1.0, 1.0, 257)).astype(np.float32) / np.float32(2 * np.pi) * TABLE


@dataclass(frozen=True)
class View:
    """Where the world lies in a picture: the pixel of its origin on the ground, and the pixels of one stature."""

    x_px: float
    y_px: float
    stature_px: float

    def project(self, point: Array) -> tuple[float, float, float]:
        """World (3,) -> x and y in pixels, and depth in statures (larger is nearer)."""
        x, y, z = point.tolist()
        rise = y * _DOWN[0] - z * _DOWN[1]
        return self.x_px + x * self.stature_px, self.y_px - rise * self.stature_px, z


def draw_figure(canvas: Array, figure: Figure, at: dict[str, Array], frame: int, yaw: float, view: View) -> None:
    """Draw one frame of a person, with a soft shadow on the ground, onto `canvas`: float32 (H, W, 3), 0..255, in place.

    `at` is what `joints` returned; `yaw` is where the person faces in this frame, in radians.
    """
    draw_shadow(canvas, at, frame, view)
    draw_body(canvas, figure, at, frame, yaw, view)


def draw_shadow(canvas: Array, at: dict[str, Array], frame: int, view: View) -> None:
    """Darken the ground under the feet and the body."""
    for name in "rl":
        foot = (at["heel_" + name][frame] + at["toe_" + name][frame]) / 2
        shade(canvas, foot, view, 0.10, 0.026, 0.42 / (1.0 + 12.0 * max(float(foot[1]), 0.0)))
    shade(canvas, at["pelvis"][frame], view, 0.26, 0.06, 0.30)


def draw_body(
    canvas: Array, figure: Figure, at: dict[str, Array], frame: int, yaw: float, view: View, cover: Array | None = None
) -> None:
    """Draw the person alone. `cover`, float32 (H, W), gains the share of each pixel that the person covers, in place.

    On a canvas and a cover of zeros this makes a cut-out, its colours multiplied by its cover.
    """
    placed = []
    for index, part in enumerate(figure.parts):
        start, end = view.project(at[part.a][frame]), view.project(at[part.b][frame])
        placed.append(((start[2] + end[2]) / 2 + part.nearer, index, start, end))
    for depth, index, start, end in sorted(placed):
        part = figure.parts[index]
        width = float(np.hypot(np.cos(yaw), part.thickness * np.sin(yaw)))
        brightness = float(np.clip(1.0 + 0.9 * (depth - part.nearer), 0.8, 1.08))  # the far side gets less light
        _draw_part(canvas, part, start, end, view.stature_px * width, yaw, brightness, cover)


def extent(figure: Figure, at: dict[str, Array], frame: int, view: View) -> tuple[int, int, int, int]:
    """Left, top, right and bottom in pixels, half open, of a box that the whole person lies in."""
    left, top, right, bottom = math.inf, math.inf, -math.inf, -math.inf
    for part in figure.parts:
        reach = float(part.radius.max()) * view.stature_px * max(part.thickness, 1.0) + 1.0
        for joint in (part.a, part.b):
            x, y, _ = view.project(at[joint][frame])
            left, top = min(left, x - reach), min(top, y - reach)
            right, bottom = max(right, x + reach), max(bottom, y + reach)
    return math.floor(left), math.floor(top), math.ceil(right) + 1, math.ceil(bottom) + 1


def shade(canvas: Array, point: Array, view: View, across: float, deep: float, dark: float) -> None:
    """Darken the ground under `point`; `across` and `deep` are the shadow's reach in statures."""
    x, y, _ = view.project(point * np.array([1, 0, 1], np.float32))
    reach_x, reach_y = across * view.stature_px, deep * view.stature_px
    window = _window(canvas, x - 2.5 * reach_x, y - 2.5 * reach_y, x + 2.5 * reach_x, y + 2.5 * reach_y)
    if window is not None:
        rows, columns, patch = window
        fall = np.exp(-(((columns - x) / reach_x) ** 2))[None, :] * np.exp(-(((rows - y) / reach_y) ** 2))[:, None]
        patch *= thrice((1.0 - dark * fall).astype(np.float32))


def thrice(plane_HW: Array) -> Array:
    """(H, W) -> (H, W, 3): numpy multiplies two pictures several times faster than a picture and its plane."""
    return np.asarray(cv2.merge((plane_HW, plane_HW, plane_HW)), np.float32)


def _window(canvas: Array, left: float, top: float, right: float, bottom: float) -> tuple[Array, Array, Array] | None:
    """Row and column coordinates and the view of the canvas inside a box; None where the box lies outside."""
    rows, columns = canvas.shape[:2]
    x0, x1 = max(int(left), 0), min(int(right) + 2, columns)
    y0, y1 = max(int(top), 0), min(int(bottom) + 2, rows)
    if x0 >= x1 or y0 >= y1:
        return None
    return np.arange(y0, y1, dtype=np.float32), np.arange(x0, x1, dtype=np.float32), canvas[y0:y1, x0:x1]


def _draw_part(
    canvas: Array,
    part: Part,
    start: tuple[float, ...],
    end: tuple[float, ...],
    scale: float,
    yaw: float,
    brightness: float,
    cover: Array | None,
) -> None:
    radius = part.radius * np.float32(scale)
    reach = float(radius.max()) + 1.0
    (ax, ay), (bx, by) = start[:2], end[:2]
    window = _window(canvas, min(ax, bx) - reach, min(ay, by) - reach, max(ax, bx) + reach, max(ay, by) + reach)
    if window is None:
        return
    rows, columns, patch = window
    length = max(float(np.hypot(bx - ax, by - ay)), 1e-3)
    ux = np.float32((bx - ax) / length)
    uy = np.float32((by - ay) / length if length > 1e-3 else 1.0)  # a ball: any axis will do
    dx, dy = (columns - np.float32(ax))[None, :], (rows - np.float32(ay))[:, None]
    along, across = dx * ux + dy * uy, dx * uy - dy * ux
    inside = np.clip(along, 0.0, np.float32(length))
    row = (inside * np.float32((TABLE - 1) / length) + np.float32(0.5)).astype(np.int32)
    slope = _slope(radius) * np.float32((TABLE - 1) / length)
    upright = 1.0 / np.sqrt(1.0 + slope * slope)
    r, beyond, stands = radius.take(row), (along - inside) * np.float32(part.flat), upright.take(row)
    coverage = np.clip((r - np.sqrt(across * across + beyond * beyond)) * stands + np.float32(0.5), 0.0, 1.0)
    q = np.clip(across / r, -1.0, 1.0)
    e = np.clip(np.float32(0.4) * beyond / r - (slope * upright).take(row), -1.0, 1.0)
    towards = np.sqrt(np.maximum(1.0 - q * q - e * e, 0.0))  # the surface normal's share towards the camera
    lit = q * (uy * _LIGHT[0] - ux * _LIGHT[1]) + e * (ux * _LIGHT[0] + uy * _LIGHT[1]) + towards * _LIGHT[2]
    shade = (np.float32(0.56) + np.float32(0.40) * np.maximum(lit, 0.0) + np.float32(0.12) * towards) * np.float32(
        brightness
    )
    turn = np.float32(TABLE * 1.5 - yaw / (2 * np.pi) * TABLE)
    column = (_ARC.take((q * 128 + np.float32(128.5)).astype(np.int32)) + turn).astype(np.int32) % TABLE
    colour = part.texture.reshape(-1, 3).take(row * TABLE + column, axis=0)
    colour *= thrice(shade)
    colour -= patch
    colour *= thrice(coverage)
    patch += colour
    if cover is not None:
        x0, y0 = int(columns[0]), int(rows[0])
        under = cover[y0 : y0 + len(rows), x0 : x0 + len(columns)]
        under += (1.0 - under) * coverage


def _slope(radius: Array) -> Array:
    """`np.gradient`, which takes four times as long for so few."""
    slope = np.empty_like(radius)
    slope[0], slope[-1] = radius[1] - radius[0], radius[-1] - radius[-2]
    slope[1:-1] = (radius[2:] - radius[:-2]) / 2
    return slope
