"""One source through a model of each kind, as `reconstruct`, `interpolate`, `features` and `predict` do it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tasks import descriptors, features, files, interpolate, new_footage, params, predict, reconstruct
from tasks.batch.sources import Found

LAYOUT = 1  # raise it when what is made of a source changes: every result is then made anew
PRECISION = "32"  # not what this machine's CPU is good at: results stay right when another one goes on
VIDEO, ERRORS, FEATURES, RATINGS = "video.mp4", "errors.csv", "features.parquet", "ratings.json"
COLUMNS: dict[str, tuple[str, ...]] = {  # of results.csv, by kind
    kind: ("source", "path", "sha256", *(name for name in names if name not in ("source", "path")))
    for kind, names in {
        "reconstruct": reconstruct.RESULTS,
        "interpolate": interpolate.RESULTS,
        "classify": ("frames", "clips"),
        "regress": tuple(predict.COLUMNS),
    }.items()
}
FIGURE = {"reconstruct": "psnr_db", "interpolate": "video_frames", "classify": "clips", "regress": "rating"}
Made = tuple[dict[str, Any], list[str]]  # the columns behind sha256; of each part that was left out, why


def settings(kind: str, batch: params.Batch) -> dict[str, Any]:
    """All that decides a source's result besides its content and the model. JSON."""
    own: dict[str, dict[str, Any]] = {
        "interpolate": {"times": batch.times, "slow": batch.slow},
        "classify": {"stride_frames": batch.stride_frames, "precision": PRECISION},
    }
    return {"layout": LAYOUT, **own.get(kind, {})}


def check(model: Any, settings: dict[str, Any]) -> None:
    """Raise a ValueError for a model that is of no use in a batch (see `tracking.Loaded`)."""
    if model.kind == "interpolate":
        interpolate.check(model, settings["times"])
    if model.kind == "classify" and not model.describes:
        raise ValueError(f"{model.uri} makes no descriptors; rushes features {model.recipe} says which recipes do")


def make(model: Any, found: Found, settings: dict[str, Any], folder: Path) -> Made:
    """Write what `model` makes of a source into an empty folder. Equal inputs, equal bytes.

    Raises:
        MediaError: the source does not decode.
        TooShortError: it has fewer frames than the model's clip.
        ValueError: the model answers with NaN or infinity.
    """
    maker: dict[str, Callable[[Any, Found, dict[str, Any], Path], Made]] = {
        "reconstruct": _reconstruct, "interpolate": _interpolate, "classify": _classify, "regress": _regress,
    }  # fmt: skip
    row, notes = maker[model.kind](model, found, settings, folder)
    return {key: value for key, value in row.items() if key not in ("source", "path")}, notes


def about(model: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """What a table of descriptors says of itself; nothing for the other kinds."""
    return features.about(model, _describing(settings)) if model.kind == "classify" else {}


def _reconstruct(model: Any, found: Found, settings: dict[str, Any], folder: Path) -> Made:
    return reconstruct.one(model, found.root, found.source, folder / VIDEO, folder / ERRORS), []


def _interpolate(model: Any, found: Found, settings: dict[str, Any], folder: Path) -> Made:
    lost: list[str] = []

    def say(line: str) -> None:
        if line.endswith(" is left out"):
            lost.append(line.removeprefix(f"{found.source.path}: "))

    video, times = folder / VIDEO, settings["times"]
    row = interpolate.one(model, found.root, found.source, video, times, settings["slow"], say)
    return row | {"video": f"sources/{found.id}/{VIDEO}"}, lost


def _classify(model: Any, found: Found, settings: dict[str, Any], folder: Path) -> Made:
    counts, lost = new_footage.Counts(), list[str]()
    told = features.described(model, _describing(settings), found.root, found.source, counts, lost.append)
    descriptors.write_part(folder / FEATURES, told, counts)
    return {"frames": counts.frames, "clips": counts.clips}, [f"{image} is left out" for image in lost]


def _regress(model: Any, found: Found, settings: dict[str, Any], folder: Path) -> Made:
    row, reasons = predict.one(model, found.path, found.root, found.source)
    files.write_json(folder / RATINGS, row | {"scale": model.score_range})
    return predict.brief(row), reasons


def _describing(settings: dict[str, Any]) -> features.Settings:
    return features.Settings(settings["stride_frames"], False, features.BATCH_CLIPS, settings["precision"])
