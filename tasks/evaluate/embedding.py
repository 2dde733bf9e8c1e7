"""What the descriptor is worth: how few dimensions carry it, and where it places the held-out videos."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tasks import svm
from tasks.evaluate.videos import Videos
from tasks.metrics import bootstrap_share
from tasks.params import Evaluation

if TYPE_CHECKING:
    import pandas as pd

DIMENSIONS = (10, 25, 50, 100, 250, 500, 1000, 2500)
FEATURES = {"descriptor": "descriptor", "raw_pixels": "mean_frame"}
RANK_TOLERANCE = 1e-9  # components of less variance, relative to the first, are rounding noise
PERPLEXITY = 30.0
FEWEST_POINTS = 5  # below, t-SNE's neighbourhoods are empty


def compactness(train: Videos, test: Videos, settings: Evaluation) -> pd.DataFrame:
    """Video accuracy of a linear SVM on the first principal components (Tran et al. 2015, section 3.4).

    Components and SVM are fitted on the training videos. One row for each number of `DIMENSIONS` that they have, and
    one for all they have: `features` (descriptor, or raw_pixels: the mean frame), `dimensions`, `video_accuracy` and
    its interval `low` to `high`. Features that are the same for all training videos have no components, and no row.
    """
    import pandas as pd
    from sklearn.decomposition import PCA

    rows = []
    for features, name in FEATURES.items():
        if name not in train.means or _alike(train.means[name]):
            continue
        pca = PCA(svd_solver="full").fit(train.means[name])
        there = max(1, int((pca.explained_variance_ > RANK_TOLERANCE * pca.explained_variance_[0]).sum()))
        one, other = pca.transform(train.means[name]), pca.transform(test.means[name])
        for dimensions in [*(d for d in DIMENSIONS if d < there), there]:
            predicted, _ = svm.fit_predict(one[:, :dimensions], train.label, train.group, other[:, :dimensions])
            right = predicted == test.label
            drawn = bootstrap_share(right, test.group, samples=settings.bootstrap_samples, seed=settings.bootstrap_seed)
            interval = {"video_accuracy": drawn.value, "low": drawn.low, "high": drawn.high}
            rows.append({"features": features, "dimensions": dimensions} | interval)
    return pd.DataFrame(rows, columns=["features", "dimensions", "video_accuracy", "low", "high"])


def scatter(test: Videos, per_video: pd.DataFrame) -> pd.DataFrame:
    """The model's rows of `per_video` with `x` and `y`, 0 to 1: t-SNE of the held-out videos' descriptors.

    No row where there are fewer than five videos, no descriptor, or one and the same for all of them.
    """
    columns = ["source", "group", "label", "predicted", "correct"]
    of_model = per_video.loc[per_video["answer"] == "model", columns].reset_index(drop=True)
    descriptor = test.means.get("descriptor")
    if descriptor is None or len(descriptor) < FEWEST_POINTS or _alike(descriptor):
        return of_model.iloc[:0].assign(x=0.0, y=0.0)
    place = _unit(_tsne(descriptor))
    return of_model.assign(x=place[:, 0], y=place[:, 1])


def _alike(features: NDArray[np.float64]) -> bool:
    """Whether all rows are the same but for rounding, as those of a network are whose units are dead."""
    return bool(np.ptp(features, axis=0).max() < RANK_TOLERANCE)


def _tsne(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 2). One dimension leaves nothing to unfold."""
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    if features.shape[1] < 2:
        return np.repeat(features, 2, axis=1)
    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
    tsne = TSNE(init="pca", perplexity=perplexity, learning_rate="auto", random_state=0)
    with threadpool_limits(1):  # sums over threads come in any order, and t-SNE makes other pictures of other last bits
        found: NDArray[np.float64] = np.asarray(tsne.fit_transform(features), np.float64)
    return found


def _unit(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each axis scaled to 0 to 1; one without extent lies in the middle."""
    low, extent = points.min(axis=0), np.ptp(points, axis=0)
    unit: NDArray[np.float64] = np.divide(points - low, extent, out=np.full_like(points, 0.5), where=extent > 0)
    return unit
