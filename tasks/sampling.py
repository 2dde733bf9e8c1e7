"""Which frames make a clip: pure index arithmetic, no decoding.

source   0 1 2 3 4 5 6 7 8 9 ...        frames as shown, at times in seconds
span         [2.0 s         6.0 s)      half-open; a source has one or more, and a gap in a sequence begins a new one
stored       ^     ^     ^              every_frames = 3, counted from the span's first frame
clip         0     1     2              length_frames of them, step_frames apart, never across two spans
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from fractions import Fraction

from tasks.params import Clips, Subclips

Span = tuple[float, float]

DESCRIPTOR_STRIDE_FRAMES = 8  # of a clip, from one that describes a video to the next (Tran et al. 2015, section 3.3)


def spans(duration_seconds: float, subclips: Subclips | None) -> list[Span]:
    """The half-open spans [start, end) in seconds that are used of a source; the last may be shorter, none is empty."""
    if subclips is None:
        return [(0.0, duration_seconds)]
    start, length = Fraction(str(subclips.start_seconds)), Fraction(str(subclips.seconds))  # decimal: 3 x 0.1 is 0.3
    edges = [float(start + i * length) for i in range(subclips.count + 1)]
    cuts = [(a, min(b, duration_seconds)) for a, b in itertools.pairwise(edges)]
    return [(a, b) for a, b in cuts if a < b]


@dataclasses.dataclass
class SpanSampler:
    """Says of each frame, in the order of time, whether it is stored and for which span.

    Spans are half-open, ascending, and do not overlap. Call it once for every frame of the source.
    """

    spans: Sequence[Span]
    every_frames: int = 1
    span: int = -1  # of the frame stored last: runs of frames that follow one another, numbered from 0
    _at: int = 0  # which of `spans` the time has reached
    _seen: int = 0  # frames of the present run that went by

    def __call__(self, time_seconds: float) -> bool:
        """Whether the frame is stored; `span` then says in which run of frames."""
        while self._at < len(self.spans) and time_seconds >= self.spans[self._at][1]:
            self._at, self._seen = self._at + 1, 0
        if self._at == len(self.spans) or time_seconds < self.spans[self._at][0]:
            return False
        self._seen += 1
        if self._seen == 1:
            self.span += 1
        return (self._seen - 1) % self.every_frames == 0

    def interrupt(self) -> None:
        """Say that the next frame does not follow on the one before: a new run begins."""
        self._seen = 0


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


def span_windows(span_of_row: Sequence[int], clips: Clips, stride_frames: int) -> list[tuple[int, int]]:
    """(span, first row) of every clip of a source whose rows belong to these spans, in order."""
    found: list[tuple[int, int]] = []
    start = 0
    for row in range(1, len(span_of_row) + 1):
        if row == len(span_of_row) or span_of_row[row] != span_of_row[start]:
            for first in windows(row - start, clips.length_frames, clips.step_frames, stride_frames):
                found.append((span_of_row[start], start + first))
            start = row
    return found
