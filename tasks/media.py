"""The only module that opens media."""

from __future__ import annotations

import itertools
import subprocess
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tasks import files

ENCODE_TIMEOUT_SECONDS = 600.0

Frame = np.ndarray[Any, np.dtype[np.uint8]]


def encode_video(
    frames: Iterable[Frame],
    path: Path,
    *,
    frames_per_second: float,
    crf: int = 18,
    timeout_seconds: float = ENCODE_TIMEOUT_SECONDS,
) -> None:
    """Write frames as an H.264 mp4 that every browser plays (yuv420p, BT.709, index in front), atomically.

    Equal frames give equal bytes (one encoder thread, no dates). A frame of odd height or width is widened by its own edge.

    Args:
        frames: uint8 RGB, each (height, width, 3), all of one shape; consumed one by one.
        crf: x264's quality, 0 (lossless) to 51; 18 looks like the original.

    Raises:
        ValueError: no frame, a frame of another shape or dtype, or ffmpeg's own words when it fails.
    """
    import ffmpeg
    import imageio_ffmpeg

    iterator = iter(frames)
    first = next(iterator, None)
    if first is None:
        raise ValueError(f"no frame to write to {path}")
    if first.dtype != np.uint8 or first.ndim != 3 or first.shape[2] != 3:
        raise ValueError(f"frames for {path} have to be uint8 (height, width, 3), got {first.dtype} {first.shape}")
    height_px, width_px = first.shape[:2]
    odd = ((0, height_px % 2), (0, width_px % 2), (0, 0))
    with files.replacing(path) as temporary, tempfile.TemporaryFile() as log:
        graph = (
            ffmpeg.input(
                "pipe:",
                format="rawvideo",
                pix_fmt="rgb24",
                s=f"{width_px + odd[1][1]}x{height_px + odd[0][1]}",
                framerate=repr(float(frames_per_second)),
            )
            .filter("scale", out_color_matrix="bt709", out_range="tv", flags="accurate_rnd+full_chroma_int")
            .output(
                f"file:{temporary}",
                format="mp4",
                vcodec="libx264",
                pix_fmt="yuv420p",
                crf=crf,
                threads=1,
                colorspace="bt709",
                color_primaries="bt709",
                color_trc="bt709",
                color_range="tv",
                movflags="+faststart",
                fflags="+bitexact",
                map_metadata=-1,
                **{"flags:v": "+bitexact"},
            )
            .global_args("-nostdin", "-loglevel", "error", "-y")
        )
        command = graph.compile(cmd=imageio_ffmpeg.get_ffmpeg_exe())
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log)
        watchdog = threading.Timer(timeout_seconds, process.kill)  # a full pipe would wait for a stuck ffmpeg for ever
        watchdog.start()
        assert process.stdin is not None
        try:
            for frame in itertools.chain([first], iterator):
                if frame.shape != first.shape or frame.dtype != np.uint8:
                    raise ValueError(f"a frame for {path} is {frame.dtype} {frame.shape}, the first was {first.shape}")
                process.stdin.write(np.pad(frame, odd, mode="edge").tobytes())
            process.stdin.close()
            process.wait()
        except BrokenPipeError:
            process.wait()
        finally:
            watchdog.cancel()
            if process.poll() is None:
                process.kill()
                process.wait()
        if process.returncode != 0:
            log.seek(0)
            said = log.read().decode(errors="replace").strip()[-500:] or "nothing (stopped after its time limit)"
            raise ValueError(f"ffmpeg could not write {path} (exit {process.returncode}); it said: {said}")
