"""The linear SVM against scikit-learn's own, and the choice of its C against a plain grid search."""

from __future__ import annotations

import numpy as np
import pytest

from tasks import svm


def cloud(videos: int, features: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Three overlapping classes, four videos a group, one large feature that tells nothing."""
    rng = np.random.default_rng(seed)
    label = np.arange(videos) % 3
    x = rng.normal(0, 1, (videos, features)) + 1.5 * np.eye(features)[label]
    x[:, -1] = 5 + rng.normal(0, 3, videos)
    return x, label, [str(k // 4) for k in range(videos)]


def test_more_features_than_videos_are_turned_and_not_changed() -> None:
    from sklearn.svm import LinearSVC

    (train, label, _), (test, _, _) = cloud(24, 60), cloud(40, 60, seed=1)
    mean = train.mean(axis=0)
    scale = np.sqrt(np.square(train - mean).sum(axis=1).mean())
    plain = LinearSVC(C=svm.FIXED, dual=False).fit((train - mean) / scale, label)
    one, other = svm._scaled(train, test)
    assert (one.shape, other.shape) == ((24, 24), (40, 24))
    assert np.square(one).sum(axis=1).mean() == pytest.approx(1.0)
    turned = svm._fit(one, label, svm.FIXED)
    np.testing.assert_allclose(
        turned.decision_function(other), plain.decision_function((test - mean) / scale), atol=1e-3
    )
    # a single group: nothing to choose by
    predicted, c = svm.fit_predict(train, label, ["only"] * 24, test)
    assert c == svm.FIXED
    np.testing.assert_array_equal(predicted, plain.predict((test - mean) / scale))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_c_is_chosen_as_a_grid_search_over_training_groups_would(seed: int) -> None:
    from sklearn.model_selection import GridSearchCV
    from sklearn.svm import LinearSVC

    (train, label, groups), (test, _, _) = cloud(60, 12, seed), cloud(40, 12, seed + 10)
    one, other = svm._scaled(train, test)
    folds = svm.folds(label, groups)
    assert [len(out) for _, out in folds] == [12] * 5
    search = GridSearchCV(LinearSVC(dual=False), {"C": list(svm.CHOICES)}, cv=folds).fit(one, label)
    predicted, c = svm.fit_predict(train, label, groups, test)
    assert c == search.best_params_["C"]
    np.testing.assert_array_equal(predicted, search.predict(other))


def test_folds_keep_groups_whole_and_lack_no_class() -> None:
    label = np.array([0, 0, 0, 1, 1, 1, 1, 1])
    groups = ["p", "p", "q", "r", "s", "s", "t", "q"]
    found = svm.folds(label, groups)
    assert len(found) == 2  # class 0 has two groups
    for kept, out in found:
        assert sorted([*kept, *out]) == list(range(8))
        assert {groups[k] for k in kept} & {groups[k] for k in out} == set()
        assert set(label[kept]) == {0, 1}
    assert svm.folds(label, ["p", "p", "p", "r", "s", "s", "t", "q"]) == []  # class 0 has one


def test_one_class_is_refused_and_features_that_tell_nothing_are_not() -> None:
    with pytest.raises(ValueError, match="all of one class"):
        svm.fit_predict(np.eye(3), np.zeros(3, np.int64), list("pqr"), np.eye(3))
    flat, _ = svm.fit_predict(np.ones((6, 4)), np.array([0, 1, 1, 0, 1, 1]), list("ppqqrr"), np.ones((2, 4)))
    assert flat.tolist() == [1, 1]
