"""What is taken for what: the confusion matrix of the held-out videos, every cell a link to its videos.

No script runs: a cell is an anchor, and the style shows the panel that the address points at.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks import pictures
from tasks.report.kinds import CONFIDENCE
from tasks.report.results import Result

if TYPE_CHECKING:
    import pandas as pd

MOST_CLASSES = 30  # of a table that one can read; beyond it the most confused pairs are listed
PAIRS_SHOWN = 20
VIDEOS_SHOWN = 12  # of a cell
LEVELS = 10  # of colour, in the style
OPEN_PANELS = 3  # shown before a cell is chosen
UPRIGHT_FROM, LETTERS = 7, 14  # classes from which, and letters beyond which, the headings stand upright
CELL_PX = 6  # of the picture of a matrix that is no table


def part(result: Result) -> dict[str, Any]:
    """The matrix, as a table or as a picture with the most confused pairs, and a panel of videos for each link; `own`
    are links to the videos of a class that are named rightly, by its label, where no cell of a table leads there."""
    assert result.metrics is not None
    labels: list[str] = result.metrics["labels"]
    counts = _counts(result.tables["confusion"], labels)
    wrong = counts * ~np.eye(len(labels), dtype=bool)
    found: dict[str, Any] = {"many": len(labels) > MOST_CLASSES, "labels": labels, "wrong": int(wrong.sum())}
    found |= {"videos": int(counts.sum()), "upright": len(labels) >= UPRIGHT_FROM or max(map(len, labels)) > LETTERS}
    found["own"] = {}
    if found["many"]:
        pairs = _by_count(wrong)[:PAIRS_SHOWN]
        found["pairs"] = [_cell(counts, labels, i, j) for i, j in pairs]
        found["more_pairs"] = int((wrong > 0).sum()) - len(pairs)
        found["picture"] = _picture(counts)
        right = [k for k in range(len(labels)) if counts[k, k]]
        found["own"] = {labels[k]: f"#{_id(k, k)}" for k in right}
        cells = [*pairs, *((k, k) for k in right)]
    else:
        cells = [(int(i), int(j)) for i, j in np.argwhere(counts > 0)]
        every = range(len(labels))
        found["rows"] = [
            {"label": labels[i], "videos": int(counts[i].sum()), "cells": [_cell(counts, labels, i, j) for j in every]}
            for i in every
        ]
    worst = _by_count(wrong)[:OPEN_PANELS]
    found["panels"] = [panel | {"open": cell in worst} for cell, panel in _panels(result, labels, cells)]
    return found


def thumbnails(result: Result) -> dict[str, tuple[str, float]]:
    """A picture of each held-out video that has one, as a data URI, and its width over its height."""
    if result.examples is None:
        return {}
    frames = result.examples["thumbnail"]
    uris = [pictures.webp_uri(pictures.rgb(frame)) for frame in frames]
    return {str(s): (uri, frames.shape[2] / frames.shape[1]) for s, uri in zip(_sources(result), uris, strict=True)}


def _sources(result: Result) -> list[str]:
    assert result.examples is not None
    return [str(source) for source in result.examples["thumbnail_source"]]


def _counts(table: pd.DataFrame, labels: list[str]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """(true, predicted) numbers of videos, in the order of `labels`."""
    wide = table.pivot(index="label", columns="predicted", values="videos").reindex(index=labels, columns=labels)
    return wide.fillna(0).to_numpy(np.int64)


def _by_count(wrong: np.ndarray[Any, np.dtype[np.int64]]) -> list[tuple[int, int]]:
    """The wrong cells that hold a video, the fullest first."""
    cells = [(int(i), int(j)) for i, j in np.argwhere(wrong > 0)]
    return sorted(cells, key=lambda cell: (-wrong[cell], cell))


def _cell(counts: np.ndarray[Any, np.dtype[np.int64]], labels: Sequence[str], i: int, j: int) -> dict[str, Any]:
    count, of = int(counts[i, j]), int(counts[i].sum())
    named = f"{labels[i]} named rightly" if i == j else f"{labels[i]} taken for {labels[j]}"
    return {
        "count": count,
        "of": of,
        "href": f"#{_id(i, j)}" if count else None,
        "level": math.ceil(LEVELS * count / of) if count else 0,
        "right": i == j,
        "label": labels[i],
        "predicted": labels[j],
        "title": f"{named}: {count} of {of} videos",
    }


def _id(i: int, j: int) -> str:
    return f"cell-{i}-{j}"


def _panels(
    result: Result, labels: Sequence[str], cells: Sequence[tuple[int, int]]
) -> Iterator[tuple[tuple[int, int], dict[str, Any]]]:
    """The videos of each of the cells, the surest first."""
    assert result.videos is not None
    model = result.videos[result.videos["answer"] == "model"]
    ordered = model.sort_values(["confidence", "source"], ascending=[False, True], kind="stable")
    of_cell = dict(iter(ordered.groupby(["label", "predicted"], sort=False)))
    shown = thumbnails(result)
    for i, j in cells:
        rows = of_cell[(labels[i], labels[j])]
        videos = [
            {
                "name": str(row["source"]),
                "uri": shown[str(row["source"])][0] if str(row["source"]) in shown else None,
                "sure": f"{CONFIDENCE.told(row['confidence'])} sure",
            }
            for row in rows.head(VIDEOS_SHOWN).to_dict("records")
        ]
        title = f"{labels[i]}, named rightly" if i == j else f"{labels[i]}, taken for {labels[j]}"
        panel = {
            "id": _id(i, j),
            "right": i == j,
            "title": title,
            "count": len(rows),
            "videos": videos,
            "more": len(rows) - len(videos),
        }
        yield (i, j), panel


def _picture(counts: np.ndarray[Any, np.dtype[np.int64]]) -> str:
    """The matrix as a picture: a row a class, brightness the share of its videos."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return pictures.png_uri(pictures.enlarged(pictures.error_colours(shares, 1.0), CELL_PX))
