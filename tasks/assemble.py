"""Stage `assemble`: windows over the stored frames, splits by group, and the leakage check.

data/clips/<dataset>/clips.parquet   one row a clip
                     rejects.csv     of all stages so far
                     ratings.csv, pace.csv    as the stages before wrote them, where they did
                     summary.json    counts, class balance, warnings, the check's result, identity of the data, how
                                     footage becomes a model's input
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tasks import balance, files, leakage, model_input, sampling, stores, tables
from tasks import splits as splits_
from tasks.footage import Reject
from tasks.params import Dataset
from tasks.ratings import Row
from tasks.splits import SPLITS, Division
from tasks.stores import StoredSource

SHOWN_LEAKS = 10


@dataclasses.dataclass(frozen=True)
class ClipRow:
    """A clip: `length` rows of a store, `step` apart, from `first_row` on."""

    clip: int
    source: str
    span: int
    first_row: int
    length: int
    step: int
    split: str
    group: str
    label: str
    film: str  # the title its rating stands under; empty where there are no ratings
    score: float  # NaN: none
    first_frame: int  # number of the first frame in the source
    first_seconds: float


def run(dataset: Dataset, frames: Path, out: Path) -> None:
    """Write the clip manifest.

    Raises:
        ValueError: a split names a group that no source has, its lists are wrong or tear a group apart, a split gets no
            clip, or the same footage stands in two.
    """
    import pandas as pd

    sources = tables.read(frames / "sources.csv", StoredSource)
    rejects = tables.read(frames / "rejects.csv", Reject)
    division = splits_.divide(dataset.split, sources, rejects)
    rejects += division.left_out
    index = pd.read_parquet(frames / "index.parquet")
    clips = list_clips(dataset, sources, division, index)
    rejects += without_clips(dataset, [source for source in sources if source.source in division.of], index)
    rejects.sort(key=lambda r: (r.path, r.stage, r.reason))
    counts = Counter(row.split for row in clips)
    for split in SPLITS:
        wanted = split != "validation" or bool(dataset.split.validation or dataset.split.validation_share)
        if wanted and not counts[split]:
            if split not in division.of.values() and dataset.split.test_share is not None:
                raise ValueError(f"no group is drawn to {split}; raise split.{split}_share, or choose another seed")
            raise ValueError(
                f"no {split} clip: no source of its groups has {dataset.clips.length_frames} stored frames "
                f"{dataset.clips.step_frames} apart in one span; shorten clips.length_frames or correct split"
            )
    check_leakage(sources, division, frames)
    rated = None
    if dataset.ratings is not None:
        in_splits = [source for source in sources if source.source in division.of]
        rated = balance.ratings(dataset.ratings, tables.read(frames / "ratings.csv", Row), in_splits, rejects)
    with files.replacing_folder(out) as folder:
        table = pd.DataFrame([dataclasses.astuple(row) for row in clips], columns=_columns())
        table.to_parquet(folder / "clips.parquet", index=False, compression="zstd")
        tables.write(folder / "rejects.csv", Reject, rejects)
        for path in (frames / "ratings.csv", frames / "pace.csv"):
            if path.is_file():
                files.write_text(folder / path.name, path.read_text(encoding="utf-8"))
        files.write_json(folder / "summary.json", summary(dataset, clips, sources, division, rated))


def list_clips(dataset: Dataset, sources: Sequence[StoredSource], division: Division, index: Any) -> list[ClipRow]:
    """Every clip of what stands in a split, sources in order of their path, clips in order of time.

    `index` is `index.parquet`.
    """
    rows_of = {str(name): rows for name, rows in index.groupby("source")}
    clips: list[ClipRow] = []
    for source in sources:
        split = division.of.get(source.source)
        if split is None:
            continue
        rows = rows_of[source.source]
        stride = dataset.clips.train_stride_frames if split == "train" else dataset.clips.stride_frames
        numbers, seconds = rows["source_frame"].tolist(), rows["time_seconds"].tolist()
        for span, first, length in sampling.span_windows(rows["span"].tolist(), dataset.clips, stride):
            clips.append(
                ClipRow(
                    clip=len(clips),
                    source=source.source,
                    span=span,
                    first_row=first,
                    length=length,
                    step=dataset.clips.step_frames,
                    split=split,
                    group=source.group,
                    label=source.label,
                    film=source.film,
                    score=math.nan if source.score is None else source.score,
                    first_frame=numbers[first],
                    first_seconds=seconds[first],
                )
            )
    return clips


def without_clips(dataset: Dataset, sources: Sequence[StoredSource], index: Any) -> list[Reject]:
    """The subclips that are there and give no clip. Not where shots are spans of their own: many are short, and a
    subclip's clips are those of its shots."""
    subclips, needed = dataset.subclips, sampling.needed_frames(dataset.clips)
    if subclips is None or (dataset.shots is not None and dataset.shots.split):
        return []
    found: list[Reject] = []
    rows_of = {str(name): rows for name, rows in index.groupby("source")}
    for source in sources:
        spans = rows_of[source.source].groupby("span")["time_seconds"]
        runs = list(zip(spans.min().tolist(), spans.size().tolist(), strict=True))
        starts = [start for start, _ in sampling.spans(source.duration_seconds, subclips)]
        if source.kind == "video" and subclips.snap != "none":
            starts = [seconds for seconds, _ in runs]  # a video has no gaps, so that each run is a subclip
        reasons = sampling.without_clips(runs, starts, subclips, needed)
        found += [Reject(source.path, "assemble", reason) for reason in reasons]
    return found


