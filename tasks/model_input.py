"""How footage becomes the clips that a model takes: the section `input` of its `model.json`.

Stage `assemble` writes it into its summary, training copies it from there, and `tasks.new_footage` reads footage so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tasks import files
from tasks.params import Dataset

# What versions mean that were registered before a key was there.
DEFAULTS = {"every_frames": 1, "frames_per_second": None, "least_frames": None, "subclips": None, "shots": None}


def describe(d: Dataset, length_frames: int) -> dict[str, Any]:
    """The section `input`; nothing in it but what changes the clips.

    Args:
        length_frames: of the data set's longest clip.
    """
    return {
        "gray": d.frames.gray,
        "fit": d.frames.fit,
        "every_frames": d.frames.every_frames * d.clips.step_frames,
        "frames_per_second": d.frames.frames_per_second,
        "height_px": d.frames.height_px,
        "width_px": d.frames.width_px,
        "length_frames": length_frames,
        "least_frames": d.clips.least_frames,
        "stride_frames": max(1, d.clips.stride_frames // d.clips.step_frames),  # as the model takes them
        "subclips": None if d.subclips is None else d.subclips.model_dump(exclude={"files"}),
        "shots": None if d.shots is None else d.shots.model_dump(),
    }


def read(clips: Path) -> dict[str, Any]:
    """What `model.json` says of the data set in `clips`: `input` and, where it is rated, `ratings` {lowest, highest}.

    Raises:
        ValueError: the data set was assembled before its summary said so.
    """
    path = clips / "summary.json"
    summary = files.read_json(path) if path.is_file() else {}
    if "input" not in summary:
        raise ValueError(f"{path} does not say how the clips were made; run stage assemble again")
    said = {"input": summary["input"]}
    if (ratings := summary["ratings"]) is not None:
        said["ratings"] = {end: ratings[end] for end in ("lowest", "highest")}
    return said


def alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether footage becomes the same clips for two models (`input` of each), but for how far apart these begin."""
    return _clip(one) == _clip(other)


def _clip(input_: dict[str, Any]) -> dict[str, Any]:
    known = DEFAULTS | input_
    known["every_frames"] *= known.pop("step_frames", 1)  # two numbers, once
    known.pop("stride_frames", None)
    return known
