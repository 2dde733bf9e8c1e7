"""Which frames make a clip: pure index arithmetic, no decoding.

source   0 1 2 3 4 5 6 7 8 9 ...        frames as shown, at times in seconds
span         [2.0 s         6.0 s)      half-open; a source has one or more, and a gap in a sequence begins a new one
stored       ^     ^     ^              every_frames = 3, counted from the span's first frame; or by time
clip         0     1     2              length_frames of them, step_frames apart, never across two spans
"""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import math
from collections.abc import Sequence
from fractions import Fraction

from tasks.params import Clips, Subclips

Span = tuple[float, float]

CLOCK_SECONDS = 0.001  # a frame so little before its time is on time: Matroska, WebM and FLV keep whole milliseconds
DESCRIPTOR_STRIDE_FRAMES = 8  # of a clip, from one that describes a video to the next (Tran et al. 2015, section 3.3)


def spans(duration_seconds: float, subclips: Subclips | None, anchors_seconds: Sequence[float] = ()) -> list[Span]:
    """The half-open spans [start, end) in seconds that are used of a source, ascending; the last may be shorter.

    A subclip of which half or less is there is left out.

    Args:
        anchors_seconds: where a subclip may begin (key frames, shots). It begins at the nearest that is at most half a
            subclip away from where it was asked to, that the subclip before it does not cover, and that costs neither
            it nor a later one; where there is none, at the place asked, or where the one before ends.
    """
    if subclips is None:
        return [(0.0, duration_seconds)]
    return [(a, b) for a, b in _placed(duration_seconds, subclips, anchors_seconds) if _long_enough(a, b, subclips)]


def left_out(duration_seconds: float, subclips: Subclips | None, anchors_seconds: Sequence[float] = ()) -> list[str]:
    """The subclips that `spans` leaves out, each with its reason."""
    if subclips is None:
        return []
    said = []
    for number, (a, b) in enumerate(_placed(duration_seconds, subclips, anchors_seconds), 1):
        if _long_enough(a, b, subclips):
            continue
        what = f"subclip {number} of {subclips.count}"
        if a < b:
            said.append(f"{what}: {b - a:.2f} s of {subclips.seconds:g} s are there, half or less")
        else:
            said.append(f"{what}: begins at {a:g} s, the source ends at {duration_seconds:.2f} s")
    return said


def _placed(duration_seconds: float, subclips: Subclips, anchors_seconds: Sequence[float]) -> list[Span]:
    """Where every subclip lies, up to the source's end; one that begins behind it is empty or ends before it begins."""
    start, length = Fraction(str(subclips.start_seconds)), Fraction(str(subclips.seconds))  # decimal: 3 x 0.1 is 0.3
    asked = [start + number * length for number in range(subclips.count)]
    there = sum(_long_enough(float(place), duration_seconds, subclips) for place in asked)
    placed: list[Span] = []
    free = Fraction(0)  # the end of the subclip before
    for number, place in enumerate(asked):
        later = max(there - 1 - number, 0) * length  # from this one's start to the last one's, with nothing between
        open_to_it = [
            (abs(anchor - place), anchor)
            for anchor in map(Fraction, anchors_seconds)
            if anchor >= free
            and 2 * abs(anchor - place) <= length
            and _long_enough(float(anchor + later), duration_seconds, subclips)
        ]
        _, begin = min(open_to_it, default=(0, max(place, free)))
        free = begin + length
        placed.append((float(begin), min(float(free), duration_seconds)))
    return placed


def _long_enough(start_seconds: float, end_seconds: float, subclips: Subclips) -> bool:
    return 2 * (end_seconds - start_seconds) > subclips.seconds + CLOCK_SECONDS


