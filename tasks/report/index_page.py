"""What stands on the report's index: the recipes of a dataset side by side, as plain values for the template."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from tasks.report import charts, classify_page, rate_page
from tasks.report.interpolate_page import given_row
from tasks.report.kinds import ANSWERS, ARCHITECTURES, IN_A_SENTENCE, KINDS, LINEAR, Kind
from tasks.report.pages import (
    answer_rows,
    bar,
    basis,
    best_of,
    clip_about,
    gain_marks,
    href,
    mark,
    strongest,
)
from tasks.report.questions import (
    THE_QUESTION,
    Comparison,
    beats_the_cross_fade,
    compare,
    compare_variants,
    image_only,
    looks_at_motion,
)
from tasks.report.results import Result
from tasks.report.verdicts import against_baselines, against_champion, by_strength, in_order, summary
from tasks.scores import OF_THE_MODEL

SHOWN = ("reconstruct", "interpolate")  # kinds whose answers are frames


def comparisons(results: Sequence[Result]) -> list[Comparison]:
    """The articles' questions: for every pair of the two autoencoders in the same variant on the same dataset, and for
    every two recipes that answer missing frames, or rate films, of the same dataset; and whether kernels in time are of
    use, for every recipe beside its image-only network."""
    found = []
    judged = [r for r in results if r.metrics]
    for one, other in itertools.product(judged, judged):
        asked = (one.recipe.architecture, other.recipe.architecture) == THE_QUESTION
        alike = one.recipe.config.get("variant") == other.recipe.config.get("variant")
        if asked and alike and one.recipe.dataset == other.recipe.dataset:
            found.append(compare(one.judged, other.judged, one.recipe.evaluation))
    for one, other in itertools.combinations([r for r in judged if r.kind in ("interpolate", "regress")], 2):
        if (one.kind, one.recipe.dataset) == (other.kind, other.recipe.dataset):
            found.append(compare_variants(one.judged, other.judged, one.recipe.evaluation))
    named = [r for r in judged if r.kind == "classify"]
    for deep, flat in itertools.product(named, named):
        alike = (deep.recipe.dataset, deep.recipe.architecture) == (flat.recipe.dataset, flat.recipe.architecture)
        if alike and image_only(flat.config) and not image_only(deep.config):
            found.append(looks_at_motion(deep.judged, flat.judged, deep.recipe.evaluation))
    return found


def _answer(kind: str, results: Sequence[Result]) -> dict[str, Any] | None:
    """The articles' question and its answer, in sentences; None where the recipes do not ask it."""
    said = [c.sentence for c in comparisons(results)]
    if kind == "classify":
        return classify_page.question(results, said)
    if kind == "regress":
        return rate_page.question(results, said)
    if kind == "interpolate":
        fades = [
            beats_the_cross_fade(r.judged, r.metrics["gains"]["cross_fade"]["psnr_db"]) for r in results if r.metrics
        ]
        waiting = [f"{r.name} is {r.status}" for r in results if r.status] if not fades else []
        lines = fades + said + ([f"Not answered yet: {', '.join(waiting)}."] if waiting else [])
        return {"question": "Does it beat the cross-fade?", "lines": lines}
    waiting = [f"{r.name} is {r.status}" for r in results if r.status and r.recipe.architecture in THE_QUESTION]
    if waiting and not said and {r.recipe.architecture for r in results} >= set(THE_QUESTION):
        said = [f"Not answered yet: {', '.join(waiting)}."]
    return {"question": "3-D CNN or GRU?", "lines": said} if said else None


def index_set(dataset: str, kind: str, results: Sequence[Result]) -> dict[str, Any]:
    """One dataset's part of the index; all `results` are of one kind."""
    judged = [r for r in results if r.metrics]
    told = KINDS[kind]
    rows = _recipe_rows(results, told) + _baseline_rows(judged) + _chance_row(judged, told)
    scored = [row for row in rows if row["scores"]]
    measures = told.ranged + told.plain
    for row, best in zip(scored, best_of([row["scores"] for row in scored], measures), strict=True):
        row["best"] = best
    first = judged[0].metrics if judged else None
    scale = bar(results)
    return {
        "name": dataset,
        "kind": kind,
        "does": told.does,
        "ranged": told.ranged,
        "plain": told.plain,
        "primary": told.primary,
        "floats": told.floats,
        "rows": rows,
        "answer": _answer(kind, results),
        "warnings": list(dict.fromkeys(w for r in judged if r.metrics for w in r.metrics.get("warnings", []))),
        "note": first["intervals"]["note"] if first else None,
        "basis": basis(first) if first else None,
        "heading": told.heading,
        "chart": _answer_chart(scored, told, first) if scored else None,
        "gains": _gain_chart(judged) if judged else None,
        "bar": scale,
        "showcase": _showcase(judged, scale["scale"]) if kind in SHOWN else [],
        "named": classify_page.showcase(judged) if kind == "classify" else None,
    }


BLANK: dict[str, Any] = dict.fromkeys(
    ("href", "detail", "scores", "parameters", "seconds", "device", "verdict", "outcome", "gain", "floats")
)
BLANK |= {"baseline": False, "part": False, "first": False}