def check_leakage(sources: Sequence[StoredSource], division: Division, frames: Path) -> None:
    """Raise a ValueError that names both files where the same footage stands in two splits."""
    prints = [
        leakage.fingerprint(
            source.path,
            division.of[source.source],
            (source.sha256, source.store_sha256),
            stores.open_store(stores.store_path(frames, source.source)),
        )
        for source in sources
        if source.source in division.of
    ]
    leaks = leakage.find_leaks(prints)
    if leaks:
        named = "\n".join(
            f"  {leak.first} ({leak.first_split}) and {leak.second} ({leak.second_split}): {leak.how}"
            for leak in leaks[:SHOWN_LEAKS]
        )
        raise ValueError(
            f"the same footage stands in two splits, {len(leaks)} time(s); give both files one group (dataset's "
            f"group.pattern) or take one out:\n{named}"
        )


def summary(
    dataset: Dataset,
    clips: Sequence[ClipRow],
    sources: Sequence[StoredSource],
    division: Division,
    rated: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Counts, warnings and identity, for people and programs. `rated`: what `balance.ratings` says."""
    used = {row.source for row in clips}
    divided = [source for source in sources if source.source in division.of]
    found = balance.classes(divided, division.of, used) if dataset.label == "folder" else {}
    train_clips = Counter(row.label for row in clips if row.split == "train")
    warnings = balance.warnings(found, train_clips, {row.label for row in clips}) if found else []
    if rated is not None:
        subclips = {(row.film, row.source, row.span) for row in clips}
        warnings = [*warnings, *balance.rating_warnings(rated, Counter(film for film, _, _ in subclips))]
    sides = Counter(division.of.values())
    pairs = (sum(sides.values()) ** 2 - sum(n**2 for n in sides.values())) // 2
    return {
        "clips": len(clips),
        "sources": len(divided),
        "sources_without_clips": sorted(source.path for source in divided if source.source not in used),
        "stored_frames": sum(source.stored_frames for source in divided),
        "splits": {name: _split_counts([row for row in clips if row.split == name]) for name in SPLITS},
        "classes": found,
        "lists": division.lists,
        "ratings": rated,
        "warnings": [*division.warnings, *warnings],
        "leakage": {"passed": True, "pairs_compared": pairs},
        "input": model_input.describe(dataset, max(row.length for row in clips)),
        "data_sha256": stores.clips_sha256(
            (dataclasses.astuple(row)[1:] for row in clips), {source.source: source.store_sha256 for source in sources}
        ),
    }


def _split_counts(rows: Sequence[ClipRow]) -> dict[str, Any]:
    labels = Counter(row.label for row in rows)
    return {
        "clips": len(rows),
        "sources": len({row.source for row in rows}),
        "groups": dict(sorted(Counter(row.group for row in rows).items())),
        "labels": dict(sorted(labels.items())),
        "smallest_to_largest_class": min(labels.values()) / max(labels.values()) if labels else None,
    }


def _columns() -> list[str]:
    return [field.name for field in dataclasses.fields(ClipRow)]
