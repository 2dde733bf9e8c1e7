"""What stands on the page of a model that names classes: what it takes for what, how sure it may be, how compact its
descriptor is, what it looks at; and this kind's part of the index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from tasks import pictures
from tasks.report import charts, class_charts, confusion, scatter
from tasks.report.kinds import (
    CALIBRATION_ERROR,
    CLIP_ACCURACY,
    CONFIDENCE,
    IN_A_SENTENCE,
    MEAN_RECALL,
    PRECISION,
    RECALL,
    VIDEO_ACCURACY,
)
from tasks.report.pages import fact, picture_row, training_facts
from tasks.report.questions import image_only
from tasks.report.results import Result
from tasks.report.verdicts import gain_told, of_the_descriptor, outcome, undecided
from tasks.scores import DESCRIPTOR_SVM

if TYPE_CHECKING:
    import pandas as pd

CLASSES_SHOWN = 12  # clips of so many classes on the index
FEATURES = {"descriptor": "this model's descriptor", "raw_pixels": "raw pixels (the mean frame)"}
SINGLE_FRAME = "mean_frame_svm"


def part(result: Result, beside: Sequence[Result], scale: float, strips: int) -> dict[str, Any]:
    """The values that only this kind's template reads."""
    assert result.metrics is not None
    assert result.videos is not None
    descriptor = of_the_descriptor(result.videos, result.recipe.evaluation)
    confused = confusion.part(result)
    return {
        "facts": _facts(result),
        "warnings": result.metrics["warnings"],
        "own_verdicts": [descriptor] if descriptor else [],
        "chance": result.metrics["chance"],
        "confusion": confused,
        "recalls": _recalls(result.tables["recalls"], confused["own"]),
        "calibration": list(_calibration(result)),
        "compactness": _compactness(result, beside),
        "map": _map(result),
        "seen": list(_seen(result)),
    }


def _facts(result: Result) -> list[dict[str, Any]]:
    assert result.metrics is not None
    answers, facts = result.metrics["answers"], []
    told = [("model", m) for m in (VIDEO_ACCURACY, CLIP_ACCURACY, MEAN_RECALL)] + [(DESCRIPTOR_SVM, VIDEO_ACCURACY)]
    for answer, measure in told:
        if answer in answers:
            found = answers[answer][measure.key]
            name = measure.name if answer == "model" else "Descriptor, SVM"
            facts.append(fact(name, measure.told(found["value"]), measure.span(found)))
    classes = f"{len(result.metrics['labels'])} classes"
    facts.append(fact("Chance", VIDEO_ACCURACY.told(result.metrics["chance"]), classes))
    if result.metrics["descriptor_floats"] is not None:
        facts.append(fact("Descriptor", f"{result.metrics['descriptor_floats']:,}", "floats"))
    facts.append(fact("Parameters", f"{result.metrics['parameters']:,}"))
    return facts + training_facts(result)


def _recalls(table: pd.DataFrame, links: dict[str, str]) -> list[dict[str, Any]]:
    """One row a class, the one least often found first; classes without a held-out video last.

    Args:
        links: to the videos of a class that are named rightly.
    """
    rows = []
    for row in table.sort_values(["recall", "label"], kind="stable").to_dict("records"):
        interval = {key: None if np.isnan(row[key]) else row[key] for key in ("recall", "low", "high", "precision")}
        told = f"{row['label']}: recall {RECALL.number(interval['recall'])}%"
        bar = class_charts.share_bar(interval["recall"], interval["low"], interval["high"], title=told)
        shown = {"label": row["label"], "href": links.get(row["label"]), "videos": int(row["videos"]), "bar": bar}
        shown["recall"] = {"value": interval["recall"], "low": interval["low"], "high": interval["high"]}
        told = f"{row['label']}: precision {PRECISION.number(interval['precision'])}%"
        shown["precision"] = {"value": interval["precision"], "low": None, "high": None}
        shown["precision_bar"] = class_charts.share_bar(interval["precision"], None, None, title=told)
        rows.append(shown)
    return rows


