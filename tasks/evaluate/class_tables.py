"""The tables of an evaluation of kind ``classify``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tasks import classification
from tasks.baselines import VideoAnswer
from tasks.clips import ClipDataset
from tasks.evaluate.videos import Videos
from tasks.metrics import Interval, bootstrap, bootstrap_share
from tasks.paired import by_group
from tasks.params import Evaluation
from tasks.scores import OF_THE_MODEL, intervals_about

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Classes = NDArray[np.int64]

NONE = Interval(None, None, None)


@dataclass(frozen=True)
class Judgement:
    """What was asked and what was answered.

    Attributes:
        videos: of the test split, with the model's mean `probabilities`.
        probabilities: the model's, clip by clip in the order of the manifest, (n, K).
        others: what stands beside the model: the SVM on its descriptor, if it has one, and the baselines.
    """

    test: ClipDataset
    videos: Videos
    probabilities: Floats
    others: Sequence[VideoAnswer]

    @property
    def model(self) -> VideoAnswer:
        return VideoAnswer("model", None, self.videos.means["probabilities"].argmax(axis=1))

    @property
    def answers(self) -> list[VideoAnswer]:
        return [self.model, *self.others]

    @property
    def clip_labels(self) -> Classes:
        return np.array([self.test.labels.index(label) for label in self.test.table["label"]], np.int64)

    def video_table(self) -> pd.DataFrame:
        """One row a video and answer, answer by answer."""
        import pandas as pd

        names, videos = np.array(self.test.labels, object), self.videos
        about = {"source": videos.source, "group": videos.group, "label": names[videos.label]}
        sure, parts = videos.means["probabilities"].max(axis=1), []
        for answer in self.answers:
            said = {"answer": answer.name, "clips": videos.clips, "predicted": names[answer.predicted]}
            confidence = sure if answer.name == "model" else np.full(len(sure), np.nan)
            right = answer.predicted == videos.label
            parts.append(pd.DataFrame(about | said | {"confidence": confidence, "correct": right}))
        return pd.concat(parts).reset_index(drop=True)

    def clip_table(self) -> pd.DataFrame:
        """One row a clip of the model; `probabilities` in the order of the labels."""
        names, predicted = np.array(self.test.labels, object), self.probabilities.argmax(axis=1)
        columns = ["clip", "source", "group", "label", "first_frame", "first_seconds"]
        return (
            self.test.table[columns]
            .reset_index(drop=True)
            .astype({"group": str})
            .assign(
                answer="model",
                predicted=names[predicted],
                confidence=self.probabilities.max(axis=1),
                correct=predicted == self.clip_labels,
                probabilities=self.probabilities.tolist(),
            )
        )

    def source_table(self) -> pd.DataFrame:
        """`video_table`, the video with the smallest probability of its true class first."""
        table = self.video_table()
        columns = ["source", "group", "label", "answer", "clips", "predicted", "correct", "confidence"]
        true = self.videos.means["probabilities"][np.arange(len(self.videos.label)), self.videos.label]
        rank = table["source"].map(dict(zip(self.videos.source, true, strict=True)))
        return table.assign(rank=rank).sort_values(["rank", "source"], kind="stable")[columns]

    def confusion_table(self) -> pd.DataFrame:
        """One row a pair of true and predicted class, of the model, and how many videos and clips it counts."""
        import pandas as pd

        labels = self.test.labels
        of_videos = classification.confusion(self.videos.label, self.model.predicted, len(labels))
        of_clips = classification.confusion(self.clip_labels, self.probabilities.argmax(axis=1), len(labels))
        pairs = {"label": np.repeat(labels, len(labels)), "predicted": labels * len(labels)}
        return pd.DataFrame(pairs | {"videos": of_videos.ravel(), "clips": of_clips.ravel()})

    def recall_table(self, settings: Evaluation) -> pd.DataFrame:
        videos = self.videos
        drawn = {"samples": settings.bootstrap_samples, "seed": settings.bootstrap_seed}
        return classification.recalls(videos.label, self.model.predicted, videos.group, self.test.labels, **drawn)

    def calibration_table(self) -> pd.DataFrame:
        import pandas as pd

        parts = [pd.DataFrame(bins).assign(level=level) for level, bins in self._calibration().items()]
        return pd.concat(parts)[["level", "low", "high", "count", "confidence", "accuracy"]]

    def _calibration(self) -> dict[str, list[dict[str, Any]]]:
        levels = {
            "clip": (self.probabilities, self.clip_labels),
            "video": (self.videos.means["probabilities"], self.videos.label),
        }
        return {
            level: classification.calibration(sure.max(axis=1), sure.argmax(axis=1) == label)
            for level, (sure, label) in levels.items()
        }

    def summary(self, settings: Evaluation) -> dict[str, Any]:
        """The part of `metrics.json` that follows from the answers.

        Gains are over the baselines: the SVM on the model's descriptor is the model's other answer, not one of them.
        """
        groups, right = self.videos.group, self.model.predicted == self.videos.label

        def interval(values: Any) -> dict[str, float | None]:
            drawn = bootstrap(values, groups, samples=settings.bootstrap_samples, seed=settings.bootstrap_seed)
            return drawn.as_dict()

        answers = {answer.name: self._scores(answer, settings) for answer in self.answers}
        baselines = [answer for answer in self.others if answer.name not in OF_THE_MODEL]
        better = {b.name: right.astype(float) - (b.predicted == self.videos.label) for b in baselines}
        errors = {k: classification.expected_calibration_error(bins) for k, bins in self._calibration().items()}
        return {
            "labels": self.test.labels,
            "clips": len(self.test),
            "videos": len(self.videos.source),
            "groups": sorted(set(groups)),
            "chance": 1.0 / len(self.test.labels),
            "intervals": intervals_about("videos", groups, settings, shares=True),
            "primary": {"metric": "video_accuracy", "higher_is_better": True, **answers["model"]["video_accuracy"]},
            "primary_by_group": by_group(right, groups),
            "answers": answers,
            "gains": {name: {"video_accuracy": interval(values)} for name, values in better.items()},
            "svm_c": {answer.name: answer.svm_c for answer in self.others if answer.svm_c is not None},
            "calibration": {"expected_error": errors},
        }

    def _scores(self, answer: VideoAnswer, settings: Evaluation) -> dict[str, Any]:
        """`classification.METRICS` of one answer; the loss is that of a video's mean probabilities."""
        videos, drawn = self.videos, {"samples": settings.bootstrap_samples, "seed": settings.bootstrap_seed}
        found = dict.fromkeys(classification.METRICS, NONE)
        found["video_accuracy"] = bootstrap_share(answer.predicted == videos.label, videos.group, **drawn)
        found["mean_recall"] = classification.mean_recall(
            videos.label, answer.predicted, videos.group, len(self.test.labels), **drawn
        )
        if answer.name == "model":
            right = self.probabilities.argmax(axis=1) == self.clip_labels
            of_clip = self.test.table["group"].astype(str).tolist()
            found["clip_accuracy"] = bootstrap_share(right, of_clip, **drawn)
            loss = classification.log_loss(videos.means["probabilities"], videos.label)
            found["log_loss"] = bootstrap(loss, videos.group, **drawn)
        return {"floats": answer.floats} | {metric: score.as_dict() for metric, score in found.items()}
