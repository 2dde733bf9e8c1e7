"""What the stages before the report left on disk, one recipe at a time; what is not there yet is None."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tasks import files
from tasks.metrics import METRICS
from tasks.params import Params, Recipe
from tasks.report.questions import Judged

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Result:
    """A recipe of params.yaml and what is known about it."""

    name: str
    recipe: Recipe
    kind: str  # the model's; of one that was not trained yet, what its dataset's windows are for
    card: dict[str, Any] | None  # model.json
    history: pd.DataFrame | None
    timing: dict[str, Any] | None
    metrics: dict[str, Any] | None
    clips: pd.DataFrame | None  # all answers
    curve: pd.DataFrame | None
    sources: pd.DataFrame | None
    examples: dict[str, NDArray[Any]] | None
    record: dict[str, Any] | None  # the registry's

    @property
    def status(self) -> str | None:
        """Why there are no figures, or None when there are."""
        if self.metrics is not None:
            return None
        return "not run yet" if self.card is None else "trained, not judged yet"

    @property
    def judged(self) -> Judged:
        assert self.metrics is not None
        assert self.clips is not None
        model = self.clips[self.clips["answer"] == "model"][["clip", "group", "psnr_db"]]
        return Judged(
            self.name,
            self.metrics["architecture"],
            self.metrics["variant"],
            self.metrics["latent_floats"],
            self.metrics["evaluation_sha256"],
            model,
            self.timing,
            self.places,
        )

    @property
    def places(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Where in its clips the model was given frames, and where it answered."""
        assert self.metrics is not None
        return tuple(self.metrics["inputs"]), tuple(self.metrics["outputs"])


def load(params: Params, data: Path) -> list[Result]:
    """Every recipe, in the order of params.yaml."""
    found = []
    for name, recipe in params.recipes.items():
        windows = params.dataset(recipe.dataset).clips
        found.append(_load(name, recipe, "reconstruct" if windows.gap_frames is None else "interpolate", data))
    return found


def _load(name: str, recipe: Recipe, meant_for: str, data: Path) -> Result:
    run, evaluation = data / "runs" / name, data / "evaluation" / name
    examples = None
    if (evaluation / "examples.npz").is_file():
        with np.load(evaluation / "examples.npz", allow_pickle=False) as archive:
            examples = {key: archive[key] for key in archive.files}
    card, metrics = json_if_there(run / "model.json"), json_if_there(evaluation / "metrics.json")
    return Result(
        name=name,
        recipe=recipe,
        kind=(metrics or card or {"kind": meant_for})["kind"],
        card=card,
        history=csv_if_there(run / "history.csv"),
        timing=json_if_there(data / "timing" / f"{name}.json"),
        metrics=metrics,
        clips=parquet_if_there(evaluation / "clips.parquet"),
        curve=csv_if_there(evaluation / "frame_curve.csv"),
        sources=csv_if_there(evaluation / "sources.csv", text=("source", "group", "label")),
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
    numbers = [*METRICS, "frames_per_second", "duration_seconds"]
    return pd.read_csv(
        path, dtype=dict.fromkeys(text, str), keep_default_na=False, na_values={name: [""] for name in numbers}
    )


def parquet_if_there(path: Path) -> pd.DataFrame | None:
    import pandas as pd

    return pd.read_parquet(path) if path.is_file() else None
