"""What is trained on: the clips of the splits, what an architecture is told about them, and whether it can learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

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


def open_twin(recipe: Recipe, frames: Path, clips: Path, say: Callable[[str], None]) -> Data | None:
    """What a second training learns from, which shows what a split by subclip would have claimed. None, and `say` is
    told why, where the recipe asks for one and the clips cannot be divided so; it is looked at by nobody.

    Raises:
        ValueError: the recipe asks for one, and its architecture does not learn scores.
    """
    if not recipe.training.subclip_split_twin:
        return None
    kind = models.kind_of(recipe.architecture)
    if kind != "regress":
        raise ValueError(
            f"training.subclip_split_twin is for architectures that learn ratings, and {recipe.architecture} is of kind"
            f" {kind}; set it to false"
        )
    try:
        half, _ = ClipDataset.by_subclip(frames, clips)
    except ValueError as error:
        say(f"no twin is trained: {error}")
        return None
    return Data(half, None, frames)


def config_of(recipe: Recipe, dataset: ClipDataset) -> dict[str, Any]:
    """All that the architecture is built from: the recipe's settings, the shape of the clips, for a classifier the
    number of classes, and for what learns ratings the mean and the deviation of the clips' scores.

    Raises:
        ValueError: there is no such architecture, or the recipe sets what follows from the data set.
    """
    frames, height_px, width_px, channels = dataset.shape
    told: dict[str, Any] = {"frames": frames, "height_px": height_px, "width_px": width_px, "channels": channels}
    kind = models.kind_of(recipe.architecture)
    if kind == "classify":
        told["classes"] = len(dataset.labels)
    if kind == "regress":
        told |= {"score_mean": float(dataset.scores.mean()), "score_deviation": float(dataset.scores.std())}
    for key in told.keys() & recipe.config.keys():
        raise ValueError(
            f"the recipe's config sets {key} to {recipe.config[key]!r}, which follows from its data set"
            f" {recipe.dataset} ({told[key]}); leave it out"
        )
    return {**recipe.config, **told}


def check_answers(recipe: Recipe, data: Data, say: Callable[[str], None]) -> None:
    """Whether the clips hold what the architecture is to answer.

    Raises:
        ValueError: there is nothing to learn, or clips of any split, test included, are of unequal length and the
            architecture needs equal ones.
    """
    kind = models.kind_of(recipe.architecture)
    if kind == "regress":
        for split, dataset in (("train", data.train), ("validation", data.validation)):
            if dataset is not None:
                _check_scores(recipe, dataset, split)
        return
    data.train.require_one_length(recipe.dataset, recipe.architecture)
    if kind == "classify":
        _check_classes(recipe, data.train, say)


def _check_scores(recipe: Recipe, dataset: ClipDataset, split: str) -> None:
    """Raise a ValueError where a clip has no score, or training clips all have the same."""
    name, scores = recipe.dataset, dataset.scores
    without = np.flatnonzero(np.isnan(scores))
    if len(without):
        raise ValueError(
            f"dataset {name} has {len(without)} of {len(scores)} {split} clips without a rating (the first is of"
            f" {dataset.table['source'].iloc[without[0]]}), and {recipe.architecture} learns ratings; name a table of"
            f" films and scores in datasets.{name}.ratings"
        )
    if split == "train" and scores.min() == scores.max():
        raise ValueError(
            f"every train clip of dataset {name} is rated {scores[0]:g}, so there is nothing to tell apart; leave films"
            f" of other ratings in training: take them out of datasets.{name}.split's validation and test"
        )


def _check_classes(recipe: Recipe, dataset: ClipDataset, say: Callable[[str], None]) -> None:
    """Tell which classes cannot be learned: they stay among the answers, and judging counts them as wrong.

    Raises:
        ValueError: there is nothing to tell apart.
    """
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
