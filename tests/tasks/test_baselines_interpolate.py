"""The answers between, before and after the frames shown: by hand, on motion that is known, on real footage."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tasks import media, metrics
from tasks.baselines import between, interpolate
from tasks.baselines.interpolate import Moment, moments

SIX = ((0, 6), (1, 2, 3, 4, 5))


def texture(seed: int, height: int, width: int, cell: int = 8) -> np.ndarray:
    """A smooth random picture, RGB."""
    coarse = np.random.default_rng(seed).integers(0, 256, (height // cell, width // cell, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def answers(inputs: tuple[int, ...], outputs: tuple[int, ...], clip: np.ndarray) -> dict[str, np.ndarray]:
    return {a.name: a.predict(clip[:, list(inputs)]) for a in between(inputs, outputs)}


def test_a_place_is_answered_from_the_pair_around_it() -> None:
    assert moments((0, 6, 12), (1, 6, 9, 12, 13)) == [
        Moment(0, 1, 1 / 6), Moment(1, 2, 0.0), Moment(1, 2, 0.5), Moment(1, 2, 1.0), Moment(1, 2, 7 / 6),
    ]  # fmt: skip
    assert moments((2, 4, 5), (0, 1, 6, 7)) == [
        Moment(0, 1, -1.0), Moment(0, 1, -0.5), Moment(1, 2, 2.0), Moment(1, 2, 3.0),
    ]  # fmt: skip
    assert moments((3,), (1, 4)) == [Moment(0, 0, 0.0)] * 2


def test_the_copy_and_the_fade_by_hand() -> None:
    clip = np.array([0, 30, 0, 0, 150, 0], np.uint8).reshape(1, 6, 1, 1, 1) * np.ones((2, 1, 9, 8, 3), np.uint8)
    found = answers((1, 4), (0, 2, 3, 5), clip)
    for name, levels in (("nearest_copy", [30, 30, 150, 150]), ("cross_fade", [30, 70, 110, 150])):
        expected = np.array(levels).reshape(1, 4, 1, 1, 1) / 255 * np.ones((2, 1, 9, 8, 3))
        np.testing.assert_allclose(found[name], expected, rtol=1e-6)
        assert found[name].dtype == np.float32
    tie = np.array([10, 0, 90], np.uint8).reshape(1, 3, 1, 1, 1) * np.ones((1, 1, 8, 8, 1), np.uint8)
    np.testing.assert_allclose(answers((0, 2), (1,), tie)["nearest_copy"], np.full((1, 1, 8, 8, 1), 10 / 255))


def test_the_error_of_the_fade_over_a_moving_wave_is_what_algebra_says() -> None:
    """Faded between phases 0 and p, a wave of amplitude A has the error A^2 / 2 |(1 - s) + s e^-ip - e^-isp|^2."""
    x, period, speed, amplitude = np.arange(64), 16, 1, 100
    wave = 127.5 + amplitude * np.sin(2 * np.pi * (x - speed * np.arange(7)[:, None]) / period)
    clip = np.broadcast_to(np.rint(wave).astype(np.uint8)[None, :, None, :, None], (1, 7, 16, 64, 1))
    found = metrics.frame_mse(clip[:, 1:6], answers(*SIX, clip)["cross_fade"])[0]
    s, phase = np.arange(1, 6) / 6, 2 * np.pi * speed * 6 / period
    missed = np.abs((1 - s) + s * np.exp(-1j * phase) - np.exp(-1j * s * phase))
    np.testing.assert_allclose(found, (amplitude / 255) ** 2 / 2 * missed**2, rtol=0.02)


@pytest.mark.parametrize("places", [SIX, ((0, 2), (3, 4, 5, 6)), ((4, 6), (0, 1, 2, 3)), ((0, 3, 6), (1, 2, 4, 5))])
@pytest.mark.parametrize("gray", [False, True])
def test_the_flow_follows_a_moving_picture_between_before_and_after(
    places: tuple[tuple[int, ...], tuple[int, ...]], gray: bool
) -> None:
    scene = texture(0, 160, 200)
    clip = np.stack([scene[20 - t : 148 - t, 20 + t : 180 + t] for t in range(7)])[None]  # a pixel right, a pixel up
    clip = clip[..., :1] if gray else clip
    error = np.abs(answers(*places, clip)["dis_flow"] - clip[:, list(places[1])] / 255.0)
    inside = error[:, :, 16:-16, 16:-16]
    assert inside.mean() < 0.5 / 255
    assert np.quantile(inside, 0.999) < 4 / 255
    faded = np.abs(answers(*places, clip)["cross_fade"] - clip[:, list(places[1])] / 255.0)
    assert faded[:, :, 16:-16, 16:-16].mean() > 10 * inside.mean()


def test_a_place_that_is_shown_is_answered_with_itself_and_time_can_be_reversed() -> None:
    clip = np.random.default_rng(0).integers(0, 256, (2, 7, 24, 40, 3), np.uint8)
    there = answers((0, 6), (0, 1, 4, 6), clip)
    back = answers((0, 6), (0, 2, 5, 6), clip[:, ::-1])
    for name in ("cross_fade", "dis_flow"):
        np.testing.assert_allclose(there[name][:, [0, 3]], clip[:, [0, 6]] / 255.0, atol=1e-6)
        np.testing.assert_allclose(back[name][:, ::-1], there[name], atol=1e-5)


def test_where_only_one_frame_has_a_place_it_is_taken_from_that_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """A square slides over a background by 8 pixels, its flow known: 4 columns behind it and 4 before it at half time
    are seen in one of the frames only."""
    ground, square = texture(1, 64, 96), texture(2, 24, 24)

    def scene(left: int) -> np.ndarray:
        frame = ground.copy()
        frame[20:44, left : left + 24] = square
        return frame

    flows = np.zeros((2, 64, 96, 2), np.float32)
    flows[0, 20:44, 20:44, 0], flows[1, 20:44, 28:52, 0] = 8, -8

    def error() -> np.ndarray:
        motion = interpolate._Motion.along(scene(20), scene(28), flows[0], flows[1])
        return np.abs(motion.at(0.5) - scene(24))

    blended = error()
    assert blended[22:42, 26:46].max() < 0.1  # the square itself
    assert blended[:, :16].max() < 0.1  # and what nothing passes
    monkeypatch.setattr(interpolate, "FLOOR", 1e9)  # both frames trusted alike
    alike = error()
    for columns in (slice(20, 24), slice(48, 52)):
        assert blended[20:44, columns].mean() < 0.95 * alike[20:44, columns].mean()


@pytest.mark.parametrize("extent", [(8, 8), (8, 200), (17, 9)])
def test_small_pictures_and_a_single_input_have_answers(extent: tuple[int, int]) -> None:
    clip = np.random.default_rng(1).integers(0, 256, (1, 3, *extent, 1), np.uint8)
    for found in answers((0, 2), (1,), clip).values():
        assert found.shape == (1, 1, *extent, 1)
        assert np.isfinite(found).all()
        assert found.min() >= 0
        assert found.max() <= 1
    for found in answers((1,), (0, 2), clip).values():
        np.testing.assert_allclose(found, clip[:, [1, 1]] / 255.0, atol=1e-6)


def test_places_that_make_no_sense_are_refused() -> None:
    for inputs, outputs in (((), (1,)), ((0,), ()), ((6, 0), (1,)), ((0, 0), (1,))):
        with pytest.raises(ValueError, match="at least one each, inputs ascending"):
            between(inputs, outputs)


def test_real_sequences_give_the_figures_measured_before() -> None:
    """Windows of 7 at 144 px height, RGB, every third window; the mean over windows, in dB."""
    if "RUSHES_FOOTAGE" not in os.environ:
        pytest.skip("RUSHES_FOOTAGE names no folder of real footage")
    root = Path(os.environ["RUSHES_FOOTAGE"]) / "mot"
    folders = {"ADL-Rundle-6": ("img1", 256), "otb_Crossing": ("img", 216)}
    frames = {
        name: [
            media.resize(media.read_image(path), 144, width, "stretch", False)
            for path in sorted((root / name / inner).glob("*.jpg"))
        ]
        for name, (inner, width) in folders.items()
    }
    until = media.read_frames(root / "vtest.avi", until_seconds=10.0)
    frames["vtest"] = [media.resize(frame, 144, 192, "stretch", False) for _, _, frame in until]
    found: dict[str, dict[str, float]] = {}
    for name, sequence in frames.items():
        clip = np.stack([np.stack(sequence[k : k + 7]) for k in range(0, len(sequence) - 6, 3)])
        for answer, output in answers(*SIX, clip).items():
            mse = metrics.frame_mse(clip[:, 1:6], output).mean(axis=1)
            found.setdefault(name, {})[answer] = float(metrics.psnr_db(mse).mean())
    expected = {
        "ADL-Rundle-6": {"nearest_copy": 26.60, "cross_fade": 28.08, "dis_flow": 30.17},
        "otb_Crossing": {"nearest_copy": 32.40, "cross_fade": 33.81, "dis_flow": 36.10},
        "vtest": {"nearest_copy": 25.82, "cross_fade": 27.04, "dis_flow": 29.76},
    }
    assert found == {name: pytest.approx(figures, abs=0.3) for name, figures in expected.items()}
