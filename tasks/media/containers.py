"""Frames and sound to a file in one of the containers that trailers come in: mp4, mov, webm, flv.

| container | pictures | sound |
|---|---|---|
| mp4 | H.264 | AAC |
| mov | H.264 | PCM |
| webm | VP8 | Vorbis |
| flv | Sorenson H.263 (`flv1`) | MP3 |
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tasks.media.encode import Frame, pour

_X264: dict[str, Any] = {"vcodec": "libx264", "preset": "veryfast", "crf": 23}
CODECS: dict[str, dict[str, Any]] = {
    ".mp4": {"format": "mp4", **_X264, "acodec": "aac", "aac_coder": "fast", "audio_bitrate": "16k"},
    ".mov": {"format": "mov", **_X264, "acodec": "pcm_s16le"},
    ".webm": {
        "format": "webm",
        "vcodec": "libvpx",
        "deadline": "realtime",
        "cpu-used": 8,
        "crf": 14,
        "video_bitrate": "600k",
        "acodec": "libvorbis",
        "aq": 1,
    },
    ".flv": {
        "format": "flv",
        "vcodec": "flv1",
        "qscale:v": 4,
        "acodec": "libmp3lame",
        "compression_level": 9,
        "audio_bitrate": "24k",
    },
}


def encode_film(
    frames: Iterable[Frame],
    sound: np.ndarray[Any, np.dtype[np.int16]],
    path: Path,
    *,
    frames_per_second: float,
    samples_per_second: int = 11025,
) -> None:
    """Write frames and one channel of sound, in the container that the name's suffix says, quickly and atomically.

    Equal frames and samples give equal bytes: one thread, no dates.

    Args:
        frames: uint8 RGB, each (height, width, 3), all of one shape, height and width even.
        sound: int16 (samples,), from the first frame on.

    Raises:
        ValueError: another suffix, no frame, or ffmpeg's own words when it fails.
    """
    if path.suffix not in CODECS:
        raise ValueError(f"{path.name}: films are written as {', '.join(CODECS)}; give it one of these suffixes")
    with tempfile.NamedTemporaryFile(suffix=".s16le") as samples:
        samples.write(np.ascontiguousarray(sound, "<i2").tobytes())
        samples.flush()

        def command(height_px: int, width_px: int, output: Path) -> list[str]:
            return _command(height_px, width_px, frames_per_second, Path(samples.name), samples_per_second, output)

        pour(frames, path, command)


def _command(
    height_px: int, width_px: int, frames_per_second: float, samples: Path, samples_per_second: int, output: Path
) -> list[str]:
    import ffmpeg
    import imageio_ffmpeg

    rate = repr(float(frames_per_second))
    pictures = ffmpeg.input("pipe:", format="rawvideo", pix_fmt="rgb24", s=f"{width_px}x{height_px}", framerate=rate)
    colours = {"colorspace": "bt709", "color_primaries": "bt709", "color_trc": "bt709", "color_range": "tv"}
    graph = ffmpeg.output(
        pictures.filter("scale", out_color_matrix="bt709", out_range="tv", flags="accurate_rnd+full_chroma_int"),
        ffmpeg.input(f"file:{samples}", format="s16le", ar=samples_per_second, ac=1),
        f"file:{output}",
        r=rate,
        pix_fmt="yuv420p",
        threads=1,
        fflags="+bitexact",
        map_metadata=-1,
        **colours,
        **{"flags:v": "+bitexact", "flags:a": "+bitexact"},
        **CODECS[output.suffix],
    ).global_args("-nostdin", "-loglevel", "error", "-y", "-filter_complex_threads", "1")
    command: list[str] = graph.compile(cmd=imageio_ffmpeg.get_ffmpeg_exe())
    return command
