"""The sound of a video, for a video made from its pictures: all of it as it is, or that of a span."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

from tasks.media.video import CONTAINERS, VideoInfo, open_video

HELD_BY_MP4 = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "flac", "opus"})
AAC_BITS_A_SECOND = "192k"


@dataclasses.dataclass(frozen=True)
class Sound:
    """Every sound track of a video, on the clock of its first picture."""

    path: Path
    copied: bool  # the tracks as they are; else encoded anew as AAC, because an mp4 does not hold one of their codecs
    shift_seconds: float  # to be added to the times in the file

    def input(self) -> Any:
        """The tracks as an input of ffmpeg-python."""
        return _input(self.path, itsoffset=f"{self.shift_seconds:.6f}").audio

    def settings(self) -> dict[str, str | None]:
        """What ffmpeg has to be told of the output's sound."""
        # copyts: else ffmpeg takes the first time in the file, which may be the picture's or the sound's, for 0.
        codec = {"c:a": "copy"} if self.copied else {"c:a": "aac", "b:a": AAC_BITS_A_SECOND}
        return {"copyts": None, **codec}


@dataclasses.dataclass(frozen=True)
class SoundOfSpan:
    """The first sound track of a video, from one moment of it to another."""

    path: Path
    start_seconds: float  # by the clock of the file
    end_seconds: float

    def input(self) -> Any:
        """The track as an input of ffmpeg-python, with silence where it holds none; it begins at 0."""
        moved = f"PTS-({self.start_seconds!r})/TB"
        track = _input(self.path)["a:0"].filter("atrim", start=self.start_seconds, end=self.end_seconds)
        return track.filter("asetpts", moved).filter("aresample", **{"async": 1, "first_pts": 0})

    def settings(self) -> dict[str, str | None]:
        """What ffmpeg has to be told of the output's sound."""
        return {"copyts": None, "c:a": "aac", "b:a": AAC_BITS_A_SECOND, "flags:a": "+bitexact"}


def sound_of_span(path: Path, info: VideoInfo, start_seconds: float, end_seconds: float) -> SoundOfSpan | None:
    """The sound of the half-open span [start, end), on the clock of the frames; None if nothing decodes in it.

    Raises:
        MediaError: not a video that can be read.
    """
    start, end = start_seconds + info.clock_start_seconds, end_seconds + info.clock_start_seconds
    return SoundOfSpan(path, start, end) if _sounds(path, start, end) else None


def _sounds(path: Path, start_seconds: float, end_seconds: float) -> bool:
    import av

    with open_video(path) as container:
        if not container.streams.audio or container.streams.audio[0].codec_context is None:
            return False
        with contextlib.suppress(av.FFmpegError):  # what cannot be read on is no sound
            for packet in container.demux(container.streams.audio[0]):
                if packet.pts is None or float((packet.pts + packet.duration) * packet.time_base) <= start_seconds:
                    continue
                if float(packet.pts * packet.time_base) >= end_seconds:
                    return False
                with contextlib.suppress(av.FFmpegError):
                    if packet.decode():
                        return True
    return False


def _input(path: Path, **settings: str) -> Any:
    import ffmpeg

    return ffmpeg.input(f"file:{path.absolute()}", protocol_whitelist="file", format_whitelist=CONTAINERS, **settings)


def sound_of(path: Path) -> Sound | None:
    """The sound of a video file; None if it has no track that can be read.

    Raises:
        MediaError: not a video that can be read.
    """
    with open_video(path) as container:
        tracks = [stream for stream in container.streams.audio if stream.codec_context is not None]
        if not tracks:
            return None
        pictures = container.streams.video[0]
        first = float((pictures.start_time or 0) * pictures.time_base) if pictures.time_base else 0.0
        copied = {stream.codec_context.name for stream in tracks} <= HELD_BY_MP4
    return Sound(path, copied, -first)
