"""Whole-dataset assembly against the naive way: subclip files, then frames as JPEG, then the JPEGs read back.

Both ways end in the same thing: every frame of every source at 64 x 64 gray, ready for windows. Ours also hashes every
source and every store, indexes time stamps, splits by group and looks for leakage.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks._footage import assembled, dataset, figures
from tasks import params
from tasks.__main__ import workers

SIDE_PX = 64


def naive(videos: list[Path], folder: Path) -> list[np.ndarray]:
    """moviepy cuts a file, its frames go to JPEG at full size, and are read back, made gray and resized."""
    from moviepy import VideoFileClip
    from moviepy.video.io.ffmpeg_tools import ffmpeg_extract_subclip

    stores = []
    for number, video in enumerate(videos):
        with VideoFileClip(str(video), audio=False) as clip:
            seconds = clip.duration
        cut = folder / f"{number}{video.suffix}"
        ffmpeg_extract_subclip(str(video), 0, seconds, outputfile=str(cut), logger=None)
        jpegs = folder / f"{number}"
        jpegs.mkdir()
        with VideoFileClip(str(cut), audio=False) as clip:
            for index, frame in enumerate(clip.iter_frames()):
                Image.fromarray(frame).save(jpegs / f"{index:06d}.jpg")
        frames = []
        for path in sorted(jpegs.iterdir()):
            with Image.open(path) as image:
                frames.append(np.asarray(image.convert("L").resize((SIDE_PX, SIDE_PX))))
        stores.append(np.stack(frames))
    return stores


def _compare(name: str, footage: Path, d: params.Dataset) -> dict[str, Any]:
    videos = sorted(p for p in footage.rglob("*") if p.suffix in {".mp4", ".webm", ".mov", ".avi"})
    times: dict[str, list[float]] = {"naive": [], "ours": []}
    frames = {}
    for _ in range(2):  # the first round also warms the file cache for both
        with tempfile.TemporaryDirectory() as scratch:
            start = time.perf_counter()
            frames["naive"] = sum(len(store) for store in naive(videos, Path(scratch)))
            times["naive"].append(time.perf_counter() - start)
        with tempfile.TemporaryDirectory() as scratch:
            start = time.perf_counter()
            stores, _ = assembled(d, Path(scratch), workers())
            times["ours"].append(time.perf_counter() - start)
            frames["ours"] = sum(len(np.load(path, mmap_mode="r")) for path in stores.glob("*.npy"))
    best = {way: min(seconds) for way, seconds in times.items()}
    ratio = best["naive"] / best["ours"]
    print(f"  {name}: {len(videos)} videos; naive {best['naive']:.2f} s for {frames['naive']} frames,")
    print(f"    ours {best['ours']:.2f} s for {frames['ours']} frames: {ratio:.1f} times as fast")
    return {"videos": len(videos), "frames": frames, "seconds": times, "ratio": ratio}


def measure() -> dict[str, Any]:
    """The built-in figures; with RUSHES_FOOTAGE also the trailers there."""
    with tempfile.TemporaryDirectory() as scratch:
        footage = figures(Path(scratch), performers=5)
        found = {"figures": _compare("figures, 128 px", footage, dataset(footage, SIDE_PX, 16))}
    real = os.environ.get("RUSHES_FOOTAGE")
    if real:
        with tempfile.TemporaryDirectory() as scratch:
            footage = Path(shutil.copytree(Path(real) / "trailers", Path(scratch) / "trailers"))
            d = dataset(footage, SIDE_PX, 16).model_copy(
                update={"label": "none", "group": None, "split": params.Split(test=("sintel_trailer_480x204.mp4",))}
            )
            found["trailers"] = _compare("trailers", footage, d)
    return found
