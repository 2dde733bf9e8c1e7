"""How a dataset's classes are divided, and which films are rated: what it means for whoever learns and judges them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks.footage import UNRATED, Reject, Source
from tasks.params import Ratings
from tasks.ratings import Row
from tasks.splits import names

Classes = dict[str, dict[str, int]]
MOST_RATIO = 10.0  # training clips of the largest class to those of the smallest: above it, a warning


def classes(sources: Iterable[Source], splits: Mapping[str, str], used: set[str]) -> Classes:
    """By class: its sources and groups, and how many of its sources are learned from and judged.

    Args:
        splits: the split of each source, by its id.
        used: ids of the sources that have a clip: the others count under `sources` and `groups` only.
    """
    found: Classes = {}
    groups: dict[str, set[str]] = {}
    for source in sources:
        empty = {"sources": 0, "groups": 0, "train_sources": 0, "test_sources": 0}
        row = found.setdefault(source.label, empty)
        groups.setdefault(source.label, set()).add(source.group)
        row["sources"] += 1
        row["groups"] = len(groups[source.label])
        side = f"{splits[source.source]}_sources"
        if side in row and source.source in used:
            row[side] += 1
    return dict(sorted(found.items()))


def warnings(found: Classes, train_clips: Counter[str], known: set[str]) -> list[str]:
    """What a reader of any figure has to know; nothing where all is well.

    Args:
        known: classes with a clip in any split: the others are not among the classes of a model.
    """
    one_group = [label for label, row in found.items() if row["groups"] == 1]
    unknown = [label for label in found if label not in known]
    unlearned = [label for label, row in found.items() if label in known and not row["train_sources"]]
    unjudged = [label for label, row in found.items() if label in known and not row["test_sources"]]
    said = [
        _of(found, one_group, "one group only", "a class of one group cannot be both learned and judged"),
        _of(found, unknown, "no clip", "such a class is not among the classes that are told apart"),
        _of(found, unlearned, "no training clip", "videos of such a class count as wrong"),
        _of(found, unjudged, "no test clip", "such a class is not judged"),
    ]
    if train_clips:
        most = max(sorted(train_clips), key=train_clips.__getitem__)
        least = min(sorted(train_clips), key=train_clips.__getitem__)
        many, few = train_clips[most], train_clips[least]
        if many > MOST_RATIO * few:
            said.append(
                f"the classes are out of balance: {most} has {many:,} training clips, "
                f"{many / few:.0f} times the {few:,} of {least}"
            )
    return [sentence for sentence in said if sentence]


def ratings(
    table: Ratings, rows: Sequence[Row], sources: Sequence[Source], rejects: Sequence[Reject]
) -> dict[str, Any]:
    """What became of the table of ratings, for the summary.

    Args:
        sources: those that stand in a split.
    """
    return {
        "file": table.file,
        "lowest": table.lowest,
        "highest": table.highest,
        "rows": len(rows),
        "rated_sources": len(sources),
        "films": len({source.film for source in sources}),
        "unmatched_rows": [row.title for row in rows if not row.files],
        "blank_rows": [row.title for row in rows if row.score is None],
        "unmatched_files": [reject.path for reject in rejects if reject.stage == UNRATED],
    }


def rating_warnings(rated: Mapping[str, Any], subclips: Mapping[str, int]) -> list[str]:
    """What a reader of any rating has to know; nothing where all is well.

    Args:
        rated: what `ratings` says.
        subclips: how many subclips of each film have a clip.
    """
    table, rows, left_out = Path(rated["file"]).name, rated["rows"], rated["unmatched_files"]
    single = sorted(film for film, count in subclips.items() if count == 1)
    said = [
        (rows, f"rows of {table}", "no file", rated["unmatched_rows"]),
        (rows, f"rows of {table}", "no score", rated["blank_rows"]),
        (rated["rated_sources"] + len(left_out), "files", f"no score in {table}", left_out),
        (len(subclips), "films", "one subclip only", single),
    ]
    return [
        f"{len(some)} of {all_} {which} {_have(some)} {what}: {names(some)}" for all_, which, what, some in said if some
    ]


def _have(some: Sequence[str]) -> str:
    return "has" if len(some) == 1 else "have"


def _of(found: Classes, some: Sequence[str], what: str, meaning: str) -> str:
    return f"{len(some)} of {len(found)} classes {_have(some)} {what}: {names(some)}; {meaning}" if some else ""
