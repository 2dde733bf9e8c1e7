"""The answers to kind ``classify``, each for a whole video, fitted on the training videos.

=====================  =======================================================================  ======================
answer                 the class of a video                                                     floats
=====================  =======================================================================  ======================
majority_class         the class of most training videos, whatever the video shows              0
mean_frame_svm         a linear SVM on the mean of its frames                                   h x w x C
difference_energy_svm  a linear SVM on the squared difference of neighbouring frames, averaged  h x w
                       over its frames and channels at each pixel, and the root of that
=====================  =======================================================================  ======================

The first is chance with open eyes, the second knows where things are and not that they move, the third where things
move and not how. Both pictures are averaged over areas to h x w, the longest side at most 32 px (128 x 171 becomes
24 x 32). On the actions (7 folds, one performer each) 32 px are as good as 64, and the root adds 4 points to the third.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks import svm
from tasks.baselines.answers import Clip

Floats = NDArray[np.float64]
Classes = NDArray[np.int64]

LONGEST_SIDE_PX = 32


@dataclass(frozen=True)
class VideoAnswer:
    """A model's or a baseline's class of every test video.

    Attributes:
        floats: what it is told about a video; None for a network that sees it.
        predicted: places in the list of labels, int64 (V,).
        svm_c: the regularisation that was chosen for a support vector machine.
    """

    name: str
    floats: int | None
    predicted: Classes
    svm_c: float | None = None


@dataclass(frozen=True)
class Seen:
    """Videos as the baselines see them: `features` by name (`mean_frame`, `difference_energy`), float64 (V, D)."""

    features: dict[str, Floats]
    label: Classes
    group: Sequence[str]


def mean_frame(clip_BTHWC: Clip) -> NDArray[np.float32]:
    """The mean of each clip's frames, 0 to 1: (B, h, w, C), the longest side at most 32 px."""
    return reduced(clip_BTHWC.mean(axis=1, dtype=np.float32) / np.float32(255.0), LONGEST_SIDE_PX)


def difference_energy(clip_BTHWC: Clip) -> NDArray[np.float32]:
    """The mean squared difference of neighbouring frames, 0 to 1: (B, h, w, 1), the longest side at most 32 px."""
    energy_BHW1 = np.zeros((*clip_BTHWC.shape[:1], *clip_BTHWC.shape[2:4], 1), np.float32)
    for t in range(clip_BTHWC.shape[1] - 1):
        difference = (clip_BTHWC[:, t + 1].astype(np.float32) - clip_BTHWC[:, t]) / np.float32(255.0)
        energy_BHW1 += np.square(difference).mean(axis=-1, keepdims=True) / (clip_BTHWC.shape[1] - 1)
    return reduced(energy_BHW1, LONGEST_SIDE_PX)


def reduced(pictures_BHWC: NDArray[Any], longest_side_px: int) -> NDArray[np.float32]:
    """Averaged over areas, so that no side is longer; smaller pictures stay as they are."""
    import torch

    height, width = pictures_BHWC.shape[1:3]
    share = min(1.0, longest_side_px / max(height, width))
    small = max(1, round(height * share)), max(1, round(width * share))
    x_BCHW = torch.from_numpy(np.ascontiguousarray(pictures_BHWC, np.float32)).movedim(3, 1)
    found: NDArray[np.float32] = torch.nn.functional.adaptive_avg_pool2d(x_BCHW, small).movedim(1, 3).numpy()
    return np.ascontiguousarray(found)


def of_videos(train: Seen, test: Seen) -> list[VideoAnswer]:
    """All three; of classes with equally many training videos the first. Raises ValueError where there is one class."""
    most = int(np.bincount(train.label).argmax())
    answers = [VideoAnswer("majority_class", 0, np.full(len(test.label), most, np.int64))]
    for name in ("mean_frame", "difference_energy"):
        one, other = train.features[name], test.features[name]
        if name == "difference_energy":
            one, other = np.sqrt(one), np.sqrt(other)  # few pixels hold most of the energy
        predicted, c = svm.fit_predict(one, train.label, train.group, other)
        answers.append(VideoAnswer(f"{name}_svm", one.shape[1], predicted, c))
    return answers
