"""The answers to kind classify: what each sees of a clip, and where it must know everything or nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tasks import assemble, baselines, params, sample, subclips
from tasks.baselines import Seen
from tasks.clips import ClipDataset
from tasks.evaluate import videos

T, SIDE = 6, 16


def test_what_is_measured_of_a_clip_by_hand() -> None:
    clip = np.zeros((2, 3, 40, 64, 2), np.uint8)
    clip[0, 0], clip[0, 1], clip[0, 2] = 51, 102, 102  # steps of 51 and 0 everywhere
    clip[1, :, :2, :2, 0] = np.array([0, 255, 0]).reshape(3, 1, 1)  # a patch that becomes one pixel; one channel of two
    mean, energy = baselines.mean_frame(clip), baselines.difference_energy(clip)
    assert (mean.shape, energy.shape) == ((2, 20, 32, 2), (2, 20, 32, 1))
    np.testing.assert_allclose(mean[0], 1 / 3, rtol=1e-6)
    np.testing.assert_allclose(energy[0], 0.2**2 / 2, rtol=1e-5)
    expected = np.zeros((20, 32, 2))
    expected[0, 0, 0] = 1 / 3
    np.testing.assert_allclose(mean[1], expected, rtol=1e-6)
    np.testing.assert_allclose(
        energy[1, ..., 0], expected[..., 0] * 1.5, rtol=1e-6
    )  # 1 at both steps, half the channels
    assert baselines.mean_frame(np.zeros((1, 3, 9, 7, 1), np.uint8)).shape == (1, 9, 7, 1)  # small ones stay


def bright(label: int, rng: np.random.Generator) -> np.ndarray:
    """Still; the classes differ in their pictures."""
    frame = rng.integers(0, 40, (SIDE, SIDE)) + 120 * label
    return np.repeat(frame[None, :, :, None], T, axis=0).astype(np.uint8)


def lively(label: int, rng: np.random.Generator) -> np.ndarray:
    """Every pixel is dark in half of the frames and light in the others; the classes differ in how often it changes."""
    light = np.array([[0, 0, 0, 1, 1, 1], [0, 1, 0, 1, 0, 1]])[label]
    return np.broadcast_to(200 * light[:, None, None, None], (T, SIDE, SIDE, 1)).astype(np.uint8)


def turning(label: int, rng: np.random.Generator) -> np.ndarray:
    """A bar that goes round once, to the right or to the left: only the order of the frames tells."""
    columns = (np.arange(SIDE)[None, :] - (1 if label else -1) * np.arange(SIDE + 1)[:, None]) % SIDE
    return np.broadcast_to(200 * (columns < 4)[:, None, :, None], (SIDE + 1, SIDE, SIDE, 1)).astype(np.uint8)


@pytest.mark.parametrize(
    ("draw", "right"), [(bright, (0.5, 1.0, 0.5)), (lively, (0.5, 0.5, 1.0)), (turning, (0.5, 0.5, 0.5))]
)
def test_each_knows_everything_or_nothing(
    draw: Callable[[int, np.random.Generator], np.ndarray], right: tuple[float, ...]
) -> None:
    rng, label = np.random.default_rng(0), np.array([0, 1] * 6)
    clip = np.stack([draw(k, rng) for k in label])
    features = {
        "mean_frame": baselines.mean_frame(clip).reshape(12, -1),
        "difference_energy": baselines.difference_energy(clip).reshape(12, -1),
    }
    seen = Seen({k: v.astype(np.float64) for k, v in features.items()}, label, [str(k // 2) for k in range(12)])
    answers = baselines.of_videos(seen, seen)
    assert [a.name for a in answers] == ["majority_class", "mean_frame_svm", "difference_energy_svm"]
    assert [a.floats for a in answers] == [0, SIDE * SIDE, SIDE * SIDE]
    assert tuple((a.predicted == label).mean() for a in answers) == right
    assert set(answers[0].predicted) == {0}  # equally many of both: the first


def test_a_performer_left_out_of_the_real_actions(footage: Path, tmp_path: Path) -> None:
    """Measured over all seven: mean frame 86%, difference energy 93%; performer 4 is the hardest for both."""
    dataset = params.parse(
        {
            "datasets": {
                "actions": {
                    "footage": str(footage / "actions"),
                    "group": {"pattern": r"(?P<group>\d+)\.jpg", "divide_by": 8},
                    "frames": {"height_px": 64, "width_px": 64, "gray": True},
                    "clips": {"length_frames": 16, "train_stride_frames": 8, "stride_frames": 16},
                    "split": {"test": ["4"]},
                }
            },
            "recipes": {},
        },
        Path("params.yaml"),
    ).datasets["actions"]
    cuts, frames, clips = (tmp_path / name for name in ("cuts", "frames", "clips"))
    subclips.run(dataset, Path(os.fspath(dataset.footage)), cuts)
    sample.run(dataset, Path(os.fspath(dataset.footage)), cuts, frames, 1)
    assemble.run(dataset, frames, clips)
    train, test = (ClipDataset(frames, clips, split) for split in ("train", "test"))
    learned = videos.of_training(train, videos.pixels, 32)
    held_out = videos.of_training(test, videos.pixels, 32)  # described as the others are
    answers = baselines.of_videos(*(Seen(v.means, v.label, v.group) for v in (learned, held_out)))
    assert (len(learned.source), len(held_out.source)) == (48, 8)
    found = {a.name: float((a.predicted == held_out.label).mean()) for a in answers}
    assert found == {"majority_class": 0.25, "mean_frame_svm": 0.5, "difference_energy_svm": 0.75}
