"""Which stretches of a source are told, over errors that are known by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tasks.batch.anomalies import COLUMNS, against_the_others, anomalies, evened

T = 4


def errors(mse: list[float], seconds: list[float] | None = None) -> pd.DataFrame:
    """Ten frames a second, in windows of four; the last is anchored at the end."""
    n = len(mse)
    number = np.arange(n)
    place = np.where(number < n // T * T, number % T, T - (n - number))
    return pd.DataFrame({"frame": number, "time_seconds": seconds or number / 10, "place": place, "mse": mse})


def waves(frames: int) -> list[float]:
    """Errors of 0.008, 0.010 and 0.012 in turn, which no place in the window explains: a deviation is 0.00297."""
    return [(0.008, 0.010, 0.012)[frame % 3] for frame in range(frames)]


def test_runs_near_one_another_are_one_interval_and_a_single_frame_is_told() -> None:
    mse = waves(90)
    mse[30:33] = [0.05, 0.06, 0.05]
    mse[37] = 0.05  # 0.4 s after the run's end: the same event
    mse[60] = 0.09
    found = anomalies(errors(mse), 6.0)
    scale = 1.4826 * 0.002
    keys = ("start_seconds", "end_seconds", "peak_seconds", "peak_frame", "peak_mse", "median_mse")
    assert [{key: round(row[key], 9) for key in keys} for row in found] == [
        dict(zip(keys, (3.0, 3.8, 3.1, 31, 0.06, 0.01), strict=True)),
        dict(zip(keys, (6.0, 6.1, 6.0, 60, 0.09, 0.01), strict=True)),
    ]
    assert [tuple(row) for row in found] == [COLUMNS, COLUMNS]
    assert [row["deviations"] for row in found] == pytest.approx([0.05 / scale, 0.08 / scale])
    assert anomalies(errors(mse), 0.06 / scale) == found[1:]


def test_the_last_frame_ends_after_its_length_and_a_gap_ends_an_interval() -> None:
    mse = waves(40)
    mse[19:21] = [0.05, 0.05]  # before and after a gap of ten seconds
    mse[39] = 0.05
    seconds = [k / 10 + 10 * (k >= 20) for k in range(40)]
    spans = [(r["start_seconds"], r["end_seconds"]) for r in anomalies(errors(mse, seconds), 6.0)]
    assert spans == [pytest.approx((1.9, 2.0)), pytest.approx((12.0, 12.1)), pytest.approx((13.9, 14.0))]


def test_errors_that_hardly_differ_tell_nothing() -> None:
    assert anomalies(errors([0.01] * 90), 6.0) == []
    tenth = [0.01] * 90
    tenth[50] = 0.011  # five of the least deviations, a fiftieth of the median each
    assert anomalies(errors(tenth), 6.0) == []
    [found] = anomalies(errors(tenth), 4.9)
    assert found["deviations"] == pytest.approx(5.0)
    perfect = [0.0] * 90
    perfect[50] = 5e-6  # below what rounding a picture to 8 bits costs, four times
    [found] = anomalies(errors(perfect), 3.0)
    assert found["deviations"] == pytest.approx(5e-6 * 12 * 255**2)


def test_a_source_too_short_to_say_what_is_usual_tells_nothing() -> None:
    assert anomalies(errors([0.01] * 14 + [0.9]), 6.0) == []
    assert len(anomalies(errors([0.01] * 15 + [0.9]), 6.0)) == 1
    assert anomalies(errors([]), 6.0) == []


def test_the_ends_of_the_window_are_no_anomalies() -> None:
    mse = [0.010, 0.010, 0.010, 0.010] * 20
    uneven = [value * (2.0 if k % T == 3 else 1.0) for k, value in enumerate(mse)]
    uneven[41] = 0.016  # below the unevenness of the window, and yet unusual
    table = errors(uneven)
    np.testing.assert_allclose(np.delete(evened(table), 41), 0.010)
    assert [row["peak_frame"] for row in anomalies(table, 6.0)] == [41]
    few = errors(uneven[: 3 * T])
    np.testing.assert_array_equal(evened(few), few["mse"])  # too few windows to know their unevenness


def test_errors_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="NaN or infinite: the model answers with no number"):
        anomalies(errors([0.01] * 30 + [float("nan")]), 6.0)


def test_a_source_that_is_unusual_throughout_shows_against_the_others() -> None:
    found = against_the_others(np.array([0.010, 0.011, 0.009, 0.010, 0.011, 0.009, 0.010, 0.030]))
    assert found is not None
    np.testing.assert_allclose(found, (np.array([10, 11, 9, 10, 11, 9, 10, 30]) - 10) / 1.4826)
    assert against_the_others(np.full(7, 0.01)) is None