def _calibration(result: Result) -> Iterator[dict[str, Any]]:
    """A reliability diagram of the clips and one of the videos."""
    assert result.metrics is not None
    table = result.tables["calibration"]
    for level, name in (("video", "Videos"), ("clip", "Clips")):
        bins = [{str(k): v for k, v in row.items()} for row in table[table["level"] == level].to_dict("records")]
        error = result.metrics["calibration"]["expected_error"][level]
        chart = class_charts.reliability(bins, title=f"{name}: accuracy by confidence")
        yield {"name": name, "error": CALIBRATION_ERROR.gap(error), "chart": chart}


def _compactness(result: Result, beside: Sequence[Result]) -> dict[str, Any] | None:
    """Accuracy of a linear SVM by how many principal components it is given."""
    table = result.tables.get("compactness")
    if table is None or table.empty:
        return None
    parts = [(FEATURES.get(str(name), str(name)), rows) for name, rows in table.groupby("features", sort=False)]
    flat = _image_only(result, beside)
    if flat is not None:
        rows = flat.tables["compactness"]
        parts.append((f"descriptor of {flat.name}, image-only", rows[rows["features"] == "descriptor"]))
    parts = [(name, rows) for name, rows in parts if len(rows)]
    lines = []
    for name, rows in parts:
        y, low, high = ((rows[k] * VIDEO_ACCURACY.factor).tolist() for k in ("video_accuracy", "low", "high"))
        lines.append(charts.Line(name, rows["dimensions"].tolist(), y, low, high))
    label = f"{VIDEO_ACCURACY.name} of a linear SVM, %; shaded: 95% intervals"
    title = "Video accuracy by PCA dimension"
    chart = charts.line_chart(lines, x_label="PCA dimensions", y_label=label, title=title, log_x=True)
    return {"chart": chart, "image_only": flat.name if flat else None}


def _image_only(result: Result, beside: Sequence[Result]) -> Result | None:
    """The network beside this one whose kernels see one frame at a time, judged on the same videos."""
    assert result.metrics is not None
    for other in beside:
        if other is not result and other.metrics and image_only(other.config) and "compactness" in other.tables:
            alike = other.recipe.architecture == result.recipe.architecture
            if alike and other.metrics["evaluation_sha256"] == result.metrics["evaluation_sha256"]:
                return other
    return None


def _map(result: Result) -> dict[str, Any] | None:
    """The held-out videos laid out by their descriptors."""
    assert result.metrics is not None
    table = result.tables.get("tsne")
    if table is None or table.empty:
        return None
    shown, labels = confusion.thumbnails(result), result.metrics["labels"]
    spots = []
    for row in table.to_dict("records"):
        uri, aspect = shown.get(row["source"], (None, 1.0))
        spots.append(scatter.Spot(row["source"], row["label"], row["predicted"], row["x"], row["y"], uri, aspect))
    counts = {str(label): int(n) for label, n in table["label"].value_counts().items()}
    chart = scatter.scatter(spots, labels, title=f"{len(spots)} held-out videos by their descriptors, t-SNE")
    return {"chart": chart, "legend": scatter.legend(labels, counts), "wrong": sum(s.wrong for s in spots)}


def _seen(result: Result) -> Iterator[dict[str, Any]]:
    """The chosen clips, what of them moves the answer, and when."""
    examples = result.examples
    if examples is None or "saliency" not in examples:
        return
    for number in np.argsort(examples["role"] == "right", kind="stable"):  # wrong ones first
        label, predicted = str(examples["label"][number]), str(examples["predicted"][number])
        right = label == predicted
        frames, saliency = examples["frames"][number], examples["saliency"][number]
        at = pictures.shown_frames(len(frames), pictures.LONG_STRIP_FRAMES)
        heat = np.stack([pictures.heat(frames[t], saliency[t]) for t in at])
        over_time = examples["saliency_over_time"][number]
        sure = CONFIDENCE.told(float(examples["confidence"][number]))
        yield {
            "right": right,
            "title": label,
            "verdict": f"named rightly, {sure} sure" if right else f"taken for {predicted}, {sure} sure",
            "detail": str(examples["source"][number]),
            "rows": [
                picture_row("Clip", pictures.strip(frames[at]), len(at), photograph=True),
                picture_row("Looked at", pictures.strip(heat), len(at), photograph=True),
            ],
            "moments": class_charts.moments(over_time, title=f"Saliency by frame of {label}"),
        }


