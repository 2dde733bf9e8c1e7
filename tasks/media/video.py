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
from typing import Any, NamedTuple

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


class MediaError(ValueError):
    """A file that cannot be used. `reason` says why, without the path."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path, self.reason = path, reason

    def __reduce__(self) -> tuple[Any, ...]:  # so that it crosses from a worker process
        return (MediaError, (self.path, self.reason))


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
    cut_short: bool  # the end of the file is missing; `frames` counts those before the gap
    usable_packets: int = dataclasses.field(repr=False)
    own_timestamps: bool = dataclasses.field(
        repr=False
    )  # False: the container has none that hold; rank in order counts
    decord_is_exact: bool = dataclasses.field(repr=False)


def probe(path: Path) -> VideoInfo:
    """Look at a video: every packet is read, the first frame is decoded.

    Raises:
        MediaError: no video stream, an unknown or broken container, or no frame decodes.
    """
    with open_video(path) as container:
        stream = container.streams.video[0]
        scan = _scan(path, container, stream)
        claimed = stream.frames or None
        rate = Fraction(stream.average_rate) if stream.average_rate else None
        header_seconds = _header_seconds(container)
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
    own = kind != "avi" and scan.complete
    times, fps = _clock(scan, rate)
    duration = times[-1] + (scan.last_duration_seconds if 0 < scan.last_duration_seconds < 2 / fps else 1 / fps)
    plain = own and not scan.discards and not rotation and frame.width >= 16 and kind in DECORD_CONTAINERS
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
        note=_note(scan.cut_short and kind != "avi", times, duration, fps, claimed, header_seconds),
        times_seconds=tuple(times),
        cut_short=scan.cut_short,
        usable_packets=scan.usable,
        own_timestamps=own,
        decord_is_exact=plain and codec in DECORD_CODECS and pixel_format in DECORD_PIXEL_FORMATS,
    )


class _Packet(NamedTuple):
    shown_at: int | None  # presentation time
    decoded_at: int | None
    duration: int
    hidden: bool  # by an edit list
    damaged: bool


@dataclasses.dataclass(frozen=True)
class _Scan:
    """What the packets say, without decoding."""

    time_base: Fraction
    shown: list[int]  # when a frame is shown, ascending, in `time_base`; 0, 1, 2, ... if not `complete`
    complete: bool  # every packet has a presentation time and no two share one
    discards: int  # packets an edit list hides
    usable: int  # packets before a damaged tail
    cut_short: bool
    last_duration_seconds: float


def _scan(path: Path, container: Any, stream: Any) -> _Scan:
    import av

    packets: list[_Packet] = []
    cut_short = False
    try:
        for p in container.demux(stream):
            if p.size:
                packets.append(_Packet(p.pts, p.dts, p.duration or 0, p.is_discard, p.is_corrupt))
    except av.FFmpegError:
        cut_short = True
    usable = len(packets)
    while usable and packets[usable - 1].damaged:
        usable -= 1  # the last packets of a file cut short are only partly there
    if not usable:
        raise MediaError(path, f"no frame data{_of_claimed(stream.frames)}")
    base = Fraction(stream.time_base)
    cut_short = (
        cut_short or usable < len(packets) or (stream.frames or 0) > usable or _ends_early(container, packets, base)
    )
    end = packets[usable - 1].decoded_at
    visible = [p for p in packets[:usable] if not p.hidden]
    if cut_short and end is not None:
        # A packet that is missing would be decoded after the last one, and is shown no earlier than it is decoded:
        # up to here nothing is missing in between.
        visible = [p for p in visible if p.shown_at is None or p.shown_at <= end]
    times = [p.shown_at for p in visible if p.shown_at is not None]
    complete = len(times) == len(visible) == len(set(times)) > 0
    last = max((p for p in visible if p.shown_at is not None), key=lambda p: p.shown_at or 0, default=packets[0])
    return _Scan(
        time_base=base,
        shown=sorted(times) if complete else list(range(max(1, len(visible)))),
        complete=complete,
        discards=sum(p.hidden for p in packets[:usable]),
        usable=usable,
        cut_short=cut_short,
        last_duration_seconds=float(last.duration * base),
    )


def _ends_early(container: Any, packets: list[_Packet], base: Fraction) -> bool:
    """Whether a Matroska file, which counts no frames, lasts longer by its header than its packets do."""
    times = [p.shown_at for p in packets if p.shown_at is not None]
    if not container.duration or not times or not container.format.name.startswith("matroska"):
        return False
    return float((max(times) - min(times)) * base) < _least_seconds(_header_seconds(container) or 0.0)


def _header_seconds(container: Any) -> float | None:
    return container.duration / 1_000_000 if container.duration else None


def _least_seconds(header_seconds: float) -> float:
    """A sound track may outlast the pictures by this much; a file that ends before is cut short."""
    return header_seconds - max(1.0, 0.05 * header_seconds)


def _clock(scan: _Scan, rate: Fraction | None) -> tuple[list[float], float]:
    """Times of the frames, and frames a second: the header's rate where it fits the times, else their mean."""
    step = scan.time_base if scan.complete else 1 / (rate or Fraction(25))
    times = [float((value - scan.shown[0]) * step) for value in scan.shown]
    if len(times) < 2 or times[-1] <= 0:
        return times, float(rate or 25)
    mean = (len(times) - 1) / times[-1]
    return times, float(rate) if rate and abs(float(rate) / mean - 1) < 0.02 else mean


def _of_claimed(claimed: int | None) -> str:
    return f", though the header claims {claimed} frames" if claimed else ""


def _note(
    early: bool, times: list[float], duration: float, fps: float, claimed: int | None, header_seconds: float | None
) -> str:
    notes = []
    if early or (header_seconds is not None and duration < _least_seconds(header_seconds)):
        claims = [f"{claimed} frames"] if claimed else []
        claims += [f"{header_seconds:.2f} s"] if header_seconds else []
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
        raise MediaError(path, f"no frame decodes{_of_claimed(claimed)}") from error
