"""Stage `subclips`: which sources there are, and which spans of each are used.

Reads the footage folder; writes `sources.csv`, `cuts.csv`, `rejects.csv`, and where the dataset asks for them
`shots.csv` and `files/<source>_<n>.mp4`, for people to watch. Frames are later decoded from the source along the cuts,
never from those files. Where `out` holds the `shots.csv` of an earlier run, only sources that changed are decoded.
"""

from __future__ import annotations

from pathlib import Path

from tasks import files, media, sampling, shots, tables
from tasks import footage as footage_
from tasks.footage import Reject, Source
from tasks.params import Dataset
from tasks.sampling import Span
from tasks.shots import Shot


def run(dataset: Dataset, footage: Path, out: Path, workers: int = 1) -> None:
    """List and cut.

    Raises:
        ValueError: no source at all, or more rejects than `max_reject_fraction`; the first reasons are named.
    """
    sources, rejects = footage_.list_sources(footage, dataset)
    kept, spans, late = _spans(dataset, sources)
    rejects += late
    found: list[Shot] = []
    if dataset.shots is not None:
        used = [(source, spans[source.source][-1][1]) for source in kept]
        found, broken = shots.find(footage, used, dataset.shots.threshold, _earlier(out), workers)
        rejects += broken
        kept = [source for source in kept if source.path not in {reject.path for reject in broken}]
    cuts = _cuts(kept, spans, found)
    with files.replacing_folder(out) as folder:
        if dataset.subclips is not None and dataset.subclips.files:
            kept, broken = _watchable(footage, kept, cuts, folder / "files")
            rejects += broken
        rejects.sort(key=lambda r: (r.path, r.reason))
        footage_.check_rejects(footage, len(kept), rejects, dataset.max_reject_fraction)
        left = {source.source for source in kept}
        tables.write(folder / "sources.csv", Source, kept)
        tables.write(folder / "cuts.csv", tables.Cut, [cut for cut in cuts if cut.source in left])
        tables.write(folder / "rejects.csv", Reject, rejects)
        if dataset.shots is not None:
            tables.write(folder / "shots.csv", Shot, [shot for shot in found if shot.source in left])


def _spans(dataset: Dataset, sources: list[Source]) -> tuple[list[Source], dict[str, list[Span]], list[Reject]]:
    """The spans of each source; one without any is a reject."""
    kept, spans, late = [], {}, []
    for source in sources:
        spans[source.source] = sampling.spans(source.duration_seconds, dataset.subclips)
        if spans[source.source]:
            kept.append(source)
        else:
            start = dataset.subclips.start_seconds if dataset.subclips else 0.0
            reason = f"lasts {source.duration_seconds:.2f} s and subclips.start_seconds is {start:g}"
            late.append(Reject(source.path, "subclips", reason))
    return kept, spans, late


def _cuts(sources: list[Source], spans: dict[str, list[Span]], found: list[Shot]) -> list[tables.Cut]:
    """The cut list: the spans of each source, cut further where its shots begin."""
    starts: dict[str, list[float]] = {source.source: [] for source in sources}
    for shot in found:
        starts[shot.source].append(shot.start_seconds)
    return [
        tables.Cut(source.source, start, end)
        for source in sources
        for start, end in sampling.cut_spans(spans[source.source], starts[source.source])
    ]


def _earlier(out: Path) -> list[Shot]:
    try:
        return tables.read(out / "shots.csv", Shot)
    except ValueError:
        return []  # absent, or not ours: every source is looked through


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
