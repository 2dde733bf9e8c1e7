"""The answers to kind regress: what each sees of a film, and where it must know everything or nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from tasks import baselines
from tasks.baselines import FrameStatistics, RatedFilms
from tasks.baselines.ratings import ALPHAS, ridge


def test_what_is_measured_of_a_films_frames_by_hand() -> None:
    """Film 0: frames of 51 and 153 in one clip, 102 in another; film 1: one frame, a checked cell. Filling is none."""
    clip = np.zeros((3, 3, 8, 8, 1), np.uint8)
    clip[0, 0], clip[0, 1], clip[1, 0] = 51, 153, 102
    clip[2, 0, 0, 0] = clip[2, 0, 1, 1] = 255  # of the first cell's four pixels
    statistics = FrameStatistics(2)
    statistics.add(np.array([0, 0]), clip[:2])
    statistics.add(np.array([1]), clip[2:])
    found = statistics.features()
    assert found.shape == (2, 64)  # 16 cells, their mean and deviation, and those of both over time
    np.testing.assert_allclose(found[0, :16], 0.4)
    np.testing.assert_allclose(found[0, 16:32], 0.0, atol=1e-7)
    np.testing.assert_allclose(found[0, 32:48], np.std([0.2, 0.6, 0.4]))
    np.testing.assert_allclose(found[0, 48:], 0.0, atol=1e-7)
    expected = np.zeros(64)
    expected[[0, 16]] = 0.5
    np.testing.assert_allclose(found[1], expected, atol=1e-12)


@pytest.mark.parametrize(("height", "width"), [(12, 20), (9, 10), (3, 2)])
def test_cells_are_those_of_adaptive_pooling(height: int, width: int) -> None:
    frames = np.random.default_rng(6).integers(1, 256, (2, height, width, 3), dtype=np.uint8)
    statistics = FrameStatistics(1)
    statistics.add(np.array([0]), frames[:1][None])
    unit = torch.from_numpy(frames[:1]).permute(0, 3, 1, 2).double() / 255.0
    means, squares = (torch.nn.functional.adaptive_avg_pool2d(x, 4) for x in (unit, unit.square()))
    deviations = (squares - means.square()).clamp_min(0).sqrt()
    expected = np.concatenate([x.permute(0, 2, 3, 1).reshape(-1) for x in (means, deviations)])
    np.testing.assert_allclose(statistics.features()[0, :96], expected, atol=1e-6)


def test_each_frame_of_a_film_counts_alike_however_it_is_cut_into_clips() -> None:
    frames = np.random.default_rng(0).integers(1, 256, (7, 12, 20, 3), dtype=np.uint8)
    whole, parts = FrameStatistics(1), FrameStatistics(1)
    whole.add(np.array([0]), frames[None])
    clip = np.zeros((2, 5, 12, 20, 3), np.uint8)
    clip[0], clip[1, :2] = frames[:5], frames[5:]
    parts.add(np.array([0, 0]), clip)
    assert whole.features().shape == (1, 192)
    np.testing.assert_allclose(parts.features(), whole.features(), atol=1e-9)


def test_a_films_pace_is_that_of_its_spans_weighted_by_their_seconds() -> None:
    table = pd.DataFrame(
        {
            "source": ["a1", "a1", "a2", "b"],
            "span": [0, 1, 0, 0],
            "start_seconds": [10.0, 40.0, 10.0, 10.0],
            "end_seconds": [40.0, 50.0, 20.0, 40.0],
            "cuts_per_minute": [10.0, 20.0, 40.0, 6.0],
            "brightness": [0.2, 0.4, 0.8, 0.5],
            "motion": [0.01, 0.02, 0.04, 0.03],
        }
    )
    found = baselines.pace(table, [["a1", "a2"], ["b"]])
    expected = [(10 * 3 + 20 + 40) / 5, (0.2 * 3 + 0.4 + 0.8) / 5, (0.01 * 3 + 0.02 + 0.04) / 5]
    np.testing.assert_allclose(found, [expected, [6.0, 0.5, 0.03]])
    with pytest.raises(ValueError, match=r"pace\.csv has no span of c; c2; run the stages"):
        baselines.pace(table, [["c", "c2"]])


def test_ridge_is_the_closed_form_at_the_alpha_that_leaving_one_out_chooses() -> None:
    rng = np.random.default_rng(4)
    train, test = rng.normal(3, [1, 10, 0.1], (20, 3)), rng.normal(3, [1, 10, 0.1], (5, 3))
    score = train @ [1.0, 0.05, 3.0] + rng.normal(0, 0.8, 20)

    def closed(one: np.ndarray, truth: np.ndarray, other: np.ndarray, alpha: float) -> np.ndarray:
        middle = one.mean(axis=0)
        slope = np.linalg.solve((one - middle).T @ (one - middle) + alpha * np.eye(3), (one - middle).T @ truth)
        return truth.mean() + (other - middle) @ slope

    one, other = ((x - train.mean(axis=0)) / train.std(axis=0) for x in (train, test))

    def left_out(alpha: float) -> float:
        kept = [np.delete(np.arange(20), k) for k in range(20)]
        return sum((closed(one[i], score[i], one[[k]], alpha)[0] - score[k]) ** 2 for k, i in enumerate(kept))

    best = min(ALPHAS, key=left_out)
    predicted, alpha = ridge(train, score, test)
    assert alpha == best
    np.testing.assert_allclose(predicted, closed(one, score, other, best))


def test_each_knows_everything_or_nothing() -> None:
    """The score is the second of three features; the other table is noise."""
    rng = np.random.default_rng(5)
    pace, noise = rng.normal(0, 1, (60, 3)), rng.normal(0, 1, (60, 40))
    score = 5.0 + pace[:, 1]
    films = [
        RatedFilms({"frames": noise[part], "pace": pace[part]}, score[part]) for part in (slice(0, 40), slice(40, 60))
    ]
    answers = {answer.name: answer for answer in baselines.of_films(*films)}
    assert {name: answer.floats for name, answer in answers.items()} == {
        "training_mean": 0, "frames_ridge": 40, "pace_ridge": 3,
    }  # fmt: skip
    np.testing.assert_array_equal(answers["training_mean"].predicted, np.full(20, score[:40].mean()))
    np.testing.assert_allclose(answers["pace_ridge"].predicted, score[40:], atol=1e-2)
    mse = np.square(answers["frames_ridge"].predicted - score[40:]).mean()
    assert mse > 0.7 * np.square(score[:40].mean() - score[40:]).mean()  # shrunk towards the mean, nothing found


def test_where_nothing_can_be_learned_the_mean_is_answered() -> None:
    alike, score = np.full((5, 2), 0.3), np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    other = np.array([[0.3, 9.0]])
    assert (ridge(alike, score, other)[0].tolist(), ridge(alike, score, other)[1]) == ([3.0], None)
    two = np.array([[0.0, 1.0], [1.0, 0.0]])
    assert (ridge(two, score[:2], other)[0].tolist(), ridge(two, score[:2], other)[1]) == ([1.5], None)
    without_pace = RatedFilms({"frames": alike}, score)
    assert [answer.name for answer in baselines.of_films(without_pace, without_pace)] == [
        "training_mean", "frames_ridge",
    ]  # fmt: skip
