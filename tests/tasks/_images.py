"""Tiny numbered images, sound and broken."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image


def picture(number: int, width_px: int = 20, height_px: int = 10) -> np.ndarray:
    """uint8 (height, width, 3) that tells its number: smooth, so that JPEG keeps it within a few levels."""
    y, x = np.mgrid[0:height_px, 0:width_px]
    return np.stack([(x * 5 + number * 9) % 256, y * 9 + 20, np.full_like(x, number * 7 % 256)], 2).astype(np.uint8)


def write_images(folder: Path, numbers: Iterable[int], name: str = "{:06d}.jpg", **size: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        Image.fromarray(picture(number, **size)).save(folder / name.format(number))


def truncate(path: Path) -> None:
    """Lose the end, as a copy that was broken off does; the header still tells the size."""
    path.write_bytes(path.read_bytes()[:-32])
