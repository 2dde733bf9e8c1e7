"""Metrics against values worked out by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tasks import metrics

SHAPE = (1, 2, 6, 6, 1)  # B T H W C


def test_psnr_and_frame_mse_by_hand() -> None:
    clip = np.zeros(SHAPE, np.uint8)
    output = np.zeros(SHAPE, np.float32)
    output[0, 1] = 0.1
    mse = metrics.frame_mse(clip, output)
    np.testing.assert_allclose(mse, [[0.0, 0.01]], rtol=1e-6)
    np.testing.assert_allclose(metrics.psnr_db(mse), [[100.0, 20.0]], rtol=1e-6)  # a perfect frame counts as 100 dB
    assert np.isnan(metrics.psnr_db(np.nan))
    with pytest.raises(ValueError, match=r"\(1, 2, 6, 6, 3\).*\(1, 2, 6, 6, 1\)"):
        metrics.frame_mse(clip, np.zeros((1, 2, 6, 6, 3), np.float32))


def test_ssim_of_flat_pictures_has_a_closed_form() -> None:
    clip = np.full((2, 3, 16, 12, 3), 51, np.uint8)  # 0.2
    output = np.full(clip.shape, 0.2, np.float32)
    output[1] = 0.6
    c1 = 0.01**2
    expected = (2 * 0.2 * 0.6 + c1) / (0.2**2 + 0.6**2 + c1)  # no variance: only the luminance term is left
    np.testing.assert_allclose(metrics.ssim(clip, output), [1.0, expected], atol=2e-4)


def test_sharpness_is_the_ratio_of_gradient_energies() -> None:
    board = (np.indices((6, 6)).sum(axis=0) % 2 * 200).astype(np.uint8)
    clip = np.broadcast_to(board[:, :, None], SHAPE).copy()
    half = (clip / 255.0 * 0.5).astype(np.float32)
    np.testing.assert_allclose(metrics.gradient_energy(clip), [2 * 200.0**2])
    np.testing.assert_allclose(metrics.sharpness_ratio(clip, half), [0.25], rtol=1e-6)
    assert np.isnan(metrics.sharpness_ratio(np.full(SHAPE, 9, np.uint8), half)).all()


def test_moving_pixels_are_what_changes_and_its_neighbours() -> None:
    clip = np.full(SHAPE, 100, np.uint8)
    clip[0, 1, 1, 1] = 126  # a range of 26: moves
    clip[0, 1, 5, 5] = 125  # a range of 25: noise
    expected = np.zeros((1, 6, 6), bool)
    expected[0, 0:3, 0:3] = True
    np.testing.assert_array_equal(metrics.moving_mask(clip), expected)
    output = (clip / 255.0).astype(np.float32)
    output[0, 0, 0, 0] += 0.3  # one moving pixel of 9, in one of two frames
    output[0, :, 5, 5] += 0.5  # one still pixel of 27, in both
    moving, still = metrics.split_mse(clip, output)
    np.testing.assert_allclose([moving[0], still[0]], [0.09 / 18, 0.25 / 27], rtol=1e-5)
    moving, still = metrics.split_mse(np.zeros(SHAPE, np.uint8), output)
    assert np.isnan(moving[0])
    assert np.isfinite(still[0])


def test_measure_is_the_table_row_of_a_clip() -> None:
    rng = np.random.default_rng(0)
    clip = rng.integers(0, 256, (3, 4, 16, 16, 3), dtype=np.uint8)
    exact = metrics.measure(clip, (clip / 255.0).astype(np.float32))
    assert tuple(exact) == metrics.METRICS
    np.testing.assert_allclose(exact["psnr_db"], 100.0)
    np.testing.assert_allclose(exact["ssim"], 1.0, atol=1e-6)
    np.testing.assert_allclose(exact["sharpness_ratio"], 1.0, atol=1e-6)
    off = metrics.measure(clip, np.full(clip.shape, 0.5, np.float32))
    mean = np.square(clip / 255.0 - 0.5).mean(axis=(1, 2, 3, 4))
    np.testing.assert_allclose(off["mse"], mean)
    np.testing.assert_allclose(off["psnr_db"], -10 * np.log10(mean))


def test_an_interval_over_two_groups_spans_their_means() -> None:
    values, groups = [1.0, 2.0, 3.0, 10.0], ["a", "a", "a", "b"]  # means 2 and 10, of 3 clips and 1
    found = metrics.bootstrap(values, groups, samples=2000, seed=0)
    assert found == metrics.Interval(4.0, 2.0, 10.0)
    assert metrics.bootstrap([5.0, 7.0], ["a", "a"], samples=100, seed=0) == metrics.Interval(6.0, 6.0, 6.0)
    note = metrics.interval_note(groups)
    assert note == (
        "The 95% interval rests on only 2 groups (a, b): it only spans the two groups' means, "
        "which says little about other groups."
    )
    assert metrics.interval_note(["a", "b", "c"]) is None


def test_an_interval_is_what_every_possible_draw_says() -> None:
    """Five groups have 3,125 draws with replacement; many samples come near the quantiles of all of them."""
    means = np.array([0.0, 3.0, 9.0, 11.0, 20.0])
    every = [means[list(draw)].mean() for draw in itertools.product(range(5), repeat=5)]
    found = metrics.bootstrap(means, list("abcde"), samples=50_000, seed=1)
    low, high = np.quantile(every, metrics.INTERVAL_QUANTILES)
    assert (found.value, found.low, found.high) == pytest.approx((8.6, low, high), abs=0.21)
    assert found == metrics.bootstrap(means, list("abcde"), samples=50_000, seed=1)


def test_gains_are_paired_and_clips_without_a_figure_are_left_out() -> None:
    rng = np.random.default_rng(3)
    a = rng.normal(30, 5, 40)
    groups = [str(i % 5) for i in range(40)]
    gain = metrics.bootstrap((a + 0.5) - a, groups, samples=500, seed=0)
    np.testing.assert_allclose([gain.value, gain.low, gain.high], 0.5)  # though a alone varies by many dB
    a[::2] = np.nan
    assert metrics.bootstrap(a, groups, samples=500, seed=0).value == pytest.approx(np.nanmean(a))
    assert metrics.bootstrap([np.nan], ["a"], samples=100, seed=0) == metrics.Interval(None, None, None)
