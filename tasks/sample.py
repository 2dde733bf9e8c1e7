"""Stage `sample`: decode each source once into a frame store; a store that is still right is kept.

    data/frames/<dataset>/<source>.npy     uint8 (frame, height, width, channel)
                          sources.csv      the cuts' columns + stored_frames, store_sha256, settings
                          index.parquet    source, span, row, source_frame, time_seconds
                          rejects.csv      of this stage and the one before
                          ratings.csv, pace.csv    as the stage before wrote them, where it did

A source's row of the index is kept beside its store (`<source>.json`) until the tables are written, so that a run that
was killed goes on with the stores it finished.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks import files, media, parallel, sampling, stores, tables
from tasks import footage as footage_
from tasks import rejects as rejects_
from tasks.footage import Reject, Source
from tasks.params import Dataset, Frames
from tasks.sampling import Span
from tasks.stores import StoredSource

PARALLEL_BYTES = 32 * 2**20  # less footage than this decodes faster than worker processes start
SHOWN = 5  # images that did not decode, by name
HANDED_ON = ("ratings.csv", "pace.csv")
INDEX = ("span", "source_frame", "time_seconds")


@dataclasses.dataclass(frozen=True)
class _Job:
    """A source to decode; crosses to a worker."""

    footage: Path
    source: Source
    spans: list[Span]
    frames: Frames
    out: Path
    threads: int


@dataclasses.dataclass(frozen=True)
class _Done:
    """What one source gave: a row and its index, or a reason."""

    row: StoredSource | None
    index: list[tuple[int, int, float]]
    reason: str = ""


def run(dataset: Dataset, footage: Path, cuts: Path, out: Path, workers: int) -> None:
    """Bring `out` up to date with the cut list.

    Raises:
        ValueError: more rejects than `max_reject_fraction`, or footage that changed since the cut list was made.
    """
    sources = tables.read(cuts / "sources.csv", Source)
    rejects = tables.read(cuts / "rejects.csv", Reject)
    spans: dict[str, list[Span]] = {source.source: [] for source in sources}
    for cut in tables.read(cuts / "cuts.csv", tables.Cut):
        spans[cut.source].append((cut.start_seconds, cut.end_seconds))
    out.mkdir(parents=True, exist_ok=True)
    earlier = _earlier(out)
    done: dict[str, _Done] = {}
    jobs: list[_Job] = []
    for source in sources:
        kept = _still_right(out, source, stores.settings_hash(source, dataset.frames, spans[source.source]), earlier)
        if kept:
            done[source.source] = kept
        else:
            jobs.append(_Job(footage, source, spans[source.source], dataset.frames, out, 0))
    for job, result in zip(jobs, _decode_all(jobs, workers), strict=True):
        done[job.source.source] = result
        if result.row is None:
            rejects.append(Reject(job.source.path, "sample", result.reason))
    rejects.sort(key=lambda r: (r.path, r.stage, r.reason))
    used = {source.path for source in sources if done[source.source].row is not None}
    rejects_.check(footage, used, rejects, dataset.max_reject_fraction)
    handed_on = [cuts / name for name in HANDED_ON if (cuts / name).is_file()]
    _write_tables(out, [done[source.source] for source in sources], rejects, handed_on)


def decode(job: _Job) -> _Done:
    """Decode one source into its store; in a worker."""
    source, frames = job.source, job.frames
    sampler = sampling.SpanSampler(job.spans, frames.every_frames, frames.frames_per_second)
    settings = stores.settings_hash(source, frames, job.spans)
    index: list[tuple[int, int, float]] = []
    lost: list[str] = []

    def pictures() -> Iterator[media.Frame]:
        for number, seconds, frame in footage_.open_frames(
            job.footage, source, sampler=sampler, spans=job.spans, threads=job.threads, lost=lost.append
        ):
            index.append((sampler.span, number, seconds))
            yield media.resize(frame, frames.height_px, frames.width_px, frames.fit, frames.gray)

    if footage_.content_sha256(job.footage, source.path, source.kind) != source.sha256:
        raise ValueError("the footage changed since stage subclips listed it; run subclips again")
    shape = (frames.height_px, frames.width_px, 1 if frames.gray else 3)
    path = stores.store_path(job.out, source.source)
    try:
        count, sha256 = stores.write_store(path, pictures(), shape)
    except media.MediaError as error:
        path.unlink(missing_ok=True)
        return _Done(None, [], error.reason)
    if not count:
        path.unlink()
        return _Done(None, [], f"no image decodes: {lost[0]}, ..." if lost else "no frame lies in its spans")
    every_one = frames.every_frames == 1 and frames.frames_per_second is None and _whole(source, job.spans)
    counted = count if every_one else source.frames
    damage = f"not decodable: {', '.join(lost[:SHOWN])}" + ", ..." * (len(lost) > SHOWN) if lost else ""
    row = stores.stored(source, counted, stored_frames=count, store_sha256=sha256, settings=settings, damage=damage)
    done = _Done(row, index)
    files.write_json(_note_path(job.out, source.source), {"row": dataclasses.asdict(row), "index": index})
    return done


def _whole(source: Source, spans: list[Span]) -> bool:
    """Whether the spans leave nothing of the source out."""
    ends = [0.0, *(end for _, end in spans)]
    starts = [*(start for start, _ in spans), source.duration_seconds]
    return all(start <= end for end, start in zip(ends, starts, strict=True))


def _decode_all(jobs: list[_Job], workers: int) -> list[_Done]:
    total = sum(_bytes(job.footage / job.source.path) for job in jobs)
    workers = min(workers, len(jobs)) if total >= PARALLEL_BYTES else 1
    threads = max(1, (os.cpu_count() or 1) // max(1, workers))
    jobs = [dataclasses.replace(job, threads=threads) for job in jobs]
    try:
        return parallel.map_sources(decode, jobs, workers, name=lambda job: job.source.path)
    except parallel.WorkerError as error:
        if isinstance(error.__cause__, ValueError):
            raise ValueError(f"stage sample: {error}") from error
        raise


def _bytes(path: Path) -> int:
    if path.is_dir():
        return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    return path.stat().st_size if path.exists() else 0


def _earlier(out: Path) -> dict[str, _Done]:
    """What earlier runs left: finished ones in the tables, a killed one in the notes beside its stores."""
    import pandas as pd

    found: dict[str, _Done] = {}
    try:
        rows = tables.read(out / "sources.csv", StoredSource)
        table = pd.read_parquet(out / "index.parquet")
        groups = {str(key): group for key, group in table.groupby("source")}
        for row in rows:
            if row.source in groups:
                columns = [groups[row.source][name].tolist() for name in INDEX]
                found[row.source] = _Done(row, list(zip(*columns, strict=True)))
    except (ValueError, OSError, KeyError):
        found = {}  # absent or not ours: everything is decoded again
    for path in sorted(out.glob("*.json")):
        with contextlib.suppress(ValueError, TypeError, KeyError):  # not ours, or of another version
            note: dict[str, Any] = files.read_json(path)
            index = [(int(span), int(number), float(seconds)) for span, number, seconds in note["index"]]
            found[path.stem] = _Done(StoredSource(**note["row"]), index)
    return found


def _still_right(out: Path, source: Source, settings: str, earlier: dict[str, _Done]) -> _Done | None:
    """The earlier result, if content, settings and the bytes of the store are all still the same."""
    done = earlier.get(source.source)
    if done is None or done.row is None:
        return None
    path = stores.store_path(out, source.source)
    same = done.row.sha256 == source.sha256 and done.row.settings == settings
    if not same or not path.is_file() or files.sha256_of(path) != done.row.store_sha256:
        return None
    kept = {name: getattr(done.row, name) for name in ("stored_frames", "store_sha256", "settings", "damage")}
    return _Done(stores.stored(source, done.row.frames, **kept), done.index)  # class and group may have changed


def _write_tables(out: Path, done: list[_Done], rejects: list[Reject], handed_on: list[Path]) -> None:
    import pandas as pd

    rows = [d.row for d in done if d.row is not None]
    keep = {"sources.csv", "index.parquet", "rejects.csv"} | {path.name for path in handed_on}
    keep |= {stores.store_path(out, r.source).name for r in rows}
    records = [
        (d.row.source, span, row, number, seconds)
        for d in done
        if d.row is not None
        for row, (span, number, seconds) in enumerate(d.index)
    ]
    table = pd.DataFrame(records, columns=["source", "span", "row", "source_frame", "time_seconds"])
    with files.replacing(out / "index.parquet") as temporary:
        table.to_parquet(temporary, index=False, compression="zstd")
    for path in handed_on:
        files.write_text(out / path.name, path.read_text(encoding="utf-8"))
    tables.write(out / "rejects.csv", Reject, rejects)
    tables.write(out / "sources.csv", StoredSource, rows)  # last: it says that the rest is there
    for path in out.iterdir():
        if path.is_file() and path.name not in keep:  # stores of sources that are gone, notes, what a kill left
            path.unlink()


def _note_path(out: Path, source: str) -> Path:
    return out / f"{source}.json"
