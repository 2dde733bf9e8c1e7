"""What stands on a dataset's page of its ratings: how the table's rows found their files, and how the ratings of each
split are spread."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tasks.report import rating_charts
from tasks.report.pages import fact

if TYPE_CHECKING:
    import pandas as pd

UNMATCHED_SHOWN = 200
A_SUBCLIP = re.compile(r"subclip \d+ of \d+\b")  # how the reason begins where a part of a source is left out


def part(ratings: dict[str, Any], clips: pd.DataFrame | None, splits: Sequence[str]) -> dict[str, Any]:
    """The values that only the page of a dataset with ratings reads.

    Args:
        ratings: of the clips' summary.json.
        splits: those there may be, in their order.
    """
    return {
        "file": ratings["file"],
        "facts": _facts(ratings),
        "unmatched_rows": _listed(ratings["unmatched_rows"]),
        "unmatched_files": _listed(ratings["unmatched_files"]),
        "histogram": None if clips is None else _histogram(clips, splits),
    }


def subclips_left_out(rejects: pd.DataFrame, sources: pd.DataFrame) -> int:
    """How many of the rejects are parts of a source that is used all the same."""
    used = rejects["path"].isin(sources["path"])
    return int((used & rejects["reason"].str.match(A_SUBCLIP)).sum())


def _facts(ratings: dict[str, Any]) -> list[dict[str, Any]]:
    rows, files = len(ratings["unmatched_rows"]), len(ratings["unmatched_files"])
    matched = f"{ratings['rows'] - rows:,} of {ratings['rows']:,}"
    return [
        fact("Rows with a file", matched, f"{rows:,} without one"),
        fact("Films rated", f"{ratings['films']:,}", f"{ratings['rated_sources']:,} files"),
        fact("Files without a rating", f"{files:,}"),
        fact("Scale", f"{ratings['lowest']:g} to {ratings['highest']:g}"),
    ]


def _listed(names: Sequence[str]) -> dict[str, Any]:
    more = len(names) - UNMATCHED_SHOWN
    return {"names": list(names[:UNMATCHED_SHOWN]), "more": f"{more:,} more" if more > 0 else None}


def _histogram(clips: pd.DataFrame, splits: Sequence[str]) -> Any:
    """The ratings of each split's films."""
    rated = clips[clips["score"].notna()].drop_duplicates(["film", "split"])
    of_split = [(split, rated.loc[rated["split"] == split, "score"].tolist()) for split in splits]
    shown = [(split, scores) for split, scores in of_split if scores]
    return rating_charts.histogram(shown, title="Films by rating, split by split") if shown else None
