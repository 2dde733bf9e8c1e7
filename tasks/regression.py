"""Functions of arrays for answers that are scores: errors, rank correlation, explained variance, and how far off a new
answer may be.

`score` is the truth and `predicted` the answer, float64 (n,), on one scale. What n counts, films or subclips, is the
caller's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks import metrics
from tasks.metrics import Floats, Interval

METRICS = ("mse", "mae", "spearman", "r2")
LEVEL = 0.8  # of the interval about a new film's answer
FEWEST_RESIDUALS = 2
SIGNIFICANT_P = 0.025  # one-sided: what a 95% interval leaves below itself
FEWEST_TO_TELL = 6  # groups; of 5 the smallest p is 2 ** -5, more than that
FLIPS = 4096  # all that 12 groups have; of more groups so many are drawn


def squared_error(score: Any, predicted: Any) -> Floats:
    """In squared points of the scale: (n,)."""
    error: Floats = np.square(np.asarray(predicted, np.float64) - np.asarray(score, np.float64))
    return error


def absolute_error(score: Any, predicted: Any) -> Floats:
    """In points of the scale: (n,)."""
    error: Floats = np.abs(np.asarray(predicted, np.float64) - np.asarray(score, np.float64))
    return error


def spearman(score: Floats, predicted: Floats) -> float:
    """Correlation of the ranks, -1 to 1, equal values sharing their mean rank; NaN where all of one side are equal."""
    if np.ptp(score) == 0.0 or np.ptp(predicted) == 0.0:
        return math.nan
    one, other = (ranks - ranks.mean() for ranks in (_ranks(score), _ranks(predicted)))
    return float(np.clip((one @ other) / np.sqrt((one @ one) * (other @ other)), -1.0, 1.0))


def _ranks(values: Floats) -> Floats:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(count) - (count - 1) / 2)[place]
    return ranks


def r2(score: Floats, predicted: Floats) -> float:
    """The explained share of the scores' variance about their own mean: 1 is perfect, below 0 is worse than answering
    that mean, which nobody knows beforehand; NaN where all scores are equal."""
    if np.ptp(score) == 0.0:
        return math.nan
    return float(1.0 - squared_error(score, predicted).sum() / np.square(score - score.mean()).sum())


def figures(score: Floats, predicted: Floats, groups: Sequence[str], *, samples: int, seed: int) -> dict[str, Interval]:
    """Every one of `METRICS`, with intervals over whole groups (see `metrics.bootstrap`).

    A perfect order has an interval without width: no draw can break it, however few films there are.
    """
    drawn = {"samples": samples, "seed": seed}
    return {
        "mse": metrics.bootstrap(squared_error(score, predicted), groups, **drawn),
        "mae": metrics.bootstrap(absolute_error(score, predicted), groups, **drawn),
        "spearman": bootstrap_statistic(lambda i: spearman(score[i], predicted[i]), groups, **drawn),
        "r2": bootstrap_statistic(lambda i: r2(score[i], predicted[i]), groups, **drawn),
    }


def bootstrap_statistic(
    statistic: Callable[[NDArray[np.int64]], float], groups: Sequence[str], *, samples: int, seed: int
) -> Interval:
    """`metrics.bootstrap` of a figure that is no mean, such as a correlation: it is computed anew from each draw.

    Args:
        statistic: takes the numbers of the items that were drawn, ascending within a group, one drawn twice standing
            twice; NaN says that they have no such figure, and the draw is left out.
        groups: the n items' groups.
    """
    of_item = np.asarray(groups)
    value = statistic(np.arange(len(of_item)))
    if not np.isfinite(value):
        return Interval(None, None, None)
    items = [np.flatnonzero(of_item == name) for name in sorted(set(groups))]
    drawn = [statistic(np.concatenate([items[k] for k in row])) for row in metrics.draws(len(items), samples, seed)]
    known = np.array(drawn)[np.isfinite(drawn)]
    if not len(known):
        return Interval(float(value), None, None)
    low, high = np.quantile(known, metrics.INTERVAL_QUANTILES)
    return Interval(float(value), float(low), float(high))


def sign_flip_p(gains: Any, groups: Sequence[str], *, seed: int) -> float:
    """How likely a mean gain as high as this is if there is none: the one-sided sign-flip permutation test (Fisher
    1935, section 21), where the gains of a whole group change their sign together.

    A percentile interval of few groups is far too narrow: of two it spans their means, and lies above zero by chance
    one time in four. This test is exact for any number of groups if gains are as often above zero as below it. Of n
    groups the smallest p is 2 ** -n.

    Args:
        gains: (n,), of paired errors; above zero is better.
        groups: the n items' groups. Up to 12 of them all flips are looked at, of more 4096 drawn ones, and no flip.
    """
    of_group = np.bincount(np.unique(np.asarray(groups), return_inverse=True)[1], np.asarray(gains, np.float64))
    n = len(of_group)
    if 2**n <= FLIPS:
        flipped = np.arange(2**n)[:, None] >> np.arange(n) & 1
    else:
        flipped = np.random.default_rng(seed).integers(0, 2, (FLIPS + 1, n))
        flipped[0] = 0
    equal = 1e-9 * np.abs(of_group).sum()  # sums of the same numbers in another order
    return float(np.mean((1 - 2 * flipped) @ of_group >= of_group.sum() - equal))


def conformal(residuals: NDArray[Any], level: float = LEVEL) -> dict[str, Any] | None:
    """How far a new film's score may lie from its answer: split conformal prediction (Vovk et al. 2005, chapter 4;
    Lei et al. 2018, algorithm 2).

    The half width is the k-th smallest of the n absolute residuals, k = ceil((n + 1) level). It promises that answer
    plus and minus the half width holds the score of a new film with a probability of at least `level`, whatever the
    model and the distribution, if the new film and these are exchangeable: drawn alike, and none of them seen in
    training. The probability is over the draw of these films too, and over all films, not over films like the new one;
    films that come in groups, and a new one of none of them, are not quite exchangeable.

    Args:
        residuals: (n,), of films that the model was not trained on; their sign does not matter.

    Returns:
        `level`: as asked, or n / (n + 1), the highest that n films can promise; `half_width`, in points of the scale;
        `films`: n. None for fewer than two.
    """
    distance = np.sort(np.abs(np.asarray(residuals, np.float64)))
    n = len(distance)
    if n < FEWEST_RESIDUALS:
        return None
    k = math.ceil((n + 1) * level - 1e-9)  # 0.8 x 10 is a little more than 8
    if k > n:
        k, level = n, n / (n + 1)
    return {"level": float(level), "half_width": float(distance[k - 1]), "films": n}