def _recipe_rows(results: Sequence[Result], kind: Kind) -> list[dict[str, Any]]:
    """The recipes, and under each the answers that are its own but not the network's."""
    rows = []
    for r in results:
        label = ARCHITECTURES.get(r.recipe.architecture, r.recipe.architecture)
        detail = f"{label}, {r.config.get('variant', 'default')}"
        row = BLANK | {"name": r.name, "href": href(r), "detail": detail}
        row["status"] = (r.status or "").capitalize()
        rows.append(row)
        if r.metrics:
            answers, gains = r.metrics["answers"], r.metrics["gains"]
            outcome, verdict = summary(against_baselines(r.metrics))
            row |= {
                "scores": answers["model"],
                "gain": gains[by_strength(r.metrics)[0]][kind.primary.key],
                "outcome": outcome,
                "verdict": verdict,
            }
            row |= {"floats": answers["model"]["floats"], "parameters": r.metrics["parameters"]}
            row |= {"seconds": r.timing["train_seconds"] if r.timing else None, "device": _device(r.timing)}
            if against_champion(r.record, r.metrics["weights_sha256"])[0] == "better":
                row["detail"] = f"{detail}, champion"
            for answer in OF_THE_MODEL[1:]:
                if answer in answers:
                    own = {"name": ANSWERS[answer], "scores": answers[answer], "floats": answers[answer]["floats"]}
                    rows.append(BLANK | own | {"part": True, "of": r.name})
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
    """Each baseline once for every number of floats it was given, every set of clips, and every task."""
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for r in judged:
        assert r.metrics is not None
        for answer, scores in in_order(r.metrics["answers"]).items():
            if answer not in OF_THE_MODEL:
                row = BLANK | {"name": ANSWERS.get(answer, answer), "scores": scores, "floats": scores["floats"]}
                row |= {"baseline": True, "first": not rows}
                rows.setdefault((answer, scores["floats"], r.metrics["evaluation_sha256"], r.places), row)
    return list(rows.values())


def _chance_row(judged: Sequence[Result], kind: Kind) -> list[dict[str, Any]]:
    """What a guess is worth, where the kind has such a thing."""
    chance = judged[0].metrics.get("chance") if judged and judged[0].metrics else None
    if chance is None:
        return []
    same = {"value": chance, "low": None, "high": None}
    row = {"name": "Chance", "scores": dict.fromkeys((m.key for m in kind.ranged + kind.plain), same), "chance": True}
    return [BLANK | {"baseline": True} | row]


def _answer_chart(scored: Sequence[dict[str, Any]], kind: Kind, first: dict[str, Any] | None) -> Markup:
    measure, marks = kind.primary, []
    for row in scored:
        if row["scores"][measure.key]["low"] is not None:
            name = f"{row['of']}, SVM" if row["part"] else row["name"]
            marks.append(mark(name, row["scores"][measure.key], measure, strong=not row["baseline"]))
    marks.sort(key=lambda m: measure.cost(m.value))
    chance = first.get("chance") if first else None
    line = None if chance is None else chance * measure.factor
    label = f"{measure.name}, {measure.unit}" + ("" if line is None else "; dashed: chance")
    label += "; lower is better" * (measure.best == "lowest")
    title = f"{measure.name} of every answer with its 95% interval"
    return charts.interval_chart(marks, x_label=label, title=title, line=line)


def _gain_chart(judged: Sequence[Result]) -> dict[str, Any]:
    """Every recipe's gain over the baseline that this kind is held against."""
    assert judged[0].metrics is not None
    rival, measure = strongest(judged[0].metrics), KINDS[judged[0].kind].primary
    marks = [mark for r in judged if r.metrics for mark in gain_marks(r.metrics, rival, r.name)]
    title = "Gain over " + ("the best linear answer" if rival == LINEAR else IN_A_SENTENCE[rival])
    label = f"{measure.gap_unit} {measure.better_side} it"
    return {"title": title, "chart": charts.interval_chart(marks, x_label=label, title=title, line=0.0)}


def _showcase(judged: Sequence[Result], scale: float) -> list[dict[str, Any]]:
    """Clips that every judged recipe has: the truth, the pictured baselines, each model's answer, and the errors."""
    by_clip: dict[Any, list[tuple[Result, int]]] = {}
    for r in judged:
        if r.examples is not None:
            for place in np.flatnonzero(r.examples["role"] == "showcase"):
                by_clip.setdefault((int(r.examples["clip"][place]), r.places), []).append((r, int(place)))
    shown = []
    for (clip_id, _), answered in by_clip.items():
        first, number = answered[0]
        assert first.examples is not None
        kind = KINDS[first.kind]
        baselines = [(ANSWERS[a], first.examples[f"answer_{a}"][number]) for a in kind.pictured]
        models = [(r.name, r.examples["output"][place]) for r, place in answered if r.examples is not None]
        drawn = [name for name, _ in (baselines if kind.errors else []) + models]
        rows = answer_rows(first.examples["input"][number], baselines + models, first.kind, scale, drawn)
        rows = ([given_row(first, number)] if "shown" in first.examples else []) + rows
        about = clip_about(first, clip_id)
        title, detail = (about["label"], about["detail"]) if about["label"] else (about["name"], about["when"])
        shown.append({"title": title, "detail": detail, "rows": rows})
    return shown
