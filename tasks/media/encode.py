"""Frames to an H.264 file, through ffmpeg-python and the ffmpeg that imageio-ffmpeg bundles."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from tasks import files
from tasks.media.sound import Sound, SoundOfSpan

STUCK_SECONDS = 600.0
BLOCK_BYTES = 2**20  # at least so much goes to ffmpeg at once: a watchdog for every small frame takes longer than it

Frame = np.ndarray[Any, np.dtype[np.uint8]]
Packed = Callable[[Iterator[Frame]], Iterator[bytes]]


def encode_video(
    frames: Iterable[Frame],
    path: Path,
    *,
    frames_per_second: float,
    crf: int = 18,
    all_key_frames: bool = False,
    sound: Sound | None = None,
    stuck_seconds: float = STUCK_SECONDS,
) -> None:
    """Write frames as an H.264 mp4 that every browser plays (yuv420p, BT.709, index in front), atomically.

    Equal frames give equal bytes (one encoder thread, no dates). A frame of odd height or width is widened by its own
    edge, because yuv420p needs even sizes. Frames are taken one by one, as fast as ffmpeg takes them: a film of any
    length goes through in the memory of a few, or of a MiB.

    Args:
        frames: uint8 RGB, each (height, width, 3), all of one shape.
        crf: x264's quality, 0 (lossless) to 51; 18 looks like the original.
        all_key_frames: code every frame on its own, none from what another shows.
        sound: tracks to stand beside the frames, whole.
        stuck_seconds: how long ffmpeg may take none of what it is given before it is stopped.

    Raises:
        ValueError: no frame, a frame of another shape or dtype, or ffmpeg's own words when it fails.
        OSError: the disk is full.
    """

    def command(height_px: int, width_px: int, output: Path) -> list[str]:
        return _command(height_px, width_px, frames_per_second, crf, all_key_frames, sound, output)

    pour(frames, path, command, stuck_seconds)


def pour(
    frames: Iterable[Frame],
    path: Path,
    command: Callable[[int, int, Path], list[str]],
    stuck_seconds: float = STUCK_SECONDS,
    packed: Packed | None = None,
) -> None:
    """Give frames to the ffmpeg that `command(height_px, width_px, output)` starts, on its standard input, atomically.

    Args:
        packed: turns frames, made even in height and width, into the bytes that are given; None: their own.

    Raises:
        ValueError, OSError: as `encode_video`.
    """
    iterator = iter(frames)
    first = next(iterator, None)
    if first is None:
        raise ValueError(f"no frame to write to {path}")
    if first.dtype != np.uint8 or first.ndim != 3 or first.shape[2] != 3:
        raise ValueError(f"frames for {path} have to be uint8 (height, width, 3), got {first.dtype} {first.shape}")
    with files.replacing(path) as temporary, tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command(first.shape[0], first.shape[1], temporary),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
        try:
            _feed(process, itertools.chain([first], iterator), path, stuck_seconds, packed)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
        if process.returncode != 0:
            said = f"ffmpeg could not write {path} (exit {process.returncode}); it said: {_last_words(log)}"
            if os.strerror(errno.ENOSPC) in said:
                raise OSError(errno.ENOSPC, said)
            raise ValueError(said)


def _feed(
    process: subprocess.Popen[bytes], frames: Iterator[Frame], path: Path, stuck_seconds: float, packed: Packed | None
) -> None:
    even = _even(frames, path)
    block, fed, pipe = bytearray(), False, process.stdin
    assert pipe is not None
    try:
        with contextlib.suppress(BrokenPipeError):  # ffmpeg's exit status says what went wrong
            for data in packed(even) if packed else map(np.ndarray.tobytes, even):
                block += data
                if len(block) >= BLOCK_BYTES:
                    with _killed_after(process, stuck_seconds):
                        pipe.write(block)
                    block = bytearray()
            with _killed_after(process, stuck_seconds):
                pipe.write(block)
        fed = True
    finally:
        if not fed:
            process.kill()  # a stuck one would not let the pipe be closed
        with contextlib.suppress(BrokenPipeError):  # it would hide what went wrong with the frames
            pipe.close()
    with _killed_after(process, stuck_seconds):
        process.wait()


def _even(frames: Iterator[Frame], path: Path) -> Iterator[Frame]:
    """Frames of one shape, widened by their own edge to an even height and width."""
    shape: tuple[int, ...] | None = None
    for frame in frames:
        shape = shape or frame.shape
        if frame.shape != shape or frame.dtype != np.uint8:
            raise ValueError(f"a frame for {path} is {frame.dtype} {frame.shape}, the first was uint8 {shape}")
        odd = ((0, shape[0] % 2), (0, shape[1] % 2), (0, 0))
        yield np.pad(frame, odd, mode="edge") if any(map(any, odd)) else frame


@contextlib.contextmanager
def _killed_after(process: subprocess.Popen[bytes], seconds: float) -> Iterator[None]:
    """A full pipe would wait for a stuck ffmpeg for ever."""
    watchdog = threading.Timer(seconds, process.kill)
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()


def _command(
    height_px: int,
    width_px: int,
    frames_per_second: float,
    crf: int,
    all_key_frames: bool,
    sound: Sound | None,
    output: Path,
) -> list[str]:
    import ffmpeg

    size = f"{width_px + width_px % 2}x{height_px + height_px % 2}"
    rate = repr(float(frames_per_second))
    return h264_command(
        ffmpeg.input("pipe:", format="rawvideo", pix_fmt="rgb24", s=size, framerate=rate),
        sound,
        output,
        crf=crf,
        r=rate,  # else ffmpeg takes a usual rate within 1 % of an unusual one, and leaves out frames to keep to it
        **({"g": 1, "bf": 0} if all_key_frames else {}),
    )


def h264_command(
    pictures: Any, sound: Sound | SoundOfSpan | None, output: Path, *, crf: int, **settings: Any
) -> list[str]:
    """The command that writes RGB `pictures`, an input of ffmpeg-python, as the mp4 that `encode_video` describes."""
    import ffmpeg
    import imageio_ffmpeg

    graph = ffmpeg.output(
        pictures.filter("scale", out_color_matrix="bt709", out_range="tv", flags="accurate_rnd+full_chroma_int"),
        *([sound.input()] if sound else []),
        f"file:{output}",  # file: or a name such as http:x.mp4 would be taken for an address
        format="mp4",
        vcodec="libx264",
        pix_fmt="yuv420p",
        crf=crf,
        threads=1,  # x264's bytes depend on the thread count
        colorspace="bt709",
        color_primaries="bt709",
        color_trc="bt709",
        color_range="tv",
        movflags="+faststart",
        fflags="+bitexact",
        map_metadata=-1,
        **{"flags:v": "+bitexact"},
        **settings,
        **(sound.settings() if sound else {}),
    ).global_args("-nostdin", "-loglevel", "error", "-y")
    command: list[str] = graph.compile(cmd=imageio_ffmpeg.get_ffmpeg_exe())
    return command


def _last_words(log: IO[bytes]) -> str:
    log.seek(0)
    return log.read().decode(errors="replace").strip()[-500:] or "nothing (stopped at its time limit)"
