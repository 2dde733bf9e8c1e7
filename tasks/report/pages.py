"""What the report's pages have in common: links, which figure is best, strips of one clip on one error scale, and
what differs between the kinds of model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks import pictures
from tasks.report import charts
from tasks.report.kinds import KINDS, Measure, kind_of
from tasks.report.results import Result
from tasks.report.verdicts import by_strength

if TYPE_CHECKING:
    import pandas as pd

GROUPS_NAMED = 12
INSIDE = {"This model": "this model", "Cross-fade": "cross-fade"}  # names within a label


def href(result: Result) -> str:
    return f"recipe-{result.name}.html"


def data_href(dataset: str) -> str:
    return f"data-{dataset}.html"


def fact(name: str, value: str, more: str | None = None) -> dict[str, str | None]:
    """A figure for the row of figures at the top of a page."""
    return {"name": name, "value": value, "more": more}


def training_facts(result: Result) -> list[dict[str, str | None]]:
    if not result.timing:
        return []
    steps = f"{result.timing['steps']:,} steps" if "steps" in result.timing else None
    return [
        fact("Training", f"{result.timing['train_seconds']:,.0f} s", steps),
        fact("Device", str(result.timing.get("device", "–")), str(result.timing.get("precision", ""))),
    ]


def best_of(answers: Sequence[dict[str, Any]], measures: Sequence[Measure]) -> list[dict[str, bool]]:
    """Which answer has the best mean in which metric."""

    def cost(answer: dict[str, Any], measure: Measure) -> float | None:
        value = answer[measure.key]["value"]
        return None if value is None else measure.cost(value)

    flags: list[dict[str, bool]] = [{} for _ in answers]
    for measure in measures:
        costs = [cost(answer, measure) for answer in answers]
        least = min((c for c in costs if c is not None), default=None)
        for flag, value in zip(flags, costs, strict=True):
            flag[measure.key] = value is not None and value == least
    return flags


def strongest(result: dict[str, Any]) -> str:
    """The baseline that the model's gain is told over: the kind's, or whichever scores best."""
    return kind_of(result).rival or by_strength(result)[0]


def bar(results: Sequence[Result]) -> dict[str, Any]:
    """The error colours of one dataset, on one scale for all its recipes and all the answers whose errors are drawn."""
    errors = []
    for r in results:
        if r.examples and "output" in r.examples:
            kind = KINDS[r.kind]
            drawn = ["output", *(f"answer_{answer}" for answer in kind.pictured if kind.errors)]
            errors += [pictures.error_of(r.examples["input"], r.examples[key]) for key in drawn]
    return {"uri": pictures.colour_bar_uri(), "scale": pictures.error_scale(errors)}


def basis(result: dict[str, Any]) -> str:
    """What the figures rest on."""
    groups, more = result["groups"], len(result["groups"]) - GROUPS_NAMED
    named = ", ".join(groups[:GROUPS_NAMED]) + (f" and {more} more" if more > 0 else "")
    of = f"of group{'s' * (len(groups) > 1)} {named}"
    if "moving_fraction" in result:
        return f"{result['clips']:,} held-out clips {of}; {result['moving_fraction']:.0%} of the pixels move."
    if "films" in result:
        many = f"{result['films']:,} held-out film{'s' * (result['films'] != 1)} ({result['clips']:,} clips)"
        alone = len(groups) == result["films"] > 1
        return f"{many}, each a group of its own." if alone else f"{many} {of}."
    classes = f"{len(result['labels'])} classes"
    return f"{result['videos']:,} held-out videos ({result['clips']:,} clips) {of}; {classes}."


def picture_row(name: str, image: pictures.Image, frames: int, photograph: bool = False) -> dict[str, Any]:
    """A named strip; photographs of real footage are compressed, as a page holds dozens of them."""
    uri = pictures.webp_uri(image) if photograph else pictures.png_uri(image)
    return {"name": name, "uri": uri, "frames": frames}


def error_strip(clip: Any, output: Any, scale: float) -> pictures.Image:
    return pictures.strip(np.stack([pictures.error_colours(e, scale) for e in pictures.error_of(clip, output)]))


def answer_rows(
    truth_THWC: Any, answers: Sequence[tuple[str, Any]], kind: str, scale: float, errors: Sequence[str]
) -> list[dict[str, Any]]:
    """Strips of one clip: the truth, every named answer, and under them the errors of the answers named in `errors`."""
    at, photograph = pictures.shown_frames(len(truth_THWC)), kind != "reconstruct"
    rows = [(KINDS[kind].truth, pictures.strip(truth_THWC[at]))]
    rows += [(name, pictures.strip(answer[at])) for name, answer in answers]
    rows += [
        (f"Error, {INSIDE.get(name, name)}", error_strip(truth_THWC[at], answer[at], scale))
        for name, answer in answers
        if name in errors
    ]
    return [picture_row(name, image, len(at), photograph) for name, image in rows]


def gain_marks(result: dict[str, Any], answer: str, name: str) -> list[charts.Mark]:
    """The model's gain over one baseline, and where the kind tells them apart, on the moving and the still pixels."""
    marks = []
    for measure, part in kind_of(result).gained:
        gain = result["gains"][answer][measure.key]
        if gain["value"] is not None:
            marks.append(mark(part or name, gain, measure, strong=not part))
    return marks


def mark(name: str, interval: dict[str, Any], measure: Measure, strong: bool) -> charts.Mark:
    """A figure in the unit that people read."""
    value, low, high = (interval[key] * measure.factor for key in ("value", "low", "high"))
    return charts.Mark(name, value, low, high, strong=strong)


def sequence_names(sources: pd.DataFrame) -> dict[str, str]:
    """What people call each source: its group where every source is its own, or else its id."""
    pairs = sources[["source", "group"]].drop_duplicates()
    alone = pairs["group"].is_unique
    return dict(zip(pairs["source"], pairs["group"] if alone else pairs["source"], strict=True))


def clip_about(result: Result, clip_id: int) -> dict[str, str]:
    """What a caption says of a clip: its class, its source, what people call that, and where it begins."""
    assert result.clips is not None
    row = result.clips[(result.clips["answer"] == "model") & (result.clips["clip"] == clip_id)].iloc[0]
    source, when = str(row["source"]), f"from {row['first_seconds']:.2f} s"
    name = sequence_names(result.clips)[source] if result.kind == "interpolate" else source
    group = f", group {row['group']}" if name != row["group"] else ""
    return {"label": str(row["label"]), "name": name, "when": when, "detail": f"{name}, {when}{group}"}
