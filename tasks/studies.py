"""What the experiments of a study say together: one row a depth, and every depth against one of them.

The study of temporal kernel depth is the paper's (Tran et al. 2015, section 3.2): the same recipe trained with other
depths, some of them several times with other seeds, all judged on the same videos. Its JSON:

===============  ====================================================================================================
study            ``kernel-depth``
recipe, dataset  keys of params.yaml
steps            of each training
chance           accuracy of guessing, 0 to 1; null where nothing was judged
depths, seeds    as asked for; a depth is a number of frames, or a name for one depth a block
videos, groups   counts of the videos that were judged, and the group of each
intervals        how they were made, and what must be said beside them
experiments      a row each, `Experiment` and what it scored; `diverged` or `failed` says why a training has no scores
table            a row a depth: `mean` over its seeds with `low`, `high`; `seeds`, an accuracy or null for each seed;
                 `outcomes`, for each seed one of `OUTCOMES`
differences      a row a depth but one: mean accuracy minus that of the depth `against`, with its own interval
===============  ====================================================================================================

It is written anew whenever an experiment ends, so that a study may have experiments that are still to come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from tasks import metrics
from tasks.params import Evaluation

if TYPE_CHECKING:
    import pandas as pd

Depth = int | str
Draws = NDArray[np.float64]

KERNEL_DEPTHS: tuple[Depth, ...] = (1, 3, 5, 7, "increasing", "decreasing")
MIDDLE_DEPTH = 3  # what the paper settles on, and what the others are held against
SCORES = (
    "commit", "video_accuracy", "clip_accuracy", "parameters", "train_seconds", "weights_sha256", "evaluation_sha256",
)  # fmt: skip
OUTCOMES = ("judged", "diverged", "failed", "not run")
METHOD = (
    "95% percentile bootstrap over groups, all videos of a drawn group, and over the seeds of each depth;"
    " differences take the same draws of groups for both depths; where all are right, or all wrong, the exact binomial"
    " limit for as many groups"
)


@dataclass(frozen=True)
class Experiment:
    """One training of a study. `key` stands for all that its result follows from: code, parameters, data."""

    depth: Depth
    seed: int
    experiment: str  # the name DVC lists it by
    key: str


@dataclass(frozen=True)
class Unjudged:
    """A training that gave no weights. One that diverged would do so again; one that failed, for want of memory say,
    need not."""

    how: Literal["diverged", "failed"]
    why: str


def kernel_depth_file(data: Path, recipe: str) -> Path:
    """Where the study of a recipe's kernel depth stands; with `*` a pattern for those of all recipes."""
    return data / "studies" / f"kernel_depth-{recipe}.json"


def kernel_depth_page(recipe: str) -> str:
    """The report's page of it."""
    return f"study-kernel-depth-{recipe}.html"


def parse_depths(text: str) -> list[Depth]:
    """``"1,3,increasing"`` as depths, each once.

    Raises:
        ValueError: a depth that is none of `KERNEL_DEPTHS`.
    """
    known = {str(depth): depth for depth in KERNEL_DEPTHS}
    names = [part.strip() for part in text.split(",")]
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"--depths names {', '.join(map(repr, unknown))}; a depth is one of {', '.join(known)}")
    return [known[name] for name in dict.fromkeys(names)]


def scored(
    experiment: Experiment, commit: str, result: dict[str, Any], videos: pd.DataFrame, timing: dict[str, Any]
) -> dict[str, Any]:
    """The row of an experiment that was trained and judged.

    Args:
        commit: what DVC has it as.
        result: its evaluation's metrics.json, of kind ``classify``.
        videos: its evaluation's videos.parquet.
        timing: its training's seconds.
    """
    of_model = videos[videos["answer"] == "model"].sort_values("source", kind="stable")
    return asdict(experiment) | {
        "diverged": None,
        "failed": None,
        "commit": commit,
        "video_accuracy": result["answers"]["model"]["video_accuracy"]["value"],
        "clip_accuracy": result["answers"]["model"]["clip_accuracy"]["value"],
        "parameters": result["parameters"],
        "train_seconds": timing["train_seconds"],
        "weights_sha256": result["weights_sha256"],
        "evaluation_sha256": result["evaluation_sha256"],
        "videos": {str(v.source): bool(v.correct) for v in of_model.itertuples()},
    }


def groups_of(videos: pd.DataFrame) -> dict[str, str]:
    """The group of every video of a videos.parquet."""
    return {str(v.source): str(v.group) for v in videos[videos["answer"] == "model"].itertuples()}


def unjudged(experiment: Experiment, found: Unjudged) -> dict[str, Any]:
    """The row of an experiment whose training gave no weights."""
    return asdict(experiment) | dict.fromkeys(("diverged", "failed", *SCORES)) | {found.how: found.why, "videos": {}}


