"""Stage `subclips`: which sources there are, and which spans of each are used.

Reads the footage folder, and the table of ratings where there is one; writes `sources.csv`, `cuts.csv`, `rejects.csv`,
and where the dataset asks for them `ratings.csv`, `shots.csv` with `pace.csv`, and `files/<source>_<n>.mp4`, for people
to watch. Frames are later decoded from the source along the cuts, never from those files. Where `out` holds the
`shots.csv` of an earlier run, only sources that changed are decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tasks import files, media, ratings, sampling, shots, tables
from tasks import footage as footage_
from tasks import rejects as rejects_
from tasks.footage import Reject, Source
from tasks.pace import Pace
from tasks.params import Dataset
from tasks.plans import Plan
from tasks.shots import Found, Shot


def run(dataset: Dataset, footage: Path, out: Path, workers: int = 1) -> None:
    """List and cut.

    Raises:
        ValueError: no source at all, or more rejects than `max_reject_fraction`; the first reasons are named. A table
            of ratings that cannot be used (see `ratings.apply`).
    """
    sources, rejects = footage_.list_sources(footage, dataset)
    rows: list[ratings.Row] = []
    if dataset.ratings is not None:
        sources, rows, unrated = ratings.apply(dataset.ratings, sources, ruled=dataset.group is not None)
        rejects += unrated
    plans = [Plan.of(footage, source, dataset.subclips) for source in sources]
    found = Found()
    if dataset.shots is not None:
        used = [plan for plan in plans if plan.needs_shots or plan.spans()]
        found = shots.find(footage, used, dataset.shots, _earlier(out), workers)
        rejects += found.rejects
        broken = {reject.path for reject in found.rejects}
        plans = [plan for plan in plans if plan.source.path not in broken]
    starts = _starts(found.shots)
    rejects += _left_out(plans, starts)
    cuts = _cuts(plans, starts, dataset.shots is not None and dataset.shots.split)
    with_cuts = {cut.source for cut in cuts}
    kept = [plan.source for plan in plans if plan.source.source in with_cuts]
    with files.replacing_folder(out) as folder:
        if dataset.subclips is not None and dataset.subclips.files:
            kept, hurt = _watchable(footage, kept, cuts, folder / "files")
            rejects += hurt
        rejects.sort(key=lambda r: (r.path, r.reason))
        rejects_.check(footage, {source.path for source in kept}, rejects, dataset.max_reject_fraction)
        left = {source.source for source in kept}
        tables.write(folder / "sources.csv", Source, kept)
        tables.write(folder / "cuts.csv", tables.Cut, [cut for cut in cuts if cut.source in left])
        tables.write(folder / "rejects.csv", Reject, rejects)
        if dataset.ratings is not None:
            tables.write(folder / "ratings.csv", ratings.Row, rows)
        if dataset.shots is not None:
            tables.write(folder / "shots.csv", Shot, [shot for shot in found.shots if shot.source in left])
            tables.write(folder / "pace.csv", Pace, [row for row in found.paces if row.source in left])


def _left_out(plans: Sequence[Plan], starts: dict[str, list[float]]) -> list[Reject]:
    """Every subclip that is not used, and every source that has none."""
    return [
        Reject(plan.source.path, "subclips", reason)
        for plan in plans
        for reason in plan.left_out(starts.get(plan.source.source, []))
    ]


def _starts(found: Sequence[Shot]) -> dict[str, list[float]]:
    """Where the shots of each source start."""
    starts: dict[str, list[float]] = {}
    for shot in found:
        starts.setdefault(shot.source, []).append(shot.start_seconds)
    return starts


def _cuts(plans: Sequence[Plan], starts: dict[str, list[float]], split: bool) -> list[tables.Cut]:
    """The cut list: the spans of each source; with `split`, cut further where its shots begin."""
    cuts = []
    for plan in plans:
        shots_seconds = starts.get(plan.source.source, [])
        for start, end in sampling.cut_spans(plan.spans(shots_seconds), shots_seconds if split else []):
            cuts.append(tables.Cut(plan.source.source, start, end))
    return cuts


def _earlier(out: Path) -> Found:
    try:
        return Found(tables.read(out / "shots.csv", Shot), tables.read(out / "pace.csv", Pace))
    except ValueError:
        return Found()  # absent, or not ours: every source is looked through


def _watchable(
    footage: Path, sources: list[Source], cuts: list[tables.Cut], folder: Path
) -> tuple[list[Source], list[Reject]]:
    kept, broken = [], []
    for source in sources:
        mine = [cut for cut in cuts if cut.source == source.source]
        try:
            for number, cut in enumerate(mine):
                _write_file(footage, source, cut, folder / f"{source.source}_{number}.mp4")
        except media.MediaError as error:
            broken.append(Reject(source.path, "subclips", error.reason))
            for number in range(len(mine)):
                (folder / f"{source.source}_{number}.mp4").unlink(missing_ok=True)
            continue
        kept.append(source)
    return kept, broken


def _write_file(footage: Path, source: Source, cut: tables.Cut, output: Path) -> None:
    if source.kind == "video":
        media.cut(footage / source.path, output, cut.start_seconds, cut.end_seconds)
        return
    sampler = sampling.SpanSampler([(cut.start_seconds, cut.end_seconds)])
    frames = footage_.open_frames(footage, source, sampler=sampler, until_seconds=cut.end_seconds, run_ahead=False)
    rate = source.frames_per_second or footage_.NOMINAL_FRAMES_PER_SECOND
    media.encode_video((frame for _, _, frame in frames), output, frames_per_second=rate)
