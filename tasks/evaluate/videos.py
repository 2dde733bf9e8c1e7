"""What is known of the videos of a split after their clips went by once, in bounded memory.

A video is named by the clips of the manifest. It is described, as `rushes features` does it, by all of its clips
`DESCRIPTOR_STRIDE_FRAMES` apart: training and held-out videos alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks import baselines
from tasks.baselines import Clip
from tasks.clips import ClipDataset
from tasks.sampling import DESCRIPTOR_STRIDE_FRAMES

Floats = NDArray[np.float64]
Classes = NDArray[np.int64]
Values = dict[str, NDArray[Any]]  # what was measured of B clips, by name: (B, ...)
Measure = Callable[[Clip], Values]


@dataclass(frozen=True)
class Videos:
    """The videos (sources) of a split, by name; every array's first axis is the videos.

    Attributes:
        label: places in the dataset's list of labels.
        clips: how many clips named it; of a training video, how many described it.
        means: by name, the mean over those clips of what was measured, float64 (V, D).
    """

    source: list[str]
    group: list[str]
    label: Classes
    clips: Classes
    means: dict[str, Floats] = field(default_factory=dict)


def of_training(train: ClipDataset, about: Measure, batch_clips: int) -> Videos:
    """Over the clips that describe."""
    windows = train.every(DESCRIPTOR_STRIDE_FRAMES)
    sums = _Sums(windows)
    for numbers, clip in _batches(windows, np.arange(len(windows)), batch_clips):
        sums.add(windows, numbers, about(clip))
    return sums.videos(windows)


def of_test(test: ClipDataset, answer: Measure, about: Measure | None, batch_clips: int) -> tuple[Videos, Floats]:
    """The videos, and `probabilities` of every clip of the manifest, (n, K).

    Args:
        answer: asked of the clips of the manifest: `probabilities`, and beside them what `about` measures. So a clip
            that both names and describes its video goes through the model once.
        about: asked of the other clips that describe. None: videos are only named.
    """
    sums, probabilities = _Sums(test), []
    windows = None if about is None else test.every(DESCRIPTOR_STRIDE_FRAMES)
    describes = np.zeros(len(test), bool) if windows is None else _among(test, windows)
    for numbers, clip in _batches(test, np.arange(len(test)), batch_clips):
        values = answer(clip)
        probabilities.append(values.pop("probabilities").astype(np.float64))
        sums.add(test, numbers, {"probabilities": probabilities[-1]})
        kept = describes[numbers]
        sums.add(test, numbers[kept], {name: rows[kept] for name, rows in values.items()})
    if windows is not None and about is not None:
        for numbers, clip in _batches(windows, np.flatnonzero(~_among(windows, test)), batch_clips):
            sums.add(windows, numbers, about(clip))
    return sums.videos(test), np.concatenate(probabilities)


def described(seen: Videos) -> Videos:
    """Descriptors averaged over the video, then L2-normalised (Tran et al. 2015, section 3.3)."""
    if "descriptor" not in seen.means:
        return seen
    mean = seen.means["descriptor"]
    length = np.linalg.norm(mean, axis=1, keepdims=True)
    unit = np.divide(mean, length, out=np.zeros_like(mean), where=length > 0)
    return replace(seen, means={**seen.means, "descriptor": unit})


def pixels(clip_BTHWC: Clip) -> Values:
    """What the baselines are fitted on."""
    return {
        "mean_frame": baselines.mean_frame(clip_BTHWC),
        "difference_energy": baselines.difference_energy(clip_BTHWC),
    }


class _Sums:
    """Over each video's clips, added in the order in which they come."""

    def __init__(self, dataset: ClipDataset) -> None:
        self._names = np.unique(dataset.table["source"].to_numpy(np.str_))
        self._sums: dict[str, Floats] = {}
        self._counts: dict[str, Classes] = {}

    def add(self, dataset: ClipDataset, numbers: Classes, values: Values) -> None:
        """`values` of the clips `numbers` of `dataset`."""
        video = self._places(dataset, numbers)
        for name, value in values.items():
            rows = value.reshape(len(numbers), math.prod(value.shape[1:])).astype(np.float64)
            np.add.at(self._sums.setdefault(name, np.zeros((len(self._names), rows.shape[1]))), video, rows)
            np.add.at(self._counts.setdefault(name, np.zeros(len(self._names), np.int64)), video, 1)

    def videos(self, dataset: ClipDataset) -> Videos:
        """`clips` are those of `dataset`."""
        places = self._places(dataset, np.arange(len(dataset)))
        about = dataset.table.iloc[np.unique(places, return_index=True)[1]]
        labels = np.array([dataset.labels.index(label) for label in about["label"]], np.int64)
        means = {name: total / self._counts[name][:, None] for name, total in self._sums.items()}
        clips = np.bincount(places).astype(np.int64)
        return Videos(about["source"].tolist(), about["group"].astype(str).tolist(), labels, clips, means)

    def _places(self, dataset: ClipDataset, numbers: Classes) -> Classes:
        return np.searchsorted(self._names, dataset.table["source"].to_numpy(np.str_)[numbers])


def _batches(dataset: ClipDataset, numbers: Classes, batch_clips: int) -> Iterator[tuple[Classes, Clip]]:
    for start in range(0, len(numbers), batch_clips):
        chosen = numbers[start : start + batch_clips]
        yield chosen, dataset.clips(chosen)


def _among(clips: ClipDataset, others: ClipDataset) -> NDArray[np.bool_]:
    """Which of `clips` are clips of `others` too."""
    import pandas as pd

    one, other = (pd.MultiIndex.from_frame(d.table[["source", "first_row"]]) for d in (clips, others))
    return np.asarray(one.isin(other))
