"""How much a picture differs from the one before: the part of `media` that asks ffmpeg's scene filters.

The filters of PyAV's own ffmpeg are fed the frames that PyAV decodes, one in and one out. A score so belongs to a frame
by its place, and nothing has to be matched by time with a second program, which for edit lists, AVI files or sound that
starts before the picture would count from another zero.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tasks.media.readers import witnessed
from tasks.media.video import probe

EVERY_FRAME = r"gte(scene\,0)"  # lets each frame through, and makes `select` write its score on it
SCORE, DIFFERENCE = "lavfi.scene_score", "lavfi.scd.mafd"
LEVELS_OF_SCORE = 100.0  # grey levels of difference that `select` calls a score of 1; `scdet` says per cent of 255


class Scene(NamedTuple):
    """How a frame differs from the one before, each 0 to 1; the first frame has 0."""

    number: int
    seconds: float
    score: float  # of the difference and its change since the frame before, the smaller: steady motion scores low
    difference: float  # mean absolute difference, on the same scale


def video_scenes(path: Path, threads: int = 0) -> Iterator[Scene]:
    """`scenes` of a video's frames, at their own size and colours.

    Raises:
        MediaError: the file is damaged before its end.
    """
    return scenes(witnessed(path, probe(path), threads))


def scenes(frames: Iterable[tuple[int, float, Any]]) -> Iterator[Scene]:
    """What ffmpeg's scene filters say of every frame, in order: `scene` of `select`, `mafd` of `scdet`.

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
        yield Scene(number, seconds, float(told[SCORE]), min(1.0, difference))


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
