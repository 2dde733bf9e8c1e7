"""Recall, confusion, calibration and loss against values worked out by hand, and against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tasks import classification, metrics

DRAWN = {"samples": 500, "seed": 0}


def test_what_was_ruled_out_and_came_costs_sixteen_nats() -> None:
    probabilities = np.array([[0.25, 0.75], [0.0, 1.0], [1.0, 0.0]], np.float32)
    found = classification.log_loss(probabilities, np.array([0, 0, 0]))
    np.testing.assert_allclose(found, [math.log(4), 7 * math.log(10), 0.0], rtol=1e-6)


def test_confusion_has_the_truth_in_its_rows() -> None:
    found = classification.confusion(np.array([0, 0, 1, 2, 2, 2]), np.array([0, 2, 1, 0, 2, 2]), 4)
    assert found.tolist() == [[1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 2, 0], [0, 0, 0, 0]]


def test_mean_recall_counts_classes_alike_and_leaves_out_those_without_videos() -> None:
    from sklearn.metrics import balanced_accuracy_score

    rng = np.random.default_rng(1)
    label, predicted = rng.integers(0, 4, 60), rng.integers(0, 4, 60)
    groups = np.array([f"g{k}" for k in rng.integers(0, 9, 60)])
    found = classification.mean_recall(label, predicted, groups.tolist(), 6, **DRAWN)
    assert found.value == pytest.approx(balanced_accuracy_score(label, predicted))
    names, means = sorted(set(groups)), []
    for row in metrics.draws(len(names), **DRAWN):  # every draw in full
        items = np.concatenate([np.flatnonzero(groups == names[k]) for k in row])
        right, true = label[items] == predicted[items], label[items]
        means.append(np.mean([right[true == k].mean() for k in set(true)]))
    low, high = np.quantile(means, (0.025, 0.975))
    assert (found.low, found.high) == pytest.approx((low, high))


def test_recall_and_its_interval_are_of_the_class_and_precision_of_what_was_called_so() -> None:
    label, predicted = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 0, 0])
    found = classification.recalls(label, predicted, ["p", "p", "q", "q", "r"], ["run", "jump", "sit"], **DRAWN)
    assert found.astype(object).where(found.notna(), None).to_dict("records") == [
        {"label": "run", "videos": 3, "recall": 2 / 3, "low": 0.0, "high": 1.0, "precision": 0.5},
        {"label": "jump", "videos": 2, "recall": 0.0, "low": 0.0, "high": 1 - 0.025**0.5, "precision": 0.0},
        {"label": "sit", "videos": 0, "recall": None, "low": None, "high": None, "precision": None},
    ]


def test_calibration_bins_exclude_their_lower_edge() -> None:
    confidence, correct = np.array([0.0, 0.3, 0.3001, 0.96, 1.0]), np.array([True, False, True, True, False])
    bins = classification.calibration(confidence, correct)
    assert [(row["low"], row["high"]) for row in bins] == [(k / 10, (k + 1) / 10) for k in range(10)]
    filled = {
        k: tuple(row[n] for n in ("count", "confidence", "accuracy")) for k, row in enumerate(bins) if row["count"]
    }
    assert filled == {0: (1, 0.0, 1.0), 2: (1, 0.3, 0.0), 3: (1, 0.3001, 1.0), 9: (2, pytest.approx(0.98), 0.5)}
    assert {bins[5]["confidence"], bins[5]["accuracy"]} == {None}
    assert classification.expected_calibration_error(bins) == pytest.approx((1.0 + 0.3 + 0.6999 + 2 * 0.48) / 5)
