"""A subclip of 30 s at 720p, every 45th frame of it, against the article's way and against ffmpeg's bare decoding.

Each in turn, to the subclip's every 45th frame at 224 x 224:

- `ours`: the product's own reading along a span, from the key frame before it, into a frame store;
- `article`: the article's code. moviepy's `ffmpeg_extract_subclip` writes a file, decord reads every 45th frame of it,
  each goes to JPEG at full size, the JPEGs are read back, made 255 px high and cropped;
- `each frame`: the same frame by frame, as the article's words say: every frame of the file goes to JPEG, and every
  JPEG is read back. `each frame, few back` reads only every 45th of these back;
- `ffmpeg` decodes the span and throws it away: what any way has to spend that decodes these frames with these threads.

The article's subclip does not hold the frames that were asked for; it is timed all the same.
"""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
import time
from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np

from tasks import media, stores
from tasks.sampling import SpanSampler

START_SECONDS, SECONDS = 10.0, 30.0
EVERY_FRAMES = 45
SIDE_PX = 224
ROUNDS = 3
TRAILERS = ("big_buck_bunny_60s.mp4", "trip_to_the_moon_trailer.mp4")


def measure() -> dict[str, Any]:
    """With RUSHES_FOOTAGE two of the trailers there, else a test picture; each coded anew at 720p."""
    real = os.environ.get("RUSHES_FOOTAGE")
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in TRAILERS if real else ("test picture",):
            film = Path(scratch) / f"{Path(name).stem}.mp4"
            source = ["-i", f"{real}/trailers/{name}"] if real else ["-f", "lavfi", "-i", "testsrc2=rate=25"]
            _ffmpeg(*source, "-t", 45, "-vf", "scale=1280:720", "-preset", "veryfast", "-pix_fmt", "yuv420p", film)
            found[name] = _compare(name, film)
    return found


def _compare(name: str, film: Path) -> dict[str, Any]:
    ways: dict[str, Callable[[Path], int]] = {
        "ffmpeg": lambda _: _decode(film),
        "ours": lambda folder: ours(film, folder),
        "article": lambda folder: article(film, folder, EVERY_FRAMES, EVERY_FRAMES),
        "each frame, few back": lambda folder: article(film, folder, 1, EVERY_FRAMES),
        "each frame": lambda folder: article(film, folder, 1, 1),
    }
    wall: dict[str, list[float]] = {way: [] for way in ways}
    busy: dict[str, list[float]] = {way: [] for way in ways}
    frames = {}
    for _ in range(ROUNDS):
        for way, run in ways.items():
            with tempfile.TemporaryDirectory() as folder:
                began, began_busy = time.perf_counter(), _busy_seconds()
                frames[way] = run(Path(folder))
                wall[way].append(time.perf_counter() - began)
                busy[way].append(_busy_seconds() - began_busy)
    best, least = {way: min(seconds) for way, seconds in wall.items()}, {way: min(s) for way, s in busy.items()}
    info = media.probe(film)
    key = info.keyframe_seconds[bisect_right(info.keyframe_seconds, START_SECONDS) - 1]
    inside = [sum(a <= t < START_SECONDS + SECONDS for t in info.times_seconds) for a in (START_SECONDS, key)]
    print(f"  {name}: {inside[0]} frames in the span, {inside[1]} to decode from the key frame on")
    for way in ways:
        print(f"    {way}: {best[way]:.2f} s, {least[way]:.2f} s of processor time; {frames[way]} frames")
    ratios = {way: best[way] / best["ours"] for way in ways if way != "ours"}
    for way in ("article", "each frame, few back", "each frame"):
        print(f"    ours: {ratios[way]:.2f} times as fast as {way}, {least[way] / least['ours']:.2f} by processor time")
    more = best["ours"] / best["ffmpeg"], least["ours"] / least["ffmpeg"]
    print(f"    ours takes {more[0]:.2f} times ffmpeg's time, {more[1]:.2f} by processor time")
    return {"seconds": wall, "processor_seconds": busy, "frames": frames, "ratios": ratios, "to_decode": inside[1]}


def ours(film: Path, folder: Path) -> int:
    """Every 45th frame of the span into a store, as stage `sample` does."""
    span = (START_SECONDS, START_SECONDS + SECONDS)
    frames = media.read_frames(film, spans=[span], choose=SpanSampler([span], EVERY_FRAMES))
    pictures = (media.resize(frame, SIDE_PX, SIDE_PX, "crop", False) for _, _, frame in frames)
    return stores.write_store(folder / "store.npy", pictures, (SIDE_PX, SIDE_PX, 3))[0]


def article(film: Path, folder: Path, every_frames: int, back_frames: int) -> int:
    """A subclip file, frames of it as JPEG, some read back as torchvision's Resize(255), CenterCrop(224) do."""
    import cv2
    import decord
    from moviepy.video.io.ffmpeg_tools import ffmpeg_extract_subclip
    from PIL import Image

    part = folder / "part.mp4"
    ffmpeg_extract_subclip(str(film), START_SECONDS, START_SECONDS + SECONDS, outputfile=str(part), logger=None)
    reader = decord.VideoReader(str(part))
    numbers = range(0, len(reader), every_frames)
    few = every_frames > 1
    batch = reader.get_batch(list(numbers)).asnumpy() if few else (reader[number].asnumpy() for number in numbers)
    for number, frame in zip(numbers, batch, strict=True):
        cv2.imwrite(str(folder / f"{number}.jpg"), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    kept = []
    for number in range(0, len(reader), back_frames):
        with Image.open(folder / f"{number}.jpg") as image:
            scale = 255 / min(image.size)
            small = image.convert("RGB").resize((round(image.width * scale), round(image.height * scale)))
            left, top = (small.width - SIDE_PX) // 2, (small.height - SIDE_PX) // 2
            kept.append(np.asarray(small.crop((left, top, left + SIDE_PX, top + SIDE_PX))))
    return len(np.stack(kept))


def _decode(film: Path) -> int:
    _ffmpeg("-ss", START_SECONDS, "-t", SECONDS, "-i", film, "-map", "0:v:0", "-f", "null", "-")
    return 0


def _ffmpeg(*arguments: object) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True, timeout=600)


def _busy_seconds() -> float:
    """Processor time of this process and of those it has started and awaited: steadier than the clock on the wall."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)
