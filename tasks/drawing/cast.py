"""Who performs: what performer 1, 2, 3 ... looks like and how they move."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, replace

import numpy as np

from tasks.drawing.actions import Manner


@dataclass(frozen=True)
class Look:
    """What the eye sees of a person. Colours are RRGGBB; girth, shoulders and stature multiply the mean person's."""

    skin: str
    hair: str
    style: str  # short, long, bun, ponytail, afro, bald, cap
    shirt: str
    accent: str
    pattern: str  # plain, stripes, panel, jacket, badge, yoke, checks
    sleeves: float  # 0: none, 1: to the elbow, 2: to the wrist
    trousers: str
    legs: float  # 0: none, 1: to the knee, 2: to the ankle
    shoes: str
    girth: float
    shoulders: float
    stature: float


# skin, hair, style, shirt, accent, pattern, sleeves, trousers, legs, shoes, girth, shoulders, stature
# fmt: off
WARDROBE = (
    Look("ecbc9e", "58361e", "short", "c42c2e", "f0e8dc", "stripes", 0.90, "263054", 2.00, "e8e8e8", 1.00, 1.00, 1.00),
    Look("7a4e34", "181212", "afro", "f6c434", "242428", "badge", 0.60, "2c2c32", 2.00, "d63c34", 0.92, 0.94, 0.97),
    Look("fad4b8", "deb060", "ponytail", "289696", "ecf6f0", "panel", 0.00, "22222c", 2.00, "ec6e8c", 0.86, 0.88, 0.95),
    Look("5c3a28", "100e0e", "bald", "eeeee8", "2860b0", "yoke", 0.80, "bc9c6c", 0.75, "fafafa", 1.13, 1.12, 1.04),
    Look("d8a47a", "141216", "long", "7e3e96", "f8d678", "plain", 1.90, "426096", 2.00, "3c2824", 0.88, 0.90, 0.94),
    Look("f0c4a8", "964020", "cap", "3a703e", "e4ce3c", "checks", 1.90, "765c40", 2.00, "463428", 1.08, 1.05, 1.02),
    Look("c69268", "1c1614", "bun", "f4843c", "fff0dc", "yoke", 0.55, "ecece6", 2.00, "4682be", 0.95, 0.93, 0.96),
    Look("926242", "221a18", "short", "243e80", "e8eaee", "jacket", 1.95, "60646c", 2.00, "1e1e20", 1.03, 1.08, 1.03),
    Look("f6ceb4", "babcc0", "short", "96ceec", "1c3c6e", "stripes", 0.90, "46282c", 0.90, "5ac878", 1.10, 1.00, 0.98),
)
# fmt: on


def look_of(performer: int, rng: np.random.Generator) -> Look:
    """The look of performer 1, 2, 3 ...; from the tenth on, the wardrobe again with other colours and another skin."""
    rounds, number = divmod(performer - 1, len(WARDROBE))
    look = WARDROBE[number]
    girth, shoulders, stature = (float(v) for v in 1 + rng.uniform(-1, 1, 3) * (0.03, 0.03, 0.015))
    return replace(
        look,
        skin=WARDROBE[(number + 4 * rounds) % len(WARDROBE)].skin,
        shirt=_turn_hue(look.shirt, 0.37 * rounds),
        accent=_turn_hue(look.accent, 0.37 * rounds),
        trousers=_turn_hue(look.trousers, 0.37 * rounds),
        girth=look.girth * girth,
        shoulders=look.shoulders * shoulders,
        stature=look.stature * stature,
    )


def _turn_hue(colour: str, turns: float) -> str:
    hue, lightness, saturation = colorsys.rgb_to_hls(*(v / 255 for v in bytes.fromhex(colour)))
    return bytes(round(v * 255) for v in colorsys.hls_to_rgb((hue + turns) % 1.0, lightness, saturation)).hex()


def manner_of(rng: np.random.Generator) -> Manner:
    """How a performer moves, drawn once for all of the performer's actions; `phase` is drawn anew for each."""
    return Manner(
        tempo=float(rng.uniform(0.86, 1.16)),
        reach=float(rng.uniform(0.88, 1.10)),
        hand=int(rng.integers(2)),
        facing=float(rng.uniform(-0.35, 0.35)),
        stoop=float(rng.uniform(0.0, 0.06)),
        sway=float(rng.uniform(0.015, 0.04)),
    )
