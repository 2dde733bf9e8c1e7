"""Judging models that answer with a score: kind ``regress``.

A film's score is the mean over its subclips, whatever files they come from; a subclip's is the mean over its clips,
however many it has; all films count alike. A subclip is a span of the manifest: with `shots.split`, a shot in one. The
films of the test split were never trained on; the baselines answer whole films and are fitted on the training films.

Beside that stands what a split by subclip would have claimed: the twin, a second training of the same recipe, has seen
other subclips of the films it is asked about (see `ClipDataset.by_subclip`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tasks import baselines, modelio, regression
from tasks.baselines import Clip, Predict, RatedFilms
from tasks.clips import ClipDataset
from tasks.evaluate.asking import accelerated, asked, finite
from tasks.evaluate.rating_examples import examples
from tasks.evaluate.rating_tables import Judgement, figures, of_films, of_subclips
from tasks.evaluate.subject import Subject, check_scores
from tasks.params import Evaluation
from tasks.scores import write_csv

if TYPE_CHECKING:
    import pandas as pd

    from models import VideoModel

Floats = NDArray[np.float64]


def evaluate(subject: Subject, folder: Path) -> dict[str, Any]:
    """Write the tables; return this kind's part of `metrics.json`.

    ==================  ==========================================================================================
    films.parquet       a row a film and answer; `error` is predicted - score
    sources.csv         as films.parquet, the film with the model's largest error first
    clips.parquet       a row a clip of the model
    residuals.csv       a row a film that the model was not trained on: validation and test
    subclips.csv        a row a held-out subclip of the twin, where there is one
    examples.npz        see `rating_examples.examples`
    ==================  ==========================================================================================

    Raises:
        ValueError: a clip has no score, a film stands in two splits, or a model answers NaN.
    """
    settings, test = subject.recipe.evaluation, subject.test
    train = ClipDataset(subject.frames, subject.clips, "train")
    check_scores(train, f"recipe {subject.name}")
    _check_films(subject)
    predicted = _predicted(subject.model, test, settings, f"recipe {subject.name}: the model in {subject.run}")
    judged = Judgement(test, predicted, _baselines(subject, train))
    residuals, twin = _residuals(subject, judged.films), _twin_subclips(subject)

    per_film = judged.film_table()
    per_film.to_parquet(folder / "films.parquet", index=False)
    judged.clip_table().to_parquet(folder / "clips.parquet", index=False)
    write_csv(judged.source_table(), folder / "sources.csv")
    write_csv(residuals, folder / "residuals.csv")
    if twin is not None:
        write_csv(twin.drop(columns="group"), folder / "subclips.csv")
    np.savez(folder / "examples.npz", **examples(test, per_film[per_film["answer"] == "model"]))
    result, about = judged.summary(settings), subject.summary
    honest = of_subclips(test, predicted)
    scale = about.get("ratings") or subject.card.get("ratings")
    return result | {
        "signal": judged.signal(settings),
        "by_subclip": None if twin is None else _claim(twin, settings) | {"honest": _claim(honest, settings)},
        "conformal": regression.conformal(residuals["predicted"].to_numpy() - residuals["score"].to_numpy()),
        "ratings": {end: scale[end] for end in ("lowest", "highest")} if scale else None,
        "warnings": about.get("warnings", []),
    }


def judge_again(predict: Predict, settings: Evaluation, test: ClipDataset) -> dict[str, Any]:
    """The same part of `metrics.json` for the model alone, without gains.

    Raises:
        ValueError: a clip has no score.
    """
    check_scores(test, "the earlier model cannot be judged again")
    answers = [_scores(predict(clip), len(clip), "the earlier model") for clip in _batches(test, settings.batch_clips)]
    return Judgement(test, np.concatenate(answers), []).summary(settings)


def _predicted(model: VideoModel, clips: ClipDataset, settings: Evaluation, whose: str) -> Floats:
    """The model's score of every clip, (n,)."""
    with accelerated(model):
        batches = _batches(clips, settings.batch_clips)
        answers = [_scores(asked(model, "predict", clip)[0], len(clip), whose) for clip in batches]
    return np.concatenate(answers)