def question(results: Sequence[Result], said: Sequence[str]) -> dict[str, Any] | None:
    """Whether the recipes of one dataset use time: beside their image-only network, and beside a single frame.

    Args:
        said: the sentences of the comparisons with image-only networks.
    """
    lines = list(said)
    for r in results:
        if r.metrics and SINGLE_FRAME in r.metrics["gains"] and not image_only(r.config):
            gain = r.metrics["gains"][SINGLE_FRAME][VIDEO_ACCURACY.key]
            by, groups = VIDEO_ACCURACY.gap(abs(gain["value"])), len(r.metrics["groups"])
            verb = {
                "better": f"names {by} more of the videos rightly than",
                "worse": f"names {by} fewer of the videos rightly than",
                "open": f"is not shown to beat ({undecided(gain, VIDEO_ACCURACY, groups)})",
            }[outcome(gain, groups)]
            lines.append(f"{r.name} {verb} {IN_A_SENTENCE[SINGLE_FRAME]} ({gain_told(gain, VIDEO_ACCURACY, groups)}).")
    waiting = [f"{r.name} is {r.status}" for r in results if r.status]
    if waiting:
        lines.append(f"Not answered yet: {', '.join(waiting)}.")
    return {"question": "Does it look at motion?", "lines": lines} if lines else None


def showcase(judged: Sequence[Result]) -> dict[str, Any] | None:
    """A held-out clip of each class and what every recipe names it. The clips are those of the first recipe."""
    first = next((r for r in judged if r.examples is not None and len(r.examples["role"])), None)
    if first is None:
        return None
    assert first.examples is not None
    assert first.metrics is not None
    shown = []
    for label in first.metrics["labels"]:
        of_class = np.flatnonzero(first.examples["label"] == label)
        if len(of_class):
            number = int(of_class[np.argsort(first.examples["role"][of_class] != "right", kind="stable")[0]])
            frames = first.examples["frames"][number]
            at = pictures.shown_frames(len(frames), pictures.LONG_STRIP_FRAMES)
            clip = int(first.examples["clip"][number])
            answers = [named for r in judged if (named := _named(r, first, clip, label)) is not None]
            rows = [picture_row("Clip", pictures.strip(frames[at]), len(at), photograph=True)]
            source = str(first.examples["source"][number])
            shown.append({"title": label, "detail": source, "rows": rows, "answers": answers})
    more = len(shown) - CLASSES_SHOWN
    return {"clips": shown[:CLASSES_SHOWN], "more": max(more, 0), "by": first.name}


def _named(result: Result, first: Result, clip: int, label: str) -> dict[str, Any] | None:
    """What one recipe names a clip of the first recipe's; None where it was judged on others."""
    assert result.metrics is not None
    assert first.metrics is not None
    if result.clips is None or result.metrics["evaluation_sha256"] != first.metrics["evaluation_sha256"]:
        return None
    row = result.clips[(result.clips["clip"] == clip) & (result.clips["answer"] == "model")].iloc[0]
    predicted, confidence = str(row["predicted"]), float(row["confidence"])
    bar: Markup = class_charts.share_bar(confidence, None, None, title=f"{result.name}: {CONFIDENCE.told(confidence)}")
    told = CONFIDENCE.told(confidence)
    return {"recipe": result.name, "predicted": predicted, "right": predicted == label, "sure": told, "bar": bar}