@dataclasses.dataclass
class SpanSampler:
    """Says of each frame, in the order of time, whether it is stored and for which span.

    Spans are half-open, ascending, and do not overlap. Call it once for every frame inside the spans; frames outside
    may be left out.

    With `frames_per_second` r the frame that is stored for k = 0, 1, 2, ... is the first at or after a + k / r, where a
    is the span's start (after an interruption: the run's first frame). A frame is stored once, however many k it is the
    first for. Of the frames chosen so, one in `every_frames` is stored.
    """

    spans: Sequence[Span]
    every_frames: int = 1
    frames_per_second: float | None = None  # None: all frames are chosen
    span: int = -1  # of the frame stored last: runs of frames that follow one another, numbered from 0
    _at: int = 0  # which of `spans` the time has reached
    _fresh: bool = True  # the next frame begins a run
    _broken: bool = False  # and it does so within a span
    _zero_seconds: float = 0.0  # where the present run's k is 0
    _k: int = -1  # of the last frame of the present run
    _chosen: int = 0  # frames of the present run

    def __call__(self, time_seconds: float) -> bool:
        """Whether the frame is stored; `span` then says in which run of frames."""
        while self._at < len(self.spans) and time_seconds >= self.spans[self._at][1]:
            self._at, self._fresh, self._broken = self._at + 1, True, False
        if self._at == len(self.spans) or time_seconds < self.spans[self._at][0]:
            return False
        if self._fresh:
            self._zero_seconds = time_seconds if self._broken else self.spans[self._at][0]
            self._fresh, self._broken, self._k, self._chosen = False, False, -1, 0
            self.span += 1
        if self.frames_per_second is not None:
            since_seconds = time_seconds - self._zero_seconds + CLOCK_SECONDS
            before, self._k = self._k, math.floor(since_seconds * self.frames_per_second)
            if self._k == before:
                return False
        self._chosen += 1
        return (self._chosen - 1) % self.every_frames == 0

    def interrupt(self) -> None:
        """Say that the next frame does not follow on the one before: a new run begins."""
        if not self._fresh:
            self._fresh = self._broken = True


def cut_spans(spans: Sequence[Span], cuts_seconds: Sequence[float]) -> list[Span]:
    """The spans, cut further wherever one of `cuts_seconds` (ascending) lies inside one."""
    pieces: list[Span] = []
    for start, end in spans:
        edges = [start, *(cut for cut in cuts_seconds if start < cut < end), end]
        pieces += itertools.pairwise(edges)
    return pieces


def windows(stored_frames: int, length_frames: int, step_frames: int, stride_frames: int) -> list[int]:
    """First rows of the clips in a span of `stored_frames` rows.

    A clip of first row f holds the rows f, f + step, ..., f + (length - 1) * step, all below `stored_frames`.
    """
    reach = (length_frames - 1) * step_frames + 1
    return list(range(0, stored_frames - reach + 1, stride_frames))


def clip_rows(first_row: int, length_frames: int, step_frames: int) -> slice:
    """The rows of a clip; with step 1 they lie side by side."""
    return slice(first_row, first_row + (length_frames - 1) * step_frames + 1, step_frames)


def span_windows(span_of_row: Sequence[int], clips: Clips, stride_frames: int) -> list[tuple[int, int, int]]:
    """(span, first row, length) of every clip of a source whose rows belong to these spans, in order.

    A span of fewer rows than a clip, but at least `clips.least_frames`, is one clip of all its rows.
    """
    found: list[tuple[int, int, int]] = []
    start = 0
    for row in range(1, len(span_of_row) + 1):
        if row == len(span_of_row) or span_of_row[row] != span_of_row[start]:
            stored = row - start
            for first in windows(stored, clips.length_frames, clips.step_frames, stride_frames):
                found.append((span_of_row[start], start + first, clips.length_frames))
            if clips.least_frames is not None and clips.least_frames <= stored < clips.length_frames:
                found.append((span_of_row[start], start, stored))
            start = row
    return found


def needed_frames(clips: Clips) -> int:
    """How many stored frames in a row give at least one clip."""
    return clips.least_frames or (clips.length_frames - 1) * clips.step_frames + 1


def without_clips(
    runs: Sequence[tuple[float, int]], starts_seconds: Sequence[float], subclips: Subclips, needed: int
) -> list[str]:
    """The subclips that are there and give no clip, each with its reason.

    Args:
        runs: of frames that follow one another: when each begins, and how many frames it has.
        starts_seconds: where the subclips begin that are used.
        needed: frames in a row that a clip needs.
    """
    longest = [0] * len(starts_seconds)
    for seconds, frames in runs:
        place = max(bisect.bisect(starts_seconds, seconds) - 1, 0)
        longest[place] = max(longest[place], frames)
    return [
        f"subclip {number} of {subclips.count}: {frames} of the {needed} frames a clip needs"
        for number, frames in enumerate(longest, 1)
        if frames < needed
    ]
