"""The films that the report shows of a model that rates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.clips import ClipDataset
from tasks.evaluate.thumbnails import thumbnails

if TYPE_CHECKING:
    import pandas as pd

WRONG = 6  # films shown at most
RIGHT = 2
THUMBNAILS = 200


def examples(test: ClipDataset, films: pd.DataFrame) -> dict[str, Any]:
    """The films rated most wrongly and most rightly, and a small picture of every film.

    Args:
        films: the model's rows of `films.parquet`.

    Returns:
        `role`: wrong, the largest error first; then right, the smallest first; no film is both. `film`, `score`,
        `predicted`: of the film; `source`, `frames` uint8 (N, T, H, W, C), `length`: of its middle clip, of which
        `length` frames are no filling. `thumbnail_film`, `thumbnail` uint8 (F, h, w, C): a frame from the middle of
        each film, at most 64 px high; of more than 200 films those rated most wrongly.
    """
    import pandas as pd

    ranked = films.assign(distance=-films["error"].abs()).sort_values(["distance", "film"], kind="stable")
    right = min(RIGHT, len(ranked) // 2)
    wrong = min(WRONG, len(ranked) - right)
    chosen = pd.concat([ranked.head(wrong), ranked.tail(right).iloc[::-1]])
    rows_of = test.table.groupby("film").indices
    rows = [int(rows_of[film][len(rows_of[film]) // 2]) for film in chosen["film"]]
    pictured = sorted(ranked["film"].head(THUMBNAILS))
    return {
        "role": np.array(["wrong"] * wrong + ["right"] * right, np.str_),
        "film": chosen["film"].to_numpy(np.str_),
        "source": test.table["source"].to_numpy(np.str_)[rows],
        "score": chosen["score"].to_numpy(np.float64),
        "predicted": chosen["predicted"].to_numpy(np.float64),
        "frames": test.clips(rows),
        "length": test.table["length"].to_numpy(np.int64)[rows],
        "thumbnail_film": np.array(pictured, np.str_),
        "thumbnail": thumbnails(test, "film", pictured),
    }
