"""What stands on every recipe's page of the report, as plain values for the template; the parts of one kind of model
stand in `reconstruct_page`, `interpolate_page`, `classify_page` and `rate_page`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from tasks.report import charts, classify_page, interpolate_page, rate_page, reconstruct_page
from tasks.report.kinds import ANSWERS, ARCHITECTURES, KINDS, Kind
from tasks.report.pages import basis, best_of, data_href
from tasks.report.questions import Comparison
from tasks.report.results import Result
from tasks.report.verdicts import against_baselines, against_champion, in_order
from tasks.scores import OF_THE_MODEL

if TYPE_CHECKING:
    import pandas as pd

PARTS = {
    "reconstruct": reconstruct_page.part,
    "interpolate": interpolate_page.part,
    "classify": classify_page.part,
    "regress": rate_page.part,
}
SMOOTHED = 20  # points of the loss curve that one point of its smooth line rests on, at most


def recipe_page(
    result: Result, beside: Sequence[Result], scale: dict[str, Any], asked: Sequence[Comparison], strips: int
) -> dict[str, Any]:
    """One recipe's page; without figures it says what is missing.

    Args:
        beside: all recipes of the same dataset and kind.
    """
    kind = KINDS[result.kind]
    page: dict[str, Any] = {
        "name": result.name,
        "kind": result.kind,
        "architecture": ARCHITECTURES.get(result.recipe.architecture, result.recipe.architecture),
        "variant": result.config.get("variant"),
        "dataset": result.recipe.dataset,
        "data_href": data_href(result.recipe.dataset),
        "status": result.status.capitalize() + "." if result.status else None,
        "result": result.metrics,
        "settings": _settings(result),
        "task": None,
        "answer": None,
        "own_verdicts": [],
        "warnings": [],
    }
    if result.metrics is None:
        return page
    return page | {
        "champion": against_champion(result.record, result.metrics["weights_sha256"]),
        "verdicts": against_baselines(result.metrics),
        "comparisons": [c for c in asked if result.name in (c.first, c.second)],
        "measures": kind.all,
        "primary": kind.primary,
        "floats": kind.floats,
        "rows": _answer_rows(result.metrics, kind),
        "basis": basis(result.metrics),
        "note": result.metrics["intervals"]["note"],
        "curve": _curve_chart(result),
        "bar": scale,
        **_history_charts(result),
        **PARTS[result.kind](result, beside, scale["scale"], strips),
    }


def _answer_rows(result: dict[str, Any], kind: Kind) -> list[dict[str, Any]]:
    """The answers beside one another, with what the model gains over each baseline."""
    answers = in_order(result["answers"])
    rows = []
    for (answer, scores), best in zip(answers.items(), best_of(list(answers.values()), kind.all), strict=True):
        row = {"name": ANSWERS.get(answer, answer), "baseline": answer not in OF_THE_MODEL, "floats": scores["floats"]}
        row["gain"] = result["gains"].get(answer, {}).get(kind.primary.key)
        rows.append(row | {"scores": scores, "best": best})
    return rows


def _loss_chart(history: pd.DataFrame) -> Markup | None:
    """Loss by step, smoothed where there are many points."""
    known = history[history["loss"].notna()]
    if known.empty:
        return None
    window = max(1, min(SMOOTHED, len(known) // 10))
    loss = known["loss"].rolling(window, min_periods=1).mean()
    label = "loss" if window == 1 else f"loss, mean of {window} rows of history.csv"
    lines = [charts.Line("training", known["step"].tolist(), loss.tolist())]
    return charts.line_chart(lines, x_label="step", y_label=label, title="Loss by training step")


def _validation_chart(history: pd.DataFrame, kind: Kind) -> Markup | None:
    """The kind's metric on the validation split at the steps where it was measured; nothing was chosen by it."""
    measure = kind.validation
    column = f"validation_{measure.key}" if measure else ""
    if measure is None or column not in history or history[column].notna().sum() < 2:
        return None
    known = history[history[column].notna()]
    lines = [charts.Line("validation", known["step"].tolist(), (known[column] * measure.factor).tolist())]
    title = f"{measure.name} on the validation split by step"
    label = f"{measure.name}, {measure.unit}" + "; lower is better" * (measure.best == "lowest")
    return charts.line_chart(lines, x_label="step", y_label=label, title=title)


def _history_charts(result: Result) -> dict[str, Markup | None]:
    import pandas as pd

    if result.history is None:
        return {"loss": None, "validation": None}
    table = result.history.apply(pd.to_numeric, errors="coerce")
    return {"loss": _loss_chart(table), "validation": _validation_chart(table, KINDS[result.kind])}


def _curve_chart(result: Result) -> Markup | None:
    if "frame_curve" not in result.tables:
        return None
    curve, lines = result.tables["frame_curve"], []
    for answer in KINDS[result.kind].curve:
        part = curve[curve["answer"] == answer]
        band = [part[k].tolist() if answer == "model" else None for k in ("psnr_db_quarter", "psnr_db_three_quarters")]
        lines.append(
            charts.Line(ANSWERS[answer], part["frame_in_clip"].tolist(), part["psnr_db"].tolist(), band[0], band[1])
        )
    label = "PSNR of a frame, dB; shaded: the middle half of the clips"
    return charts.line_chart(lines, x_label="frame in the clip", y_label=label, title="PSNR by frame within the clip")


def _settings(result: Result) -> list[tuple[str, str]]:
    """Settings and identities, in the order of the schema."""
    training = result.recipe.training.model_dump()
    optimizer = training.pop("optimizer")
    rows = [("optimizer", ", ".join(f"{k} {v}" for k, v in optimizer.items()))]
    rows += [(key.replace("_", " "), str(value)) for key, value in training.items()]
    rows += [(f"config: {key}", str(value)) for key, value in result.recipe.config.items()]
    if result.metrics:
        rows += [(key.replace("_", " "), str(result.metrics[key])) for key in ("weights_sha256", "evaluation_sha256")]
    return rows
