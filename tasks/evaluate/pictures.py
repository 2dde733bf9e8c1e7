"""Judging models that answer with frames: kinds ``reconstruct`` and ``interpolate``.

Every answer is shown the same frames of a clip and judged on the same others; for kind ``reconstruct`` both are all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tasks import baselines
from tasks.baselines import Answer, Clip, Output, Predict
from tasks.clips import ClipDataset
from tasks.evaluate.examples import examples
from tasks.evaluate.judging import Trial, frame_table, judge
from tasks.evaluate.subject import Subject
from tasks.params import Evaluation
from tasks.scores import frame_curve, source_means, summarise, write_csv

FIT_CLIPS = 1024  # training clips the baselines are fitted on, evenly spaced; all 2,448 of the actions add 0.01 dB
PICTURED = {  # by kind, the baselines whose pictures are kept beside the model's
    "reconstruct": ("patch_pca_chosen",),  # the best linear answer with as many floats as the model
    "interpolate": ("cross_fade", "dis_flow"),
}


def evaluate(subject: Subject, folder: Path) -> dict[str, Any]:
    """Write `clips.parquet`, `frames.parquet` (the model's frames), `sources.csv`, `frame_curve.csv` and
    `examples.npz` (see `examples`); return this kind's part of `metrics.json`."""
    trial = Trial(subject.test, subject.model.inputs, subject.model.outputs)
    model = Answer("model", subject.model.latent_floats, _predict(subject))
    answers = [model, *_baselines(trial, subject)]
    per_clip, per_frame = judge(trial, answers, subject.recipe.evaluation.batch_clips)
    per_clip.to_parquet(folder / "clips.parquet", index=False)
    frame_table(per_frame["model"], trial, subject.frames).to_parquet(folder / "frames.parquet", index=False)
    write_csv(source_means(per_clip), folder / "sources.csv")
    mse = {answer: scores["mse"] for answer, scores in per_frame.items()}
    write_csv(frame_curve(mse, trial.outputs), folder / "frame_curve.csv")
    beside = [answer for answer in answers if answer.name in PICTURED[subject.kind]]
    np.savez(folder / "examples.npz", **examples(trial, per_clip, subject.kind, model, beside))
    return summarise(per_clip, subject.recipe.evaluation)


def judge_again(
    predict: Predict,
    settings: Evaluation,
    test: ClipDataset,
    inputs: Sequence[int] | None,
    outputs: Sequence[int] | None,
) -> dict[str, Any]:
    """The same part of `metrics.json` for the model alone; `inputs` and `outputs` None: every place."""
    every = tuple(range(test.shape[0]))
    trial = Trial(test, every if inputs is None else tuple(inputs), every if outputs is None else tuple(outputs))
    per_clip, _ = judge(trial, [Answer("model", None, predict)], settings.batch_clips)
    return summarise(per_clip, settings)


def _predict(subject: Subject) -> Predict:
    import torch

    def predict(shown_BNHWC: Clip) -> Output:
        with torch.inference_mode():
            output: Output = subject.model.predict(torch.from_numpy(shown_BNHWC)).cpu().numpy()
        if not np.isfinite(output).all():
            raise ValueError(
                f"recipe {subject.name}: the model in {subject.run} answers NaN or infinite values; train it again"
            )
        return output

    return predict


def _baselines(trial: Trial, subject: Subject) -> list[Answer]:
    """The baselines of the model's kind."""
    if subject.kind == "interpolate":
        return baselines.between(trial.inputs, trial.outputs)
    train = ClipDataset(subject.frames, subject.clips, "train")
    batch_clips = subject.recipe.evaluation.batch_clips
    return baselines.fit(lambda: _fit_batches(train, batch_clips), int(subject.card["latent_floats"]))


def _fit_batches(train: ClipDataset, batch_clips: int) -> Iterator[Clip]:
    chosen = np.unique(np.linspace(0, len(train) - 1, min(FIT_CLIPS, len(train))).round().astype(np.int64))
    for start in range(0, len(chosen), batch_clips):
        yield train.clips(chosen[start : start + batch_clips])
