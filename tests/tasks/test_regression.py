"""Errors, rank correlation, explained variance and intervals against values worked out by hand, and against SciPy and
scikit-learn."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import metrics, regression
from tasks.metrics import Interval

DRAWN = {"samples": 400, "seed": 0}


def test_the_figures_of_four_films_by_hand() -> None:
    score, predicted = np.array([2.0, 4.0, 6.0, 8.0]), np.array([3.0, 4.0, 8.0, 7.0])
    found = regression.figures(score, predicted, list("abcd"), **DRAWN)
    assert {name: interval.value for name, interval in found.items()} == {
        "mse": pytest.approx((1 + 0 + 4 + 1) / 4),
        "mae": pytest.approx((1 + 0 + 2 + 1) / 4),
        "spearman": pytest.approx(1 - 6 * (0 + 0 + 1 + 1) / (4 * 15)),  # squared distances of the ranks
        "r2": pytest.approx(1 - 6 / 20),  # the scores lie 9 + 1 + 1 + 9 from their mean
    }
    assert tuple(found) == regression.METRICS


def test_figures_are_those_of_scipy_and_scikit_learn_ties_included() -> None:
    from scipy.stats import spearmanr
    from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

    rng = np.random.default_rng(1)
    score, predicted = rng.integers(0, 6, 40) / 2.0, rng.integers(0, 6, 40) / 2.0
    found = regression.figures(score, predicted, [str(k) for k in range(40)], **DRAWN)
    assert {name: interval.value for name, interval in found.items()} == pytest.approx(
        {
            "mse": mean_squared_error(score, predicted),
            "mae": mean_absolute_error(score, predicted),
            "spearman": spearmanr(score, predicted).statistic,
            "r2": r2_score(score, predicted),
        }
    )


def test_intervals_draw_whole_groups_and_compute_each_draw_anew() -> None:
    rng = np.random.default_rng(2)
    score = rng.normal(5, 2, 12)
    predicted, groups = score + rng.normal(0, 2, 12), np.array(list("aabbbcddddef"))
    found = regression.figures(score, predicted, groups.tolist(), **DRAWN)
    every: dict[str, list[float]] = {"spearman": [], "r2": [], "mse": []}
    for row in metrics.draws(6, **DRAWN):  # every draw in full
        items = np.concatenate([np.flatnonzero(groups == "abcdef"[k]) for k in row])
        one, other = score[items], predicted[items]
        every["mse"].append(float(np.square(one - other).mean()))
        every["r2"].append(1 - every["mse"][-1] / one.var() if np.ptp(one) else math.nan)
        every["spearman"].append(regression.spearman(one, other))
    for name, values in every.items():
        expected = np.nanquantile(values, metrics.INTERVAL_QUANTILES)
        assert (found[name].low, found[name].high) == pytest.approx(tuple(expected)), name


def test_what_is_constant_has_no_rank_and_no_variance_to_explain() -> None:
    score = np.array([1.0, 2.0, 6.0])
    constant = regression.figures(score, np.full(3, 3.0), list("abc"), **DRAWN)
    assert constant["spearman"] == Interval(None, None, None)
    assert constant["r2"].value == pytest.approx(0.0)  # their own mean
    alike = regression.figures(np.full(3, 4.0), score, list("abc"), **DRAWN)
    assert (alike["spearman"], alike["r2"]) == (Interval(None, None, None), Interval(None, None, None))
    assert alike["mae"].value == pytest.approx((3 + 2 + 2) / 3)
    one = regression.figures(np.array([5.0]), np.array([7.0]), ["a"], **DRAWN)
    assert one == {
        "mse": Interval(4.0, 4.0, 4.0), "mae": Interval(2.0, 2.0, 2.0),
        "spearman": Interval(None, None, None), "r2": Interval(None, None, None),
    }  # fmt: skip


def test_draws_in_which_all_are_alike_are_left_out() -> None:
    """Two films: half of the draws hold one film twice, and have no rank; the others are the two."""
    found = regression.figures(np.array([3.0, 4.0]), np.array([5.0, 9.0]), ["a", "b"], **DRAWN)
    assert found["spearman"] == Interval(1.0, 1.0, 1.0)
    assert found["r2"].low == found["r2"].value == pytest.approx(1 - (4 + 25) / 0.5)
    assert (found["mse"].low, found["mse"].high) == (4.0, 25.0)


def test_a_statistic_no_draw_has_keeps_its_value_and_no_ends() -> None:
    found = regression.bootstrap_statistic(lambda i: 7.0 if len(set(i)) == 9 else math.nan, list("abcdefghi"), **DRAWN)
    assert found == Interval(7.0, None, None)  # all nine groups drawn once each: once in 1,068 draws, none of these


def test_the_half_width_is_the_residual_that_the_level_asks_for() -> None:
    residuals = np.array([0.5, -0.1, 0.9, -0.3, 0.2, 0.8, -0.4, 0.7, 0.6])  # |.| sorted: 0.1, 0.2, ..., 0.9
    assert regression.conformal(residuals) == {"level": 0.8, "half_width": 0.8, "films": 9}  # the 8th: 10 x 0.8
    assert regression.conformal(residuals[:4]) == {"level": 0.8, "half_width": 0.9, "films": 4}  # the 4th: 5 x 0.8
    assert regression.conformal(residuals[:3]) == {"level": 0.75, "half_width": 0.9, "films": 3}  # all it can promise
    assert regression.conformal(residuals[:2]) == {"level": pytest.approx(2 / 3), "half_width": 0.5, "films": 2}
    assert regression.conformal(residuals[:1]) is None
    assert regression.conformal(residuals, level=0.9) == {"level": 0.9, "half_width": 0.9, "films": 9}


@given(
    st.lists(st.integers(0, 10_000), min_size=3, max_size=40, unique=True),
    st.sampled_from([0.5, 0.6, 0.8, 0.9]),
)
@settings(deadline=None, database=None)
def test_of_exchangeable_films_each_is_held_as_often_as_promised(distances: list[int], level: float) -> None:
    """Whichever of n + 1 films is the new one, its chance is alike; so over all of them at least `level` are held, and
    without ties less than one film in n + 1 more."""
    held = 0
    for new in range(len(distances)):
        found = regression.conformal(np.array(distances[:new] + distances[new + 1 :], float), level)
        assert found is not None
        held += distances[new] <= found["half_width"]
    share = held / len(distances)
    assert share >= found["level"] - 1e-9
    assert share < found["level"] + 1 / len(distances) + 1e-9


def test_a_new_film_is_held_with_the_promised_chance_whatever_the_errors_are() -> None:
    """9 films, level 0.8: by the order statistics of 10 alike exactly 8 in 10. 20,000 worlds; 5 standard errors."""
    rng = np.random.default_rng(0)
    errors = rng.standard_t(2, (20_000, 10))
    held = [abs(row[9]) <= regression.conformal(row[:9])["half_width"] for row in errors]  # type: ignore[index]
    assert np.mean(held) == pytest.approx(0.8, abs=5 * math.sqrt(0.8 * 0.2 / 20_000))


def test_a_rank_correlation_stays_within_its_bounds() -> None:
    for order in itertools.permutations(range(4)):
        found = regression.spearman(np.arange(4.0) / 3, np.array(order) / 7)
        assert -1.0 <= found <= 1.0
    assert regression.spearman(np.arange(4.0), -np.arange(4.0)) == -1.0


def test_the_sign_flips_of_few_groups_are_all_looked_at() -> None:
    """Groups of 4, -1 and 2: of their 8 flips 5 and 7 are as high as the 5 that there is."""
    assert regression.sign_flip_p([1.0, 3.0, -1.0, 2.0], list("aabc"), seed=0) == 2 / 8
    for groups in (1, 5, 12):
        ahead = np.full(groups, 0.1)
        assert regression.sign_flip_p(ahead, [f"{k}" for k in range(groups)], seed=0) == 2.0**-groups
        assert regression.sign_flip_p(-ahead, [f"{k}" for k in range(groups)], seed=0) == 1.0
    assert 2.0**-regression.FEWEST_TO_TELL <= regression.SIGNIFICANT_P < 2.0 ** (1 - regression.FEWEST_TO_TELL)


def test_of_many_groups_flips_are_drawn_by_the_seed() -> None:
    gains, groups = np.random.default_rng(0).normal(0.3, 1.0, 20), [f"{k:02d}" for k in range(20)]
    exact = np.zeros(1)
    for gain in gains:
        exact = np.concatenate([exact + gain, exact - gain])
    share = np.mean(exact >= gains.sum() - 1e-9)
    drawn = [regression.sign_flip_p(gains, groups, seed=seed) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert drawn == pytest.approx([share] * 3, abs=4 * (share * (1 - share) / 4096) ** 0.5)
    assert regression.sign_flip_p(np.ones(40), [f"{k}" for k in range(40)], seed=0) == 1 / 4097
