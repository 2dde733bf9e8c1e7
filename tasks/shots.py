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
    threshold: float
    threads: int


def find(
    footage: Path, sources: Sequence[Source], threshold: float, earlier: Iterable[Shot], workers: int
) -> tuple[list[Shot], list[Reject]]:
    """The shots of every source, in the order of `sources`, and what does not decode.

    Args:
        threshold: scene score (0 to 1) from which a frame begins a shot.
        earlier: what was found before; a source that is as it was is not decoded again.
    """
    known: dict[tuple[str, str], list[Shot]] = {}
    for shot in earlier:
        known.setdefault((shot.source, shot.settings), []).append(shot)
    identity = {source.source: (source.source, settings(source, threshold)) for source in sources}
    jobs = [_Job(footage, source, threshold, 0) for source in sources if identity[source.source] not in known]
    workers = min(workers, len(jobs)) if sum(map(_pixels, jobs)) >= PARALLEL_PIXELS else 1
    threads = max(1, (os.cpu_count() or 1) // max(1, workers))
    jobs = [dataclasses.replace(job, threads=threads) for job in jobs]
    results = parallel.map_sources(look_through, jobs, workers, name=lambda job: job.source.path)
    found = {job.source.source: result for job, result in zip(jobs, results, strict=True)}
    shots: list[Shot] = []
    rejects: list[Reject] = []
    for source in sources:
        result = found.get(source.source) or known[identity[source.source]]
        if isinstance(result, Reject):
            rejects.append(result)
        else:
            shots += result
    return shots, rejects


def settings(source: Source, threshold: float) -> str:
    """Identity of all that a source's shots depend on; not its name."""
    text = json.dumps([LAYOUT, source.sha256, source.kind, source.width_px, source.frames_per_second, threshold])
    return hashlib.sha256(text.encode()).hexdigest()


def look_through(job: _Job) -> list[Shot] | Reject:
    """Decode one source and keep where its shots begin; in a worker."""
    source, identity = job.source, settings(job.source, job.threshold)
    shots: list[Shot] = []
    before, fresh = 0.0, False
    try:
        if source.kind == "video":
            scenes = media.video_scenes(job.footage / source.path, job.threads)
        else:
            scenes = media.scenes(footage_.open_frames(job.footage, source))
        for scene in scenes:
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


def _pixels(job: _Job) -> int:
    return job.source.frames * job.source.height_px * job.source.width_px
