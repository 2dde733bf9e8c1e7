"""Pictures of the report: strips and error maps on one scale, as bytes that stand in the page or as files.

Images are uint8 (height, width, 3) RGB; clips uint8 (T, H, W, C) with C of 1 or 3.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

STRIP_FRAMES = 8
LONG_STRIP_FRAMES = 16  # of strips in which every frame of a usual clip counts
PANEL_PX = 192  # video panels are enlarged up to about this height
PANEL_GAP_PX = 4
STRIP_FRAME_PX = 192  # frames wider than this are thinned out for the page
GAP_LEVEL = 128
PAPER, PENCIL = (250, 250, 248), (40, 40, 40)
STRONG, SOFT = (0, 114, 178), (176, 182, 190)
WEBP_QUALITY = 92  # of 100, for photographs on pages that hold dozens; a fifth of their PNG
HEAT_COLOURS = "hot"
HEAT_GROUND = 0.65  # of a frame's brightness under the heat
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


def heat(frame_HWC: NDArray[np.uint8], saliency_HW: NDArray[np.uint8]) -> Image:
    """The frame in gray, darkened, and over it what counted, the brighter the more (0 to 255)."""
    from matplotlib import colormaps

    gray = frame_HWC.astype(np.float64).mean(axis=-1, keepdims=True).repeat(3, axis=-1)
    share = saliency_HW[..., None] / 255.0
    colour = np.asarray(colormaps[HEAT_COLOURS](saliency_HW / 255.0))[..., :3] * 255.0
    mixed: Image = np.rint(HEAT_GROUND * gray * (1.0 - share) + colour * share).astype(np.uint8)
    return mixed


def enlarged(image: Image, factor: int) -> Image:
    """Each pixel as a square, so that it can be seen."""
    return np.kron(image, np.ones((factor, factor, 1), np.uint8))


def gap(height_px: int, width_px: int) -> Image:
    return np.full((height_px, width_px, 3), GAP_LEVEL, np.uint8)


def panels(clip_HWC: NDArray[np.uint8], output_HWC: NDArray[np.uint8], scale: float) -> Image:
    """Input, output and error side by side, enlarged by a whole number so that every pixel can be seen."""
    error = error_of(clip_HWC[None], output_HWC[None])[0]
    factor = max(1, PANEL_PX // clip_HWC.shape[0])
    parts = [enlarged(p, factor) for p in (rgb(clip_HWC), rgb(output_HWC), error_colours(error, scale))]
    between = gap(parts[0].shape[0], PANEL_GAP_PX)
    return np.concatenate([parts[0], between, parts[1], between, parts[2]], axis=1)


def shown_frames(length: int, most: int = STRIP_FRAMES) -> list[int]:
    """The frames of a clip that a strip shows: first, last, and evenly between."""
    return sorted({int(i) for i in np.linspace(0, length - 1, min(most, length)).round()})


def strip(frames_THWC: Image) -> Image:
    """Frames side by side, a thin line between them; large frames thinned out to fit a page."""
    every = -(-frames_THWC.shape[2] // STRIP_FRAME_PX)
    frames = rgb(frames_THWC)[:, ::every, ::every]
    line = np.full((frames.shape[1], 1, 3), GAP_LEVEL, np.uint8)
    parts: list[Any] = []
    for frame in frames:
        parts += [frame, line]
    return np.concatenate(parts[:-1], axis=1)


def placed(frames_NHWC: Image, at: Sequence[int], columns: int) -> Image:
    """Frames at these columns of a strip of `columns` frames.

    Returns:
        uint8 (height, width, 4); the empty places are transparent.
    """
    canvas = np.zeros((columns, *frames_NHWC.shape[1:3], 3), np.uint8)
    solid = np.zeros_like(canvas)
    canvas[list(at)], solid[list(at)] = rgb(frames_NHWC), 255
    image, seen = strip(canvas), strip(solid)[:, :, :1] // 255 * 255  # the lines between frames, of 128, vanish too
    return np.concatenate([image, seen], axis=-1)


def png(image: Image) -> bytes:
    from PIL import Image as Pillow

    stream = io.BytesIO()
    Pillow.fromarray(image).save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def webp(image: Image) -> bytes:
    """uint8 (height, width, 3 or 4): what is wholly transparent shows the page."""
    from PIL import Image as Pillow

    stream = io.BytesIO()
    Pillow.fromarray(image).save(stream, format="WEBP", quality=WEBP_QUALITY, method=4)
    return stream.getvalue()


def data_uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def png_uri(image: Image) -> str:
    return data_uri("image/png", png(image))


def webp_uri(image: Image) -> str:
    return data_uri("image/webp", webp(image))


def colour_bar_uri() -> str:
    """The error colours from left (0) to right (the scale), for a legend."""
    return png_uri(error_colours(np.linspace(0.0, 1.0, 256)[None].repeat(12, axis=0), 1.0))


def labelled_strip(rows: Sequence[tuple[str, Image]], label: int = 190, margin: int = 20) -> Image:
    """Strips under one another with their names at the left, enlarged, on paper white: the README's picture.

    Args:
        label, margin: pixels for the names, and around it all.
    """
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    factor = max(1, round(1000 / rows[0][1].shape[1]))
    height, width = rows[0][1].shape[0] * factor, rows[0][1].shape[1] * factor
    gap = 8
    page = Pillow.new("RGB", (label + width + 2 * margin, len(rows) * (height + gap) - gap + 2 * margin), PAPER)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size=24)
    for number, (name, image) in enumerate(rows):
        top = margin + number * (height + gap)
        page.paste(Pillow.fromarray(image).resize((width, height), Pillow.Resampling.LANCZOS), (margin + label, top))
        pen.text((margin, top + height // 2), name, fill=PENCIL, font=font, anchor="lm")
    return np.asarray(page)


def colour_key(height_px: int, width_px: int, scale: float) -> Image:
    """The error colours as a bar in the middle of a paper-white picture, with what its ends mean."""
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    page = Pillow.new("RGB", (width_px, height_px), PAPER)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size=11)
    bar = error_colours(np.linspace(0.0, 1.0, width_px - 20)[None].repeat(10, axis=0), 1.0)
    page.paste(Pillow.fromarray(bar), (10, height_px // 2))
    pen.text((10, height_px // 2 - 4), "absolute difference", fill=PENCIL, font=font, anchor="ls")
    pen.text((10, height_px // 2 + 14), "0", fill=PENCIL, font=font, anchor="lt")
    pen.text((width_px - 10, height_px // 2 + 14), f"{scale:.2f} or more", fill=PENCIL, font=font, anchor="rt")
    return np.asarray(page)


def labelled_columns(columns: Sequence[tuple[str, Image, Image]]) -> Image:
    """Two pictures under a name in each column, side by side on paper white, enlarged."""
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    factor = max(1, round(280 / columns[0][1].shape[1]))
    height, width = columns[0][1].shape[0] * factor, columns[0][1].shape[1] * factor
    margin, label, gap = 20, 34, 8
    size = (len(columns) * (width + gap) - gap + 2 * margin, label + 2 * height + gap + 2 * margin)
    page = Pillow.new("RGB", size, PAPER)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size=20)
    for number, (name, *images) in enumerate(columns):
        left = margin + number * (width + gap)
        pen.text((left, margin + label // 2 - 4), name, fill=PENCIL, font=font, anchor="lm")
        for row, image in enumerate(images):
            enlarged = Pillow.fromarray(rgb(image)).resize((width, height), Pillow.Resampling.LANCZOS)
            page.paste(enlarged, (left, margin + label + row * (height + gap)))
    return np.asarray(page)


def labelled_bars(rows: Sequence[tuple[str, float, float, float, bool]], line: float, height_px: int) -> Image:
    """Shares of 0 to 1 as bars under their names on paper white, with a whisker over each interval and a dashed line.

    Args:
        rows: name, value, low, high, and whether the bar stands out.
        line: a share that all are held against: chance.
    """
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    width, right = 460, 74
    page = Pillow.new("RGB", (width + right, height_px), PAPER)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size=20)
    step = height_px / len(rows)
    for number, (name, value, low, high, strong) in enumerate(rows):
        top = number * step
        middle, bar = top + 0.68 * step, 0.2 * step
        pen.text((0, top + 0.26 * step), name, fill=PENCIL, font=font, anchor="lm")
        pen.rectangle((0, middle - bar, value * width, middle + bar), fill=STRONG if strong else SOFT)
        pen.line((low * width, middle, high * width, middle), fill=PENCIL, width=3)
        pen.text((max(value, high) * width + 10, middle), f"{value:.0%}", fill=PENCIL, font=font, anchor="lm")
        for y in range(round(middle - 1.5 * bar), round(middle + 1.5 * bar), 8):
            pen.line((line * width, y, line * width, y + 4), fill=PENCIL, width=2)
    return np.asarray(page)


def beside(left: Image, right: Image, caption: str) -> Image:
    """Two pictures of one height on paper white, and a line of text under them."""
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    margin, room, below = 20, 50, 30
    size = (left.shape[1] + right.shape[1] + room + 2 * margin, left.shape[0] + below + 2 * margin)
    page = Pillow.new("RGB", size, PAPER)
    page.paste(Pillow.fromarray(left), (margin, margin))
    page.paste(Pillow.fromarray(right), (margin + left.shape[1] + room, margin))
    font = ImageFont.load_default(size=18)
    ImageDraw.Draw(page).text((margin, size[1] - margin), caption, fill=PENCIL, font=font, anchor="ls")
    return np.asarray(page)
