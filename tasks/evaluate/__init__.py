"""Stage `evaluate`: one recipe's model and the trivial answers on the same held-out clips, in the same tables.

`pictures` judges the kinds that answer with frames, `classes` kind ``classify``, `ratings` kind ``regress``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from tasks import files, modelio
from tasks.baselines import Predict
from tasks.clips import ClipDataset
from tasks.evaluate import classes, pictures, ratings, subject
from tasks.params import Recipe
from tasks.scores import answer_rows, write_csv


def run(name: str, recipe: Recipe, frames: Path, clips: Path, run: Path, out: Path) -> None:
    """Judge the model in the folder `run` on the test split; the folder `out` is written whole or not at all.

    Writes `metrics.json`, for plots `answers.csv`, and the tables of the model's kind: see `pictures.evaluate`,
    `classes.evaluate` and `ratings.evaluate`. Equal inputs give equal bytes.

    Raises:
        ValueError: no test or training clip, a model of another kind, clip shape, data set or classes than the
            recipe's, or clips without the scores that it is to tell.
    """
    judged = subject.load(name, recipe, frames, clips, run)
    model, card = judged.model, judged.card
    identity = {
        "recipe": name,
        "architecture": card["architecture"],
        "variant": str(card["config"].get("variant", "")),
        "kind": card["kind"],
        "dataset": recipe.dataset,
        "inputs": list(model.inputs),
        "outputs": list(model.outputs),
        "latent_floats": model.latent_floats,
        "parameters": int(card["parameters"]),
        "evaluation_sha256": judged.test.data_sha256,
        "weights_sha256": files.sha256_of(run / modelio.WEIGHTS),
    }
    evaluate = {"classify": classes.evaluate, "regress": ratings.evaluate}.get(card["kind"], pictures.evaluate)
    with files.replacing_folder(out) as folder:
        result = identity | evaluate(judged, folder)
        files.write_json(folder / "metrics.json", result)
        write_csv(pd.DataFrame(answer_rows(name, result["answers"])), folder / "answers.csv")


def judge_again(
    predict: Predict,
    kind: str,
    weights_sha256: str,
    recipe: Recipe,
    frames: Path,
    clips: Path,
    inputs: Sequence[int] | None = None,
    outputs: Sequence[int] | None = None,
    labels: Sequence[str] | None = None,
) -> dict[str, Any]:
    """The score of an earlier model on today's test split: what the registry's gate needs of a champion that was
    judged on other clips.

    Args:
        predict: takes the frames at `inputs`; raises ValueError for clips of a shape it does not take.
        kind: the model's.
        inputs, outputs: places in the clip that the model is shown and answers; None: every place.
        labels: of kind ``classify``, whose `predict` gives probabilities (B, classes): the model's classes, in order.

    Raises:
        ValueError: `labels` are not the classes of today's clips, in the same order, or those have no scores.
    """
    test = ClipDataset(frames, clips, "test")
    identity = {"evaluation_sha256": test.data_sha256, "weights_sha256": weights_sha256}
    if kind == "classify":
        return identity | classes.judge_again(predict, recipe.evaluation, test, list(labels or []))
    if kind == "regress":
        return identity | ratings.judge_again(predict, recipe.evaluation, test)
    return identity | pictures.judge_again(predict, recipe.evaluation, test, inputs, outputs)
