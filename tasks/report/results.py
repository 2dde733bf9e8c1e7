"""What the stages before the report left on disk, one recipe at a time; what is not there yet is None."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tasks import files
from tasks.metrics import METRICS
from tasks.params import Dataset, Params, Recipe
from tasks.report.kinds import CLASSIFIERS, KINDS, RATING_MSE, VIDEO_ACCURACY
from tasks.report.questions import Judged

if TYPE_CHECKING:
    import pandas as pd


TABLES = (  # of an evaluation, as csv; a kind writes some of them
    "frame_curve", "sources", "confusion", "recalls", "calibration", "compactness", "tsne",
)  # fmt: skip
BESIDE_THE_WEIGHTS = (  # settings of a training that only decide where and how it is watched
    "accelerator", "threads", "log_every_steps", "checkpoint_every_steps", "sample_every_steps",
)  # fmt: skip
TEXT = ("source", "group", "label", "answer", "predicted", "level", "features")
NUMBERS = (
    *METRICS, "frames_per_second", "duration_seconds", "recall", "low", "high", "precision", "accuracy", "confidence",
    "video_accuracy", "score",
)  # fmt: skip


@dataclass(frozen=True)
class Result:
    """A recipe of params.yaml and what is known about it."""

    name: str
    recipe: Recipe
    kind: str  # the model's; of one that was not trained yet, what it is meant for
    card: dict[str, Any] | None  # model.json
    history: pd.DataFrame | None
    timing: dict[str, Any] | None
    metrics: dict[str, Any] | None
    clips: pd.DataFrame | None  # all answers
    videos: pd.DataFrame | None  # all answers, of models that classify
    films: pd.DataFrame | None  # all answers, of models that rate
    tables: dict[str, pd.DataFrame]  # those of `TABLES` that are there
    examples: dict[str, NDArray[Any]] | None
    record: dict[str, Any] | None  # the registry's

    @property
    def status(self) -> str | None:
        """Why there are no figures, or None when there are."""
        if self.metrics is not None:
            return None
        return "not run yet" if self.card is None else "trained, not judged yet"

    @property
    def config(self) -> dict[str, Any]:
        """The architecture's settings: all of them once it is trained, those of params.yaml before."""
        return {**self.recipe.config, **(self.card["config"] if self.card else {})}

    @property
    def training(self) -> dict[str, Any]:
        """The settings of its training that decide the weights; of the precision what `auto` came to, if known."""
        found = dict(self.card["training"] if self.card and "training" in self.card else {})
        found = found or self.recipe.training.model_dump()
        if self.timing and "precision" in self.timing:
            found["precision"] = self.timing["precision"]
        return {key: value for key, value in found.items() if key not in BESIDE_THE_WEIGHTS}

    @property
    def judged(self) -> Judged:
        assert self.metrics is not None
        kind = KINDS[self.kind]
        return Judged(
            name=self.name,
            kind=self.kind,
            architecture=self.metrics["architecture"],
            variant=self.metrics["variant"],
            latent_floats=self.metrics["latent_floats"],
            evaluation_sha256=self.metrics["evaluation_sha256"],
            scores=self._model_rows[[kind.item, "group", kind.primary.key]],
            timing=self.timing,
            primary=self.metrics["answers"]["model"][kind.primary.key],
            config=self.config,
            chance=self.metrics.get("chance"),
            places=self.places,
            training=self.training,
        )

    @property
    def _model_rows(self) -> pd.DataFrame:
        """What the model scored on each item that the primary metric is a mean over."""
        if KINDS[self.kind].item == "source":
            assert self.videos is not None
            rows = self.videos.assign(**{VIDEO_ACCURACY.key: self.videos["correct"].astype(float)})
        elif KINDS[self.kind].item == "film":
            assert self.films is not None
            rows = self.films.assign(**{RATING_MSE.key: self.films["error"] ** 2})
        else:
            assert self.clips is not None
            rows = self.clips
        return rows[rows["answer"] == "model"]

    @property
    def places(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Where in its clips the model was given frames, and where it answered."""
        assert self.metrics is not None
        return tuple(self.metrics["inputs"]), tuple(self.metrics["outputs"])


def load(params: Params, data: Path) -> list[Result]:
    """Every recipe, in the order of params.yaml."""
    return [_load(name, recipe, params.dataset(recipe.dataset), data) for name, recipe in params.recipes.items()]


def _meant_for(recipe: Recipe, dataset: Dataset) -> str:
    if recipe.architecture in CLASSIFIERS:
        return "classify"
    if dataset.ratings is not None:
        return "regress"
    return "reconstruct" if dataset.clips.gap_frames is None else "interpolate"


def _load(name: str, recipe: Recipe, dataset: Dataset, data: Path) -> Result:
    run, evaluation = data / "runs" / name, data / "evaluation" / name
    examples = None
    if (evaluation / "examples.npz").is_file():
        with np.load(evaluation / "examples.npz", allow_pickle=False) as archive:
            examples = {key: archive[key] for key in archive.files}
    card, metrics = json_if_there(run / "model.json"), json_if_there(evaluation / "metrics.json")
    tables = {table: csv_if_there(evaluation / f"{table}.csv", TEXT) for table in TABLES}
    return Result(
        name=name,
        recipe=recipe,
        kind=(metrics or card or {"kind": _meant_for(recipe, dataset)})["kind"],
        card=card,
        history=csv_if_there(run / "history.csv"),
        timing=json_if_there(data / "timing" / f"{name}.json"),
        metrics=metrics,
        clips=parquet_if_there(evaluation / "clips.parquet"),
        videos=parquet_if_there(evaluation / "videos.parquet"),
        films=parquet_if_there(evaluation / "films.parquet"),
        tables={table: rows for table, rows in tables.items() if rows is not None},
        examples=examples,
        record=json_if_there(data / "registry" / f"{name}.json"),
    )


def json_if_there(path: Path) -> Any:
    return files.read_json(path) if path.is_file() else None


def csv_if_there(path: Path, text: tuple[str, ...] = ()) -> pd.DataFrame | None:
    """A table; the columns named in `text` stay text: group 07 is not 7, and a class may be called nan."""
    import pandas as pd

    if not path.is_file():
        return None
    return pd.read_csv(
        path, dtype=dict.fromkeys(text, str), keep_default_na=False, na_values={name: [""] for name in NUMBERS}
    )


def parquet_if_there(path: Path) -> pd.DataFrame | None:
    import pandas as pd

    return pd.read_parquet(path) if path.is_file() else None
