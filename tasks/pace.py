"""How fast and how bright a film is, span by span: what a rating is guessed from where no network is."""

from __future__ import annotations

import dataclasses
import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from tasks import sampling
from tasks.media import Scene
from tasks.plans import Plan

FULL_SCALE = 100 / 255  # of the difference between black and white, what `Scene.difference` calls 1


@dataclasses.dataclass(frozen=True)
class Pace:
    """A row of `pace.csv`: a span of the cut list, measured over all its frames; one without a frame has no row."""

    source: str
    span: int  # number in the source's cut list
    start_seconds: float
    end_seconds: float
    cuts_per_minute: float  # cuts inside the subclip that the span is, or is a piece of
    brightness: float  # mean luma, 0 black to 1 white
    motion: float  # mean absolute difference of neighbouring frames, 0 to 1, those left out that a cut parts


def measure(plan: Plan, shots_seconds: Sequence[float], split: bool, frames: Sequence[Scene]) -> list[Pace]:
    """The pace of every span of a source.

    Args:
        shots_seconds: where its shots start, half a frame before their first frame.
        split: whether subclips are cut where shots start.
        frames: what was seen of every frame, in the order of time.
    """
    times = [frame.seconds for frame in frames]
    begins = {bisect_left(times, start) for start in shots_seconds}  # places of the first frames of shots
    found: list[Pace] = []
    span = -1
    for start, end in plan.spans(shots_seconds):
        cuts = bisect_left(shots_seconds, end) - bisect_right(shots_seconds, start)
        for a, b in sampling.cut_spans([(start, end)], shots_seconds if split else []):
            span += 1
            inside = range(bisect_left(times, a), bisect_left(times, b))
            if inside:
                moved = [frames[k].difference * FULL_SCALE for k in inside[1:] if k not in begins]
                found.append(
                    Pace(
                        plan.source.source,
                        span,
                        a,
                        b,
                        cuts / (end - start) * 60,
                        _mean([frames[k].brightness for k in inside]),
                        _mean(moved),
                    )
                )
    return found


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0
