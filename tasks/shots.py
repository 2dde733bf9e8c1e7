"""The shots of a source: where a film is cut, so that nothing is learned across a cut.

frame       ... 397   398   399 ...
score           0.0   0.9   0.1       threshold 0.3: a shot begins with frame 398
span   ... -------) [-------- ...     and its span half a frame before it, whatever rounding does to times
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from tasks import footage as footage_
from tasks import media, parallel
from tasks.footage import Reject, Source

LAYOUT = 1  # raise it when shots would be found otherwise: every source is then looked through anew
PARALLEL_PIXELS = 2 * 10**9  # less than this, over all sources, is done before worker processes start


@dataclasses.dataclass(frozen=True)
class Shot:
    """A row of `cuts/<dataset>/shots.csv`: a shot, and how different its first frame is from the one before."""

    source: str
    shot: int
    first_frame: int
    start_seconds: float  # half a frame before its first frame
    score: float | None  # None: the source begins with it
    settings: str  # what the source's shots depend on


@dataclasses.dataclass(frozen=True)
class _Job:
    footage: Path
    source: Source
    until_seconds: float
    threshold: float
    threads: int


def find(
    footage: Path,
    used: Sequence[tuple[Source, float]],
    threshold: float,
    earlier: Iterable[Shot] = (),
    workers: int = 1,
) -> tuple[list[Shot], list[Reject]]:
    """The shots of sources, in their order, and what does not decode.

    Args:
        used: sources, each with the time in seconds up to which it is looked through.
        threshold: scene score (0 to 1) from which a frame begins a shot.
        earlier: what was found before; a source that is as it was is not decoded again.
    """
    known: dict[tuple[str, str], list[Shot]] = {}
    for shot in earlier:
        known.setdefault((shot.source, shot.settings), []).append(shot)
    wanted = [_Job(footage, source, until_seconds, threshold, 0) for source, until_seconds in used]
    jobs = [job for job in wanted if _identity(job) not in known]
    workers = min(workers, len(jobs)) if sum(map(_pixels, jobs)) >= PARALLEL_PIXELS else 1
    threads = max(1, (os.cpu_count() or 1) // max(1, workers))
    jobs = [dataclasses.replace(job, threads=threads) for job in jobs]
    results = parallel.map_sources(look_through, jobs, workers, name=lambda job: job.source.path)
    found = {job.source.source: result for job, result in zip(jobs, results, strict=True)}
    shots: list[Shot] = []
    rejects: list[Reject] = []
    for job in wanted:
        result = found.get(job.source.source) or known[_identity(job)]
        if isinstance(result, Reject):
            rejects.append(result)
        else:
            shots += result
    return shots, rejects


def look_through(job: _Job) -> list[Shot] | Reject:
    """Decode one source and keep where its shots begin; in a worker."""
    source, identity = job.source, _identity(job)[1]
    shots: list[Shot] = []
    before, fresh = 0.0, False
    try:
        if source.kind == "video":
            scenes = media.video_scenes(job.footage / source.path, job.threads)
        else:
            scenes = media.scenes(footage_.open_frames(job.footage, source))
        for scene in scenes:
            if scene.seconds >= job.until_seconds:
                break
            score = scene.difference if fresh else scene.score  # right after a cut any change is a small one
            fresh = bool(shots) and score >= job.threshold
            if not shots:
                shots.append(Shot(source.source, 0, scene.number, 0.0, None, identity))
            elif fresh:
                start = (before + scene.seconds) / 2
                shots.append(Shot(source.source, len(shots), scene.number, start, score, identity))
            before = scene.seconds
    except media.MediaError as error:
        return Reject(source.path, "subclips", error.reason)
    return shots or Reject(source.path, "subclips", "no frame decodes")


def _identity(job: _Job) -> tuple[str, str]:
    """A source, and the hash of all that its shots depend on."""
    s = job.source
    settings = [LAYOUT, s.sha256, s.kind, s.width_px, s.frames_per_second, job.until_seconds, job.threshold]
    return s.source, hashlib.sha256(json.dumps(settings).encode()).hexdigest()


def _pixels(job: _Job) -> int:
    return job.source.frames * job.source.height_px * job.source.width_px
