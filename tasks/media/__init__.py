"""The only module that opens media: what a file really holds, its frames in order, images, subclip files.

Its parts are `video` and `packets` (containers), `sound`, `readers` (PyAV and decord), `spans` (seeking), `shots`
(scene filters) and `encode` (ffmpeg); the rest of Rushes imports this one.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tasks.media.containers import encode_film
from tasks.media.encode import Frame, encode_video
from tasks.media.errors import MediaError
from tasks.media.readers import Converter, witnessed
from tasks.media.shots import Scene, scenes, video_scenes
from tasks.media.sound import Sound, sound_of
from tasks.media.spans import Span, along, joined
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


def read_frames(
    path: Path,
    *,
    spans: Sequence[Span] | None = None,
    choose: Callable[[float], bool] | None = None,
    until_seconds: float = math.inf,
    threads: int = 0,
    info: VideoInfo | None = None,
    run_ahead: bool = True,
) -> Iterator[tuple[int, float, Frame]]:
    """The frames of a video in the order they are shown, from the first on.

    Args:
        spans: only frames in these, half-open in seconds, ascending without overlap; they are sought from the key frame
            before each where that spares decoding and gives the same frames. None: from the first frame on.
        choose: called once for each frame in the spans with its time; frames it declines are decoded but not
            converted. None: all.
        until_seconds: stop before the first frame at or after this time.
        threads: decoder threads; 0: as many as there are cores. The frames do not depend on it.
        info: what `probe` said, if it was asked already.
        run_ahead: decord may be used. It decodes ahead of who reads, without a limit: false for who takes long over a
            frame, who would end with the whole film in memory.

    Yields:
        (source frame number from 0, time in seconds, uint8 RGB (height, width, 3) upright with square pixels).

    Raises:
        MediaError: the file is damaged before its end, or before that of the last span as far as it is decoded, or the
            readers disagree. Frames yielded before were sound.
        ValueError: a span is empty, or they overlap or are not in order.
    """
    info = info or probe(path)
    if spans is not None and len(whole := joined(spans)) == 1 and whole[0][0] <= 0:
        spans, until_seconds = None, min(until_seconds, whole[0][1])  # nothing to seek
    if spans is not None or not run_ahead:
        info = dataclasses.replace(info, decord_is_exact=False)  # decord would begin at the first frame
    convert = Converter(path, info, threads)
    frames = witnessed(path, info, threads) if spans is None else along(path, info, spans, threads)
    try:
        for number, seconds, frame in frames:
            if seconds >= until_seconds:
                return
            wanted = choose is None or choose(seconds)
            pixels = convert(number, frame, wanted)
            if pixels is not None:
                yield number, seconds, pixels
    finally:
        convert.close()


def cut(path: Path, output: Path, start_seconds: float, end_seconds: float, *, crf: int = 18) -> int:
    """Write the frames of the half-open span [start, end) as a video to watch, without sound, at the mean frame rate.

    Returns:
        How many frames were written; as many were read back.
    """
    info = probe(path)
    written = 0

    def frames() -> Iterator[Frame]:
        nonlocal written
        inside = read_frames(
            path,
            choose=lambda seconds: seconds >= start_seconds,
            until_seconds=end_seconds,
            info=info,
            run_ahead=False,
        )
        for _, _, frame in inside:
            written += 1
            yield frame

    encode_video(frames(), output, frames_per_second=info.frames_per_second, crf=crf)
    held = probe(output).frames
    if held != written:
        raise ValueError(f"{output} holds {held} frames, {written} were cut from {path}; delete it and run again")
    return written


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
