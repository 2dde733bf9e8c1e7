"""What is known of the videos of a split after one pass over their clips, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tasks import baselines
from tasks.baselines import Clip
from tasks.clips import ClipDataset

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Classes = NDArray[np.int64]
Measure = Callable[[Clip], NDArray[Any]]  # uint8 (B, T, H, W, C) to (B, ...), a row a clip

TRAINING_SPACING_FRAMES = 8  # stored frames between the clips a training video is described by, as for the descriptor
TRAINING_CLIPS = 32  # of a training video at most, evenly spaced


@dataclass(frozen=True)
class Videos:
    """The videos (sources) of a split, by name; every array's first axis is the videos.

    Attributes:
        label: places in the dataset's list of labels.
        clips: how many of its clips were seen.
        means: by name, the mean over those clips of what was measured, float64 (V, D).
    """

    source: list[str]
    group: list[str]
    label: Classes
    clips: Classes
    means: dict[str, Floats] = field(default_factory=dict)


def of_test(test: ClipDataset, measures: dict[str, Measure], batch_clips: int) -> tuple[Videos, dict[str, Floats]]:
    """Over all clips; besides the videos, `probabilities` clip by clip if they are among the `measures`."""
    return _pass(test, np.arange(len(test)), measures, batch_clips, kept=("probabilities",))


def of_training(train: ClipDataset, measures: dict[str, Measure], batch_clips: int) -> Videos:
    """Over clips about `TRAINING_SPACING_FRAMES` apart, `TRAINING_CLIPS` a video at most."""
    return _pass(train, _chosen(train.table), measures, batch_clips)[0]


def described(seen: Videos) -> Videos:
    """Descriptors averaged over the video, then L2-normalised (Tran et al. 2015, section 3.3)."""
    if "descriptor" not in seen.means:
        return seen
    mean = seen.means["descriptor"]
    length = np.linalg.norm(mean, axis=1, keepdims=True)
    unit = np.divide(mean, length, out=np.zeros_like(mean), where=length > 0)
    return replace(seen, means={**seen.means, "descriptor": unit})


def pixel_measures() -> dict[str, Measure]:
    """What the baselines are fitted on."""
    return {"mean_frame": baselines.mean_frame, "difference_energy": baselines.difference_energy}


def _chosen(table: pd.DataFrame) -> Classes:
    """Row numbers, ascending."""
    chosen = []
    for _, rows in table.sort_values(["source", "first_row"], kind="stable").groupby("source", sort=True):
        extent = int(rows["first_row"].iloc[-1] - rows["first_row"].iloc[0])
        wanted = min(extent // TRAINING_SPACING_FRAMES + 1, TRAINING_CLIPS, len(rows))
        chosen.append(rows.index.to_numpy()[np.linspace(0, len(rows) - 1, wanted).round().astype(np.int64)])
    return np.sort(np.concatenate(chosen))


def _pass(
    dataset: ClipDataset, numbers: Classes, measures: dict[str, Measure], batch_clips: int, kept: tuple[str, ...] = ()
) -> tuple[Videos, dict[str, Floats]]:
    """Sums over each video's clips, added clip by clip in the order of `numbers`; of `kept` every clip's values too."""
    of_clip = dataset.table["source"].to_numpy()[numbers]
    names, first, video_of = np.unique(of_clip, return_index=True, return_inverse=True)
    about = dataset.table.iloc[numbers[first]]
    sums: dict[str, Floats] = {}
    parts: dict[str, list[Floats]] = {name: [] for name in kept if name in measures}
    for start in range(0, len(numbers), batch_clips):
        clip = dataset.clips(numbers[start : start + batch_clips])
        here = video_of[start : start + batch_clips]
        for name, measure in measures.items():
            values = measure(clip).reshape(len(clip), -1).astype(np.float64)
            np.add.at(sums.setdefault(name, np.zeros((len(names), values.shape[1]))), here, values)
            if name in parts:
                parts[name].append(values)
    counts = np.bincount(video_of, minlength=len(names)).astype(np.int64)
    labels = np.array([dataset.labels.index(label) for label in about["label"]], np.int64)
    means = {name: total / counts[:, None] for name, total in sums.items()}
    found = Videos(names.tolist(), about["group"].astype(str).tolist(), labels, counts, means)
    return found, {name: np.concatenate(values) for name, values in parts.items()}
