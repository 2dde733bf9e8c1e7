"""Stage `assemble`: windows over the stored frames, splits by group, and the leakage check.

data/clips/<dataset>/clips.parquet   one row a clip
                     summary.json    counts, class balance, the check's result, identity of the data
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tasks import files, leakage, sampling, stores, tables
from tasks.params import Dataset, Split
from tasks.stores import StoredSource

SPLITS = ("train", "validation", "test")
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
    first_frame: int  # number of the first frame in the source
    first_seconds: float


def run(dataset: Dataset, frames: Path, out: Path) -> None:
    """Write the clip manifest.

    Raises:
        ValueError: a split names a group that no source has, a split gets no clip, or the same footage stands in two.
    """
    import pandas as pd

    sources = tables.read(frames / "sources.csv", StoredSource)
    check_groups(dataset.split, sources)
    clips = list_clips(dataset, sources, pd.read_parquet(frames / "index.parquet"))
    counts = Counter(row.split for row in clips)
    for split in SPLITS:
        wanted = split != "validation" or bool(dataset.split.validation)
        if wanted and not counts[split]:
            raise ValueError(
                f"no {split} clip: no source of its groups has {dataset.clips.length_frames} stored frames "
                f"{dataset.clips.step_frames} apart in one span; shorten clips.length_frames or correct split"
            )
    check_leakage(dataset.split, sources, frames)
    with files.replacing_folder(out) as folder:
        table = pd.DataFrame([dataclasses.astuple(row) for row in clips], columns=_columns())
        table.to_parquet(folder / "clips.parquet", index=False, compression="zstd")
        files.write_json(folder / "summary.json", summary(clips, sources, dataset.split))


def list_clips(dataset: Dataset, sources: Sequence[StoredSource], index: Any) -> list[ClipRow]:
    """Every clip, sources in order of their path, clips in order of time; `index` is `index.parquet`."""
    rows_of = {str(name): rows for name, rows in index.groupby("source")}
    clips: list[ClipRow] = []
    for source in sources:
        rows = rows_of[source.source]
        split = split_of(source.group, dataset.split)
        stride = dataset.clips.train_stride_frames if split == "train" else dataset.clips.stride_frames
        numbers, seconds = rows["source_frame"].tolist(), rows["time_seconds"].tolist()
        for span, first in sampling.span_windows(rows["span"].tolist(), dataset.clips, stride):
            clips.append(
                ClipRow(
                    clip=len(clips),
                    source=source.source,
                    span=span,
                    first_row=first,
                    length=dataset.clips.length_frames,
                    step=dataset.clips.step_frames,
                    split=split,
                    group=source.group,
                    label=source.label,
                    first_frame=numbers[first],
                    first_seconds=seconds[first],
                )
            )
    return clips


def split_of(group: str, split: Split) -> str:
    """Where a group's sources go: what no split lists is trained on."""
    return "test" if group in split.test else "validation" if group in split.validation else "train"


def check_groups(split: Split, sources: Sequence[StoredSource]) -> None:
    """Every group that a split lists has to exist."""
    there = {source.group for source in sources}
    for name, listed in (("test", split.test), ("validation", split.validation)):
        unknown = sorted(set(listed) - there)
        if unknown:
            some = ", ".join(sorted(there)[:30]) + (", ..." if len(there) > 30 else "")
            raise ValueError(f"split.{name} lists group {', '.join(unknown)}, which no source has; there are: {some}")


def check_leakage(split: Split, sources: Sequence[StoredSource], frames: Path) -> None:
    """Raise a ValueError that names both files where the same footage stands in two splits."""
    prints = [
        leakage.fingerprint(
            source.path,
            split_of(source.group, split),
            (source.sha256, source.store_sha256),
            stores.open_store(stores.store_path(frames, source.source)),
        )
        for source in sources
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


def summary(clips: Sequence[ClipRow], sources: Sequence[StoredSource], split: Split) -> dict[str, Any]:
    """Counts and identity, for people and programs."""
    used = {row.source for row in clips}
    splits: dict[str, Any] = {}
    for name in SPLITS:
        mine = [row for row in clips if row.split == name]
        labels = Counter(row.label for row in mine)
        splits[name] = {
            "clips": len(mine),
            "sources": len({row.source for row in mine}),
            "groups": dict(sorted(Counter(row.group for row in mine).items())),
            "labels": dict(sorted(labels.items())),
            "smallest_to_largest_class": min(labels.values()) / max(labels.values()) if labels else None,
        }
    sides = Counter(split_of(source.group, split) for source in sources)
    pairs = (sum(sides.values()) ** 2 - sum(n**2 for n in sides.values())) // 2
    return {
        "clips": len(clips),
        "sources": len(sources),
        "sources_without_clips": sorted(source.path for source in sources if source.source not in used),
        "stored_frames": sum(source.stored_frames for source in sources),
        "splits": splits,
        "leakage": {"passed": True, "pairs_compared": pairs},
        "data_sha256": stores.clips_sha256(
            (dataclasses.astuple(row)[1:] for row in clips), {source.source: source.store_sha256 for source in sources}
        ),
    }


def _columns() -> list[str]:
    return [field.name for field in dataclasses.fields(ClipRow)]
