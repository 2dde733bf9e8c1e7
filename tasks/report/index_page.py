"""What stands on the report's index: the recipes of a dataset side by side, as plain values for the template."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from tasks import pictures
from tasks.report import charts
from tasks.report.pages import LINEAR, bar, basis, best_of, clip_about, error_strip, href, picture_row
from tasks.report.results import Result
from tasks.report.verdicts import (
    ANSWERS,
    ARCHITECTURES,
    THE_QUESTION,
    Comparison,
    against_baselines,
    against_champion,
    compare,
    in_order,
    summary,
)


def comparisons(results: Sequence[Result]) -> list[Comparison]:
    """The articles' question, for every pair of the two architectures in the same variant on the same dataset."""
    found = []
    for one, other in itertools.product(results, results):
        asked = (one.recipe.architecture, other.recipe.architecture) == THE_QUESTION
        alike = one.recipe.dataset == other.recipe.dataset and one.recipe.config.get(
            "variant"
        ) == other.recipe.config.get("variant")
        if asked and alike and one.metrics and other.metrics:
            found.append(compare(one.judged, other.judged, one.recipe.evaluation))
    return found


def _unanswered(results: Sequence[Result]) -> str | None:
    """Why the question has no answer yet, where both architectures are in params.yaml."""
    waiting = [f"{r.name} is {r.status}" for r in results if r.status and r.recipe.architecture in THE_QUESTION]
    both = {r.recipe.architecture for r in results} >= set(THE_QUESTION)
    return f"Not answered yet: {', '.join(waiting)}." if both and waiting and not comparisons(results) else None


def index_set(dataset: str, results: Sequence[Result]) -> dict[str, Any]:
    """One dataset's part of the index."""
    judged = [r for r in results if r.metrics]
    rows = _recipe_rows(results) + _baseline_rows(judged)
    scored = [row for row in rows if row["scores"]]
    for row, best in zip(scored, best_of([row["scores"] for row in scored]), strict=True):
        row["best"] = best
    first = judged[0].metrics if judged else None
    scale = bar(results)
    return {
        "name": dataset,
        "rows": rows,
        "comparisons": comparisons(results),
        "unanswered": _unanswered(results),
        "note": first["intervals"]["note"] if first else None,
        "basis": basis(first) if first else None,
        "chart": _answer_chart(scored) if scored else None,
        "gains": _gain_chart(judged) if judged else None,
        "bar": scale,
        "showcase": _showcase(judged, scale["scale"]),
    }


BLANK: dict[str, Any] = dict.fromkeys(
    ("href", "detail", "scores", "parameters", "seconds", "device", "verdict", "outcome")
)


def _recipe_rows(results: Sequence[Result]) -> list[dict[str, Any]]:
    rows = []
    for r in results:
        label = ARCHITECTURES.get(r.recipe.architecture, r.recipe.architecture)
        detail = f"{label}, {r.recipe.config.get('variant', 'default')}"
        row = BLANK | {"name": r.name, "href": href(r), "detail": detail, "baseline": False}
        row["status"] = (r.status or "").capitalize()
        if r.metrics:
            answers, gains = r.metrics["answers"], r.metrics["gains"]
            strongest = max(gains, key=lambda answer: float(answers[answer]["psnr_db"]["value"]))
            outcome, verdict = summary(against_baselines(r.metrics))
            row |= {
                "scores": answers["model"],
                "gain": gains[strongest]["psnr_db"],
                "outcome": outcome,
                "verdict": verdict,
            }
            row |= {"floats": r.metrics["latent_floats"], "parameters": r.metrics["parameters"]}
            row |= {"seconds": r.timing["train_seconds"] if r.timing else None, "device": _device(r.timing)}
            if against_champion(r.record, r.metrics["weights_sha256"])[0] == "better":
                row["detail"] = f"{detail}, champion"
        rows.append(row)
    return rows


def _device(timing: dict[str, Any] | None) -> str | None:
    if not timing or "device" not in timing:
        return None
    threads = timing.get("threads")
    return (
        f"{timing['device']}, {threads} thread{'s' * (threads != 1)}"
        if timing["device"] == "cpu" and threads
        else str(timing["device"])
    )


def _baseline_rows(judged: Sequence[Result]) -> list[dict[str, Any]]:
    """Each baseline once for every number of floats it was given and every set of clips."""
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for r in judged:
        assert r.metrics is not None
        for answer, scores in in_order(r.metrics["answers"]).items():
            if answer != "model":
                row = BLANK | {"name": ANSWERS.get(answer, answer), "scores": scores, "floats": scores["floats"]}
                row |= {"baseline": True, "first": not rows}
                rows.setdefault((answer, scores["floats"], r.metrics["evaluation_sha256"]), row)
    return list(rows.values())


def _answer_chart(scored: Sequence[dict[str, Any]]) -> Markup:
    marks = []
    for row in scored:
        psnr = row["scores"]["psnr_db"]
        marks.append(charts.Mark(row["name"], psnr["value"], psnr["low"], psnr["high"], strong=not row["baseline"]))
    marks.sort(key=lambda m: -m.value)
    return charts.interval_chart(marks, x_label="PSNR, dB", title="PSNR of every answer with its 95% interval")


def _gain_chart(judged: Sequence[Result]) -> Markup:
    marks = []
    for r in judged:
        assert r.metrics is not None
        for metric, where in (("psnr_db", "all pixels"), ("psnr_moving_db", "moving"), ("psnr_still_db", "still")):
            gain = r.metrics["gains"][LINEAR][metric]
            if gain["value"] is not None:
                name = r.name if metric == "psnr_db" else where
                marks.append(charts.Mark(name, gain["value"], gain["low"], gain["high"], strong=metric == "psnr_db"))
    return charts.interval_chart(
        marks, x_label="dB above patch PCA, chosen", title="Gain over the best linear answer", zero=True
    )


def _showcase(judged: Sequence[Result], scale: float) -> list[dict[str, Any]]:
    """Clips that every judged recipe has: the input, each model's answer and error, the best linear answer."""
    by_clip: dict[int, list[tuple[Result, int]]] = {}
    for r in judged:
        if r.examples is not None:
            for place in np.flatnonzero(r.examples["role"] == "showcase"):
                by_clip.setdefault(int(r.examples["clip"][place]), []).append((r, int(place)))
    shown = []
    for clip_id, answers in by_clip.items():
        clip, linear = (answers[0][0].examples[key][answers[0][1]] for key in ("input", "linear"))  # type: ignore[index]
        at = pictures.shown_frames(len(clip))
        rows = [
            picture_row("Input", pictures.strip(clip[at]), len(at)),
            picture_row(ANSWERS[LINEAR], pictures.strip(linear[at]), len(at)),
        ]
        outputs = [(r, r.examples["output"][place]) for r, place in answers]  # type: ignore[index]
        rows += [picture_row(r.name, pictures.strip(output[at]), len(at)) for r, output in outputs]
        rows += [
            picture_row(f"Error, {r.name}", error_strip(clip[at], output[at], scale), len(at)) for r, output in outputs
        ]
        about = clip_about(answers[0][0], clip_id)
        shown.append({"title": about["label"] or about["source"], "detail": about["detail"], "rows": rows})
    return shown
