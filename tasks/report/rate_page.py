"""What stands on the page of a model that rates films: whether there is a signal, predicted against true with pictures,
the errors, the films most wrong, every film; and this kind's part of the index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks import pictures
from tasks.report import rating_charts
from tasks.report.kinds import R2, RATING, RATING_MAE, RATING_MSE, SPEARMAN, Measure
from tasks.report.pages import fact, picture_row, training_facts
from tasks.report.rating_charts import Rated
from tasks.report.rating_verdicts import QUESTION, claim, shrinkage, signal, slope
from tasks.report.results import Result

if TYPE_CHECKING:
    import pandas as pd

FILMS_SHOWN = 200


def part(result: Result, beside: Sequence[Result], scale: float, strips: int) -> dict[str, Any]:
    """The values that only this kind's template reads."""
    assert result.metrics is not None
    metrics, films = result.metrics, of_model(result)
    rated = list(rated_films(result, films))
    found = slope(films["score"], films["predicted"], films["group"].astype(str).tolist(), result.recipe.evaluation)
    mean = _training_mean(result)
    band, ends = metrics["conformal"], metrics["ratings"]
    title = f"Predicted against true rating of {len(rated)} held-out film{'s' * (len(rated) != 1)}"
    return {
        "task": "rates films" + (f" from {ends['lowest']:g} to {ends['highest']:g}" if ends else ""),
        "warnings": metrics["warnings"],
        "answer": {"question": QUESTION, "lines": [signal(metrics)[1], claim(metrics, _twin_asked(result))]},
        "facts": _facts(result),
        "splits": _splits(metrics),
        "scatter": rating_charts.predicted_against_true(
            rated, half_width=band["half_width"] if band else None, mean=mean, title=title
        ),
        "band": band,
        "errors": rating_charts.errors_by_score(
            rated, slope=found["value"] if found else None, title="Error by true rating"
        ),
        "shrinkage": shrinkage(found),
        "examples": list(_examples(result)),
        "films": _film_rows(result, films),
    }


def of_model(result: Result) -> pd.DataFrame:
    """The held-out films with the model's answers, the most wrong first."""
    assert result.films is not None
    films = result.films[result.films["answer"] == "model"]
    rank = films.assign(wrong=-films["error"].abs()).sort_values(["wrong", "film"], kind="stable")
    return rank.drop(columns="wrong")


def rated_films(result: Result, films: pd.DataFrame) -> Iterator[Rated]:
    """These films, with a picture of each that has one."""
    shown: dict[str, tuple[str, float]] = {}
    if result.examples is not None and "thumbnail" in result.examples:
        frames = result.examples["thumbnail"]
        for film, frame in zip(result.examples["thumbnail_film"], frames, strict=True):
            shown[str(film)] = pictures.webp_uri(pictures.rgb(frame)), frames.shape[2] / frames.shape[1]
    for row in films.to_dict("records"):
        uri, aspect = shown.get(str(row["film"]), (None, 1.0))
        yield Rated(str(row["film"]), float(row["score"]), float(row["predicted"]), uri, aspect)


def _training_mean(result: Result) -> float | None:
    """What the training mean tells every film."""
    assert result.films is not None
    told = result.films.loc[result.films["answer"] == "training_mean", "predicted"]
    return float(told.iloc[0]) if len(told) else None


def _twin_asked(result: Result) -> bool:
    return bool(result.training.get("subclip_split_twin"))


def _facts(result: Result) -> list[dict[str, Any]]:
    assert result.metrics is not None
    answers, facts = result.metrics["answers"]["model"], []

    def figure(name: str, interval: dict[str, Any], measure: Measure) -> None:
        span = measure.span(interval) if interval["low"] is not None else None
        facts.append(fact(name, measure.number(interval["value"]), span))

    figure("MSE, points²", answers[RATING_MSE.key], RATING_MSE)
    if result.metrics["by_subclip"] is not None:
        figure("MSE by subclip", result.metrics["by_subclip"][RATING_MSE.key], RATING_MSE)
    figure("MAE, points", answers[RATING_MAE.key], RATING_MAE)
    for measure in (R2, SPEARMAN):
        figure(measure.name, answers[measure.key], measure)
    if result.metrics["conformal"] is not None:
        band = result.metrics["conformal"]
        facts.append(fact("Interval", f"± {RATING.number(band['half_width'])}", f"{band['level']:.0%} of unseen films"))
    facts.append(fact("Parameters", f"{result.metrics['parameters']:,}"))
    return facts + training_facts(result)


def _splits(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """The model's scores as the splits have them; without a twin only the honest one, which `answers` holds already."""
    by_subclip = metrics["by_subclip"]
    if by_subclip is None:
        return []
    return [
        {"name": "By film", "detail": "a film's mean over its subclips", "scores": metrics["answers"]["model"]},
        {"name": "By film", "detail": "its subclips one by one", "scores": by_subclip["honest"]},
        {"name": "By subclip", "detail": "a twin that was trained on other subclips of the same films",
         "scores": by_subclip},
    ]  # fmt: skip


def _examples(result: Result) -> Iterator[dict[str, Any]]:
    """The films most wrong, then the nearest, with the frames that the model saw of one subclip."""
    examples = result.examples
    if examples is None:
        return
    for number in np.argsort(examples["role"] == "right", kind="stable"):
        frames = examples["frames"][number][: int(examples["length"][number])]
        at = pictures.shown_frames(len(frames), pictures.LONG_STRIP_FRAMES)
        score, predicted = float(examples["score"][number]), float(examples["predicted"][number])
        yield {
            "right": str(examples["role"][number]) == "right",
            "title": str(examples["film"][number]),
            "verdict": f"rated {RATING.number(score)}, predicted {RATING.number(predicted)}: {off(predicted - score)}",
            "detail": str(examples["source"][number]),
            "rows": [picture_row("Subclip", pictures.strip(frames[at]), len(at), photograph=True)],
        }


def off(error: float) -> str:
    """An error in words."""
    told = RATING.number(abs(error))
    return "exact" if told == RATING.number(0.0) else f"{told} too {'high' if error > 0 else 'low'}"


def _film_rows(result: Result, films: pd.DataFrame) -> dict[str, Any]:
    """One row a film, the most wrong first, with the lowest and highest answer to any of its subclips."""
    assert result.clips is not None
    clips = result.clips[result.clips["answer"] == "model"]
    subclips = clips.groupby(["film", "source", "span"])["predicted"].mean()
    spread = subclips.groupby("film").agg(["min", "max"])
    rows = films.head(FILMS_SHOWN).join(spread, on="film").to_dict("records")
    more = len(films) - len(rows)
    return {"rows": rows, "more": f"{more:,} more films are in sources.csv of the evaluation." if more > 0 else None}


def question(results: Sequence[Result], said: Sequence[str]) -> dict[str, Any]:
    """Whether the recipes of one dataset find a signal at all.

    Args:
        said: the sentences of the comparisons of two recipes.
    """
    lines = [signal(r.metrics)[1] for r in results if r.metrics]
    lines += [f"{r.name}. {claim(r.metrics, _twin_asked(r))}" for r in results if r.metrics and r.metrics["by_subclip"]]
    waiting = [f"{r.name} is {r.status}" for r in results if r.status]
    lines += [*said, *([f"Not answered yet: {', '.join(waiting)}."] if waiting else [])]
    return {"question": QUESTION, "lines": lines}