def _batches(clips: ClipDataset, batch_clips: int) -> Iterator[Clip]:
    for start in range(0, len(clips), batch_clips):
        yield clips.clips(range(start, min(start + batch_clips, len(clips))))


def _scores(answered: NDArray[Any], clips: int, whose: str) -> Floats:
    if finite(answered, whose).shape != (clips,):
        raise ValueError(f"{whose} answers {answered.shape} for {clips} clips; kind 'regress' answers one score a clip")
    return answered.astype(np.float64)


def _check_films(subject: Subject) -> None:
    """A film that was trained on and is judged makes every figure a lie."""
    import pandas as pd

    manifest = pd.read_parquet(subject.clips / "clips.parquet", columns=["film", "split"]).drop_duplicates()
    torn = {str(film): rows["split"] for film, rows in manifest.groupby("film") if len(rows) > 1}
    if torn:
        named = "; ".join(f"{film} ({' and '.join(sorted(splits))})" for film, splits in list(torn.items())[:8])
        raise ValueError(f"{len(torn)} film(s) stand in two splits, {named}; give the files of a film one group")


def _baselines(subject: Subject, train: ClipDataset) -> list[baselines.FilmAnswer]:
    import pandas as pd

    path, batch_clips = subject.clips / "pace.csv", subject.recipe.evaluation.batch_clips
    pace = pd.read_csv(path, dtype={"source": str}) if path.is_file() else None
    return baselines.of_films(*(_rated(clips, pace, batch_clips) for clips in (train, subject.test)))


def _rated(clips: ClipDataset, pace: pd.DataFrame | None, batch_clips: int) -> RatedFilms:
    """The films of a split, as the baselines see them."""
    films = of_films(clips)
    film_of_clip = clips.table.groupby("film", sort=True).ngroup().to_numpy(np.int64)
    statistics, start = baselines.FrameStatistics(len(films)), 0
    for clip in _batches(clips, batch_clips):
        statistics.add(film_of_clip[start : start + len(clip)], clip)
        start += len(clip)
    features = {"frames": statistics.features()}
    if pace is not None:
        features["pace"] = baselines.pace(pace, [source.split("; ") for source in films["source"]])
    return RatedFilms(features, films["score"].to_numpy(np.float64))


def _residuals(subject: Subject, test: pd.DataFrame) -> pd.DataFrame:
    """`split`, `film`, `score`, `predicted`, of every film of the splits that were not trained on."""
    import pandas as pd

    parts, columns = [test.assign(split="test")], ["split", "film", "score", "predicted"]
    manifest = pd.read_parquet(subject.clips / "clips.parquet", columns=["split"])
    if (manifest["split"] == "validation").any():
        clips, whose = ClipDataset(subject.frames, subject.clips, "validation"), f"recipe {subject.name}"
        check_scores(clips, whose)
        predicted = _predicted(subject.model, clips, subject.recipe.evaluation, f"{whose}: the model in {subject.run}")
        parts.insert(0, of_films(clips, predicted).assign(split="validation"))
    return pd.concat(parts)[columns]


def _twin_subclips(subject: Subject) -> pd.DataFrame | None:
    """What the twin says of the subclips that were held out from it; None where there is no twin."""
    run = subject.run / modelio.TWIN
    if not run.is_dir():
        return None
    _, held_out = ClipDataset.by_subclip(subject.frames, subject.clips)
    whose = f"recipe {subject.name}: the model in {run}"
    return of_subclips(held_out, _predicted(modelio.load_run(run), held_out, subject.recipe.evaluation, whose))


def _claim(subclips: pd.DataFrame, settings: Evaluation) -> dict[str, Any]:
    return figures(subclips, settings) | {"subclips": len(subclips), "films": int(subclips["film"].nunique())}
