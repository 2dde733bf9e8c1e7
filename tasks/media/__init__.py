"""The only module that opens media: what a file really holds, its frames in order, images, subclip files.

Its parts are `video` and `packets` (containers), `sound`, `reading` with `readers` (PyAV and decord) and `spans`
(seeking), `shots` (scene filters), `encode` (ffmpeg) and `cutting`; the rest of Rushes imports this one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tasks.media.containers import encode_film
from tasks.media.cutting import cut
from tasks.media.encode import Frame, encode_video
from tasks.media.errors import MediaError
from tasks.media.reading import read_frames
from tasks.media.shots import Scene, scenes, video_scenes
from tasks.media.sound import Sound, sound_of
from tasks.media.video import MAX_FRAME_PIXELS, VideoInfo, probe

__all__ = [
    "Frame",
    "MediaError",
    "Scene",
    "Sound",
    "VideoInfo",
    "cut",
    "encode_film",
    "encode_video",
    "image_size",
    "probe",
    "read_frames",
    "read_image",
    "resize",
    "scenes",
    "sound_of",
    "video_scenes",
]

MAX_IMAGE_PIXELS = 4 * MAX_FRAME_PIXELS  # a strip holds many frames
IMAGE_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "PPM")


def resize(frame_HWC: Frame, height_px: int, width_px: int, fit: str, gray: bool) -> Frame:
    """Bring a picture to (height_px, width_px): by area when it shrinks, bilinear when it grows.

    Args:
        frame_HWC: uint8 RGB (height, width, 3).
        fit: `crop` scales to cover and cuts the centre, `pad` scales to fit on black, `stretch` ignores the shape.
        gray: BT.601 luma; the result has one channel.

    Returns:
        uint8 (height_px, width_px, 1 if gray else 3).
    """
    import cv2

    height, width = frame_HWC.shape[:2]
    scale = {"crop": max, "pad": min}.get(fit, max)(height_px / height, width_px / width)
    inner_height, inner_width = height_px, width_px
    if fit == "crop":
        keep_height, keep_width = (
            min(height, max(1, round(height_px / scale))),
            min(width, max(1, round(width_px / scale))),
        )
        top, left = (height - keep_height) // 2, (width - keep_width) // 2
        frame_HWC = frame_HWC[top : top + keep_height, left : left + keep_width]
    elif fit == "pad":
        inner_height, inner_width = max(1, round(height * scale)), max(1, round(width * scale))
    if frame_HWC.shape[:2] != (inner_height, inner_width):
        grows = inner_height > frame_HWC.shape[0] or inner_width > frame_HWC.shape[1]
        way = cv2.INTER_LINEAR if grows else cv2.INTER_AREA
        frame_HWC = cv2.resize(frame_HWC, (inner_width, inner_height), interpolation=way)
    if gray:
        frame_HWC = cv2.cvtColor(np.ascontiguousarray(frame_HWC), cv2.COLOR_RGB2GRAY)[:, :, None]
    if (inner_height, inner_width) != (height_px, width_px):
        canvas = np.zeros((height_px, width_px, frame_HWC.shape[2]), np.uint8)
        top, left = (height_px - inner_height) // 2, (width_px - inner_width) // 2
        canvas[top : top + inner_height, left : left + inner_width] = frame_HWC
        return canvas
    return np.ascontiguousarray(frame_HWC)


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) in pixels of an image as shown, from its header."""
    with _image(path) as image:
        try:
            looked_up = image.format != "PNG" or "exif" in image.info  # Pillow decodes a PNG to look for more
            turned = looked_up and image.getexif().get(0x0112, 1) >= 5  # EXIF orientation 5 to 8: lying on its side
        except (OSError, SyntaxError, ValueError) as error:
            raise MediaError(path, "not an image that can be read") from error
        return (image.width, image.height) if turned else (image.height, image.width)


def read_image(path: Path) -> Frame:
    """A still image, uint8 RGB (height, width, 3), upright; transparency is dropped, 16 bits become 8.

    Raises:
        MediaError: not an image, or its data end early (half a picture is not filled with grey).
    """
    from PIL import ImageOps

    with _image(path) as image:
        try:
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I"):
                pixels = np.repeat((np.asarray(upright) >> 8).astype(np.uint8)[:, :, None], 3, axis=2)
            else:
                pixels = np.asarray(upright.convert("RGB"))
        except (OSError, SyntaxError, ValueError) as error:
            raise MediaError(path, f"the image does not decode ({error})") from error
    return np.ascontiguousarray(pixels)


@contextmanager
def _image(path: Path) -> Iterator[Any]:
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = None  # the limit stands here, as a reject rather than a warning
    try:
        image = Image.open(path, formats=IMAGE_FORMATS)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise MediaError(path, "not an image that can be read") from error
    with image:
        if image.width * image.height > MAX_IMAGE_PIXELS:
            raise MediaError(path, f"{image.width} x {image.height} px is more than {MAX_IMAGE_PIXELS} pixels")
        yield image
