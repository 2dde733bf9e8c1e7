"""The trivial answers against scikit-learn's PCA, and on real footage against figures measured elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tasks import baselines, media, metrics
from tasks.baselines import linear


def batches(clips: np.ndarray, size: int = 7) -> baselines.Batches:
    def start() -> Iterator[np.ndarray]:
        return (clips[i : i + size] for i in range(0, len(clips), size))

    return start


def noise(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Smooth in time and space, unlike from place to place, so that the PCA has something to find."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, shape)
    for axis in (1, 2, 3):
        x = x + np.roll(x, 1, axis) + np.roll(x, 2, axis)
    x = x * np.linspace(0.2, 1.0, shape[3])[:, None]
    return ((x - x.min()) / (x.max() - x.min()) * 255).astype(np.uint8)


def by_name(fitted: list[baselines.Answer]) -> dict[str, baselines.Answer]:
    return {b.name: b for b in fitted}


def test_the_mean_frames() -> None:
    train = np.array([0, 100, 50, 250], np.uint8).reshape(2, 2, 1, 1, 1) * np.ones((1, 1, 8, 8, 1), np.uint8)
    answers = by_name(baselines.fit(batches(train), 4))
    test = np.array([10, 30], np.uint8).reshape(1, 2, 1, 1, 1) * np.ones((1, 1, 8, 8, 1), np.uint8)
    np.testing.assert_allclose(
        answers["train_mean_frame"].predict(test), np.full((1, 2, 8, 8, 1), 100 / 255), rtol=1e-6
    )
    np.testing.assert_allclose(answers["clip_mean_frame"].predict(test), np.full((1, 2, 8, 8, 1), 20 / 255), rtol=1e-6)
    assert (answers["train_mean_frame"].floats, answers["clip_mean_frame"].floats) == (0, 64)


def test_the_pcas_agree_with_scikit_learn() -> None:
    from sklearn.decomposition import PCA

    train, test = noise((90, 4, 16, 16, 1)), noise((5, 4, 16, 16, 1), seed=1)
    floats = 4 * 6  # 6 components a frame; 4 blocks of 4 x 8 x 8, 6 components each
    answers = by_name(baselines.fit(batches(train), floats))

    frames = train.reshape(-1, 256) / 255.0
    pca = PCA(6, svd_solver="full").fit(frames)
    expected = pca.inverse_transform(pca.transform(test.reshape(-1, 256) / 255.0)).reshape(test.shape)
    np.testing.assert_allclose(answers["frame_pca"].predict(test), expected.clip(0, 1), atol=1e-4)

    def blocks(clips: np.ndarray) -> np.ndarray:  # clip, place, 4 x 8 x 8 values: written otherwise than in the code
        return np.stack(
            [clips[:, :, r : r + 8, c : c + 8, 0].reshape(-1, 256) / 255.0 for r in (0, 8) for c in (0, 8)], 1
        )

    centre = blocks(train).mean(axis=0)
    pca = PCA(256, svd_solver="full").fit((blocks(train) - centre).reshape(-1, 256))
    codes = pca.transform((blocks(test) - centre).reshape(-1, 256)).reshape(-1, 4, 256)
    variance = np.square(pca.transform((blocks(train) - centre).reshape(-1, 256)).reshape(-1, 4, 256)).mean(axis=0)
    chosen = np.zeros(4 * 256, bool)
    chosen[np.argsort(-variance.ravel())[:floats]] = True
    equal = np.arange(256) < 6
    assert len(set(chosen.reshape(4, 256).sum(axis=1))) > 1  # the places differ, or choosing would be no choice
    for name, kept in (("patch_pca", equal), ("patch_pca_chosen", chosen.reshape(4, 256))):
        values = (codes * kept) @ pca.components_ + centre
        assert answers[name].floats == floats
        np.testing.assert_allclose(blocks(answers[name].predict(test) * 255), values.clip(0, 1), atol=1e-5)


@pytest.mark.parametrize("shape", [(20, 12, 10, 3), (4, 8, 8, 1), (3, 9, 17, 1), (33, 8, 8, 1)])
def test_sizes_that_blocks_do_not_divide(shape: tuple[int, int, int, int]) -> None:
    train = noise((40, *shape))
    blocks = linear.Blocks.of(shape)
    assert all(extent <= most for extent, most in zip(blocks.extents, linear.BLOCK, strict=True))
    np.testing.assert_array_equal(blocks.join(blocks.cut(train)), train)
    answers = baselines.fit(batches(train), 40)
    scores = {a.name: metrics.psnr_db(metrics.frame_mse(train, a.predict(train)).mean(axis=1)).mean() for a in answers}
    assert all(a.predict(train).dtype == np.float32 and a.predict(train).shape == train.shape for a in answers)
    assert all(a.floats <= 40 for a in answers if a.name != "clip_mean_frame")
    assert scores["patch_pca_chosen"] >= scores["patch_pca"] > scores["train_mean_frame"]


def test_fewer_clips_than_components_reproduces_the_training_clips() -> None:
    train = noise((3, 4, 8, 8, 1))
    answers = by_name(baselines.fit(batches(train), 4000))
    assert answers["patch_pca_chosen"].floats == 2  # three clips less their mean span two directions
    assert answers["frame_pca"].floats == 4 * 11  # and twelve frames eleven
    for name in ("frame_pca", "patch_pca", "patch_pca_chosen"):
        np.testing.assert_allclose(answers[name].predict(train), train / 255.0, atol=1e-5)


def test_a_single_clip_and_a_single_float_still_have_answers() -> None:
    train = noise((1, 4, 8, 8, 1))
    for answer in baselines.fit(batches(train), 1):
        assert np.isfinite(answer.predict(train)).all()


def test_the_answers_do_not_depend_on_the_batches() -> None:
    train = noise((30, 8, 16, 16, 1))
    for one, other in zip(baselines.fit(batches(train, 4), 64), baselines.fit(batches(train, 30), 64), strict=True):
        np.testing.assert_allclose(one.predict(train), other.predict(train), atol=1e-6)


def test_nothing_to_fit_on_is_an_error() -> None:
    with pytest.raises(ValueError, match="no training clip"):
        baselines.fit(batches(np.zeros((0, 4, 8, 8, 1), np.uint8)), 8)
    with pytest.raises(ValueError, match="latent_floats is 0"):
        baselines.fit(batches(np.zeros((1, 4, 8, 8, 1), np.uint8)), 0)


def test_real_actions_give_the_figures_measured_before() -> None:
    """1,024 floats for 16 frames of 64 x 64 gray: trained on performers 0-4, judged on 5 and 6."""
    if "RUSHES_FOOTAGE" not in os.environ:
        pytest.skip("RUSHES_FOOTAGE names no folder of real footage")
    train, test = [], []
    for path in sorted((Path(os.environ["RUSHES_FOOTAGE"]) / "actions").glob("*/*.jpg")):
        strip = media.resize(media.read_image(path), 64, media.image_size(path)[1], "stretch", True)
        video = strip.reshape(64, -1, 64, 1).transpose(1, 0, 2, 3)
        held_out = int(path.stem) // 8 >= 5
        starts = range(0, len(video) - 15, 16 if held_out else 4)
        (test if held_out else train).extend(video[s : s + 16] for s in starts)
    answers = baselines.fit(batches(np.stack(train), 32), 1024)
    found = {
        a.name: metrics.psnr_db(metrics.frame_mse(np.stack(test), a.predict(np.stack(test))).mean(axis=1)).mean()
        for a in answers
    }
    expected = {"clip_mean_frame": 26.75, "frame_pca": 25.68, "patch_pca": 28.29, "patch_pca_chosen": 29.44}
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=0.2)