def summarise(
    about: dict[str, Any], rows: list[dict[str, Any]], groups: dict[str, str], own: Depth | None, settings: Evaluation
) -> dict[str, Any]:
    """The study's JSON, from its experiments' rows.

    Args:
        about: what the experiments have in common: `study`, `recipe`, `dataset`, `steps`, `chance`, `depths`, `seeds`.
        groups: of every video that was judged.
        own: the recipe's own depth; the others are held against depth 3, or this where 3 was not asked for.
        settings: how often to draw, and the seed of it.

    Raises:
        ValueError: the experiments were judged on different clips.
    """
    judged = [row for row in rows if outcome(row) == "judged"]
    _check_alike(judged)
    draws = _draws(judged, about["depths"], groups, settings)
    table = [_depth_row(depth, about["seeds"], rows, draws, len(set(groups.values()))) for depth in about["depths"]]
    against = next((d for d in (MIDDLE_DEPTH, own, *about["depths"]) if d is not None and d in draws), None)
    means = {row["depth"]: row["mean"] for row in table}
    differences = [
        {"depth": depth, "against": against, "value": means[depth] - means[against]}
        | _interval(draws[depth] - draws[against])
        for depth in about["depths"]
        if against is not None and depth in draws and depth != against
    ]
    few = metrics.interval_note(sorted(set(groups.values()))) if judged else None
    alone = (
        "There is one seed: the intervals say nothing about how much another would change."
        if len(about["seeds"]) == 1
        else None
    )
    intervals = {
        "method": METHOD,
        "samples": settings.bootstrap_samples,
        "seed": settings.bootstrap_seed,
        "note": " ".join(filter(None, (few, alone))) or None,
    }
    return about | {
        "videos": len(groups), "groups": groups, "intervals": intervals, "experiments": rows, "table": table,
        "differences": differences,
    }  # fmt: skip


def outcome(row: dict[str, Any] | None) -> str:
    """What became of an experiment, one of `OUTCOMES`; None: it has no row."""
    if row is None:
        return "not run"
    return next((how for how in ("diverged", "failed") if row[how] is not None), "judged")


def _check_alike(judged: Sequence[dict[str, Any]]) -> None:
    by_clips = {row["evaluation_sha256"]: row["experiment"] for row in judged}
    if len(by_clips) > 1:
        raise ValueError(
            f"{' and '.join(sorted(by_clips.values()))} were judged on different clips, so that their accuracies cannot"
            " be compared; remove the older one with dvc exp remove and run the study again"
        )


def _depth_row(
    depth: Depth, seeds: Sequence[int], rows: Sequence[dict[str, Any]], draws: dict[Depth, Draws], groups: int
) -> dict[str, Any]:
    of_depth = {row["seed"]: row for row in rows if row["depth"] == depth}
    accuracies = [of_depth[seed]["video_accuracy"] if seed in of_depth else None for seed in seeds]
    known = [accuracy for accuracy in accuracies if accuracy is not None]
    parameters = {row["parameters"] for row in of_depth.values() if row["parameters"] is not None}
    assert len(parameters) <= 1
    row: dict[str, Any] = {"depth": depth, "mean": None, "low": None, "high": None}
    if known:
        drawn = metrics.Interval(float(np.mean(known)), **_interval(draws[depth]))
        drawn = metrics.unanimous(drawn, groups)  # every seed right on every video still says little of other groups
        row |= {"mean": drawn.value, "low": drawn.low, "high": drawn.high}
    outcomes = [outcome(of_depth.get(seed)) for seed in seeds]
    return row | {"seeds": accuracies, "outcomes": outcomes, "parameters": next(iter(parameters), None)}


def _interval(draws: Draws) -> dict[str, float]:
    low, high = np.quantile(draws, metrics.INTERVAL_QUANTILES)
    return {"low": float(low), "high": float(high)}


def _draws(
    judged: Sequence[dict[str, Any]], depths: Sequence[Depth], groups: dict[str, str], settings: Evaluation
) -> dict[Depth, Draws]:
    """For each depth that was judged, (samples,) accuracies: of groups and of seeds drawn with replacement.

    Videos of one group resemble each other, and so do the trainings' scores on a group that is hard: so all depths
    take the same draws of groups. The seeds of two depths have nothing in common but their number: each depth draws
    its own.
    """
    names = sorted(set(groups.values()))
    sources = sorted(groups)
    of_source = np.searchsorted(names, [groups[source] for source in sources])
    counts = np.bincount(of_source, minlength=len(names))
    samples, seed = settings.bootstrap_samples, settings.bootstrap_seed
    drawn_SG = metrics.draws(len(names), samples, seed)
    found = {}
    for depth in depths:
        correct = [[row["videos"][source] for source in sources] for row in judged if row["depth"] == depth]
        if not correct:
            continue
        sums = np.stack([np.bincount(of_source, right, minlength=len(names)) for right in correct])
        accuracy_SN = (sums[:, drawn_SG].sum(axis=2) / counts[drawn_SG].sum(axis=1)).T
        seeds_SN = np.random.default_rng([seed, KERNEL_DEPTHS.index(depth)]).integers(
            0, len(correct), accuracy_SN.shape
        )
        found[depth] = np.take_along_axis(accuracy_SN, seeds_SN, axis=1).mean(axis=1)
    return found
