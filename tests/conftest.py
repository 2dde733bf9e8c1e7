"""Fixtures for every package: videos whose true frames are known, and the real footage where a machine has it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

MakeVideo = Callable[..., np.ndarray]


def true_frames(count: int, height_px: int = 48, width_px: int = 64, seed: int = 0) -> np.ndarray:
    """uint8 (count, height, width, 3): a moving square on a textured ground, the frame number in bars along the top."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 216, (height_px // 8 + 1, width_px // 8 + 1, 3), np.uint8)
    ground = coarse.repeat(8, 0).repeat(8, 1)[:height_px, :width_px]
    frames = np.repeat(ground[None], count, 0)
    for k in range(count):
        x, y = (3 * k) % (width_px - 12), 12 + (2 * k) % (height_px - 24)
        frames[k, y : y + 12, x : x + 12] = rng.integers(0, 256, 3)
        for bit in range(8):
            frames[k, :8, bit * 8 : bit * 8 + 8] = 255 if k >> bit & 1 else 0
    return frames


def number_of(frame: np.ndarray) -> int:
    """The frame number that `true_frames` drew, read back from a frame of the same size."""
    return sum(1 << bit for bit in range(8) if frame[2:6, bit * 8 + 2 : bit * 8 + 6].mean() > 127)


def write_video(
    path: Path,
    frames: np.ndarray,
    *,
    rate: int = 25,
    lossless: bool = True,
    times: Sequence[int] | None = None,
    options: dict[str, str] | None = None,
) -> np.ndarray:
    """Write `frames`; lossless RGB H.264, or yuv420p as cameras do. `times`: in 1/1000 s, for a variable rate."""
    import av

    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream("libx264rgb" if lossless else "libx264", rate=rate)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "rgb24" if lossless else "yuv420p"
        stream.options = {"qp": "0"} if lossless else {"crf": "10", "g": "12"}
        stream.codec_context.time_base = Fraction(1, 1000) if times else Fraction(1, rate)
        for k, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = (times[k] if times else k), stream.codec_context.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return frames


def hurt_packet(film: Path, hurt: Path, place: int) -> Path:
    """Write a copy of a film in which the packet at a place in decode order is overwritten so that no decoder takes it.

    Zeros in the middle of H.264 data may parse, and then nobody can tell.
    """
    import av

    with av.open(str(film)) as container:
        packet = [p for p in container.demux(video=0) if p.size][place]
    assert packet.pos is not None
    data = bytearray(film.read_bytes())
    data[packet.pos : packet.pos + packet.size] = b"\xff" * packet.size
    hurt.write_bytes(data)
    return hurt


@pytest.fixture
def make_video(tmp_path: Path) -> MakeVideo:
    """`make_video("a.mp4", count=20)` writes a video below `tmp_path` and returns its true frames."""

    def make(name: str, count: int = 20, *, seed: int = 0, height_px: int = 48, width_px: int = 64, **settings: object):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return write_video(path, true_frames(count, height_px, width_px, seed), **settings)  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def footage() -> Path:
    """The folder of real footage that RUSHES_FOOTAGE names; the test is skipped where it is unset."""
    named = os.environ.get("RUSHES_FOOTAGE")
    if not named:
        pytest.skip("RUSHES_FOOTAGE names no folder of real footage")
    if not Path(named).is_dir():
        raise ValueError(f"RUSHES_FOOTAGE is {named!r}, which is no folder")
    return Path(named)
