"""The tables of an evaluation of kind ``regress``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tasks import regression
from tasks.baselines import FilmAnswer
from tasks.clips import ClipDataset
from tasks.metrics import FEWEST_GROUPS, bootstrap
from tasks.params import Evaluation
from tasks.scores import intervals_about

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

NO_SIGNAL_OVER = "training_mean"  # what is answered without looking


def of_films(clips: ClipDataset, predicted: Floats | None = None) -> pd.DataFrame:
    """One row a film, by title: `film`, `source` (several joined by "; "), `group`, `score`, `clips`, and where clips
    were `predicted`, (n,), their mean."""
    table = clips.table if predicted is None else clips.table.assign(predicted=predicted)
    films = table.groupby("film", sort=True)
    found = films.agg(source=("source", _joined), group=("group", "first"), score=("score", "first")).reset_index()
    found = found.assign(group=found["group"].astype(str), clips=films.size().to_numpy())
    return found if predicted is None else found.assign(predicted=films["predicted"].mean().to_numpy())


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

    @property
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
        columns = ["clip", "source", "film", "group", "score", "first_frame", "first_seconds", "length"]
        table = self.test.table[columns].reset_index(drop=True).astype({"group": str})
        return table.assign(answer="model", predicted=self.predicted)

    def summary(self, settings: Evaluation) -> dict[str, Any]:
        """The part of `metrics.json` that follows from the answers."""
        films, model = self.films, self.answers[0].predicted
        groups, score = films["group"].tolist(), films["score"].to_numpy(np.float64)
        answers = {a.name: {"floats": a.floats} | figures(films, settings, a.predicted) for a in self.answers}

        def gain(baseline: FilmAnswer) -> dict[str, dict[str, float | None]]:
            """The baseline's errors less the model's, film by film."""
            drawn = {"samples": settings.bootstrap_samples, "seed": settings.bootstrap_seed}
            less = {
                metric: error(score, baseline.predicted) - error(score, model)
                for metric, error in {"mse": regression.squared_error, "mae": regression.absolute_error}.items()
            }
            return {metric: bootstrap(values, groups, **drawn).as_dict() for metric, values in less.items()}

        gains = {baseline.name: gain(baseline) for baseline in self.others}
        return {
            "films": len(films),
            "clips": len(self.test),
            "sources": int(self.test.table["source"].nunique()),
            "groups": sorted(set(groups)),
            "intervals": intervals_about("films", groups, settings),
            "primary": {"metric": "mse", "higher_is_better": False, **answers["model"]["mse"]},
            "answers": answers,
            "gains": gains,
            "ridge_alpha": {a.name: a.alpha for a in self.others if a.alpha is not None},
        }


def signal(gains: dict[str, Any], groups: int) -> dict[str, Any]:
    """Whether the model was shown to beat the answer of one who has seen nothing: the whole interval of its gain in
    squared error lies above zero.

    Args:
        groups: that were drawn from; one group cannot tell.
    """
    gain = gains[NO_SIGNAL_OVER]["mse"]
    return {"found": bool(groups >= FEWEST_GROUPS and gain["low"] > 0), "over": NO_SIGNAL_OVER, "gain": gain}


def _joined(sources: pd.Series[str]) -> str:
    return "; ".join(sorted(set(sources)))
