"""Two models' scores on the same clips, films or videos, paired group by group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tasks import metrics


def by_group(values: Any, groups: Sequence[str]) -> dict[str, dict[str, float]]:
    """Of every group the `mean` of the values that are known, and their `count`: enough to pair two models' scores."""
    x = np.asarray(values, np.float64)
    names, number = np.unique(np.asarray(groups, np.str_), return_inverse=True)
    known = np.isfinite(x)
    sums = np.bincount(number, np.where(known, x, 0.0), minlength=len(names))
    counts = np.bincount(number, known, minlength=len(names)).astype(int)
    return {
        str(name): {"mean": float(total / count), "count": int(count)}
        for name, total, count in zip(names, sums, counts, strict=True)
        if count
    }


def paired_gain(
    one: dict[str, dict[str, float]], other: dict[str, dict[str, float]], *, higher: bool, samples: int, seed: int
) -> metrics.Interval | None:
    """How much better `one` is than `other`, both as `by_group` gives them, with the interval that `metrics.bootstrap`
    would give for the paired values; None where the two are not of the same items, or of fewer than two groups."""
    names = sorted(one)
    counts = [int(one[name]["count"]) for name in names]
    if names != sorted(other) or counts != [int(other[name]["count"]) for name in names]:
        return None
    if len(names) < metrics.FEWEST_GROUPS:
        return None
    sign = 1.0 if higher else -1.0
    gains = [sign * (one[name]["mean"] - other[name]["mean"]) for name in names]
    groups = [name for name, count in zip(names, counts, strict=True) for _ in range(count)]
    return metrics.bootstrap(np.repeat(gains, counts), groups, samples=samples, seed=seed)
