"""A span of a video as a file for people to watch: its frames, each at its time, and its sound.

The frames are those that `reading` gives, never what ffmpeg would make of a search in the file: a stream copy begins at
a key frame or hides frames behind an edit list, and a search by time rounds. They go to ffmpeg as NUT, a container that
holds raw pictures with their times, so that a variable rate stays what it is.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from tasks import files
from tasks.media.encode import STUCK_SECONDS, Frame, h264_command, pour
from tasks.media.errors import MediaError
from tasks.media.reading import read_frames
from tasks.media.sound import SoundOfSpan, sound_of_span
from tasks.media.video import VideoInfo, probe

LEAST_LUMA_PSNR_DB = 30.0  # of the first frame; x264 at crf 18 stands above 40


def cut(
    path: Path,
    output: Path,
    start_seconds: float,
    end_seconds: float,
    *,
    crf: int = 18,
    stuck_seconds: float = STUCK_SECONDS,
) -> int:
    """Write the half-open span [start, end) of a video as an H.264 mp4 with sound, atomically, and read it back.

    The first frame is the first at or after `start_seconds`; every frame keeps its distance from it in time; the last
    one is shown to the end of the span, or a whole frame's time. The sound is the first track's, from the first frame's
    time to the last one's end; there is none where the span holds none.

    Returns:
        How many frames were written; as many were read back.

    Raises:
        MediaError: the video is damaged, no frame lies in the span, or what was written is not what was asked for.
        ValueError: no such span, or ffmpeg fails.
    """
    if not 0 <= start_seconds < end_seconds:
        raise ValueError(f"a span has 0 <= start < end, got {start_seconds} to {end_seconds} s of {path}")
    info = probe(path)
    first_seconds, last_seconds, end = _edges(path, info, start_seconds, end_seconds)
    sound = sound_of_span(path, info, first_seconds, end)
    times: list[float] = []
    first: list[Frame] = []

    def frames() -> Iterator[Frame]:
        for _, seconds, frame in read_frames(path, spans=[(start_seconds, end_seconds)], info=info, run_ahead=False):
            times.append(seconds - first_seconds)
            first[:] = first or [frame]
            yield frame

    def command(height_px: int, width_px: int, output: Path) -> list[str]:
        return _command(output, sound, last_seconds - first_seconds, end - last_seconds, crf)

    with files.replacing(output) as temporary:
        pour(frames(), temporary, command, stuck_seconds, _Nut(times, info.time_base).packed)
        fault = _fault(temporary, first[0], times, end - first_seconds, sound is not None)
        if fault:
            raise MediaError(
                path, f"{start_seconds:g} to {end_seconds:g} s read back from a file of their own: {fault}"
            )
    return len(times)


def _edges(path: Path, info: VideoInfo, start_seconds: float, end_seconds: float) -> tuple[float, float, float]:
    """When the first and the last frame of a span begin, and when the last one ends."""
    first = bisect_left(info.times_seconds, start_seconds)
    after = bisect_left(info.times_seconds, end_seconds)
    if first == after:
        lasts = f"it lasts {info.duration_seconds:.3f} s"
        raise MediaError(path, f"no frame lies in {start_seconds:.3f} to {end_seconds:.3f} s; {lasts}")
    last = info.times_seconds[after - 1]
    ends = info.times_seconds[after] if after < info.frames else info.duration_seconds
    whole = min(ends, last + 1 / info.frames_per_second)  # of a usual length, or the file would have an odd rate
    return info.times_seconds[first], last, max(whole, min(end_seconds, ends))


@dataclasses.dataclass
class _Nut:
    """Frames as the bytes of a NUT stream, frame k at `times[k]` seconds; `times` grows as frames are taken."""

    times: list[float]
    time_base: Fraction
    _written: bytearray = dataclasses.field(default_factory=bytearray)

    def packed(self, frames: Iterator[Frame]) -> Iterator[bytes]:
        import av

        with av.open(self, "w", format="nut") as container:
            stream = container.add_stream("rawvideo")
            stream.codec_context.time_base = self.time_base
            for count, frame in enumerate(frames):
                if not count:
                    stream.height, stream.width, stream.pix_fmt = frame.shape[0], frame.shape[1], "rgb24"
                picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
                picture.pts, picture.time_base = round(self.times[count] / self.time_base), self.time_base
                container.mux(stream.encode(picture))
                yield self._taken()
        yield self._taken()

    def write(self, data: bytes) -> int:
        """PyAV calls this with the bytes of the stream."""
        self._written += data
        return len(data)

    def _taken(self) -> bytes:
        taken, self._written = bytes(self._written), bytearray()
        return taken


def _command(
    output: Path, sound: SoundOfSpan | None, last_seconds: float, last_duration_seconds: float, crf: int
) -> list[str]:
    import ffmpeg

    # In NUT a frame is shown until the next one, and nothing is said of the last.
    held = f"if(gte(PTS*TB,{last_seconds - 1e-6!r}),{last_duration_seconds!r}/TB,DURATION)"
    return h264_command(
        ffmpeg.input("pipe:", format="nut"),
        sound,
        output,
        crf=crf,
        fps_mode="passthrough",
        enc_time_base="demux",
        bf=0,  # frames stand in the order they are shown, so that no player needs an edit list to begin with the first
        **{"bsf:v": f"setts=pts=PTS:dts=DTS:duration='{held}'"},
    )


def _fault(output: Path, first_HWC: Frame, times: Sequence[float], seconds: float, sounds: bool) -> str:
    """What is wrong with a file that should hold frames at `times`, the first `first_HWC`, and last `seconds`."""
    from moviepy import VideoFileClip

    info = probe(output)
    frame_seconds = 1 / info.frames_per_second
    if info.frames != len(times):
        return f"{info.frames} frames instead of {len(times)}"
    if not np.allclose(info.times_seconds, times, rtol=0, atol=float(info.time_base)):
        return "frames at other times"
    if abs(info.duration_seconds - seconds) > frame_seconds:
        return f"{info.duration_seconds:.3f} s instead of {seconds:.3f} s"
    _, _, frame = next(read_frames(output, info=info, run_ahead=False))
    psnr = _luma_psnr_db(frame[: first_HWC.shape[0], : first_HWC.shape[1]], first_HWC)
    if psnr < LEAST_LUMA_PSNR_DB:
        return f"another first frame ({psnr:.1f} dB)"
    with VideoFileClip(str(output.absolute()), audio=False) as clip:  # it leaves pipes open where it reads sound
        if abs(clip.duration - seconds) > frame_seconds + 0.01:  # it knows hundredths of a second
            return f"moviepy reads {clip.duration} s instead of {seconds:.3f} s"
        if clip.reader.infos["audio_found"] != sounds:
            return f"moviepy finds {'no ' if sounds else ''}sound"
    return ""


def _luma_psnr_db(frame_HWC: Frame, other_HWC: Frame) -> float:
    import cv2

    luma, other = (cv2.cvtColor(np.ascontiguousarray(f), cv2.COLOR_RGB2GRAY) for f in (frame_HWC, other_HWC))
    return float(cv2.PSNR(luma, other))
