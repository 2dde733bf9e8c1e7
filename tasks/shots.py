"""The shots of a source: where a film is cut, so that nothing is learned across a cut, and its pace is known.

frame       ... 397   398   399 ...
score           0.0   0.9   0.1       threshold 0.3: a shot begins with frame 398
span   ... -------) [-------- ...     and its span half a frame before it, whatever rounding does to times
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tasks import footage as footage_
from tasks import media, pace, parallel, params
from tasks.footage import Reject
from tasks.pace import Pace
from tasks.plans import Plan
from tasks.sampling import Span

LAYOUT = 2  # raise it when shots or pace would be found otherwise: every source is then looked through anew
PARALLEL_PIXELS = 2 * 10**9  # less than this, over all sources, is done before worker processes start


@dataclasses.dataclass(frozen=True)
class Shot:
    """A row of `cuts/<dataset>/shots.csv`: a shot, and how different its first frame is from the one before."""

    source: str
    shot: int
    first_frame: int
    start_seconds: float  # half a frame before its first frame
    score: float | None  # None: what is looked through begins with it
    settings: str  # what the source's shots and pace depend on


@dataclasses.dataclass(frozen=True)
class Found:
    """The shots and the pace of sources, in their order, and what does not decode."""

    shots: Sequence[Shot] = ()
    paces: Sequence[Pace] = ()
    rejects: Sequence[Reject] = ()


NOTHING = Found()


@dataclasses.dataclass(frozen=True)
class _Job:
    footage: Path
    plan: Plan
    rules: params.Shots
    threads: int


def find(
    footage: Path,
    plans: Sequence[Plan],
    rules: params.Shots,
    earlier: Found = NOTHING,
    workers: int = 1,
) -> Found:
    """Look through what will be used of every source.

    Args:
        earlier: what was found before; a source that is as it was is not decoded again.
    """
    known = {(shots[0].source, shots[0].settings): one for one in _each(earlier) if (shots := one.shots)}
    wanted = [_Job(footage, plan, rules, 0) for plan in plans]
    jobs = [job for job in wanted if _identity(job) not in known]
    workers = min(workers, len(jobs)) if sum(map(_pixels, jobs)) >= PARALLEL_PIXELS else 1
    threads = max(1, (os.cpu_count() or 1) // max(1, workers))
    jobs = [dataclasses.replace(job, threads=threads) for job in jobs]
    results = parallel.map_sources(look_through, jobs, workers, name=lambda job: job.plan.source.path)
    new = {job.plan.source.source: result for job, result in zip(jobs, results, strict=True)}
    found = [new.get(job.plan.source.source) or known[_identity(job)] for job in wanted]
    return Found(
        [shot for one in found for shot in one.shots],
        [row for one in found for row in one.paces],
        [reject for one in found for reject in one.rejects],
    )


def look_through(job: _Job) -> Found:
    """Decode one source and keep where its shots begin, and its pace; in a worker."""
    source, identity = job.plan.source, _identity(job)[1]
    spans = job.plan.looked_through()
    starts = [start for start, _ in spans]
    shots: list[Shot] = []
    frames: list[media.Scene] = []
    at, fresh = -1, False
    try:
        for scene in _scenes(job, spans):
            here = bisect_right(starts, scene.seconds) - 1
            score = scene.difference if fresh else scene.score  # right after a cut any change is a small one
            fresh = here == at and score >= job.rules.threshold
            if here != at:
                shots.append(Shot(source.source, len(shots), scene.number, starts[here], None, identity))
            elif fresh:
                start = (frames[-1].seconds + scene.seconds) / 2
                shots.append(Shot(source.source, len(shots), scene.number, start, score, identity))
            at = here
            frames.append(scene)
    except media.MediaError as error:
        return Found(rejects=[Reject(source.path, "subclips", error.reason)])
    if not shots:
        return Found(rejects=[Reject(source.path, "subclips", "no frame decodes")])
    cuts = [shot.start_seconds for shot in shots]
    return Found(shots, pace.measure(job.plan, cuts, job.rules.split, frames))


def _scenes(job: _Job, spans: Sequence[Span]) -> Iterator[media.Scene]:
    source = job.plan.source
    if source.kind == "video":
        return media.video_scenes(job.footage / source.path, job.threads, spans)
    return media.scenes(footage_.open_frames(job.footage, source, spans=spans))


def _each(found: Found) -> Iterable[Found]:
    """What was found, source by source."""
    shots: dict[str, list[Shot]] = {}
    paces: dict[str, list[Pace]] = {}
    for shot in found.shots:
        shots.setdefault(shot.source, []).append(shot)
    for row in found.paces:
        paces.setdefault(row.source, []).append(row)
    return [Found(rows, paces.get(source, ())) for source, rows in shots.items()]


def _identity(job: _Job) -> tuple[str, str]:
    """A source, and the hash of all that its shots and its pace depend on."""
    s, asked = job.plan.source, job.plan.subclips
    placed = asked.model_dump(exclude={"files"}) if asked else None
    settings = [LAYOUT, s.sha256, s.kind, s.width_px, s.frames_per_second, s.duration_seconds, placed]
    text = json.dumps([*settings, job.rules.model_dump()], sort_keys=True)
    return s.source, hashlib.sha256(text.encode()).hexdigest()


def _pixels(job: _Job) -> int:
    return job.plan.source.frames * job.plan.source.height_px * job.plan.source.width_px
