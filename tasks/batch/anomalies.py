"""Where a source is unlike what the model was trained on: the stretches in which it rebuilds it unusually badly.

Every source is measured against itself: its median error, and how widely its errors scatter, after the model's own
unevenness within its window is taken out (it rebuilds the first and the last frames worse, by a quarter or so). What is
unusual for much of a source's length is not found so; `against_the_others` holds its mean error against those of a
batch.

    error        . . . . # # . # # # . . . . . . .        told: two runs that are near one another are one interval
    interval             [ - - - - - )
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("start_seconds", "end_seconds", "peak_seconds", "peak_frame", "peak_mse", "median_mse", "deviations")
CONSISTENT = 1.4826  # of the median absolute deviation: the standard deviation, where errors are normal
MERGE_SECONDS = 0.5  # runs of frames with no more than this between them are one interval
FEWEST_FRAMES = 16  # below, there is no telling what is usual
FEWEST_WINDOWS = 4
FEWEST_SOURCES = 8
LEAST_SHARE = 0.02  # of the median error: errors that scatter less than this count as if they scattered so much
LEAST_MSE = 1 / (12 * 255**2)  # as does an error below that of rounding a picture to 8 bits
NOMINAL_SECONDS = 0.04  # of a frame that has no neighbour to tell how long it is


def anomalies(errors: pd.DataFrame, deviations: float) -> list[dict[str, Any]]:
    """The intervals of one source in which the error is more than `deviations` robust deviations above its median.

    A robust deviation is 1.4826 times the median absolute deviation from the median, and at least a fiftieth of the
    median (or the error of 8-bit rounding): errors that hardly differ say nothing. A single frame is an interval of
    its own: flashes and damaged frames are that short. Runs with half a second or less between them are one. A source
    of fewer than 16 frames has none.

    Args:
        errors: of one source, a row a frame, in order: `frame, time_seconds, place, mse` of its errors.csv.

    Returns:
        In the order of time: `start_seconds` and `end_seconds` (half-open: the end is that of the last frame),
        `peak_seconds` and `peak_frame` (the column `frame`: its place in the video) of the largest evened error,
        `peak_mse`, that frame's error, `median_mse` of the source's errors, and `deviations`, how many robust
        deviations the evened error of the peak lies above the median.

    Raises:
        ValueError: an error is not finite.
    """
    mse = errors["mse"].to_numpy(np.float64)
    starts = errors["time_seconds"].to_numpy(np.float64)
    if not np.isfinite(mse).all():
        raise ValueError("the error of a frame is NaN or infinite: the model answers with no number; train it again")
    if len(mse) < FEWEST_FRAMES:
        return []
    ends = _ends(starts)
    even = evened(errors)
    middle, scale = usual(even)
    above = (even - middle) / scale
    found = []
    for first, last in _intervals(above > deviations, starts, ends):
        peak = first + int(np.argmax(above[first : last + 1]))
        values = (
            float(starts[first]),
            float(ends[last]),
            float(starts[peak]),
            int(errors["frame"].iloc[peak]),
            float(mse[peak]),
            float(np.median(mse)),
            float(above[peak]),
        )
        found.append(dict(zip(COLUMNS, values, strict=True)))
    return found


def evened(errors: pd.DataFrame) -> NDArray[np.float64]:
    """The errors divided by how much larger they are at their place in the model's window: the median, over the windows
    of the source, of the error there over that of the frames around. Of fewer than four windows as they are."""
    mse = errors["mse"].to_numpy(np.float64)
    places = errors["place"].to_numpy(np.int64)
    length = int(places.max(initial=0)) + 1
    if len(mse) < FEWEST_WINDOWS * length:
        return mse
    around = errors["mse"].rolling(length, center=True, min_periods=1).median().to_numpy(np.float64)
    ratio = np.divide(mse, around, out=np.ones_like(mse), where=around > 0)
    at_place = np.array([np.median(ratio[places == place]) for place in range(length)])
    even: NDArray[np.float64] = mse / np.where(at_place > 0, at_place, 1.0)[places]
    return even


def usual(mse: NDArray[np.float64]) -> tuple[float, float]:
    """The median of errors, and a robust deviation from it."""
    median = float(np.median(mse))
    return median, max(CONSISTENT * float(np.median(np.abs(mse - median))), LEAST_SHARE * median, LEAST_MSE)


def against_the_others(mse: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """How many robust deviations the mean error of each source of a batch lies above the median of them all.

    What fills half of a source or more is usual there, and `anomalies` says nothing of it; here it shows, where the
    sources are of one kind, such as the recordings of one camera.

    Returns:
        None: fewer than 8 sources.
    """
    if len(mse) < FEWEST_SOURCES:
        return None
    median, scale = usual(mse)
    above: NDArray[np.float64] = (mse - median) / scale
    return above


def _ends(starts: NDArray[np.float64]) -> NDArray[np.float64]:
    """When every frame ends: where the next begins, or, before a gap and at the end, after a frame's usual length."""
    steps = np.diff(starts)
    usual = float(np.median(steps)) if len(steps) else NOMINAL_SECONDS
    lengths = np.append(np.where(steps > 2 * usual, usual, steps), usual)
    ends: NDArray[np.float64] = starts + lengths
    return ends


def _intervals(
    told: NDArray[np.bool_], starts: NDArray[np.float64], ends: NDArray[np.float64]
) -> list[tuple[int, int]]:
    """First and last row of every interval."""
    found: list[tuple[int, int]] = []
    for row in np.flatnonzero(told).tolist():
        if found and starts[row] - ends[found[-1][1]] <= MERGE_SECONDS:
            found[-1] = (found[-1][0], row)
        else:
            found.append((row, row))
    return found
