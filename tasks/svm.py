"""A linear support vector machine, one class against the rest, whose regularisation is chosen on training groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Classes = NDArray[np.int64]

CHOICES = (0.1, 1.0, 10.0, 100.0)  # of C, for features whose mean squared norm is 1
FIXED = 1.0  # where nothing can be chosen
FOLDS = 5
CHOOSE_UP_TO = 2000  # training videos; choosing takes 20 fits, and one of 3,000 x 2,048 features, 20 classes takes 5 s


def fit_predict(
    train_ND: NDArray[Any], label_N: Classes, groups: Sequence[str], test_MD: NDArray[Any]
) -> tuple[Classes, float]:
    """Fit on the training rows; the predicted class of every test row, int64 (M,), and the C it was fitted with.

    Features are centred on the training mean and scaled by one number to a mean squared norm of 1 over the training
    rows. C is the one of `CHOICES` with the best accuracy in `folds` of the training rows, of equals the smallest; or
    `FIXED`. Deterministic: the primal problem (squared hinge loss) has one solution and is solved without chance.

    Raises:
        ValueError: the training rows are of one class.
    """
    if len(np.unique(label_N)) < 2:
        raise ValueError("the training videos are all of one class; a classifier needs two or more to tell apart")
    train, test = _scaled(train_ND, test_MD)
    c = _choose(train, label_N, groups)
    return _fit(train, label_N, c).predict(test), c


def folds(label_N: Classes, groups: Sequence[str]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """(training rows, held-out rows): up to five folds in which no group stands on both sides, classes spread evenly.

    None where a class has one group only: it could not be learned and judged.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    of_row = np.asarray(groups)
    fewest = min(len(set(of_row[label_N == k])) for k in np.unique(label_N))
    if fewest < 2:
        return []
    splitter = StratifiedGroupKFold(min(FOLDS, fewest))
    found = list(splitter.split(label_N, label_N, of_row))
    whole = len(np.unique(label_N))
    return found if all(len(np.unique(label_N[kept])) == whole and len(out) for kept, out in found) else []


def _scaled(train_ND: NDArray[Any], test_MD: NDArray[Any]) -> tuple[Floats, Floats]:
    """Centred and scaled; more features than training rows are turned into the space that those rows span: whatever
    stands at right angles to them cannot matter to a linear SVM."""
    train, test = (np.asarray(x, np.float64) for x in (train_ND, test_MD))
    mean = train.mean(axis=0)
    train, test = train - mean, test - mean
    scale = np.sqrt(np.square(train).sum(axis=1).mean()) or 1.0
    train, test = train / scale, test / scale
    if train.shape[1] > len(train):
        basis = np.linalg.svd(train, full_matrices=False)[2].T
        train, test = train @ basis, test @ basis
    return train, test


def _choose(train: Floats, label_N: Classes, groups: Sequence[str]) -> float:
    parts = folds(label_N, groups) if len(train) <= CHOOSE_UP_TO else []
    if not parts:
        return FIXED
    right = {c: sum(_right(train, label_N, c, *part) for part in parts) for c in CHOICES}
    return max(CHOICES, key=lambda c: right[c])  # of equals the first


def _right(train: Floats, label_N: Classes, c: float, kept: Classes, out: Classes) -> int:
    """How many of the rows held out are predicted rightly."""
    return int((_fit(train[kept], label_N[kept], c).predict(train[out]) == label_N[out]).sum())


def _fit(train: Floats, label_N: Classes, c: float) -> Any:
    from sklearn.svm import LinearSVC

    return LinearSVC(C=c, dual=False, tol=1e-4, max_iter=1000).fit(train, label_N)
