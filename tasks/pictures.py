"""Pictures of the report: strips, error maps on one scale, looping videos, all as bytes that stand in the page.

Images are uint8 (height, width, 3) RGB; clips uint8 (T, H, W, C) with C of 1 or 3.
"""

from __future__ import annotations

import base64
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks import media

Image = NDArray[np.uint8]

STRIP_FRAMES = 8
STRIP_FRAME_PX = 192  # frames wider than this are thinned out for the page
VIDEO_PANEL_PX = 192  # and video panels are enlarged up to about this height
VIDEO_FRAMES_PER_SECOND = 10.0
PANEL_GAP_PX = 4
GAP_LEVEL = 128
ERROR_COLOURS = "magma"  # even steps look even, also to colour-blind eyes and in grey


def rgb(frames: NDArray[np.uint8]) -> Image:
    """(..., C) with C of 1 or 3 as (..., 3)."""
    return np.repeat(frames, 3, axis=-1) if frames.shape[-1] == 1 else frames


def error_of(clip_THWC: NDArray[np.uint8], output_THWC: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Absolute difference, 0 to 1, mean over channels: (T, H, W)."""
    difference: NDArray[np.float64] = np.abs(clip_THWC.astype(np.float64) - output_THWC).mean(axis=-1) / 255.0
    return difference


def error_scale(errors: Sequence[NDArray[np.float64]]) -> float:
    """The error shown in the brightest colour: 99.5% of all pixels stay below it; a multiple of 0.05, for reading."""
    top = float(np.quantile(np.concatenate([e.ravel() for e in errors]), 0.995)) if errors else 0.05
    return round(min(1.0, max(0.05, float(np.ceil(top / 0.05 - 1e-9)) * 0.05)), 2)


def error_colours(error_HW: NDArray[np.float64], scale: float) -> Image:
    """Colours of an error map; what lies above the scale has its last colour."""
    from matplotlib import colormaps

    coloured: NDArray[np.float64] = colormaps[ERROR_COLOURS](np.clip(error_HW / scale, 0.0, 1.0))[..., :3]
    return np.rint(coloured * 255).astype(np.uint8)


def shown_frames(length: int) -> list[int]:
    """The frames of a clip that a strip shows: first, last, and evenly between."""
    return sorted({int(i) for i in np.linspace(0, length - 1, min(STRIP_FRAMES, length)).round()})


def strip(frames_THWC: Image) -> Image:
    """Frames side by side, a thin line between them; large frames thinned out to fit a page."""
    every = -(-frames_THWC.shape[2] // STRIP_FRAME_PX)
    frames = rgb(frames_THWC)[:, ::every, ::every]
    line = np.full((frames.shape[1], 1, 3), GAP_LEVEL, np.uint8)
    parts: list[Any] = []
    for frame in frames:
        parts += [frame, line]
    return np.concatenate(parts[:-1], axis=1)


def png(image: Image) -> bytes:
    from PIL import Image as Pillow

    stream = io.BytesIO()
    Pillow.fromarray(image).save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def data_uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def png_uri(image: Image) -> str:
    return data_uri("image/png", png(image))


def colour_bar_uri() -> str:
    """The error colours from left (0) to right (the scale), for a legend."""
    return png_uri(error_colours(np.linspace(0.0, 1.0, 256)[None].repeat(12, axis=0), 1.0))


def panels(clip_HWC: NDArray[np.uint8], output_HWC: NDArray[np.uint8], scale: float) -> Image:
    """Input, output and error side by side, enlarged by a whole number so that every pixel can be seen."""
    error = error_of(clip_HWC[None], output_HWC[None])[0]
    factor = max(1, VIDEO_PANEL_PX // clip_HWC.shape[0])
    parts = [
        np.kron(p, np.ones((factor, factor, 1), np.uint8))
        for p in (rgb(clip_HWC), rgb(output_HWC), error_colours(error, scale))
    ]
    gap = np.full((parts[0].shape[0], PANEL_GAP_PX, 3), GAP_LEVEL, np.uint8)
    return np.concatenate([parts[0], gap, parts[1], gap, parts[2]], axis=1)


def video_uri(clip_THWC: NDArray[np.uint8], output_THWC: NDArray[np.uint8], scale: float) -> str:
    """Input, output and error side by side as H.264, slowed to 10 frames a second."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        frames = (panels(i, o, scale) for i, o in zip(clip_THWC, output_THWC, strict=True))
        media.encode_video(frames, path, frames_per_second=VIDEO_FRAMES_PER_SECOND, crf=20)
        return data_uri("video/mp4", path.read_bytes())


def labelled_strip(rows: Sequence[tuple[str, Image]]) -> Image:
    """Strips under one another with their names at the left, enlarged, on paper white: the README's picture."""
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    factor = max(1, round(1000 / rows[0][1].shape[1]))
    height, width = rows[0][1].shape[0] * factor, rows[0][1].shape[1] * factor
    margin, label, gap = 20, 190, 8
    page = Pillow.new(
        "RGB", (label + width + 2 * margin, len(rows) * (height + gap) - gap + 2 * margin), (250, 250, 248)
    )
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size=24)
    for number, (name, image) in enumerate(rows):
        top = margin + number * (height + gap)
        page.paste(Pillow.fromarray(image).resize((width, height), Pillow.Resampling.LANCZOS), (margin + label, top))
        pen.text((margin, top + height // 2), name, fill=(40, 40, 40), font=font, anchor="lm")
    return np.asarray(page)
