"""Frames and sound to a file in one of the containers that trailers come in: mp4, mov, webm, flv.

| container | pictures | sound |
|---|---|---|
| mp4 | H.264 | AAC |
| mov | H.264 | PCM |
| webm | VP8 | Vorbis |
| flv | Sorenson H.263 (`flv1`) | MP3 |
"""

from __future__ import annotations

import itertools
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tasks import files
from tasks.media.encode import STUCK_SECONDS, Frame, _feed, _last_words

_X264: dict[str, Any] = {"vcodec": "libx264", "preset": "veryfast", "crf": 20}
CODECS: dict[str, dict[str, Any]] = {
    ".mp4": {"format": "mp4", **_X264, "acodec": "aac", "aac_coder": "fast", "audio_bitrate": "48k"},
    ".mov": {"format": "mov", **_X264, "acodec": "pcm_s16le"},
    ".webm": {
        "format": "webm",
        "vcodec": "libvpx",
        "deadline": "realtime",
        "cpu-used": 8,
        "crf": 10,
        "video_bitrate": "1M",
        "acodec": "libvorbis",
        "aq": 1,
    },
    ".flv": {"format": "flv", "vcodec": "flv1", "qscale:v": 3, "acodec": "libmp3lame", "audio_bitrate": "48k"},
}


def encode_film(
    frames: Iterable[Frame],
    sound: np.ndarray[Any, np.dtype[np.int16]],
    path: Path,
    *,
    frames_per_second: float,
    samples_per_second: int = 22050,
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
    iterator = iter(frames)
    first = next(iterator, None)
    if first is None:
        raise ValueError(f"no frame to write to {path}")
    with (
        files.replacing(path) as temporary,
        tempfile.NamedTemporaryFile(suffix=".s16le") as samples,
        tempfile.TemporaryFile() as log,
    ):
        samples.write(np.ascontiguousarray(sound, "<i2").tobytes())
        samples.flush()
        command = _command(first.shape, frames_per_second, Path(samples.name), samples_per_second, temporary)
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log)
        try:
            _feed(process, itertools.chain([first], iterator), first.shape, path, STUCK_SECONDS)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
        if process.returncode != 0:
            raise ValueError(f"ffmpeg could not write {path} (exit {process.returncode}); it said: {_last_words(log)}")


def _command(
    shape: tuple[int, ...], frames_per_second: float, samples: Path, samples_per_second: int, output: Path
) -> list[str]:
    import ffmpeg
    import imageio_ffmpeg

    rate = repr(float(frames_per_second))
    pictures = ffmpeg.input("pipe:", format="rawvideo", pix_fmt="rgb24", s=f"{shape[1]}x{shape[0]}", framerate=rate)
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
    ).global_args("-nostdin", "-loglevel", "error", "-y")
    command: list[str] = graph.compile(cmd=imageio_ffmpeg.get_ffmpeg_exe())
    return command
