"""How the report speaks of each kind of model: its metrics with their units and digits, and the names of its answers.

A page, a chart or a sentence that tells a figure asks here how it is written; no other module of the report knows one
metric's unit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from tasks.scores import DESCRIPTOR_SVM

ANSWERS = {
    "model": "This model",
    DESCRIPTOR_SVM: "Its descriptor, linear SVM",
    "train_mean_frame": "Mean training frame",
    "clip_mean_frame": "Clip's mean frame",
    "frame_pca": "Frame PCA",
    "patch_pca": "Patch PCA, equal",
    "patch_pca_chosen": "Patch PCA, chosen",
    "nearest_copy": "Nearest copy",
    "cross_fade": "Cross-fade",
    "dis_flow": "DIS flow",
    "majority_class": "Majority class",
    "mean_frame_svm": "Mean frame, linear SVM",
    "difference_energy_svm": "Difference energy, linear SVM",
    "training_mean": "Training mean",
    "frames_ridge": "Mean frame features, ridge",
    "pace_ridge": "Cut rate, light, motion, ridge",
}
IN_A_SENTENCE = {
    DESCRIPTOR_SVM: "the linear SVM on its descriptor",
    "train_mean_frame": "the mean training frame",
    "clip_mean_frame": "the clip's mean frame",
    "frame_pca": "frame PCA",
    "patch_pca": "patch PCA with equal components",
    "patch_pca_chosen": "patch PCA with chosen components",
    "nearest_copy": "the nearest copy",
    "cross_fade": "the cross-fade",
    "dis_flow": "DIS flow",
    "majority_class": "the majority class",
    "mean_frame_svm": "the linear SVM on the mean frame",
    "difference_energy_svm": "the linear SVM on difference energy",
    "training_mean": "the training mean",
    "frames_ridge": "the ridge on mean frame features",
    "pace_ridge": "the ridge on cut rate, light and motion",
}
ARCHITECTURES = {
    "conv3d_autoencoder": "3-D CNN", "gru_autoencoder": "GRU", "pix2pix": "pix2pix", "c3d": "C3D", "lrcn": "LRCN",
}  # fmt: skip
CLASSIFIERS = ("c3d",)  # what a recipe of these is for can be said before it is trained
LINEAR = "patch_pca_chosen"


def decimal(value: float | None, digits: int, sign: bool = False) -> str:
    """A figure with a true minus sign; an en dash where there is none."""
    if value is None or not math.isfinite(float(value)):
        return "–"
    return f"{float(value):{'+' if sign else ''},.{digits}f}".replace("-", "−")


@dataclass(frozen=True)
class Measure:
    """One metric: where it stands in metrics.json and how people read it."""

    key: str
    name: str  # as the heading of a column
    unit: str = ""
    digits: int = 2
    factor: float = 1.0  # a value in metrics.json times this is in `unit`
    apart: str | None = None  # the unit of a difference, where it is another
    best: Literal["highest", "lowest", "nearest to one"] = "highest"

    def number(self, value: float | None, sign: bool = False) -> str:
        return decimal(None if value is None else value * self.factor, self.digits, sign)

    def told(self, value: float) -> str:
        """With its unit: 31.25 dB, 96.4%."""
        return self.number(value) + ("%" if self.unit == "%" else f" {self.unit}".rstrip())

    def gap(self, value: float, sign: bool = False) -> str:
        """A difference of two values with its unit: 0.50 dB, 23.1 points."""
        return f"{self.number(value, sign)} {self.gap_unit}"

    @property
    def gap_unit(self) -> str:
        return self.apart or self.unit

    def span(self, interval: dict[str, Any]) -> str:
        return f"{self.number(interval['low'])} to {self.number(interval['high'])}"

    def cost(self, value: float) -> float:
        """The lower the better."""
        if self.best == "nearest to one":
            return abs(math.log(max(value, 1e-9)))
        return value if self.best == "lowest" else -value

    @property
    def worse_side(self) -> str:
        """Where what is worse lies."""
        return "above" if self.best == "lowest" else "below"

    @property
    def better_side(self) -> str:
        return "below" if self.best == "lowest" else "above"


PSNR = Measure("psnr_db", "PSNR", "dB")
MOVING = Measure("psnr_moving_db", "Moving", "dB")
STILL = Measure("psnr_still_db", "Still", "dB")
SSIM = Measure("ssim", "SSIM", digits=3)
MSE = Measure("mse", "MSE", "× 10⁻³", factor=1e3, best="lowest")
SHARPNESS = Measure("sharpness_ratio", "Sharpness", best="nearest to one")
FLICKER = Measure("flicker", "Flicker", "× 10⁻³", factor=1e3, best="lowest")


def _share(key: str, name: str) -> Measure:
    return Measure(key, name, "%", digits=1, factor=100.0, apart="points")


VIDEO_ACCURACY = _share("video_accuracy", "Video accuracy")
CLIP_ACCURACY = _share("clip_accuracy", "Clip accuracy")
MEAN_RECALL = _share("mean_recall", "Mean recall")
RECALL = _share("recall", "Recall")
PRECISION = _share("precision", "Precision")
CONFIDENCE = _share("confidence", "Confidence")
CALIBRATION_ERROR = _share("expected_error", "Calibration error")
LOG_LOSS = Measure("log_loss", "Log loss", "nats", best="lowest")
RATING_MSE = Measure("mse", "MSE", "points²", best="lowest")
RATING_MAE = Measure("mae", "MAE", "points", best="lowest")
SPEARMAN = Measure("spearman", "Spearman")
R2 = Measure("r2", "R²")
RATING = Measure("score", "Rating", "points")


@dataclass(frozen=True)
class Kind:
    """How the pages speak of one kind of model."""

    does: str  # what such a model is for, in words
    primary: Measure
    ranged: tuple[Measure, ...]  # columns of the index with intervals; `plain` ones have none
    plain: tuple[Measure, ...]
    all: tuple[Measure, ...]  # columns of a recipe's own page
    gained: tuple[tuple[Measure, str], ...]  # rows of a chart of gains; the first is named after whom it is about
    floats: tuple[str, str] | None  # heading of the column of how much an answer is told or tells
    items: str  # what the primary metric is a mean over, and intervals are paired by
    item: str  # the column that tells one item from another
    heading: str  # of the chart of all answers
    rival: str | None = None  # the baseline that gains are told over; None: the strongest
    validation: Measure | None = None  # `validation_<key>` in history.csv
    truth: str = ""  # the name of what an answer is compared with
    pictured: tuple[str, ...] = ()  # the baselines whose answers `examples.npz` holds, as `answer_<name>`
    errors: bool = False  # are the errors of those drawn too
    curve: tuple[str, ...] = ()  # the answers in the chart over a clip's frames


_ON_PIXELS = ((PSNR, ""), (MOVING, "moving"), (STILL, "still"))

KINDS = {
    "reconstruct": Kind(
        does="rebuilding clips",
        primary=PSNR,
        ranged=(PSNR, MOVING, STILL),
        plain=(SSIM, SHARPNESS),
        all=(PSNR, MOVING, STILL, SSIM, MSE, SHARPNESS),
        gained=_ON_PIXELS,
        floats=("Floats", "a clip"),
        items="clips",
        item="clip",
        heading="Reconstruction of unseen clips",
        rival=LINEAR,
        validation=PSNR,
        truth="Input",
        pictured=(LINEAR,),
        curve=("model", LINEAR, "clip_mean_frame"),
    ),
    "interpolate": Kind(
        does="answering missing frames",
        primary=PSNR,
        ranged=(PSNR, MOVING, STILL),
        plain=(SSIM, SHARPNESS, FLICKER),
        all=(PSNR, MOVING, STILL, SSIM, SHARPNESS, FLICKER),
        gained=_ON_PIXELS,
        floats=None,
        items="clips",
        item="clip",
        heading="The missing frames of unseen clips",
        validation=PSNR,
        truth="Truth",
        pictured=("cross_fade", "dis_flow"),
        errors=True,
        curve=("model", "dis_flow", "cross_fade", "nearest_copy"),
    ),
    "classify": Kind(
        does="naming classes",
        primary=VIDEO_ACCURACY,
        ranged=(VIDEO_ACCURACY, CLIP_ACCURACY, MEAN_RECALL),
        plain=(),
        all=(VIDEO_ACCURACY, CLIP_ACCURACY, MEAN_RECALL, LOG_LOSS),
        gained=((VIDEO_ACCURACY, ""),),
        floats=("Features", "floats"),
        items="videos",
        item="source",
        heading="Unseen videos named rightly",
        validation=Measure("accuracy", "Accuracy", "%", digits=1, factor=100.0),
    ),
    "regress": Kind(
        does="rating films",
        primary=RATING_MSE,
        ranged=(RATING_MSE, RATING_MAE),
        plain=(SPEARMAN, R2),
        all=(RATING_MSE, RATING_MAE, SPEARMAN, R2),
        gained=((RATING_MSE, ""),),
        floats=("Features", "floats"),
        items="films",
        item="film",
        heading="Error on unseen films",
        validation=RATING_MSE,
    ),
}


def kind_of(result: dict[str, Any]) -> Kind:
    """The kind of an evaluation's metrics.json."""
    return KINDS[result["kind"]]
