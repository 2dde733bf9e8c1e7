"""What a video file really holds: the part of `media` that opens containers and reads their packets.

A frame's time is measured from the first frame shown, so the first is at 0 s whatever the container's clock says.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from tasks.media.errors import MediaError
from tasks.media.packets import Index, Scan, header_seconds, least_seconds, of_claimed, scan

MAX_FRAME_PIXELS = 8192 * 8192
# A playlist named x.mp4 would be followed to other files and hosts: only real containers, only local files.
CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,mpeg,mpegvideo,mpegts,asf,ogg,"
    "h264,hevc,m4v,ivf,mxf,dv,yuv4mpegpipe,gif,nut,obu"
)
OPEN_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": CONTAINERS, "max_pixels": str(MAX_FRAME_PIXELS)}
DECORD_CONTAINERS = ("mov", "matroska")
DECORD_CODECS = ("h264", "hevc", "vp8", "vp9", "mpeg4")
DECORD_PIXEL_FORMATS = ("yuv420p", "yuvj420p", "yuv422p", "yuv444p")  # 10 bits: wrong by up to 176 grey levels


@dataclasses.dataclass(frozen=True)
class VideoInfo:
    """What a video file holds, by its packets and its first frame; the header's claims stand apart.

    Sizes are those of the picture as shown: rotated upright, with square pixels. Every time is in seconds from the
    first frame shown; `times_seconds[k]` is expected of frame k. The video is the half-open [0, `duration_seconds`).
    """

    container: str
    codec: str
    pixel_format: str
    width_px: int
    height_px: int
    rotation_degrees: int
    pixel_aspect: Fraction
    frames_per_second: float
    duration_seconds: float
    frames: int  # packets that should each show a frame; decoding is the final count
    claimed_frames: int | None  # what the header says
    note: str  # what a person should know, e.g. that the file ends before its header says
    times_seconds: tuple[float, ...] = dataclasses.field(repr=False)
    keyframe_seconds: tuple[float, ...] = dataclasses.field(repr=False)  # times of the frames the file calls key frames
    time_base: Fraction = dataclasses.field(repr=False)  # in seconds; every time is a whole multiple of it
    clock_start_seconds: float = dataclasses.field(repr=False)  # of the first frame, by the clock of the file
    cut_short: bool  # the end of the file is missing; `frames` counts those before the gap
    usable_packets: int = dataclasses.field(repr=False)
    own_timestamps: bool = dataclasses.field(
        repr=False
    )  # False: the container has none that hold; rank in order counts
    index: Index | None = dataclasses.field(repr=False)  # where a reading may begin; None: only at the start
    decord_is_exact: bool = dataclasses.field(repr=False)


def probe(path: Path) -> VideoInfo:
    """Look at a video: every packet is read, the first frame is decoded.

    Raises:
        MediaError: no video stream, an unknown or broken container, or no frame decodes.
    """
    with open_video(path) as container:
        stream = container.streams.video[0]
        found = scan(path, container, stream)
        claimed = stream.frames or None
        rate = Fraction(stream.average_rate) if stream.average_rate else None
        seconds = header_seconds(container)
        kind, codec = container.format.name.split(",")[0], stream.codec_context.name
    with open_video(path) as container:
        frame = _first_frame(path, container, claimed)
        aspect = container.streams.video[0].sample_aspect_ratio or Fraction(1)
        pixel_format = frame.format.name
    rotation = frame.rotation if abs(frame.rotation) <= 360 and frame.rotation % 90 == 0 else 0  # else: a broken matrix
    if not Fraction(1, 8) <= aspect <= 8:
        aspect = Fraction(1)
    width_px, height_px = max(1, round(frame.width * aspect)), frame.height
    if rotation % 180:
        width_px, height_px = height_px, width_px
    if width_px * height_px > MAX_FRAME_PIXELS:
        raise MediaError(path, f"frames of {width_px} x {height_px} px are more than {MAX_FRAME_PIXELS} pixels")
    own = kind != "avi" and found.complete
    whole, found = found, found.beginning_with(frame.pts if own else None)
    step = found.time_base if found.complete else 1 / (rate or Fraction(25))
    times, fps = _clock(found, step, rate)
    duration = times[-1] + (found.last_duration_seconds if 0 < found.last_duration_seconds < 2 / fps else 1 / fps)
    plain = own and not found.discards and not rotation and frame.width >= 16 and kind in DECORD_CONTAINERS
    return VideoInfo(
        container=kind,
        codec=codec,
        pixel_format=pixel_format,
        width_px=width_px,
        height_px=height_px,
        rotation_degrees=rotation,
        pixel_aspect=aspect,
        frames_per_second=fps,
        duration_seconds=duration,
        frames=len(times),
        claimed_frames=claimed,
        note=_note(
            found.cut_short and kind != "avi", len(whole.shown) - len(times), times, duration, fps, claimed, seconds
        ),
        times_seconds=tuple(times),
        keyframe_seconds=tuple(times[number] for number in found.keys),
        time_base=step,
        clock_start_seconds=float(found.shown[0] * found.time_base) if own else float(frame.time or 0),
        cut_short=found.cut_short,
        usable_packets=len(found.packets),
        own_timestamps=own,
        index=found.index(frame.pts) if own else None,
        decord_is_exact=plain and codec in DECORD_CODECS and pixel_format in DECORD_PIXEL_FORMATS,
    )


def _clock(found: Scan, step: Fraction, rate: Fraction | None) -> tuple[list[float], float]:
    """Times of the frames, and frames a second: the header's rate where it fits the times, else their mean."""
    times = [float((value - found.shown[0]) * step) for value in found.shown]
    if len(times) < 2 or times[-1] <= 0:
        return times, float(rate or 25)
    mean = (len(times) - 1) / times[-1]
    return times, float(rate) if rate and abs(float(rate) / mean - 1) < 0.02 else mean


def _note(
    early: bool,
    lead: int,
    times: list[float],
    duration: float,
    fps: float,
    claimed: int | None,
    header: float | None,
) -> str:
    notes = [f"its first {lead} frames need what lies before the file begins"] if lead else []
    if early or (header is not None and duration + lead / fps < least_seconds(header)):
        claims = [f"{claimed} frames"] if claimed else []
        claims += [f"{header:.2f} s"] if header else []
        notes.append(f"ends early: {len(times)} frames, {duration:.2f} s; the header claims {', '.join(claims)}")
    gap, at = max(((b - a, a) for a, b in itertools.pairwise(times)), default=(0.0, 0.0))
    if gap > max(1.0, 3 / fps):
        notes.append(f"no frame for {gap:.2f} s after {at:.2f} s")
    return "; ".join(notes)


@contextlib.contextmanager
def open_video(path: Path) -> Iterator[Any]:
    import av

    # PyAV's log level is left alone: with one set, decoder threads log through Python, and closing a container, which
    # holds the interpreter's lock while it waits for them, never ends.
    try:
        container = av.open(f"file:{path.absolute()}", options=OPEN_OPTIONS)
    except (av.FFmpegError, OSError) as error:
        raise MediaError(path, f"not a video that can be read ({getattr(error, 'strerror', None) or error})") from error
    with container:
        if not container.streams.video:
            raise MediaError(path, "no video stream")
        yield container


def _first_frame(path: Path, container: Any, claimed: int | None) -> Any:
    import av

    try:
        return next(container.decode(video=0))
    except (av.FFmpegError, StopIteration) as error:
        raise MediaError(path, f"no frame decodes{of_claimed(claimed)}") from error
