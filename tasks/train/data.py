"""What is trained on: the clips of the splits, what an architecture is told about them, and whether it can learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import models
from tasks.clips import ClipDataset
from tasks.params import Recipe


@dataclass(frozen=True)
class Data:
    """What is trained on; `validation` is looked at, never used to choose."""

    train: ClipDataset
    validation: ClipDataset | None
    frames: Path

    @property
    def shown(self) -> ClipDataset:
        return self.train if self.validation is None else self.validation


def open_data(frames: Path, clips: Path) -> Data:
    """The train split, and the validation split where there is one.

    Raises:
        ValueError: the data set is not assembled, its train split is empty, or a store is not the one it was made from.
    """
    import pandas as pd

    manifest = clips / "clips.parquet"
    if not manifest.is_file():
        raise ValueError(f"{manifest} does not exist; assemble the data set first: dvc repro assemble@{clips.name}")
    splits = set(pd.read_parquet(manifest, columns=["split"])["split"])
    validation = ClipDataset(frames, clips, "validation") if "validation" in splits else None
    return Data(ClipDataset(frames, clips, "train"), validation, frames)


def config_of(recipe: Recipe, dataset: ClipDataset) -> dict[str, Any]:
    """All that the architecture is built from: the recipe's settings, the shape of the clips, and for a classifier the
    number of classes.

    Raises:
        ValueError: there is no such architecture, or the recipe sets what follows from the data set.
    """
    frames, height_px, width_px, channels = dataset.shape
    told = {"frames": frames, "height_px": height_px, "width_px": width_px, "channels": channels}
    if models.kind_of(recipe.architecture) == "classify":
        told["classes"] = len(dataset.labels)
    for key in told.keys() & recipe.config.keys():
        raise ValueError(
            f"the recipe's config sets {key} to {recipe.config[key]!r}, which follows from its data set"
            f" {recipe.dataset} ({told[key]}); leave it out"
        )
    return {**recipe.config, **told}


def check_classes(recipe: Recipe, dataset: ClipDataset, say: Callable[[str], None]) -> None:
    """Tell which classes cannot be learned: they stay among the answers, and judging counts them as wrong.

    Raises:
        ValueError: the architecture is a classifier and there is nothing to tell apart.
    """
    if models.kind_of(recipe.architecture) != "classify":
        return
    labels = dataset.labels
    if len(labels) < 2:
        have = f"only one class ({labels[0]})" if labels[0] else "no classes"
        raise ValueError(
            f"dataset {recipe.dataset} has {have}, and {recipe.architecture} needs two or more to tell apart; lay its "
            f"footage out as <class>/<video> and set datasets.{recipe.dataset}.label: folder"
        )
    unseen = sorted(set(labels) - set(dataset.table["label"]))
    if unseen:
        say(
            f"no training clip shows {', '.join(unseen)} ({len(unseen)} of {len(labels)} classes): what is trained here"
            f" cannot know {'it' if len(unseen) == 1 else 'them'}"
        )
