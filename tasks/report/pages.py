"""What the report's pages have in common: links, which figure is best, strips of one clip on one error scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tasks import pictures
from tasks.report.results import Result

LINEAR = "patch_pca_chosen"
HIGHER = ("psnr_db", "psnr_moving_db", "psnr_still_db", "ssim")


def href(result: Result) -> str:
    return f"recipe-{result.name}.html"


def data_href(dataset: str) -> str:
    return f"data-{dataset}.html"


def fact(name: str, value: str, more: str | None = None) -> dict[str, str | None]:
    """A figure for the row of figures at the top of a page."""
    return {"name": name, "value": value, "more": more}


def best_of(answers: Sequence[dict[str, Any]]) -> list[dict[str, bool]]:
    """Which answer has the best mean in which metric. Best sharpness is the ratio nearest to 1."""
    keys: dict[str, Any] = {m: lambda v: -v for m in HIGHER} | {
        "mse": lambda v: v,
        "sharpness_ratio": lambda v: abs(np.log(max(v, 1e-9))),
    }
    best = []
    for answer in answers:
        flags = {}
        for metric, key in keys.items():
            values = [key(a[metric]["value"]) for a in answers if a[metric]["value"] is not None]
            flags[metric] = answer[metric]["value"] is not None and key(answer[metric]["value"]) == min(values)
        best.append(flags)
    return best


def bar(results: Sequence[Result]) -> dict[str, Any]:
    """The error colours of one dataset, on one scale for all its recipes."""
    errors = [
        pictures.error_of(i, o)
        for r in results
        if r.examples
        for i, o in zip(r.examples["input"], r.examples["output"], strict=True)
    ]
    return {"uri": pictures.colour_bar_uri(), "scale": pictures.error_scale(errors)}


def basis(result: dict[str, Any]) -> str:
    groups = f"group{'s' * (len(result['groups']) > 1)} {', '.join(result['groups'])}"
    return f"{result['clips']:,} held-out clips of {groups}; {result['moving_fraction']:.0%} of the pixels move."


def picture_row(name: str, image: pictures.Image, frames: int) -> dict[str, Any]:
    return {"name": name, "uri": pictures.png_uri(image), "frames": frames}


def error_strip(clip: Any, output: Any, scale: float) -> pictures.Image:
    return pictures.strip(np.stack([pictures.error_colours(e, scale) for e in pictures.error_of(clip, output)]))


def clip_about(result: Result, clip_id: int) -> dict[str, str]:
    assert result.clips is not None
    row = result.clips[(result.clips["answer"] == "model") & (result.clips["clip"] == clip_id)].iloc[0]
    detail = f"{row['source']}, from {row['first_seconds']:.2f} s, group {row['group']}"
    return {"label": str(row["label"]), "source": str(row["source"]), "detail": detail}
