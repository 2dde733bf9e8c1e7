"""Judging models that answer with a class: kind ``classify``.

A video is a source. Its class is the likeliest by the mean of the probabilities of its clips; the baselines and the
linear SVM on the model's own descriptor answer whole videos. What is fitted is fitted on training videos only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks import baselines, svm
from tasks.baselines import Clip, Predict, Seen, VideoAnswer
from tasks.clips import ClipDataset
from tasks.evaluate import embedding, videos
from tasks.evaluate.asking import accelerated, asked, finite
from tasks.evaluate.class_examples import examples
from tasks.evaluate.class_tables import Judgement
from tasks.evaluate.subject import Subject, check_labels
from tasks.evaluate.videos import Measure, Values, Videos
from tasks.params import Evaluation
from tasks.scores import DESCRIPTOR_SVM, write_csv


def evaluate(subject: Subject, folder: Path) -> dict[str, Any]:
    """Write the tables; return this kind's part of `metrics.json`.

    ==================  ==========================================================================================
    videos.parquet      a row a video and answer; `confidence` is empty where an answer has none
    clips.parquet       a row a clip of the model, with the `probabilities` in the order of the labels
    sources.csv         as videos.parquet, the video with the smallest probability of its true class first
    confusion.csv       a row a pair of true and predicted class, of the model
    recalls.csv         a row a class, of the model: see `classification.recalls`
    calibration.csv     a row a bin, of the model's clips and videos: see `classification.calibration`
    compactness.csv     accuracy of a linear SVM after PCA: see `embedding.compactness`
    tsne.csv            a row a video, placed by its descriptor: see `embedding.scatter`
    examples.npz        see `class_examples.examples`
    ==================  ==========================================================================================

    Raises:
        ValueError: fewer than two classes, training videos of one class only, or a model that answers NaN.
    """
    settings, test = subject.recipe.evaluation, subject.test
    labels = _labels(test)
    train = ClipDataset(subject.frames, subject.clips, "train")
    answer, about = _measures(subject, len(labels))
    with accelerated(subject.model):
        learned = videos.described(videos.of_training(train, about, settings.batch_clips))
        seen, probabilities = videos.of_test(test, answer, about, settings.batch_clips)
    seen = videos.described(seen)
    answers = [*_of_descriptor(learned, seen), *baselines.of_videos(_seen(learned), _seen(seen))]
    judged = Judgement(test, seen, probabilities, answers)

    per_video, per_clip = judged.video_table(), judged.clip_table()
    per_video.to_parquet(folder / "videos.parquet", index=False)
    per_clip.to_parquet(folder / "clips.parquet", index=False)
    write_csv(judged.source_table(), folder / "sources.csv")
    write_csv(judged.confusion_table(), folder / "confusion.csv")
    write_csv(judged.recall_table(settings), folder / "recalls.csv")
    write_csv(judged.calibration_table(), folder / "calibration.csv")
    write_csv(embedding.compactness(learned, seen, settings), folder / "compactness.csv")
    write_csv(embedding.scatter(seen, per_video), folder / "tsne.csv")
    np.savez(folder / "examples.npz", **examples(subject, per_clip, per_video))
    descriptor = seen.means.get("descriptor")
    return judged.summary(settings) | {
        "descriptor_floats": None if descriptor is None else descriptor.shape[1],
        "warnings": subject.summary.get("warnings", []),
    }


def judge_again(predict: Predict, settings: Evaluation, test: ClipDataset, labels: list[str]) -> dict[str, Any]:
    """The same part of `metrics.json` for the model alone, without gains.

    Raises:
        ValueError: the model's classes are not those of the clips, in the same order.
    """
    check_labels(labels, _labels(test), "the earlier model", "it cannot be judged on these clips")

    def answer(clip_BTHWC: Clip) -> Values:
        return {"probabilities": _probabilities(predict(clip_BTHWC), len(clip_BTHWC), len(labels), "the earlier model")}

    seen, probabilities = videos.of_test(test, answer, None, settings.batch_clips)
    return Judgement(test, seen, probabilities, []).summary(settings)


def _labels(test: ClipDataset) -> list[str]:
    if len(test.labels) < 2:
        raise ValueError(
            f"the clips are all of one class ({', '.join(test.labels)}); sort the footage into two or more folders,"
            " and set label: folder"
        )
    return test.labels


def _measures(subject: Subject, classes: int) -> tuple[Measure, Measure]:
    """What is asked of a clip that names its video, and of one that only describes it (see `videos.of_test`)."""
    whose = f"recipe {subject.name}: the model in {subject.run}"
    model, describes = subject.model, hasattr(subject.model, "describe")

    def about(clip_BTHWC: Clip) -> Values:
        values = videos.pixels(clip_BTHWC)
        if describes:
            values["descriptor"] = finite(asked(model, "describe", clip_BTHWC)[0], whose)
        return values

    def answer(clip_BTHWC: Clip) -> Values:
        if describes and hasattr(model, "answer_and_describe"):
            answered, descriptor = asked(model, "answer_and_describe", clip_BTHWC)
            values = videos.pixels(clip_BTHWC) | {"descriptor": finite(descriptor, whose)}
        else:
            (answered,), values = asked(model, "predict", clip_BTHWC), about(clip_BTHWC)
        return values | {"probabilities": _probabilities(answered, len(clip_BTHWC), classes, whose)}

    return answer, about


def _probabilities(answered: NDArray[Any], clips: int, classes: int, whose: str) -> NDArray[Any]:
    if finite(answered, whose).shape != (clips, classes):
        raise ValueError(f"{whose} answers {answered.shape} for {clips} clips of {classes} classes")
    return answered


def _seen(of: Videos) -> Seen:
    return Seen(of.means, of.label, of.group)


def _of_descriptor(train: Videos, test: Videos) -> list[VideoAnswer]:
    if "descriptor" not in test.means:
        return []
    one, other = train.means["descriptor"], test.means["descriptor"]
    predicted, c = svm.fit_predict(one, train.label, train.group, other)
    return [VideoAnswer(DESCRIPTOR_SVM, one.shape[1], predicted, c)]
