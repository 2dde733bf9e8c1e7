"""Frames between the frames of a source, as a stream: when each is shown, and the picture that a model makes for it.

    source   a . . . . . b . . . . . c             3 frames, times 6
    video    a 1 2 3 4 5 b 1 2 3 4 5 c c c c c c   18 frames: the last stays, so that the video lasts as long

The frames of the source stand in the video as they are. Where its frames come at an uneven rate, the video's come at
their mean rate times 6, each rendered for its own time. Nothing is rendered across a shot cut (the nearer frame stays)
or a hole in the source (the earlier one stays, as a player would show it).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tasks import footage, media
from tasks.media import Frame

UNEVEN = 0.25  # of a frame: a clock off by more is the source's own, not rounding
NEAR = 0.25  # of a video frame: a source frame this near in time is shown itself
# ffmpeg's scene score from which a frame begins a shot: no explosion, flash or whip pan of the Sintel trailer reaches
# it (up to 0.20), its faintest cut but one does (0.22).
CUT_SCORE = 0.21
RENDERED_PIXELS = 2_000_000  # of all the times rendered at once; more need more memory and are no faster


class Renderer(Protocol):
    """What is needed of a model: `input["gray"]`, and `render` (see `tracking.Loaded`)."""

    @property
    def input(self) -> dict[str, Any]: ...

    def render(self, frames_BNHWC: NDArray[np.uint8], times_M: Sequence[float]) -> NDArray[np.float32]: ...


@dataclasses.dataclass(frozen=True)
class Clock:
    """When a source's frames are shown, counted in frames of the video that is made of it."""

    rate: float  # the source's, in frames a second
    times: int
    even: bool  # its frames stand on a grid of that rate
    last_seconds: float  # how long its last frame is shown

    def place(self, seconds: float) -> float:
        """Where in the video a source frame stands."""
        return self.times * (round(seconds * self.rate) if self.even else seconds * self.rate)

    def end(self, last_place: float) -> int:
        """How many frames the video has, its last source frame standing there."""
        return round(last_place + self.times * self.rate * self.last_seconds)


def clock_of(root: Path, source: footage.Source, times: int) -> Clock:
    """A source's clock: its own rate if its frames keep to it, to a quarter of a frame; else their mean rate."""
    rate = source.frames_per_second or footage.NOMINAL_FRAMES_PER_SECOND
    if source.kind != "video":
        return Clock(rate, times, True, 1 / rate)
    info = media.probe(root / source.path)
    at = np.array(info.times_seconds)
    if float(np.abs(at * rate - np.arange(len(at))).max()) <= UNEVEN:
        return Clock(rate, times, True, 1 / rate)
    return Clock(len(at) / info.duration_seconds, times, False, info.duration_seconds - info.times_seconds[-1])


@dataclasses.dataclass
class Video:
    """The frames of a video, made from a stream of a source's."""

    model: Renderer
    clock: Clock
    counts: dict[str, int]

    def frames(self, source: Iterable[tuple[int, float, Frame]]) -> Iterator[Frame]:
        """Every frame of the video in order; the source is read one frame ahead, no more.

        Args:
            source: number, time in seconds and picture of every frame, as `footage.open_frames` gives them.
        """
        before: tuple[float, Frame] | None = None
        cut = False
        latest: list[Frame] = []  # not itertools.tee, which keeps up to 57 frames that both have seen

        def looked_at() -> Iterator[tuple[int, float, Frame]]:
            for number, seconds, frame in source:
                latest[:] = [frame]
                yield number, seconds, frame

        for scene in media.scenes(looked_at()):
            here, frame = self.clock.place(scene.seconds), latest[0]
            # Right after a cut any change is a small one to the score; the difference itself then tells.
            cut = before is not None and (scene.difference if cut else scene.score) >= CUT_SCORE
            if before is not None:
                yield from self._counted(self._between(*before, here, frame, cut))
            before = here, frame
        if before is None:
            return  # nothing of it decodes: the caller says so
        yield from self._counted(before[1] for _ in range(math.ceil(before[0] - NEAR), self.clock.end(before[0])))

    def _counted(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        for frame in frames:
            self.counts["written"] += 1
            yield frame

    def _between(self, start: float, first: Frame, end: float, second: Frame, cut: bool) -> Iterator[Frame]:
        """The frames of the video from one source frame to the next, without that one."""
        self.counts["cuts"] += cut
        shares = shares_between(start, end)
        own = [share for share in shares if share == 0.0]
        yield from (first for _ in own)
        rest = shares[len(own) :]
        apart = (end - start) / self.clock.times  # in source frames
        if apart > max(self.clock.rate, 3.0):
            yield from (first for _ in rest)
        elif cut:
            yield from (first if share < 0.5 else second for share in rest)
        elif rest:
            yield from _rendered(self.model, first, second, rest)


def shares_between(start: float, end: float) -> list[float]:
    """For every video frame from one source frame to the next, without that one: its share of the way, 0 to below 1.

    >>> shares_between(6, 12)
    [0.0, 0.16666666666666666, 0.3333333333333333, 0.5, 0.6666666666666666, 0.8333333333333334]
    """
    numbers = range(math.ceil(start - NEAR), math.ceil(end - NEAR))
    return [0.0 if number - start <= NEAR else (number - start) / (end - start) for number in numbers]


def _rendered(model: Renderer, first: Frame, second: Frame, shares: list[float]) -> Iterator[Frame]:
    """A picture for each share of the way, in the colours of the source.

    A gray model sees red, green and blue one after the other, as the gray pictures they are.
    """
    if first.shape != second.shape:
        raise ValueError(f"frames of {first.shape} and {second.shape} follow one another in one source")
    pair = np.stack([first, second])[None]
    layers = [slice(k, k + 1) for k in range(3)] if model.input["gray"] else [slice(0, 3)]
    at_once = max(1, RENDERED_PIXELS // (first.shape[0] * first.shape[1]))
    for place in range(0, len(shares), at_once):
        times = shares[place : place + at_once]
        made = np.concatenate([model.render(np.ascontiguousarray(pair[..., k]), times)[0] for k in layers], axis=-1)
        if not np.isfinite(made).all():
            raise ValueError("the model renders a picture with NaN or infinity; train it again")
        for picture in made:
            yield np.rint(picture.clip(0.0, 1.0) * 255).astype(np.uint8)
