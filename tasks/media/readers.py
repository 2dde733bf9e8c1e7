"""Frames out of a video: the part of `media` that PyAV and decord stand in.

Two readers work side by side. PyAV decodes and is the witness: it says which frames exist, when they are shown and
which are damaged. decord makes the pixels where it is exact and every frame is wanted, because it converts them to RGB
faster. decord alone would not do: it invents frames for edit lists, damaged data and ends of files, without an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from tasks.media.encode import Frame
from tasks.media.errors import MediaError
from tasks.media.video import VideoInfo, open_video

SPOT_CHECK_FRAMES = 64  # every so many frames decord's pixels are compared with PyAV's
SPOT_CHECK_LEVELS = 4


def witnessed(path: Path, info: VideoInfo, threads: int) -> Iterator[tuple[int, float, Any]]:
    """Every sound frame in order as (number, seconds, PyAV frame); damage is an error, never a frame."""
    import av

    with open_video(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = threads
        number, first, last = 0, None, None
        try:
            for frame in _decode(container, stream, info.usable_packets):
                if info.cut_short and number == info.frames:
                    return
                if frame.is_corrupt:
                    raise MediaError(path, _damage(path, info))
                if info.own_timestamps:
                    if frame.pts is None or (last is not None and frame.pts <= last):
                        raise MediaError(path, f"the time of frame {number} does not follow that of the frame before")
                    first, last = frame.pts if first is None else first, frame.pts
                    seconds = float((frame.pts - first) * Fraction(stream.time_base))
                elif number < info.frames:
                    seconds = info.times_seconds[number]
                else:
                    raise MediaError(path, f"more frames decode than the {info.frames} its packets hold")
                yield number, seconds, frame
                number += 1
        except av.FFmpegError as error:
            raise MediaError(path, _damage(path, info)) from error


def _decode(container: Any, stream: Any, usable_packets: int) -> Iterator[Any]:
    count = 0
    for packet in container.demux(stream):
        if packet.size:
            count += 1
            if count > usable_packets:
                break
            yield from packet.decode()
    yield from stream.codec_context.decode(None)


def _damage(path: Path, info: VideoInfo) -> str:
    """How much of a damaged file is sound; on one thread, because with several the count depends on their number."""
    import av

    sound = broken = 0
    with open_video(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        for packet in container.demux(stream):
            try:
                flags = [frame.is_corrupt for frame in packet.decode()]
            except av.FFmpegError:
                broken += 1
                continue
            broken += sum(flags)
            sound += len(flags) - sum(flags)
    return f"damaged: {sound} of {info.frames} frames decode whole, {broken} do not"


class Converter:
    """PyAV's frames to RGB: through decord where it is exact, checked against PyAV as they go; else through PyAV."""

    def __init__(self, path: Path, info: VideoInfo, threads: int) -> None:
        from av.video.reformatter import VideoReformatter

        self._path, self._info = path, info
        self._reformatter = VideoReformatter()  # kept: a new one for each frame costs more than the conversion
        self._decord = _decord_reader(path, threads) if info.decord_is_exact else None

    def __call__(self, number: int, frame: Any, wanted: bool) -> Frame | None:
        """uint8 RGB (height, width, 3) upright with square pixels, or None for a frame nobody wants."""
        if not wanted:
            self.close()  # decord would convert this one too: where frames are left out, PyAV is faster
            return None
        fast = self._next_of_decord(frame)
        if fast is not None and number % SPOT_CHECK_FRAMES:
            return self._shown(fast)
        sure = np.asarray(self._reformatter.reformat(frame, format="rgb24", threads=1).to_ndarray(), np.uint8)
        if fast is not None and np.abs(sure.astype(np.int16) - fast).max() > SPOT_CHECK_LEVELS:
            if number:
                raise MediaError(self._path, f"decord and PyAV disagree on frame {number}")
            self.close()
        return self._shown(sure)

    def close(self) -> None:
        self._decord = None

    def _next_of_decord(self, frame: Any) -> Frame | None:
        if self._decord is None:
            return None
        import decord

        try:
            pixels: Frame = self._decord.next().asnumpy()
        except (decord.DECORDError, StopIteration):
            self.close()  # PyAV has the frame: go on with it
            return None
        if pixels.shape != (frame.height, frame.width, 3):
            self.close()
            return None
        return pixels

    def _shown(self, pixels: Frame) -> Frame:
        import cv2

        if self._info.pixel_aspect != 1:
            width_px = max(1, round(pixels.shape[1] * self._info.pixel_aspect))
            pixels = cv2.resize(pixels, (width_px, pixels.shape[0]), interpolation=cv2.INTER_LINEAR)
        if self._info.rotation_degrees:
            pixels = np.ascontiguousarray(np.rot90(pixels, self._info.rotation_degrees // 90))
        return pixels


def _decord_reader(path: Path, threads: int) -> Any:
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    try:
        return decord.VideoReader(str(path.absolute()), num_threads=threads)
    except (decord.DECORDError, RuntimeError):
        return None
