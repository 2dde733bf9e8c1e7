"""The answers to kind ``regress``, each for a whole film, fitted on the training films.

=============  ==============================================================================  ==============
answer         the score of a film                                                             floats
=============  ==============================================================================  ==============
training_mean  the mean score of the training films, whatever the film shows                   0
frames_ridge   ridge regression on `frame_statistics`: how its frames look on the mean and
               how much that varies                                                            64 x C
pace_ridge     ridge regression on `pace`: cuts a minute, brightness and motion                3
=============  ==============================================================================  ==============

The first is what a film says that nobody has seen; a model that does not beat it has found nothing. The second knows
what stands where and in which light, and no order of frames. The third knows what a stopwatch and a light meter tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tasks.baselines.answers import Clip

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

GRID = 4
PACE = ("cuts_per_minute", "brightness", "motion")
ALPHAS = tuple(float(10.0 ** (k / 2)) for k in range(-4, 13))  # of features of variance 1: hardly any to all shrinking
LEFT_OUT_ONE_BY_ONE, LEFT_OUT_PARTS = 100, 20  # films, and parts of more
SQUARED_ERROR = "neg_mean_squared_error"
ROUNDING = 1e-9  # errors that differ by less are equal: which is the least of them depends on the machine
FEWEST_FILMS = 3  # below, leaving one out leaves nothing to choose by


@dataclass(frozen=True)
class FilmAnswer:
    """A model's or a baseline's score of every test film.

    Attributes:
        floats: what it is told about a film; None for a network that sees it.
        predicted: float64 (F,), on the scale of the ratings.
        alpha: the regularisation that was chosen for a ridge regression; None where there was nothing to choose.
    """

    name: str
    floats: int | None
    predicted: Floats
    alpha: float | None = None


@dataclass(frozen=True)
class RatedFilms:
    """Films as the baselines see them: `features` by name (`frames`, `pace`), float64 (F, D)."""

    features: dict[str, Floats]
    score: Floats


class FrameStatistics:
    """Of every film all its frames, added up batch by batch.

    A frame is laid out in 4 x 4 cells; of each cell and channel its mean and its standard deviation, 0 to 1. Of a film
    the mean of those over its frames and their standard deviation over its frames. Filling is no frame.
    """

    def __init__(self, films: int) -> None:
        self._counts = np.zeros(films)
        self._sums: Floats | None = None
        self._squares: Floats | None = None

    def add(self, film_B: NDArray[np.integer[Any]], clip_BTHWC: Clip) -> None:
        """Args: film_B: which film each clip is of."""
        for film, clip_THWC in zip(film_B, clip_BTHWC, strict=True):
            frames_ND = _of_frames(clip_THWC)
            if self._sums is None or self._squares is None:
                self._sums, self._squares = np.zeros((2, len(self._counts), frames_ND.shape[1]))
            self._counts[film] += len(frames_ND)
            self._sums[film] += frames_ND.sum(axis=0)
            self._squares[film] += np.square(frames_ND).sum(axis=0)

    def features(self) -> Floats:
        """float64 (films, 64 x C); every film needs a frame."""
        assert self._sums is not None
        assert self._squares is not None
        assert self._counts.all()
        mean = self._sums / self._counts[:, None]
        variance = self._squares / self._counts[:, None] - np.square(mean)
        return np.concatenate([mean, np.sqrt(np.maximum(variance, 0.0))], axis=1)


def _of_frames(clip_THWC: Clip) -> Floats:
    """What is measured of each frame of a clip that is no filling: (N, 32 x C)."""
    import torch

    from models._sequence import lengths

    frames_NHWC = clip_THWC[: int(lengths(torch.from_numpy(clip_THWC[None])))].astype(np.float64)
    mean = _of_cells(frames_NHWC) / 255.0
    variance = _of_cells(np.square(frames_NHWC)) / 255.0**2 - np.square(mean)
    return np.concatenate([mean, np.sqrt(np.maximum(variance, 0.0))], axis=1)


def _of_cells(frames_NHWC: Floats) -> Floats:
    """The mean of each of 4 x 4 cells, that share a row where the height does not divide by 4: (N, 16 x C).

    Sums of whole numbers, so that they are exact in any order.
    """
    n, height, width, channels = frames_NHWC.shape
    down, across = _cells(height), _cells(width)
    sums = across @ (down @ frames_NHWC.reshape(n, height, -1)).reshape(n, GRID, width, channels)
    counts = down.sum(axis=1)[:, None] * across.sum(axis=1)
    means: Floats = (sums / counts[..., None]).reshape(n, -1)
    return means


def _cells(length: int) -> Floats:
    """Which pixels are in which cell: (4, length), 1 or 0."""
    place, cell = np.arange(length), np.arange(GRID)[:, None]
    inside = (place >= cell * length // GRID) & (place < -(-(cell + 1) * length // GRID))
    return inside.astype(np.float64)


def pace(table: pd.DataFrame, sources: Sequence[Sequence[str]]) -> Floats:
    """Of each film the mean of `PACE` over the spans of its sources, weighted by their seconds: float64 (F, 3).

    Args:
        table: `pace.csv`; `source` is text.
        sources: of each film.

    Raises:
        ValueError: the table has no span of a film.
    """
    spans = table.assign(seconds=table["end_seconds"] - table["start_seconds"]).groupby("source")
    rows_of, values, seconds = spans.indices, table[list(PACE)].to_numpy(np.float64), spans.obj["seconds"].to_numpy()
    found = np.empty((len(sources), len(PACE)))
    for k, of_film in enumerate(sources):
        rows = np.concatenate([rows_of.get(source, np.empty(0, np.int64)) for source in of_film]).astype(np.int64)
        if not len(rows):
            raise ValueError(f"pace.csv has no span of {'; '.join(of_film)}; run the stages subclips to assemble again")
        found[k] = np.average(values[rows], axis=0, weights=seconds[rows])
    return found


def of_films(train: RatedFilms, test: RatedFilms) -> list[FilmAnswer]:
    """`training_mean`, and a ridge regression for each of the features that `train` has."""
    mean = float(train.score.mean())
    answers = [FilmAnswer("training_mean", 0, np.full(len(test.score), mean))]
    for name, one in train.features.items():
        predicted, alpha = ridge(one, train.score, test.features[name])
        answers.append(FilmAnswer(f"{name}_ridge", one.shape[1], predicted, alpha))
    return answers


def ridge(train_ND: Floats, score_N: Floats, test_MD: Floats) -> tuple[Floats, float | None]:
    """Ridge regression: the score of every test row, float64 (M,), and the alpha it was fitted with.

    Features are standardised on the training rows; one that does not vary there is left out. Alpha is the one of
    `ALPHAS` with the least squared error of the training rows, each left out in turn, or of many a twentieth; of
    equals, the smallest. Fewer than three rows, or no feature that varies: the training mean, and None.
    """
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import KFold, LeaveOneOut, cross_val_score
    from threadpoolctl import threadpool_limits

    mean, deviation = train_ND.mean(axis=0), train_ND.std(axis=0)
    varies = deviation > 1e-9 * np.maximum(np.abs(mean), 1.0)  # less is rounding
    if len(train_ND) < FEWEST_FILMS or not varies.any():
        return np.full(len(test_MD), float(score_N.mean())), None
    train, test = (((x - mean)[:, varies] / deviation[varies]) for x in (train_ND, test_MD))
    # Not RidgeCV: its formula for leaving one out divides 0 by 0 where there are more features than rows.
    parts = LeaveOneOut() if len(train) <= LEFT_OUT_ONE_BY_ONE else KFold(LEFT_OUT_PARTS)
    with threadpool_limits(1):  # sums over threads come in any order
        errors = {
            alpha: -float(cross_val_score(Ridge(alpha), train, score_N, cv=parts, scoring=SQUARED_ERROR).mean())
            for alpha in ALPHAS
        }
        bound = min(errors.values()) * (1.0 + ROUNDING)
        alpha = min(alpha for alpha, error in errors.items() if error <= bound)
        predicted: Floats = np.asarray(Ridge(alpha).fit(train, score_N).predict(test), np.float64)
    return predicted, alpha
