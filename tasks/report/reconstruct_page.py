"""What stands on the page of a model that rebuilds its clips: floats, strips with their error, sources."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from tasks import pictures
from tasks.report import films
from tasks.report.kinds import ANSWERS, LINEAR, PSNR
from tasks.report.pages import clip_about, error_strip, fact, picture_row, training_facts
from tasks.report.results import Result

SOURCES_SHOWN = 30


def part(result: Result, beside: Sequence[Result], scale: float, strips: int) -> dict[str, Any]:
    """The values that only this kind's template reads."""
    examples = _examples(result, scale, strips)
    return {"facts": _facts(result), "examples": examples, "linear": ANSWERS[LINEAR]} | _source_rows(result)


def _facts(result: Result) -> list[dict[str, Any]]:
    assert result.metrics is not None
    psnr = result.metrics["answers"]["model"]["psnr_db"]
    facts = [
        fact(PSNR.name, PSNR.told(psnr["value"]), PSNR.span(psnr)),
        fact("Latent floats", f"{result.metrics['latent_floats']:,}", "for one clip"),
        fact("Parameters", f"{result.metrics['parameters']:,}"),
    ]
    return facts + training_facts(result)


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
                {"title": title, "detail": detail, "rows": rows, "video": films.rebuilt_uri(clip, output, scale)}
            )
    return shown


def _source_rows(result: Result) -> dict[str, Any]:
    sources = result.tables["sources"]
    linear = sources[sources["answer"] == LINEAR].set_index("source")["psnr_db"]
    model = sources[sources["answer"] == "model"]
    rows = model.assign(linear=model["source"].map(linear)).head(SOURCES_SHOWN).to_dict("records")
    more = (
        f"{len(model) - len(rows):,} more sources are in sources.csv of the evaluation."
        if len(model) > len(rows)
        else None
    )
    return {"sources": rows, "more_sources": more}
