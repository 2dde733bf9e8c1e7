"""The tables of an evaluation of kind ``regress``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tasks import regression
from tasks.baselines import FilmAnswer
from tasks.clips import ClipDataset
from tasks.metrics import bootstrap
from tasks.paired import by_group
from tasks.params import Evaluation
from tasks.scores import intervals_about

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

NO_SIGNAL_OVER = "training_mean"  # what is answered without looking


def of_films(clips: ClipDataset, predicted: Floats | None = None) -> pd.DataFrame:
    """One row a film, by title: `film`, `source` (several joined by "; "), `group`, `score`, `clips`, and where clips
    were `predicted`, (n,), the mean over the film's subclips: one with more clips does not count for more."""
    films = clips.table.groupby("film", sort=True)
    found = films.agg(source=("source", _joined), group=("group", "first"), score=("score", "first")).reset_index()
    found = found.assign(group=found["group"].astype(str), clips=films.size().to_numpy())
    if predicted is None:
        return found
    of_film = of_subclips(clips, predicted).groupby("film", sort=True)["predicted"].mean()
    return found.assign(predicted=of_film.to_numpy())


def of_subclips(clips: ClipDataset, predicted: Floats) -> pd.DataFrame:
    """One row a subclip: `film`, `source`, `span`, `group`, `score`, and the mean of what was `predicted`."""
    subclips = clips.table.assign(predicted=predicted).groupby(["film", "source", "span"], sort=True, as_index=False)
    found = subclips.agg(group=("group", "first"), score=("score", "first"), predicted=("predicted", "mean"))
    return found.astype({"group": str})


def figures(table: pd.DataFrame, settings: Evaluation, predicted: Floats | None = None) -> dict[str, Any]:
    """`regression.METRICS` of the rows, whole groups drawn.

    Args:
        predicted: instead of the table's own.
    """
    answered = table["predicted"].to_numpy(np.float64) if predicted is None else predicted
    drawn = {"samples": settings.bootstrap_samples, "seed": settings.bootstrap_seed}
    found = regression.figures(table["score"].to_numpy(np.float64), answered, table["group"].tolist(), **drawn)
    return {metric: interval.as_dict() for metric, interval in found.items()}


@dataclass(frozen=True)
class Judgement:
    """What was asked and what was answered.

    Attributes:
        predicted: the model's score of every clip, in the order of the manifest, (n,).
        others: the baselines; of the films in the order of `films`.
    """

    test: ClipDataset
    predicted: Floats
    others: Sequence[FilmAnswer]

    @functools.cached_property
    def films(self) -> pd.DataFrame:
        return of_films(self.test, self.predicted)

    @property
    def answers(self) -> list[FilmAnswer]:
        return [FilmAnswer("model", None, self.films["predicted"].to_numpy(np.float64)), *self.others]

    def film_table(self) -> pd.DataFrame:
        """One row a film and answer, answer by answer."""
        import pandas as pd

        films = self.films
        parts = [
            films.assign(answer=a.name, predicted=a.predicted, error=a.predicted - films["score"]) for a in self.answers
        ]
        columns = ["film", "source", "group", "score", "answer", "clips", "predicted", "error"]
        return pd.concat(parts)[columns].reset_index(drop=True)

    def source_table(self) -> pd.DataFrame:
        """`film_table`, the film with the largest error of the model first."""
        table = self.film_table()
        of_model = table[table["answer"] == "model"].set_index("film")["error"].abs()
        ranked = table.assign(rank=-table["film"].map(of_model)).sort_values(["rank", "film"], kind="stable")
        return ranked.drop(columns="rank")

    def clip_table(self) -> pd.DataFrame:
        """One row a clip of the model."""
        columns = ["clip", "source", "span", "film", "group", "score", "first_frame", "first_seconds", "length"]
        table = self.test.table[columns].reset_index(drop=True).astype({"group": str})
        return table.assign(answer="model", predicted=self.predicted)

    def summary(self, settings: Evaluation) -> dict[str, Any]:
        """The part of `metrics.json` that follows from the answers."""
        films = self.films
        groups = films["group"].tolist()
        answers = {a.name: {"floats": a.floats} | figures(films, settings, a.predicted) for a in self.answers}
        errors = {"mse": regression.squared_error, "mae": regression.absolute_error}

        def gain(baseline: FilmAnswer) -> dict[str, dict[str, float | None]]:
            return {metric: self._interval(self._gained(baseline, error), settings) for metric, error in errors.items()}

        gains = {baseline.name: gain(baseline) for baseline in self.others}
        squared = regression.squared_error(*(films[c].to_numpy(np.float64) for c in ("score", "predicted")))
        return {
            "films": len(films),
            "clips": len(self.test),
            "sources": int(self.test.table["source"].nunique()),
            "groups": sorted(set(groups)),
            "intervals": intervals_about("films", groups, settings),
            "primary": {"metric": "mse", "higher_is_better": False, **answers["model"]["mse"]},
            "primary_by_group": by_group(squared, groups),
            "answers": answers,
            "gains": gains,
            "ridge_alpha": {a.name: a.alpha for a in self.others if a.alpha is not None},
        }

    def signal(self, settings: Evaluation) -> dict[str, Any]:
        """Whether the model was shown to beat the answer of one who has seen nothing: the whole interval of its gain in
        squared error lies above zero, and flipped signs seldom do as well (`regression.sign_flip_p`).

        Returns:
            `found`; `enough`: whether there are groups enough to find one; `over`, `gain`, `p`.
        """
        nothing = next(baseline for baseline in self.others if baseline.name == NO_SIGNAL_OVER)
        gained, groups = self._gained(nothing, regression.squared_error), self.films["group"].tolist()
        gain, p = self._interval(gained, settings), regression.sign_flip_p(gained, groups, seed=settings.bootstrap_seed)
        found = gain["low"] is not None and gain["low"] > 0 and p <= regression.SIGNIFICANT_P
        enough = len(set(groups)) >= regression.FEWEST_TO_TELL
        return {"found": found, "enough": enough, "over": NO_SIGNAL_OVER, "gain": gain, "p": p}

    def _interval(self, values: Floats, settings: Evaluation) -> dict[str, float | None]:
        """Of a mean over films, whole groups drawn."""
        drawn = {"samples": settings.bootstrap_samples, "seed": settings.bootstrap_seed}
        return bootstrap(values, self.films["group"].tolist(), **drawn).as_dict()

    def _gained(self, baseline: FilmAnswer, error: Callable[[Any, Any], Floats]) -> Floats:
        """The baseline's errors less the model's, film by film."""
        score, model = (self.films[column].to_numpy(np.float64) for column in ("score", "predicted"))
        return error(score, baseline.predicted) - error(score, model)


def _joined(sources: pd.Series[str]) -> str:
    return "; ".join(sorted(set(sources)))
