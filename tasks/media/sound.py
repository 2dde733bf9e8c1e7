"""The sound of a video, for a video made from its pictures."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from tasks.media.video import CONTAINERS, open_video

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
        import ffmpeg

        return ffmpeg.input(
            f"file:{self.path.absolute()}",
            itsoffset=f"{self.shift_seconds:.6f}",
            protocol_whitelist="file",
            format_whitelist=CONTAINERS,
        ).audio

    def settings(self) -> dict[str, str | None]:
        """What ffmpeg has to be told of the output's sound."""
        # copyts: else ffmpeg takes the first time in the file, which may be the picture's or the sound's, for 0.
        codec = {"c:a": "copy"} if self.copied else {"c:a": "aac", "b:a": AAC_BITS_A_SECOND}
        return {"copyts": None, **codec}


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
