"""How much a picture differs from the one before: the part of `media` that asks ffmpeg's scene filters.

The filters of PyAV's own ffmpeg are fed the frames that PyAV decodes, one in and one out. A score so belongs to a frame
by its place, and nothing has to be matched by time with a second program, which for edit lists, AVI files or sound that
starts before the picture would count from another zero.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tasks.media.readers import witnessed
from tasks.media.spans import Span, along
from tasks.media.video import probe

EVERY_FRAME = r"gte(scene\,0)"  # lets each frame through, and makes `select` write its score on it
SCORE, DIFFERENCE = "lavfi.scene_score", "lavfi.scd.mafd"
LUMA_FIRST = ("yuv4", "yuvj4", "yuva4", "nv12", "nv21")
FULL_RANGE = 2  # AVCOL_RANGE_JPEG
LEVELS_OF_SCORE = 100.0  # grey levels of difference that `select` calls a score of 1; `scdet` says per cent of 255


class Scene(NamedTuple):
    """How a frame differs from the one before, each 0 to 1; the first frame has 0."""

    number: int
    seconds: float
    score: float  # of the difference and its change since the frame before, the smaller: steady motion scores low
    difference: float  # mean absolute difference, on the same scale
    brightness: float  # mean luma, 0 black to 1 white


def video_scenes(path: Path, threads: int = 0, spans: Sequence[Span] | None = None) -> Iterator[Scene]:
    """`scenes` of a video's frames, at their own size and colours.

    Args:
        spans: only these, half-open in seconds, ascending without overlap, each as if the video began with it: the
            first frame of each has score and difference 0. None: the whole.

    Raises:
        MediaError: the file is damaged before its end, or before that of the last span.
    """
    info = probe(path)
    if spans is None:
        yield from scenes(witnessed(path, info, threads))
        return
    starts = [start for start, _ in spans]
    frames = along(path, info, spans, threads)
    for _, inside in itertools.groupby(frames, key=lambda frame: bisect_right(starts, frame[1])):
        yield from scenes(inside)


def scenes(frames: Iterable[tuple[int, float, Any]]) -> Iterator[Scene]:
    """What ffmpeg's scene filters say of every frame, in order (`scene` of `select`, `mafd` of `scdet`), and its luma.

    Args:
        frames: (number, seconds, picture), the picture a PyAV frame or uint8 RGB (height, width, 3).
    """
    import av

    kind, graph = None, None
    for number, seconds, picture in frames:
        frame = av.VideoFrame.from_ndarray(picture, "rgb24") if isinstance(picture, np.ndarray) else picture
        if graph is None or kind != (frame.width, frame.height, frame.format.name):
            kind, graph = (frame.width, frame.height, frame.format.name), _graph(frame)
        frame.pts, frame.time_base = number, Fraction(1, 25)  # not read: the order counts
        graph.push(frame)
        told = graph.pull().metadata
        difference = float(told[DIFFERENCE]) / 100 * 255 / LEVELS_OF_SCORE
        yield Scene(number, seconds, float(told[SCORE]), min(1.0, difference), _brightness(frame))


def _brightness(frame: Any) -> float:
    """Mean luma of a frame: of its first plane, where that holds luma in bytes; else by conversion to gray."""
    import cv2

    name = frame.format.name
    direct = name.startswith(LUMA_FIRST) and frame.format.components[0].bits == 8
    if not direct:
        frame = frame.reformat(format="gray")
    plane = frame.planes[0]
    luma = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]
    mean = float(cv2.mean(luma)[0])
    if direct and not (name.startswith("yuvj") or frame.color_range == FULL_RANGE):
        mean = (mean - 16) / 219 * 255  # video levels: 16 is black, 235 is white
    return min(1.0, max(0.0, mean / 255))


def _graph(frame: Any) -> Any:
    from av.filter import Graph

    graph = Graph()
    steps = [
        graph.add_buffer(width=frame.width, height=frame.height, format=frame.format.name, time_base=Fraction(1, 25)),
        graph.add("select", EVERY_FRAME),
        graph.add("scdet", "threshold=100"),
        graph.add("buffersink"),
    ]
    for one, other in itertools.pairwise(steps):
        one.link_to(other)
    graph.configure()
    return graph
