"""Functions of arrays for answers that are classes: accuracy, recall, confusion, calibration.

Classes are int64 places in a list of K labels; probabilities are float, (n, K), rows that sum to 1. What n counts,
clips or videos, is the caller's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tasks import metrics
from tasks.metrics import Floats, Interval

if TYPE_CHECKING:
    import pandas as pd

Classes = NDArray[np.int64]

METRICS = ("video_accuracy", "clip_accuracy", "mean_recall", "log_loss")
PROBABILITY_FLOOR = 1e-7  # what was ruled out and came counts as 16.1 nats: one video cannot make a mean infinite
CALIBRATION_BINS = 10


def log_loss(probabilities_NK: NDArray[Any], label_N: Classes) -> Floats:
    """Minus the natural logarithm of the true class's probability, 0 to 16.1: (n,)."""
    true_N = np.asarray(probabilities_NK, np.float64)[np.arange(len(label_N)), label_N]
    loss: Floats = -np.log(np.clip(true_N, PROBABILITY_FLOOR, 1.0))
    return loss


def confusion(label_N: Classes, predicted_N: Classes, classes: int) -> NDArray[np.int64]:
    """How many of the class in the row were called the class in the column: (K, K)."""
    counts = np.bincount(label_N * classes + predicted_N, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.int64)


def mean_recall(
    label_N: Classes, predicted_N: Classes, groups: Sequence[str], classes: int, *, samples: int, seed: int
) -> Interval:
    """Mean over the classes of the share that was found, each class counting alike; a class without any is left out.

    The interval draws whole groups, as `metrics.bootstrap` does; in a draw too, the classes it lacks are left out.
    """
    names = sorted(set(groups))
    of_group = np.searchsorted(names, groups)
    counts, found = np.zeros((2, len(names), classes))
    np.add.at(counts, (of_group, label_N), 1.0)
    np.add.at(found, (of_group, label_N), predicted_N == label_N)

    def mean(found_SK: Floats, counts_SK: Floats) -> Floats:
        recall_SK = np.divide(found_SK, counts_SK, out=np.zeros_like(found_SK), where=counts_SK > 0)
        means: Floats = recall_SK.sum(axis=1) / (counts_SK > 0).sum(axis=1)
        return means

    times = np.stack([np.bincount(row, minlength=len(names)) for row in metrics.draws(len(names), samples, seed)])
    low, high = np.quantile(mean(times @ found, times @ counts), metrics.INTERVAL_QUANTILES)
    value = mean(found.sum(axis=0, keepdims=True), counts.sum(axis=0, keepdims=True))[0]
    return metrics.unanimous(Interval(float(value), float(low), float(high)), len(names))


def recalls(
    label_N: Classes, predicted_N: Classes, groups: Sequence[str], labels: Sequence[str], *, samples: int, seed: int
) -> pd.DataFrame:
    """One row a class: `label`, `videos` (how many there are), the share of them that was found, `recall` with its
    interval `low` to `high` over the class's own groups, and of those called so the share that is, `precision`.

    Empty where there is nothing to divide by; the interval also where the class has one group, whose has no width.
    """
    import pandas as pd

    of_item, rows = np.asarray(groups), []
    for k, label in enumerate(labels):
        true, called = label_N == k, predicted_N == k
        recall = Interval(None, None, None)
        if true.any():
            recall = metrics.bootstrap_share(called[true], of_item[true].tolist(), samples=samples, seed=seed)
        if len(set(of_item[true])) < metrics.FEWEST_GROUPS:
            recall = Interval(recall.value, None, None)
        precision = float(true[called].mean()) if called.any() else None
        interval = {"recall": recall.value, "low": recall.low, "high": recall.high}
        rows.append({"label": label, "videos": int(true.sum())} | interval | {"precision": precision})
    return pd.DataFrame(rows)


def calibration(confidence_N: NDArray[Any], correct_N: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Whether 80% sure is right 80% of the time: ten bins of equal width, `low` excluded and `high` included.

    Returns:
        For each bin `low`, `high`, `count`, and the mean `confidence` and `accuracy`, None where the bin is empty.
    """
    edges = np.arange(CALIBRATION_BINS + 1) / CALIBRATION_BINS
    sure = np.asarray(confidence_N, np.float64)
    bin_of = np.clip(np.searchsorted(edges, sure, side="left") - 1, 0, CALIBRATION_BINS - 1)
    rows = []
    for k in range(CALIBRATION_BINS):
        inside = bin_of == k
        means: dict[str, float | None] = {"confidence": None, "accuracy": None}
        if inside.any():
            means = {"confidence": float(sure[inside].mean()), "accuracy": float(correct_N[inside].mean())}
        rows.append({"low": float(edges[k]), "high": float(edges[k + 1]), "count": int(inside.sum()), **means})
    return rows


def expected_calibration_error(bins: Sequence[dict[str, Any]]) -> float:
    """Mean of `calibration`'s |accuracy - confidence|, bins weighted by count (Guo et al. 2017, equation 3): 0 to 1."""
    total = sum(row["count"] for row in bins)
    return float(sum(row["count"] / total * abs(row["accuracy"] - row["confidence"]) for row in bins if row["count"]))
