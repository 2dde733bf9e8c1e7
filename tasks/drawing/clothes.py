"""Covering a skeleton: skin, hair and clothes as tubes with textures. `dress` makes a `Figure` of a `Look`.

Textures are (64, 64, 3) float32 RGB in 0..255: rows along the part, columns around it, the front in the middle.
"""

from __future__ import annotations

import cv2
import numpy as np

from tasks.drawing.cast import Look
from tasks.drawing.figures import TABLE, Array, Build, Figure, Part

_ROWS, _COLUMNS = np.mgrid[0:TABLE, 0:TABLE]
_FRONT = np.abs(_COLUMNS - TABLE // 2)  # columns away from the front: 16 is the side, 32 the back
_HEAD_JOINTS = {  # to one side, above the chin, forwards; statures
    "nose": (0.0, 0.060, 0.064),
    "nape": (0.0, 0.095, -0.055),
    "back": (0.0, 0.020, -0.050),
    "tail": (0.0, -0.020, -0.085),
    "bun": (0.0, 0.135, -0.050),
    "brow": (0.0, 0.100, 0.050),
    "brim": (0.0, 0.094, 0.105),
    "brim_r": (-0.040, 0.094, 0.085),
    "brim_l": (0.040, 0.094, 0.085),
    "middle": (0.0, 0.090, -0.012),
}


def dress(look: Look, rng: np.random.Generator) -> Figure:
    """Cover a skeleton with what `look` says; `rng` lays the folds."""
    build = Build(shoulders=0.106 * look.shoulders, hips=0.046 * (0.5 + 0.5 * look.girth))
    return Figure(
        build, tuple(_torso(look, rng) + _head(look, rng) + _arms(look, rng) + _legs(look, rng)), _HEAD_JOINTS
    )


def _torso(look: Look, rng: np.random.Generator) -> list[Part]:
    g, w = look.girth, 0.5 * (look.girth + look.shoulders)
    skin, trousers = _cloth(look.skin, rng, 0.02), _cloth(look.trousers, rng)
    yoke = _cloth(look.accent if look.pattern == "yoke" else look.shirt, rng) if look.sleeves else skin
    shirt = _radius(0.070 * w, 0.096 * w, 0.094 * w, 0.084 * g, 0.082 * g, 0.086 * g, 0.090 * g)
    return [
        Part("neck", "chin", _radius(0.030 * g, 0.026 * g), skin, nearer=-0.01),
        Part("shoulder_r", "shoulder_l", _radius(0.030 * g, 0.034 * g, 0.030 * g), yoke, thickness=0.9),
        Part("collar", "hem", shirt, _shirt(look, rng), flat=2.2, thickness=0.70, nearer=0.012),
        Part("waist", "crotch", _radius(0.072 * g, 0.080 * g, 0.078 * g), trousers, flat=1.6, thickness=0.80),
    ]


def _head(look: Look, rng: np.random.Generator) -> list[Part]:
    hair, skin, accent = _cloth(look.hair, rng, 0.10), _cloth(look.skin, rng, 0.01), _cloth(look.accent, rng)
    height = np.linspace(0, 1, TABLE)  # chin to crown: a jaw that narrows below a round skull
    skull = np.sqrt(np.maximum(1 - (np.maximum(height - 0.6, 0) / 0.4) ** 2, 0.01))
    jaw = np.maximum(1 - (np.maximum(0.6 - height, 0) / 0.62) ** 2.4, 0.05) ** 0.6
    styles = {
        "long": [Part("middle", "back", _radius(0.066, 0.070, 0.060), hair)],
        "afro": [Part("middle", "middle", _radius(0.086, 0.086), hair)],
        "bun": [Part("bun", "bun", _radius(0.032, 0.032), hair)],
        "ponytail": [Part("nape", "tail", _radius(0.022, 0.026, 0.012), hair)],
        "cap": [
            Part("brow", "brim", _radius(0.020, 0.012), accent, nearer=0.03),
            Part("brim_r", "brim_l", _radius(0.010, 0.017, 0.010), accent, nearer=0.03),
        ],
    }
    return [
        Part("chin", "crown", (0.062 * skull * jaw).astype(np.float32), _face(look, rng), 3.0, 1.12, 0.02),
        Part("nose", "nose", _radius(0.009, 0.009), skin),
        *styles.get(look.style, []),
    ]


def _arms(look: Look, rng: np.random.Generator) -> list[Part]:
    g, skin = look.girth, _cloth(look.skin, rng, 0.02)
    sleeve = _cloth(look.accent if look.pattern == "yoke" else look.shirt, rng)
    upper, lower = _ends_at(look.sleeves, sleeve, skin), _ends_at(look.sleeves - 1, sleeve, skin)
    shapes = (
        ("shoulder", "elbow", _radius(0.036 * g, 0.034 * g, 0.029 * g, 0.027 * g), upper, 0.010),
        ("elbow", "wrist", _radius(0.027 * g, 0.028 * g, 0.022 * g, 0.018 * g), lower, 0.016),
        ("wrist", "fingers", _radius(0.018 * g, 0.023 * g, 0.015 * g), skin, 0.018),
    )
    return [
        Part(f"{a}_{n}", f"{b}_{n}", radius, cloth, nearer=near) for a, b, radius, cloth, near in shapes for n in "rl"
    ]


def _legs(look: Look, rng: np.random.Generator) -> list[Part]:
    g, skin, cloth = look.girth, _cloth(look.skin, rng, 0.02), _cloth(look.trousers, rng)
    upper, lower = _ends_at(look.legs, cloth, skin), _ends_at(look.legs - 1, cloth, skin)
    shapes = (
        ("hip", "knee", _radius(0.054 * g, 0.054 * g, 0.046 * g, 0.039 * g), upper, -0.004),
        ("knee", "ankle", _radius(0.038 * g, 0.040 * g, 0.033 * g, 0.026 * g), lower, -0.006),
        ("heel", "toe", _radius(0.027, 0.026, 0.022), _cloth(look.shoes, rng), 0.0),
    )
    return [
        Part(f"{a}_{n}", f"{b}_{n}", radius, cover, nearer=near) for a, b, radius, cover, near in shapes for n in "rl"
    ]


def _radius(*statures: float) -> Array:
    """A smooth radius table through evenly spaced values."""
    table = np.interp(np.linspace(0, 1, TABLE), np.linspace(0, 1, len(statures)), statures)
    smooth = np.convolve(np.pad(table, 6, mode="edge"), np.ones(13) / 13, mode="valid")
    return np.asarray(smooth, np.float32)


def _rgb(colour: str) -> Array:
    return np.frombuffer(bytes.fromhex(colour), np.uint8).astype(np.float32)


def _cloth(colour: str, rng: np.random.Generator, folds: float = 0.06) -> Array:
    """One colour with soft folds."""
    coarse = rng.standard_normal((9, 5)).astype(np.float32)
    noise = cv2.resize(coarse, (TABLE, TABLE), interpolation=cv2.INTER_CUBIC)
    return np.asarray(_rgb(colour) * (1 + folds * noise[..., None]), np.float32)


def _ends_at(share: float, cloth: Array, skin: Array) -> Array:
    """`cloth` over the first `share` of a limb with a darker hem, `skin` beyond it."""
    texture, edge = skin.copy(), round(min(max(share, 0.0), 1.0) * TABLE)
    texture[:edge] = cloth[:edge]
    if 0 < edge < TABLE:
        texture[max(edge - 4, 0) : edge] *= 0.86
    return texture


def _shirt(look: Look, rng: np.random.Generator) -> Array:
    texture, accent = _cloth(look.shirt, rng), _cloth(look.accent, rng)
    masks = {
        "stripes": (_ROWS // 6) % 2 == 1,
        "panel": np.abs(_FRONT - 16) < 5,
        "jacket": _FRONT < 5,
        "badge": ((_ROWS - 20) / 10.0) ** 2 + (_FRONT / 8.0) ** 2 < 1,
        "yoke": _ROWS < 17,
        "checks": ((_ROWS // 5) % 3 == 0) ^ ((_COLUMNS // 5) % 3 == 0),
    }
    if look.pattern in masks:
        texture[masks[look.pattern]] = accent[masks[look.pattern]]
    texture[_ROWS < 7 - (_FRONT / 3.2) ** 2] = _rgb(look.skin) * np.float32(0.95)  # the neckline
    return texture


def _face(look: Look, rng: np.random.Generator) -> Array:
    """Row 0 is the chin, row 63 the crown."""
    texture, skin = _cloth(look.skin, rng, 0.01), _rgb(look.skin)
    texture[(np.abs(_ROWS - 31) < 3) & (np.abs(_FRONT - 5) < 2)] = 0.35 * skin  # eyes
    texture[(np.abs(_ROWS - 37) < 2) & (np.abs(_FRONT - 5) < 3)] = 0.66 * skin  # brows
    texture[(np.abs(_ROWS - 14) < 2) & (_FRONT < 4)] = skin * np.array((0.80, 0.58, 0.58), np.float32)  # mouth
    texture[(np.abs(_ROWS - 29) < 6) & (np.abs(_FRONT - 16) < 2)] *= 0.88  # ears
    hair, fringe = _cloth(look.hair, rng, 0.10), {"bald": TABLE, "cap": 42}.get(look.style, 46)
    low = {"long": 4, "afro": 14, "bald": TABLE}.get(look.style, 18)
    hairline = np.where(_FRONT < 12, fringe + 0.2 * _FRONT, np.where(_FRONT < 17, max(low, 32), low))
    texture[hairline < _ROWS] = hair[hairline < _ROWS]
    if look.style == "cap":
        texture[_ROWS > 40] = _cloth(look.accent, rng)[_ROWS > 40]
    return texture
