"""What stands on every recipe's page of the report, as plain values for the template; the parts of one kind of model
stand in `reconstruct_page` and `interpolate_page`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from tasks.report import charts, interpolate_page, reconstruct_page
from tasks.report.pages import KINDS, basis, best_of, data_href
from tasks.report.questions import Comparison
from tasks.report.results import Result
from tasks.report.verdicts import ANSWERS, ARCHITECTURES, against_baselines, against_champion, in_order

if TYPE_CHECKING:
    import pandas as pd

PARTS = {"reconstruct": reconstruct_page.part, "interpolate": interpolate_page.part}
VALIDATION = "validation_psnr_db"
SMOOTHED = 20  # points of the loss curve that one point of its smooth line rests on, at most


def recipe_page(result: Result, scale: dict[str, Any], asked: Sequence[Comparison], strips: int) -> dict[str, Any]:
    """One recipe's page; without figures it says what is missing."""
    page: dict[str, Any] = {
        "name": result.name,
        "kind": result.kind,
        "architecture": ARCHITECTURES.get(result.recipe.architecture, result.recipe.architecture),
        "variant": result.recipe.config.get("variant"),
        "dataset": result.recipe.dataset,
        "data_href": data_href(result.recipe.dataset),
        "status": result.status.capitalize() + "." if result.status else None,
        "result": result.metrics,
        "settings": _settings(result),
        "task": None,
        "sequences": [],
    }
    if result.metrics is None or result.curve is None:
        return page
    answers = in_order(result.metrics["answers"])
    rows = []
    for (answer, scores), best in zip(answers.items(), best_of(list(answers.values())), strict=True):
        gain = result.metrics["gains"].get(answer, {}).get("psnr_db")
        row = {
            "name": ANSWERS.get(answer, answer),
            "baseline": answer != "model",
            "floats": scores["floats"],
            "milli_mse": _thousandths(scores["mse"]),
            "milli_flicker": _thousandths(scores["flicker"]),
        }
        rows.append(row | {"scores": scores, "best": best, "gain": gain})
    return page | {
        "champion": against_champion(result.record, result.metrics["weights_sha256"]),
        "verdicts": against_baselines(result.metrics),
        "comparisons": [c for c in asked if result.name in (c.first, c.second)],
        "rows": rows,
        "basis": basis(result.metrics),
        "note": result.metrics["intervals"]["note"],
        "curve": _curve_chart(result),
        "bar": scale,
        **_history_charts(result),
        **PARTS[result.kind](result, scale["scale"], strips),
    }


def _thousandths(score: dict[str, float | None]) -> dict[str, float | None]:
    return {key: None if value is None else value * 1e3 for key, value in score.items()}


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


def _validation_chart(history: pd.DataFrame) -> Markup | None:
    """PSNR on the validation split at the steps where it was measured; nothing was chosen by it."""
    if VALIDATION not in history or history[VALIDATION].notna().sum() < 2:
        return None
    known = history[history[VALIDATION].notna()]
    lines = [charts.Line("validation", known["step"].tolist(), known[VALIDATION].tolist())]
    return charts.line_chart(lines, x_label="step", y_label="PSNR, dB", title="PSNR on the validation split by step")


def _history_charts(result: Result) -> dict[str, Markup | None]:
    import pandas as pd

    if result.history is None:
        return {"loss": None, "validation": None}
    table = result.history.apply(pd.to_numeric, errors="coerce")
    return {"loss": _loss_chart(table), "validation": _validation_chart(table)}


def _curve_chart(result: Result) -> Markup:
    assert result.curve is not None
    lines = []
    for answer in KINDS[result.kind].curve:
        part = result.curve[result.curve["answer"] == answer]
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
