"""What stands on a recipe's page of the report, as plain values for the template."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from tasks import pictures
from tasks.report import charts
from tasks.report.pages import LINEAR, basis, best_of, clip_about, data_href, error_strip, fact, picture_row
from tasks.report.results import Result
from tasks.report.verdicts import ANSWERS, ARCHITECTURES, Comparison, against_baselines, against_champion, in_order

if TYPE_CHECKING:
    import pandas as pd

SOURCES_SHOWN = 30
VALIDATION = "validation_psnr_db"
SMOOTHED = 20  # points of the loss curve that one point of its smooth line rests on, at most


def recipe_page(result: Result, scale: dict[str, Any], asked: Sequence[Comparison], strips: int) -> dict[str, Any]:
    """One recipe's page; without figures it says what is missing."""
    page: dict[str, Any] = {
        "name": result.name,
        "architecture": ARCHITECTURES.get(result.recipe.architecture, result.recipe.architecture),
        "variant": result.recipe.config.get("variant"),
        "dataset": result.recipe.dataset,
        "data_href": data_href(result.recipe.dataset),
        "status": result.status.capitalize() + "." if result.status else None,
        "result": result.metrics,
        "settings": _settings(result),
    }
    if result.metrics is None or result.curve is None:
        return page
    answers = in_order(result.metrics["answers"])
    rows = []
    for (answer, scores), best in zip(answers.items(), best_of(list(answers.values())), strict=True):
        milli = {k: None if v is None else v * 1e3 for k, v in scores["mse"].items()}
        gain = result.metrics["gains"].get(answer, {}).get("psnr_db")
        row = {
            "name": ANSWERS.get(answer, answer),
            "baseline": answer != "model",
            "floats": scores["floats"],
            "milli_mse": milli,
        }
        rows.append(row | {"scores": scores, "best": best, "gain": gain})
    return page | {
        "facts": _facts(result),
        "champion": against_champion(result.record, result.metrics["weights_sha256"]),
        "verdicts": against_baselines(result.metrics),
        "comparisons": [c for c in asked if result.name in (c.first, c.second)],
        "rows": rows,
        "basis": basis(result.metrics),
        "note": result.metrics["intervals"]["note"],
        "curve": _curve_chart(result),
        "bar": scale,
        "examples": _examples(result, scale["scale"], strips),
        "linear": ANSWERS[LINEAR],
        **_history_charts(result),
        **_source_rows(result),
    }


def _facts(result: Result) -> list[dict[str, Any]]:
    assert result.metrics is not None
    psnr = result.metrics["answers"]["model"]["psnr_db"]
    facts = [
        fact("PSNR", f"{psnr['value']:.2f} dB", f"{psnr['low']:.2f} – {psnr['high']:.2f}"),
        fact("Latent floats", f"{result.metrics['latent_floats']:,}", "for one clip"),
        fact("Parameters", f"{result.metrics['parameters']:,}"),
    ]
    if result.timing:
        steps = f"{result.timing['steps']:,} steps" if "steps" in result.timing else None
        facts.append(fact("Training", f"{result.timing['train_seconds']:,.0f} s", steps))
        facts.append(fact("Device", str(result.timing.get("device", "–")), str(result.timing.get("precision", ""))))
    return facts


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
    for answer in ("model", LINEAR, "clip_mean_frame"):
        part = result.curve[result.curve["answer"] == answer]
        band = [part[k].tolist() if answer == "model" else None for k in ("psnr_db_quarter", "psnr_db_three_quarters")]
        lines.append(
            charts.Line(ANSWERS[answer], part["frame_in_clip"].tolist(), part["psnr_db"].tolist(), band[0], band[1])
        )
    label = "PSNR of a frame, dB; shaded: the middle half of the clips"
    return charts.line_chart(lines, x_label="frame in the clip", y_label=label, title="PSNR by frame within the clip")


def _examples(result: Result, scale: float, strips: int) -> list[dict[str, Any]]:
    assert result.examples is not None
    shown = []
    for role, place in itertools.product(("worst", "median", "best"), range(strips)):
        found = np.flatnonzero((result.examples["role"] == role) & (result.examples["rank"] == place))
        for number in found:
            clip, output = result.examples["input"][number], result.examples["output"][number]
            at = pictures.shown_frames(len(clip))
            about = clip_about(result, int(result.examples["clip"][number]))
            rows = [
                picture_row("Input", pictures.strip(clip[at]), len(at)),
                picture_row("Output", pictures.strip(output[at]), len(at)),
            ]
            rows.append(picture_row("Error", error_strip(clip[at], output[at], scale), len(at)))
            detail = f"{result.examples['psnr_db'][number]:.2f} dB; {about['label']}; {about['detail']}"
            title = role.capitalize() + (f" {place + 1}" if strips > 1 else "")
            shown.append(
                {"title": title, "detail": detail, "rows": rows, "video": pictures.video_uri(clip, output, scale)}
            )
    return shown


def _source_rows(result: Result) -> dict[str, Any]:
    if result.sources is None:
        return {"sources": [], "more_sources": None}
    linear = result.sources[result.sources["answer"] == LINEAR].set_index("source")["psnr_db"]
    model = result.sources[result.sources["answer"] == "model"]
    rows = model.assign(linear=model["source"].map(linear)).head(SOURCES_SHOWN).to_dict("records")
    more = (
        f"{len(model) - len(rows):,} more sources are in sources.csv of the evaluation."
        if len(model) > len(rows)
        else None
    )
    return {"sources": rows, "more_sources": more}


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
