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
    np.testing.assert_allclose(metrics.frame_ssim(clip, output), [[1.0] * 3, [expected] * 3], atol=2e-4)


def test_sharpness_is_the_ratio_of_gradient_energies() -> None:
    board = (np.indices((6, 6)).sum(axis=0) % 2 * 200).astype(np.uint8)
    clip = np.broadcast_to(board[:, :, None], SHAPE).copy()
    half = (clip / 255.0 * 0.5).astype(np.float32)
    half[0, 1] /= 3  # the second frame a sixth of the truth
    np.testing.assert_allclose(metrics.gradient_energy(clip), [[2 * 200.0**2] * 2])
    energies = metrics.gradient_energy(clip / 255.0), metrics.gradient_energy(half)
    np.testing.assert_allclose(metrics.sharpness_ratio(*energies), [[1 / 4, 1 / 36]], rtol=1e-6)
    assert np.isnan(metrics.sharpness_ratio(np.zeros((1, 2)), energies[1])).all()


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
    moving, still = metrics.split_mse(clip, output, expected)
    np.testing.assert_allclose([moving[0], still[0]], [0.09 / 18, 0.25 / 27], rtol=1e-5)
    moving, still = metrics.split_mse(clip, output, np.zeros_like(expected))
    assert np.isnan(moving[0])
    assert np.isfinite(still[0])


def test_flicker_is_how_wrongly_the_answer_changes_from_frame_to_frame() -> None:
    truth = np.random.default_rng(0).integers(60, 200, (2, 3, 4, 4, 1), np.uint8)
    errors = np.array([[0.1, -0.1, 0.0], [0.2, 0.2, 0.2]])
    output = (truth / 255.0 + errors[:, :, None, None, None]).astype(np.float32)

    def found(inputs: tuple[int, ...], outputs: tuple[int, ...]) -> list[float]:
        return metrics.flicker(truth, output, inputs, outputs).tolist()

    # inputs on both sides: the first error steps by 0.1, -0.2, 0.1, 0; a constant one only enters and leaves
    assert found((0, 4), (1, 2, 3)) == pytest.approx([0.4 / 4, 0.4 / 4], rel=1e-5)
    assert found((0, 1), (2, 3, 4)) == pytest.approx([0.4 / 3, 0.2 / 3], rel=1e-5)  # prediction; 0 to 1 is no answer
    assert found((0, 1, 2), (0, 1, 2)) == pytest.approx([0.3 / 2, 0.0], abs=1e-6)  # reconstruct: answers, not inputs
    assert found((0, 6), (1, 3, 5)) == pytest.approx([0.1 / 2, 0.4 / 2], rel=1e-5)  # 0 to 1 and 5 to 6
    assert np.isnan(found((0, 8), (2, 4, 6))).all()


def test_measure_is_the_table_row_of_a_clip_and_of_a_frame() -> None:
    rng = np.random.default_rng(0)
    clip = rng.integers(0, 256, (3, 4, 16, 16, 3), dtype=np.uint8)
    every = range(4)
    exact, of_frames = metrics.measure(clip, (clip / 255.0).astype(np.float32), every, every)
    assert (tuple(exact), tuple(of_frames)) == (metrics.METRICS, metrics.FRAME_METRICS)
    for name, value in {"psnr_db": 100.0, "ssim": 1.0, "sharpness_ratio": 1.0}.items():
        np.testing.assert_allclose(exact[name], np.full(3, value), atol=1e-6)
        np.testing.assert_allclose(of_frames[name], np.full((3, 4), value), atol=1e-6)
    np.testing.assert_allclose(exact["flicker"], 0.0, atol=1e-7)

    off, of_frames = metrics.measure(clip, np.full((3, 2, 16, 16, 3), 0.5, np.float32), (0, 3), (1, 2))
    mean = np.square(clip[:, 1:3] / 255.0 - 0.5).mean(axis=(2, 3, 4))
    np.testing.assert_allclose(of_frames["mse"], mean)
    np.testing.assert_allclose(off["mse"], mean.mean(axis=1))
    np.testing.assert_allclose(off["psnr_db"], -10 * np.log10(mean.mean(axis=1)))


def test_what_moves_is_taken_from_the_whole_window() -> None:
    """A patch that differs only in a frame that is shown: the answered frames alone would call it still."""
    clip = np.full((1, 4, 12, 12, 1), 100, np.uint8)
    clip[0, 0, :4, :4] = 200
    output = np.full((1, 2, 12, 12, 1), 100 / 255, np.float32)
    output[:, :, :4, :4] += 0.1
    found, _ = metrics.measure(clip, output, (0, 3), (1, 2))
    np.testing.assert_allclose(found["psnr_moving_db"], -10 * np.log10(0.01 * 16 / 25), rtol=1e-5)
    np.testing.assert_allclose(found["psnr_still_db"], 100.0)


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


def test_a_share_of_all_or_nothing_is_as_sure_as_its_groups_are_many() -> None:
    """By Clopper and Pearson's tables: of 10 alike, 69.15% or more; of 2 groups, whatever the clips, far less."""
    ten, two = [str(k) for k in range(10)], ["a"] * 50 + ["b"] * 50
    drawn = {"samples": 200, "seed": 0}
    assert metrics.bootstrap_share([True] * 10, ten, **drawn).as_dict() == {
        "value": 1.0, "low": pytest.approx(0.6915, abs=1e-4), "high": 1.0,
    }  # fmt: skip
    assert metrics.bootstrap_share([False] * 10, ten, **drawn).as_dict() == {
        "value": 0.0, "low": 0.0, "high": pytest.approx(0.3085, abs=1e-4),
    }  # fmt: skip
    assert metrics.bootstrap_share([True] * 100, two, **drawn).low == pytest.approx(0.1581, abs=1e-4)
    mixed = [True] * 9 + [False]
    assert metrics.bootstrap_share(mixed, ten, **drawn) == metrics.bootstrap(mixed, ten, **drawn)


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
