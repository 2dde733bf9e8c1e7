"""What stands on the page of a study (accuracy by kernel depth, what it shows, how it was run), as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from tasks import files, studies
from tasks.report import charts
from tasks.report.kinds import CLIP_ACCURACY, VIDEO_ACCURACY
from tasks.report.pages import fact
from tasks.report.verdicts import Outcome, outcome

LABELS = {"increasing": "Increasing, 3-3-5-5-7", "decreasing": "Decreasing, 7-5-5-3-3"}  # over the paper's five blocks
LEFT_OUT = {"diverged": "diverged", "failed": "failed", "not run": "did not run yet"}


def study_pages(data: Path) -> list[dict[str, Any]]:
    """The page of every study that was made."""
    pattern = studies.kernel_depth_file(data, "*")
    return [_kernel_depth(files.read_json(path)) for path in sorted(pattern.parent.glob(pattern.name))]


def _kernel_depth(study: dict[str, Any]) -> dict[str, Any]:
    rows = study["table"]
    return {
        "href": studies.kernel_depth_page(study["recipe"]),
        "title": f"Study: kernel depth of {study['recipe']}",
        "recipe": study["recipe"],
        "dataset": study["dataset"],
        "facts": _facts(study),
        "verdicts": [
            *_against(study["differences"], len(set(study["groups"].values()))),
            *_at_chance(study),
            *_left_out(study),
        ],
        "chart": _accuracy_chart(study),
        "differences": _difference_chart(study["differences"]),
        "seeds": study["seeds"],
        "rows": [_row(row) for row in rows],
        "measure": VIDEO_ACCURACY,
        "intervals": study["intervals"],
        "experiments": [_experiment(row) for row in study["experiments"]],
        "command": f"rushes study kernel-depth {study['recipe']} --depths {','.join(map(str, study['depths']))}"
        f" --seeds {len(study['seeds'])} --steps {study['steps']}",
    }


def _facts(study: dict[str, Any]) -> list[dict[str, Any]]:
    judged = [row for row in study["experiments"] if studies.outcome(row) == "judged"]
    seconds = sum(row["train_seconds"] for row in judged)
    groups = len(set(study["groups"].values()))
    return [
        fact(
            "Trainings", f"{len(study['experiments']):,}", f"{len(study['depths'])} depths, {len(study['seeds'])} seeds"
        ),
        fact("Steps", f"{study['steps']:,}", "each"),
        fact("Training", f"{seconds:,.0f} s", "together"),
        fact("Videos judged", f"{study['videos']:,}", f"{groups} group{'s' * (groups != 1)}"),
        *([fact("Chance", VIDEO_ACCURACY.told(study["chance"]))] if judged else []),
    ]


def label(depth: int | str) -> str:
    """A depth as the head of a row."""
    return LABELS[depth] if isinstance(depth, str) else f"Depth {depth}"


def said(depth: int | str) -> str:
    """A depth within a sentence."""
    return f"{depth} depth" if isinstance(depth, str) else f"depth {depth}"


def _against(differences: Sequence[dict[str, Any]], groups: int) -> Iterator[tuple[Outcome, str]]:
    """A sentence a difference that is shown, and one for all that are not."""
    undecided = []
    for row in differences:
        one, other, found = said(row["depth"]), said(row["against"]), outcome(row, groups)
        if found == "open":
            gap = VIDEO_ACCURACY.gap(row["value"], sign=True)
            undecided.append(f"{one} ({gap}, interval {VIDEO_ACCURACY.span(row)})")
            continue
        sides = {"low": row["low"], "high": row["high"]}
        if found == "worse":
            one, other, sides = other, one, {"low": -row["high"], "high": -row["low"]}
        gap = VIDEO_ACCURACY.gap(abs(row["value"]))
        yield "better", f"{one.capitalize()} is better than {other} by {gap} (interval {VIDEO_ACCURACY.span(sides)})."
    if undecided:
        yield "open", f"No difference from {said(differences[0]['against'])} is shown for {_listed(undecided)}."


def _at_chance(study: dict[str, Any]) -> Iterator[tuple[Outcome, str]]:
    for row in study["table"]:
        if row["mean"] is not None and row["low"] <= study["chance"] <= row["high"]:
            found = f"{VIDEO_ACCURACY.told(row['mean'])} (interval {VIDEO_ACCURACY.span(row)})"
            chance = f"not shown to do better than chance, which is {VIDEO_ACCURACY.told(study['chance'])}"
            yield "open", f"{said(row['depth']).capitalize()} is at {found}: {chance}."


def _left_out(study: dict[str, Any]) -> Iterator[tuple[Outcome, str]]:
    for row in study["table"]:
        rest = "" if row["mean"] is None else "; its mean is that of the others"
        for how, became in LEFT_OUT.items():
            if gone := row["outcomes"].count(how):
                what = f"{gone} of {len(row['outcomes'])} trainings with {said(row['depth'])} {became}{rest}."
                yield "worse" if how == "diverged" else "open", what


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _accuracy_chart(study: dict[str, Any]) -> Markup | None:
    marks = []
    for row in study["table"]:
        if row["mean"] is not None:
            dots = tuple(100 * value for value in row["seeds"] if value is not None)
            mean, low, high = (100 * row[key] for key in ("mean", "low", "high"))
            marks.append(charts.Mark(label(row["depth"]), mean, low, high, strong=True, dots=dots))
    if not marks:
        return None
    title = "Video accuracy of every kernel depth with its 95% interval; small dots are single seeds"
    return charts.interval_chart(marks, x_label="Video accuracy, %", title=title, line=100 * study["chance"])


def _difference_chart(differences: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    if not differences:
        return None
    marks = []
    for row in differences:
        value, low, high = (100 * row[key] for key in ("value", "low", "high"))
        marks.append(charts.Mark(label(row["depth"]), value, low, high, strong=True))
    title = f"Difference from {said(differences[0]['against'])}"
    chart = charts.interval_chart(marks, x_label="points of video accuracy", title=title, line=0.0)
    return {"title": title, "chart": chart}


def _row(row: dict[str, Any]) -> dict[str, Any]:
    mean = {"value": row["mean"], "low": row["low"], "high": row["high"]}
    numbers = [VIDEO_ACCURACY.number(value) for value in row["seeds"]]
    seeds = [how if how != "judged" else number for number, how in zip(numbers, row["outcomes"], strict=True)]
    return {"name": label(row["depth"]), "mean": mean, "seeds": seeds, "parameters": row["parameters"]}


def _experiment(row: dict[str, Any]) -> dict[str, Any]:
    how = studies.outcome(row)
    return {
        "name": row["experiment"],
        "said": f"{how}: {row[how]}" if how != "judged" else None,
        "video": VIDEO_ACCURACY.number(row["video_accuracy"]),
        "clip": CLIP_ACCURACY.number(row["clip_accuracy"]),
        "seconds": row["train_seconds"],
        "apply": f"dvc exp apply {row['commit'][:10]}" if how == "judged" else None,
    }
