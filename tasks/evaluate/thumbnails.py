"""Small pictures of what is judged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tasks import baselines
from tasks.clips import ClipDataset

HEIGHT_PX = 64


def thumbnails(test: ClipDataset, column: str, names: Sequence[str]) -> NDArray[np.uint8]:
    """The middle frame of the middle clip of each video or film: uint8 (V, h, w, C), at most 64 px high.

    Args:
        column: of the manifest, in which the `names` stand: `source` or `film`.
    """
    rows_of, lengths = test.table.groupby(column).indices, test.table["length"].tolist()
    picked = [int(rows_of[name][len(rows_of[name]) // 2]) for name in names]
    height, width = test.shape[1:3]
    longest = max(1, round(max(height, width) * min(1.0, HEIGHT_PX / height)))
    pictures = [baselines.reduced(test.clips([row])[:, lengths[row] // 2], longest) for row in picked]
    found: NDArray[np.uint8] = np.rint(np.concatenate(pictures)).astype(np.uint8)
    return found
