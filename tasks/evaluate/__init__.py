"""Stage `evaluate`: one recipe's model and the trivial answers on the same held-out clips, in the same tables.

Every answer is shown the same frames of a clip and judged on the same others; for kind ``reconstruct`` both are all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks import baselines, files, modelio
from tasks.baselines import Answer, Clip, Output, Predict
from tasks.clips import ClipDataset
from tasks.evaluate.examples import examples
from tasks.evaluate.judging import Trial, frame_table, judge
from tasks.params import Recipe
from tasks.scores import answer_rows, frame_curve, source_means, summarise, write_csv

FIT_CLIPS = 1024  # training clips the baselines are fitted on, evenly spaced; all 2,448 of the actions add 0.01 dB
PICTURED = {  # by kind, the baselines whose pictures are kept beside the model's
    "reconstruct": ("patch_pca_chosen",),  # the best linear answer with as many floats as the model
    "interpolate": ("cross_fade", "dis_flow"),
}


def run(name: str, recipe: Recipe, frames: Path, clips: Path, run: Path, out: Path) -> None:
    """Judge the model in the folder `run` on the test split; the folder `out` is written whole or not at all.

    Writes `metrics.json`, `clips.parquet`, `frames.parquet` (the model's frames), `sources.csv`, for plots
    `answers.csv` and `frame_curve.csv`, and `examples.npz` (see `examples`). Equal inputs give equal bytes.

    Raises:
        ValueError: no test or training clip, or a model of another kind, clip shape or data set than the recipe's.
    """
    card = modelio.description_of(run)
    test = ClipDataset(frames, clips, "test")
    trial, model = _model(name, recipe, run, card, test)
    answers = [model, *_baselines(trial, card, frames, clips, recipe.evaluation.batch_clips)]
    per_clip, per_frame = judge(trial, answers, recipe.evaluation.batch_clips)
    with files.replacing_folder(out) as folder:
        per_clip.to_parquet(folder / "clips.parquet", index=False)
        frame_table(per_frame["model"], trial, frames).to_parquet(folder / "frames.parquet", index=False)
        write_csv(source_means(per_clip), folder / "sources.csv")
        mse = {answer: scores["mse"] for answer, scores in per_frame.items()}
        write_csv(frame_curve(mse, trial.outputs), folder / "frame_curve.csv")
        beside = [answer for answer in answers if answer.name in PICTURED[card["kind"]]]
        np.savez(folder / "examples.npz", **examples(trial, per_clip, card["kind"], model, beside))
        identity = {
            "recipe": name,
            "architecture": card["architecture"],
            "variant": str(card["config"].get("variant", "")),
            "kind": card["kind"],
            "dataset": recipe.dataset,
            "inputs": list(trial.inputs),
            "outputs": list(trial.outputs),
            "latent_floats": model.floats,
            "parameters": int(card["parameters"]),
            "evaluation_sha256": test.data_sha256,
            "weights_sha256": files.sha256_of(run / modelio.WEIGHTS),
        }
        result = identity | summarise(per_clip, recipe.evaluation)
        files.write_json(folder / "metrics.json", result)
        write_csv(pd.DataFrame(answer_rows(name, result["answers"])), folder / "answers.csv")


def judge_again(
    predict: Predict,
    weights_sha256: str,
    recipe: Recipe,
    frames: Path,
    clips: Path,
    inputs: Sequence[int] | None = None,
    outputs: Sequence[int] | None = None,
) -> dict[str, Any]:
    """The score of an earlier model on today's test split: what the registry's gate needs of a champion that was
    judged on other clips.

    Args:
        predict: takes the frames at `inputs`; raises ValueError for clips of a shape it does not take.
        inputs, outputs: places in the clip that the model is shown and answers; None: every place.
    """
    test = ClipDataset(frames, clips, "test")
    every = tuple(range(test.shape[0]))
    trial = Trial(test, every if inputs is None else tuple(inputs), every if outputs is None else tuple(outputs))
    per_clip, _ = judge(trial, [Answer("model", None, predict)], recipe.evaluation.batch_clips)
    identity = {"evaluation_sha256": test.data_sha256, "weights_sha256": weights_sha256}
    return identity | summarise(per_clip, recipe.evaluation)


def _model(name: str, recipe: Recipe, run: Path, card: dict[str, Any], test: ClipDataset) -> tuple[Trial, Answer]:
    """What the trained model is asked and its answer, after checking that it belongs to this recipe and these clips."""
    import torch

    if card["kind"] not in PICTURED:
        kinds = " or ".join(repr(kind) for kind in PICTURED)
        raise ValueError(f"recipe {name}: {run} holds a model of kind {card['kind']!r}; evaluate judges kind {kinds}")
    if card["architecture"] != recipe.architecture:
        raise ValueError(f"recipe {name} is {recipe.architecture}, {run} holds {card['architecture']}; train it again")
    if card["dataset"] != recipe.dataset:
        raise ValueError(
            f"recipe {name} is on dataset {recipe.dataset}, {run} was trained on {card['dataset']}; train it again"
        )
    config = card["config"]
    trained = tuple(int(config[key]) for key in ("frames", "height_px", "width_px", "channels"))
    if trained != test.shape:
        raise ValueError(
            f"recipe {name}: {run} takes clips of (T, H, W, C) {trained}, the test clips are {test.shape};"
            " train it again"
        )
    model = modelio.load_run(run)

    def predict(shown_BNHWC: Clip) -> Output:
        with torch.inference_mode():
            output: Output = model.predict(torch.from_numpy(shown_BNHWC)).cpu().numpy()
        if not np.isfinite(output).all():
            raise ValueError(f"recipe {name}: the model in {run} answers NaN or infinite values; train it again")
        return output

    return Trial(test, model.inputs, model.outputs), Answer("model", model.latent_floats, predict)


def _baselines(trial: Trial, card: dict[str, Any], frames: Path, clips: Path, batch_clips: int) -> list[Answer]:
    """The baselines of the model's kind."""
    if card["kind"] == "interpolate":
        return baselines.between(trial.inputs, trial.outputs)
    train = ClipDataset(frames, clips, "train")
    return baselines.fit(lambda: _fit_batches(train, batch_clips), int(card["latent_floats"]))


def _fit_batches(train: ClipDataset, batch_clips: int) -> Iterator[Clip]:
    chosen = np.unique(np.linspace(0, len(train) - 1, min(FIT_CLIPS, len(train))).round().astype(np.int64))
    for start in range(0, len(chosen), batch_clips):
        yield train.clips(chosen[start : start + batch_clips])
